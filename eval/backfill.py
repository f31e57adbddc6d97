"""Completes a run's manifest: python -m eval.backfill RUN [--games N].

A policy plays the ten named opponents if its entry is missing, has failed, or is about other
parameters. Results are stored as they come in, so the same command resumes a stopped backfill.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from bb_jax.errors import EvaluationError, UserError
from bb_sim import OPPONENTS
from eval.command_line import Parser, check_seed, run_command, run_program, start_jax
from eval.console import games_bar, note, show
from eval.matches.match import check_games
from eval.matches.players import NamedPlayer, network_player
from eval.matches.resumable import PartialResults, play_in_parts
from eval.runs.layout import policy_files, refuse_shipped
from eval.runs.references import find_run
from eval.statistics.manifest import (
    COMPLETE,
    Entry,
    policy_name,
    read_manifest,
    record_evaluation,
    record_failure,
    update_manifest,
)
from eval.statistics.strength import strength_of

SOURCE = "backfill"
EXIT_FAILED = 1
_PARTIAL = ".backfill.partial"


def _parser() -> Parser:
    parser = Parser(
        prog="python -m eval.backfill",
        description="Evaluates those policies of a run that its manifest has no results of.",
    )
    parser.add_argument("run", metavar="RUN", help="a run's folder, or its name under checkpoints/")
    parser.add_games("games against each of the ten")
    parser.add_argument(
        "--all",
        action="store_true",
        help="also repeat evaluations of fewer games or fewer opponents",
    )
    parser.add_seed()
    parser.add_device()
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; the exit code is 1 if an evaluation failed."""
    options = _parser().parse_args(arguments)
    return run_command(lambda: _run(options))


def _run(options: argparse.Namespace) -> int:
    check_games(options.games, "--games")
    check_seed(options.seed)
    run = find_run(options.run)
    if not policy_files(run):
        raise EvaluationError(f"run {run} keeps no policies")
    refuse_shipped(run)
    dropped = update_manifest(run)
    if dropped:
        steps = ", ".join(map(str, dropped))
        show(f"dropped, because the policies are no longer kept: {steps}")
    start_jax(options.device)
    done = [
        backfill_step(run, step, options.games, options.seed, again=options.all)
        for step in policy_files(run)
    ]
    completed, failed = done.count(True), done.count(False)
    show(f"{completed} completed, {failed} failed, {done.count(None)} left as they were")
    return EXIT_FAILED if failed else 0


def backfill_step(run: Path, step: int, games: int, seed: int, *, again: bool) -> bool | None:
    """Evaluates the policy of a step if its entry needs it, and prints the outcome.

    Args:
      run: the run's folder.
      step: the policy's step; the policy may be gone by now.
      games: games against each of the ten named opponents, even.
      seed: the seed of the deals.
      again: whether to replace a complete entry of fewer games or opponents.

    Returns:
      Whether the entry was completed; None if there was nothing to do.

    Raises:
      EvaluationError: the manifest cannot be written.
    """
    from bb_jax import load_policy, policy_hash

    path = policy_files(run).get(step)
    if path is None:
        show(f"step {step}: no longer kept")
        return None
    try:
        policy = load_policy(path)
        name = policy_hash(policy.params)
        if not _is_wanted(read_manifest(run).get(step), name, games, again):
            return None
        player = network_player(policy_name(step), policy)
        partial = PartialResults(run / _PARTIAL, note)
        pairings = [(player, NamedPlayer(opponent)) for opponent in OPPONENTS]
        with games_bar() as on_progress:
            results = play_in_parts(
                pairings, games, seed, policy.scoring, partial=partial, on_progress=on_progress
            )
    except UserError as error:
        record_failure(run, step, str(error), SOURCE)
        show(f"step {step}: failed: {error}")
        return False
    record_evaluation(
        run, step, results, policy_hash=name, scoring=policy.scoring, seed=seed, source=SOURCE
    )
    partial.remove()
    show(f"step {step}: {strength_of(results, policy.scoring).describe()} ({games} games each)")
    return True


def _is_wanted(entry: Entry | None, policy_hash: str, games: int, again: bool) -> bool:
    if entry is None or entry.status != COMPLETE or entry.hash != policy_hash:
        return True
    met = {result.opponent: result.games for result in entry.results}
    return again and any(met.get(opponent, 0) < games for opponent in OPPONENTS)


if __name__ == "__main__":
    run_program(main)
