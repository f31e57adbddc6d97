"""Analyses for other programs: python -m eval.analyse --checkpoint RUN[@STEP].

Requests are JSON objects on standard input, one a line; answers come on standard output, one a
line, in any order by their `id`. With --review a game is reviewed instead. See docs/analysis.md.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from bb_jax.errors import EvaluationError
from bb_jax.files import named_errors, read_whole
from bb_jax.search.config import UNKNOWN, SearchConfig
from eval.command_line import Parser, path_argument, run_command, run_program, start_jax
from eval.console import show
from eval.input_lines import lines_of
from eval.runs.references import find_policy

if TYPE_CHECKING:
    from eval.analysis.engine import Engine
    from eval.analysis.record import GameRecord

MODULE = "eval.analyse"
MAX_THREADS = 64


class _ReaderGone(Exception):
    """Nobody reads the answers any more."""


def _parser() -> Parser:
    defaults = SearchConfig()
    parser = Parser(
        prog=f"python -m {MODULE}",
        description="Answers requests for analyses: JSON objects, one a line, on standard input. "
        "With --review it prints the review of a game.",
    )
    parser.add_argument(
        "--checkpoint",
        metavar="RUN[@STEP]",
        help="a run's folder, or its name under checkpoints/; the newest step by default",
    )
    parser.add_argument(
        "--threads",
        type=int,
        default=1,
        metavar="N",
        help="requests in progress at once (default: 1)",
    )
    for key, kind in (("margin_weight", float), ("draw_reward", float), ("depth", int)):
        parser.add_argument(
            f"--{key.replace('_', '-')}",
            type=kind,
            default=getattr(defaults, key),
            metavar="X",
            help=f"as {key} of --search in eval.main (default: {getattr(defaults, key)})",
        )
    parser.add_argument(
        "--review",
        type=path_argument,
        metavar="FILE",
        help="print the review of a game in the notation instead",
    )
    parser.add_argument(
        "--samples",
        type=int,
        metavar="N",
        help="worlds for a decision of the review (default: 1000)",
    )
    parser.add_argument(
        "--opponent",
        default=UNKNOWN,
        metavar="NAME",
        help="whom the review takes the opponent for (default: unknown)",
    )
    parser.add_argument(
        "--schema", action="store_true", help="print the JSON schema of the protocol and end"
    )
    parser.add_device()
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line and returns its exit code: 0, 2 for bad input, 130 for Ctrl-C."""
    options = _parser().parse_args(arguments)
    return run_command(lambda: _run(options))


def _run(options: argparse.Namespace) -> int:
    if options.schema:
        from eval.analysis.protocol import schema

        show(json.dumps(schema(), indent=2))
        return 0
    if options.checkpoint is None:
        raise EvaluationError("--checkpoint says which network analyses")
    if not 1 <= options.threads <= MAX_THREADS:
        raise EvaluationError(f"--threads must be 1 to {MAX_THREADS}, not {options.threads}")
    objective = {name: getattr(options, name) for name in ("margin_weight", "draw_reward", "depth")}
    try:
        SearchConfig(**objective)
    except ValueError as error:
        raise EvaluationError(f"--{str(error).replace('_', '-', 1)}") from error
    game = None if options.review is None else _game_in(options.review)
    path = find_policy(options.checkpoint)
    start_jax(options.device)
    from bb_jax import load_policy
    from eval.analysis.engine import Engine

    engine = Engine(load_policy(path), **objective)
    if game is None:
        _answer_requests(engine, options.threads)
    else:
        _review(engine, game, options)
    return 0


def _game_in(path: Path) -> GameRecord:
    from eval.analysis.notation import MAX_TEXT, parse_game

    with named_errors(path, "read", EvaluationError):
        # A character has up to four bytes.
        content = read_whole(path, 4 * MAX_TEXT + 1)
    try:
        return parse_game(content.decode())
    except (EvaluationError, UnicodeDecodeError) as error:
        raise EvaluationError(f"{path}: {error}") from error


def _review(engine: Engine, game: GameRecord, options: argparse.Namespace) -> None:
    from eval.analysis.review import DEFAULT_SAMPLES, review_game
    from eval.analysis.review_text import review_text

    samples = DEFAULT_SAMPLES if options.samples is None else options.samples
    show(review_text(review_game(engine, game, samples=samples, opponent=options.opponent)))


def _answer_requests(engine: Engine, threads: int) -> None:
    """Answers the lines of standard input until it ends, or until nobody reads the answers."""
    from eval.analysis.protocol import MAX_LINE, Answer, to_line
    from eval.analysis.scheduler import Scheduler

    def answer(found: Answer) -> None:
        if not show(to_line(found)):
            gone.append(found)

    gone: list[Answer] = []
    with suppress(_ReaderGone), Scheduler(engine, answer, threads) as scheduler:
        for line in lines_of(sys.stdin.buffer, MAX_LINE):
            scheduler.submit(line)
            if gone:
                raise _ReaderGone


if __name__ == "__main__":
    run_program(main)
