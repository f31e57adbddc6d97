"""Why games are not won: python -m eval.losses RUN[@STEP] [--search TEXT] [--json FILE].

Plays games until enough are not won, and judges every decision in them with many times the samples.
See docs/search.md.
"""

from __future__ import annotations

import argparse
import shlex
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bb_jax.errors import EvaluationError
from bb_jax.files import check_writable, timestamp, write_json
from bb_jax.search.config import SearchConfig, parse_search
from bb_sim import OPPONENTS
from eval.command_line import (
    Parser,
    check_seed,
    path_argument,
    run_command,
    run_program,
    start_jax,
)
from eval.console import games_bar, note, show
from eval.heartbeat import Heartbeat
from eval.interrupts import check_interrupted
from eval.loss_tables import losses_text
from eval.matches.match import MatchResult, check_games, deal_seeds
from eval.matches.players import (
    NamedPlayer,
    Player,
    common_scoring,
    search_player,
    split_specifications,
)
from eval.matches.resumable import PartialResults, play_in_parts
from eval.runs.references import find_policy

if TYPE_CHECKING:
    from bb_jax import Policy
    from eval.analysis.losses import AuditedGame

MODULE = "eval.losses"
HARDEST = "outcome_heuristic,distilled_outcome,online"
WORST = 20
# Games against each opponent that are played before the lost ones are counted again.
_STEP = 1000


