"""Mirrors of runs by hand: python -m train.mirror list URL | restore URL [RUN] | copy RUN [URL].

URL is a run's own folder in the mirror: the key `mirror` with the run's name behind it. A training
copies and restores by itself; this is for a run that was trained on another machine, and for one
whose mirror could not be reached at its end.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from bb_jax.files import read_object
from eval.command_line import Parser, path_argument, run_command
from eval.console import note, show
from eval.runs.layout import CONFIGURATION, RUNS_ROOT, saved_steps
from eval.runs.references import find_run
from train.mirror.mirror import Mirror
from train.mirror.snapshot import held_step
from train.mirror.storage import MirrorError, Storage
from train.runs.folder import RunFolder


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit code."""
    options = _parser().parse_args(arguments)

    def command() -> int:
        options.function(options)
        return 0

    return run_command(command)


def _parser() -> Parser:
    parser = Parser(prog="python -m train.mirror", description="Copies runs to and from mirrors.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    url = "the run's folder in the mirror, such as s3://BUCKET/runs/quickstart"

    command = commands.add_parser("list", help="the checkpoints in a run's mirror")
    command.add_argument("url", metavar="URL", help=url)
    command.set_defaults(function=_list)

    command = commands.add_parser("restore", help="bring a run's folder up to its mirror")
    command.add_argument("url", metavar="URL", help=url)
    command.add_argument(
        "run", nargs="?", type=path_argument, metavar="RUN",
        help="the run's folder (default: checkpoints/NAME)",
    )  # fmt: skip
    command.set_defaults(function=_restore)

    command = commands.add_parser("copy", help="bring a run's mirror up to its folder")
    command.add_argument("run", metavar="RUN", help="a path, or a name in checkpoints/")
    command.add_argument(
        "url", nargs="?", metavar="URL", help=f"{url} (default: by the run's configuration)"
    )
    command.set_defaults(function=_copy)
    return parser


def _list(options: argparse.Namespace) -> None:
    mirror = Mirror(Storage(options.url))
    steps = ", ".join(map(str, mirror.steps()))
    show(f"{mirror.url}: checkpoints {steps}" if steps else f"{mirror.url} holds no checkpoints.")


def _restore(options: argparse.Namespace) -> None:
    mirror = Mirror(Storage(options.url))
    run = options.run or RUNS_ROOT / mirror.url.rpartition("/")[2]
    there = mirror.steps()
    if not there:
        raise MirrorError(f"{mirror.url} holds no checkpoints")
    folder = RunFolder(run)
    folder.make()
    with folder.lock():
        own = saved_steps(run)
        if own:
            mirror.check_run(run)
        if max(own, default=-1) >= there[-1]:
            show(f"{run} holds checkpoint {own[-1]} already; the mirror has {there[-1]}.")
            return
        steps = ", ".join(map(str, mirror.restore(run, note)))
    show(f"{run} holds checkpoints {steps} now.")


def _copy(options: argparse.Namespace) -> None:
    run = find_run(options.run)
    mirror = Mirror(_storage(run, options.url))
    with RunFolder(run).lock():
        steps = saved_steps(run)
        if not steps:
            raise MirrorError(f"{run} has no checkpoints to copy")
        mirror.claim(run)
        for step in reversed(steps):
            with held_step(run, step) as files:
                mirror.put(step, files)
        mirror.keep(steps)
    show(f"{mirror.url} holds checkpoints {', '.join(map(str, mirror.steps()))} now.")


def _storage(run: Path, url: str | None) -> Storage:
    if url is not None:
        return Storage(url)
    configuration = read_object(run / CONFIGURATION) or {}
    mirror, name = configuration.get("mirror"), configuration.get("experiment_name")
    if not isinstance(mirror, str) or not isinstance(name, str):
        raise MirrorError(f"the configuration of {run} names no mirror; give its URL")
    return Storage(mirror, name)


if __name__ == "__main__":
    sys.exit(main())
