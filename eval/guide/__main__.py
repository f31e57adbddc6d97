"""The strategy guide of a checkpoint: python -m eval.guide RUN[@STEP] [--out FOLDER].

FOLDER gets strategy.md with its pictures, the page strategy.html, and strategy.json with all the
figures that they are made from. With --figures they are made anew from such a file. The same
command resumes a stopped one.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from bb_jax.errors import EvaluationError
from bb_jax.files import timestamp
from bb_jax.search.config import MAX_SAMPLES
from eval.command_line import Parser, check_seed, path_argument, run_command, start_jax
from eval.console import note, show
from eval.heartbeat import Heartbeat
from eval.interrupts import check_interrupted
from eval.matches.match import OnProgress
from eval.runs.references import find_policy

if TYPE_CHECKING:
    from eval.guide.figures import Figures
    from eval.guide.kept import Kept

MODULE = "eval.guide"
_GAMES, _SEARCH_GAMES, _SAMPLES = 100_000, 2_000, 2_000
# Of each kind of trial, for each game.
_TRIALS = 2
# Each deal is played from both seats against eleven opponents.
_SMALLEST = 22 * 2
_POSITIONS_FACTOR = 10
# The folder of finished parts, beside the guide, and what says that parts of other versions differ.
_KEPT, _FORMAT = "strategy.partial", 1


def _parser() -> Parser:
    parser = Parser(
        prog=f"python -m {MODULE}",
        description="Writes a strategy guide from games and searches of a checkpoint: Markdown, a "
        "page, and the figures as JSON.",
    )
    parser.add_argument(
        "checkpoint",
        nargs="?",
        metavar="RUN[@STEP]",
        help="a run's folder, or its name under checkpoints/; the newest step by default",
    )
    parser.add_argument(
        "--games",
        type=int,
        default=_GAMES,
        metavar="N",
        help="games of the policy alone, at least; four times as many are played again with one "
        f"move changed (default: {_GAMES})",
    )
    parser.add_argument(
        "--search-games",
        type=int,
        default=_SEARCH_GAMES,
        metavar="N",
        help=f"games with search, at least (default: {_SEARCH_GAMES})",
    )
    parser.add_argument(
        "--samples",
        type=int,
        default=_SAMPLES,
        metavar="N",
        help="samples of the hidden cards for each position that is searched; ten times as many "
        f"for those shown (default: {_SAMPLES})",
    )
    parser.add_argument(
        "--out",
        type=path_argument,
        default=Path("docs"),
        metavar="FOLDER",
        help="where to write the guide (default: docs)",
    )
    parser.add_argument(
        "--figures",
        type=path_argument,
        metavar="FILE",
        help="write the guide anew from a strategy.json, without playing",
    )
    parser.add_seed()
    parser.add_device()
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line and returns its exit code: 0, 2 for bad input, 130 for Ctrl-C."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    options = _parser().parse_args(given)
    return run_command(lambda: _run(options, given))


def _run(options: argparse.Namespace, arguments: Sequence[str]) -> int:
    if (options.checkpoint is None) == (options.figures is None):
        raise EvaluationError("give either a checkpoint or --figures, not both and not neither")
    from eval.guide.writing import MARKDOWN, PAGE, check_folder, read_figures, write_guide

    if options.figures is not None:
        figures = read_figures(options.figures)
        check_folder(options.out)
        write_guide(figures, options.out)
    else:
        _check(options)
        check_folder(options.out)
        figures, kept = _measure(options, arguments)
        write_guide(figures, options.out)
        kept.remove()
    show(f"{options.out / MARKDOWN}\n{options.out / PAGE}")
    return 0


def _check(options: argparse.Namespace) -> None:
    """Refuses what cannot be measured, before anything is played."""
    for name in ("games", "search_games"):
        option = f"--{name.replace('_', '-')}"
        value = getattr(options, name)
        if value < _SMALLEST:
            raise EvaluationError(
                f"{option} must be at least {_SMALLEST}, two deals from both seats against each of "
                f"eleven opponents, not {value}"
            )
    most = MAX_SAMPLES // _POSITIONS_FACTOR
    if not 2 <= options.samples <= most:
        raise EvaluationError(f"--samples must be 2 to {most}, not {options.samples}")
    check_seed(options.seed)


def _measure(options: argparse.Namespace, arguments: Sequence[str]) -> tuple[Figures, Kept]:
    path = find_policy(options.checkpoint)
    start_jax(options.device)
    from bb_jax import load_policy, policy_hash
    from eval.guide.figures import Origin
    from eval.guide.kept import Kept
    from eval.guide.measure import Budget, measure

    policy = load_policy(path)
    budget = Budget(
        games=options.games,
        search_games=options.search_games,
        samples=options.samples,
        trials=_TRIALS * options.games,
    )
    origin = Origin(
        checkpoint=options.checkpoint,
        identity=policy_hash(policy.params),
        command=shlex.join(["python", "-m", MODULE, *arguments]),
        date=timestamp()[:10],
        scoring=policy.scoring,
        seed=options.seed,
        games=budget.games,
        trials=2 * budget.trials,
        search_games=budget.search_games,
        search_samples=budget.search_samples,
        samples=budget.samples,
        position_samples=budget.position_samples,
    )
    # The same for all starts that would find the same figures.
    identity = f"{_FORMAT} {origin.identity} {policy.scoring} {options.seed} {budget}"
    kept = Kept(options.out / _KEPT, identity, note)
    with Heartbeat(note) as heartbeat:

        @contextmanager
        def phase(name: str) -> Iterator[OnProgress]:
            counts = ""

            def tick(done: int, total: int) -> None:
                nonlocal counts
                check_interrupted()
                counts = f", {done:,} of {total:,}"

            note(name)
            heartbeat.spoken()
            with heartbeat.phase(lambda: name + counts):
                yield tick

        figures = measure(policy, budget, options.seed, origin, phase, kept)
    return figures, kept


if __name__ == "__main__":
    sys.exit(main())