def _parser() -> Parser:
    parser = Parser(
        prog=f"python -m {MODULE}",
        description="Audits the games that a search does not win: regret by decisions, luck, and "
        "what another search would have seen.",
    )
    parser.add_argument(
        "run",
        metavar="RUN[@STEP]",
        help="a run's folder, or its name under checkpoints/; the newest step by default",
    )
    parser.add_argument(
        "--search",
        default="samples=200,opponent=known",
        metavar="TEXT",
        help="how it searches, with a number of samples (default: samples=200,opponent=known)",
    )
    parser.add_argument(
        "--opponents",
        default=HARDEST,
        metavar="LIST",
        help=f"comma-separated named opponents, or all (default: {HARDEST})",
    )
    parser.add_argument(
        "--lost",
        type=int,
        default=300,
        metavar="N",
        help="games that were not won, over all opponents (default: 300)",
    )
    parser.add_argument(
        "--games",
        type=int,
        default=100_000,
        metavar="N",
        help="games against each opponent at most, an even number (default: 100000)",
    )
    parser.add_argument(
        "--times",
        type=int,
        default=20,
        metavar="N",
        help="how many times the search's samples the judges take (default: 20)",
    )
    parser.add_seed()
    parser.add_device()
    parser.add_argument(
        "--json",
        type=path_argument,
        metavar="FILE",
        help="write everything to this file too; the same command resumes stopped games",
    )
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line and returns its exit code: 0, 2 for bad input, 130 for Ctrl-C."""
    options = _parser().parse_args(arguments)
    given = sys.argv[1:] if arguments is None else arguments
    return run_command(lambda: _run(options, given))


def _run(options: argparse.Namespace, arguments: Sequence[str]) -> int:
    search, names = _checked(options)
    path = find_policy(options.run)
    start_jax(options.device)
    from bb_jax import load_policy
    from eval.analysis.losses import worst_decisions

    policy = load_policy(path)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "games") if options.json is None else options.json
        partial = PartialResults.beside(file, note)
        results = _play(options, policy, search, names, partial)
    judges, lost, won = _audit(options, policy, search, results)
    if options.json is not None:
        found: dict[str, Any] = {
            "checkpoint": options.run,
            "search": str(search),
            "times": options.times,
            "results": [result.as_json() for result in results],
            "judges": judges,
            "lost": [game.model_dump(mode="json", by_alias=True) for game in lost],
            "won": [game.model_dump(mode="json", by_alias=True) for game in won],
            "seed": options.seed,
            "date": timestamp(),
            "command": shlex.join(["python", "-m", MODULE, *arguments]),
        }
        write_json(options.json, found)
        partial.remove()
    show(losses_text(results, judges, lost, won, worst_decisions(lost, WORST), options.times))
    return 0


def _checked(options: argparse.Namespace) -> tuple[SearchConfig, Sequence[str]]:
    """The search and the opponents, once all options are in order."""
    for name, least in (("lost", 1), ("games", 4), ("times", 1)):
        if getattr(options, name) < least:
            raise EvaluationError(
                f"--{name} must be at least {least}, not {getattr(options, name)}"
            )
    check_games(options.games, "--games")
    check_seed(options.seed)
    if options.json is not None:
        check_writable(options.json)
    try:
        search = parse_search(options.search)
    except ValueError as error:
        raise EvaluationError(str(error)) from error
    if not search.samples:
        raise EvaluationError(f"--search must say samples=N with N above 0, not {options.search}")
    names = split_specifications(options.opponents)
    for name in names:
        if name not in OPPONENTS:
            raise EvaluationError(
                f"--opponents are named ones ({', '.join(OPPONENTS)}), not {name}"
            )
    return search, names


def _play(
    options: argparse.Namespace,
    policy: Policy,
    search: SearchConfig,
    names: Sequence[str],
    partial: PartialResults,
) -> list[MatchResult]:
    """Games against each opponent until enough are not won; `partial` holds those played so far."""
    player = search_player(options.run, policy, search)
    pairings: list[tuple[Player, Player]] = [(player, NamedPlayer(name)) for name in names]
    scoring = common_scoring([player])
    games = 0
    while True:
        games = min(games + _STEP, options.games)
        with games_bar() as on_progress:
            results = play_in_parts(
                pairings,
                games,
                options.seed,
                scoring,
                records=True,
                partial=partial,
                on_progress=on_progress,
            )
        lost = sum(result.games - result.wins for result in results)
        if lost >= options.lost or games == options.games:
            return results


def _audit(
    options: argparse.Namespace,
    policy: Policy,
    search: SearchConfig,
    results: Sequence[MatchResult],
) -> tuple[dict[str, str], list[AuditedGame], list[AuditedGame]]:
    """What the judges are, the games that were not won, and as many that were, for comparison."""
    from eval.analysis.losses import audit_game, make_judges, played_record

    judges = make_judges(policy, search)
    chosen = _chosen(results, options.lost)
    audited: dict[bool, list[AuditedGame]] = {False: [], True: []}
    with (
        Heartbeat(note) as heartbeat,
        heartbeat.phase(
            lambda: f"judging: {sum(map(len, audited.values()))} of {len(chosen)} games"
        ),
    ):
        for result, deal, seat, won in chosen:
            actions = result.actions[deal, seat] if result.actions is not None else []
            record = played_record(
                int(deal_seeds(options.seed, deal + 1, result.opponent)[deal]),
                seat,
                result.opponent,
                [int(action) for action in actions],
                options.run,
                "animals" if policy.scoring == "animals" else "points",
            )
            audited[won].append(
                audit_game(
                    record, seat, deal, judges, search, options.times, cancelled=_interrupted
                )
            )
    return {judge.name: judge.what for judge in judges}, audited[False], audited[True]


def _chosen(
    results: Sequence[MatchResult], number: int
) -> list[tuple[MatchResult, int, int, bool]]:
    """The games to be judged: result, deal, seat and whether it was won, in the order of the deals.

    They are the first that were not won, and from each opponent's row as many that were won.
    """
    lost = [
        (result, int(deal), int(seat), False)
        for result in results
        for deal, seat in np.argwhere(result.outcomes <= 0)
    ]
    lost = sorted(lost, key=lambda game: game[1])[:number]
    chosen = list(lost)
    for result in results:
        wanted = sum(one[0] is result for one in lost)
        wins = np.argwhere(result.outcomes > 0)[:wanted]
        chosen += [(result, int(deal), int(seat), True) for deal, seat in wins]
    return chosen


def _interrupted() -> bool:
    check_interrupted()
    return False


if __name__ == "__main__":
    run_program(main)
