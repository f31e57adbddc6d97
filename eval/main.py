"""Win rates of a checkpoint: python -m eval.main --checkpoint RUN[@STEP] [--json FILE]."""

from __future__ import annotations

import argparse
import math
import os
import shlex
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

from bb_jax.devices import DEVICES, DeviceError, select_devices
from eval.errors import EvaluationError
from eval.json_file import check_writable, write_json
from eval.matches import MatchResult, OnProgress, play_matches
from eval.players import Player, make_player, network_player, split_specifications
from eval.table import render_results

if TYPE_CHECKING:
    from bb_jax import Policy

DEFAULT_GAMES = 2000


@dataclass(frozen=True)
class _Checkpoint:
    path: Path
    policy: Policy


class _Parser(argparse.ArgumentParser):
    """Refuses in one sentence, without the usage text."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"eval.main: {message}\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m eval.main",
        description="Plays a checkpoint against opponents: every deal from both seats.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--checkpoint",
        required=True,
        metavar="RUN[@STEP]",
        help="a run folder, or its name under checkpoints/; the newest step by default",
    )
    parser.add_argument(
        "--opponents",
        default="all",
        metavar="LIST",
        help="comma-separated: all (the ten named ones), their names, RUN[@STEP] of other "
        "checkpoints, package.module:Class of Python agents (default: all)",
    )
    parser.add_argument(
        "--games",
        type=int,
        default=DEFAULT_GAMES,
        metavar="N",
        help=f"games against each opponent, even (default: {DEFAULT_GAMES})",
    )
    parser.add_argument("--seed", type=int, default=0, help="of the deals (default: 0)")
    parser.add_argument(
        "--temperature",
        type=float,
        metavar="T",
        help="draw actions from softmax(logits / T) (default: play the best one)",
    )
    parser.add_argument("--device", choices=DEVICES, default="auto")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results there too")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line and returns its exit code: 0, 2 for bad input, 130 for Ctrl-C."""
    options = _parser().parse_args(arguments)
    try:
        _run(options, sys.argv[1:] if arguments is None else arguments)
    except KeyboardInterrupt:
        print("eval.main: interrupted", file=sys.stderr)
        return 130
    except (DeviceError, EvaluationError) as error:
        print(f"eval.main: {error}", file=sys.stderr)
        return 2
    return 0


def _run(options: argparse.Namespace, arguments: Sequence[str]) -> None:
    # Everything that can be refused is refused before JAX starts and before a game is played.
    _check_options(options)
    specifications = split_specifications(options.opponents)
    if options.json is not None:
        check_writable(options.json)
    # Leaves the memory of a GPU to a training run beside this one.
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")

    checkpoint = _load(options.checkpoint, options.device)
    policy = checkpoint.policy
    player = network_player(options.checkpoint, policy, temperature=options.temperature)
    opponents = _make_opponents(specifications)

    begun = time.perf_counter()
    with _progress() as on_progress:
        results = play_matches(
            [player],
            opponents,
            options.games,
            options.seed,
            policy.scoring,
            on_progress=on_progress,
        )
    seconds = time.perf_counter() - begun
    _show(_report(options, policy.scoring, results, seconds))
    if options.json is not None:
        write_json(
            options.json,
            {
                "checkpoint": options.checkpoint,
                "file": str(checkpoint.path),
                "results": [result.as_json() for result in results],
                "seed": options.seed,
                "temperature": options.temperature,
                "scoring": policy.scoring,
                "date": datetime.now(UTC).isoformat(timespec="seconds"),
                "command": shlex.join(["python", "-m", "eval.main", *arguments]),
                "seconds": round(seconds, 3),
            },
        )


def _check_options(options: argparse.Namespace) -> None:
    if options.games < 2 or options.games % 2:
        raise EvaluationError(
            f"--games must be even, because each deal is played from both seats, and at least 2, "
            f"not {options.games}"
        )
    if options.seed < 0:
        raise EvaluationError(f"--seed must not be negative, but it is {options.seed}")
    temperature = options.temperature
    if temperature is not None and not (math.isfinite(temperature) and temperature > 0):
        raise EvaluationError(f"--temperature must be a number above 0, not {temperature}")


def _load(reference: str, device: str) -> _Checkpoint:
    select_devices(device)
    from bb_jax import CheckpointError, load_policy, resolve_checkpoint

    try:
        path = resolve_checkpoint(reference)
        return _Checkpoint(path, load_policy(path))
    except CheckpointError as error:
        raise EvaluationError(str(error)) from error


def _make_opponents(specifications: Sequence[str]) -> list[Player]:
    from bb_jax import CheckpointError

    try:
        return [make_player(specification) for specification in specifications]
    except CheckpointError as error:
        raise EvaluationError(str(error)) from error


@contextmanager
def _progress() -> Iterator[OnProgress | None]:
    """A bar on standard error while games are played, if that is a terminal."""
    console = Console(stderr=True)
    if not sys.stderr.isatty():
        yield None
        return
    columns = (BarColumn(), MofNCompleteColumn(), "games", TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


def _report(
    options: argparse.Namespace, scoring: str, results: Sequence[MatchResult], seconds: float
) -> str:
    temperature = options.temperature
    how = "best actions" if temperature is None else f"actions drawn at temperature {temperature:g}"
    total = sum(result.games for result in results)
    return (
        f"{options.checkpoint}, {how}, scoring by {scoring}\n"
        f"{options.games} games an opponent: {options.games // 2} deals (seed {options.seed}), "
        f"each from both seats\n\n"
        f"{render_results(results, scoring)}\n"
        f"{total} games in {seconds:.1f} s ({total / seconds:,.0f} a second)"
    )


def _show(text: str) -> None:
    """Prints a text, to a reader that may have gone away: the JSON file is still to be written."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        # What the buffer still holds must not fail again when the interpreter ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    sys.exit(main())
