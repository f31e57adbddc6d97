"""Jobs: python -m train.jobs start --config FILE | status | view | stop | list | resume.

A job is a training that continues when the terminal closes. Its record (job.json) and its log
(job.log) are in the run folder.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence

from eval.command_line import Parser, path_argument, run_command
from eval.console import note, show
from eval.runs.layout import RUNS_ROOT, is_run
from eval.runs.references import find_run
from train.config import find_config
from train.jobs import rented
from train.jobs.control import JobRequest, resume, start, stop
from train.jobs.record import JobError
from train.jobs.status import job_status
from train.jobs.views import (
    describe,
    headline,
    last_lines,
    list_runs,
    log_of,
    metrics_text,
)

BACKENDS = ("local", "slurm", "sky")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit code."""
    options = _parser().parse_args(arguments)

    def command() -> int:
        options.function(options)
        return 0

    return run_command(command)


def _parser() -> Parser:
    parser = Parser(
        prog="python -m train.jobs",
        description="Starts, shows and stops trainings that continue when the terminal closes.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    command = commands.add_parser("start", help="start a training, or continue a stopped one")
    command.add_argument(
        "--config",
        required=True,
        type=path_argument,
        metavar="FILE",
        help="YAML file, or the name of one in configs/",
    )
    _add_job_options(command, default_backend="local")
    command.set_defaults(function=_start)

    command = commands.add_parser("status", help="the state of a run (default: all active runs)")
    command.add_argument("run", nargs="?", metavar="RUN", help="a path, or a name in checkpoints/")
    command.set_defaults(function=_status)

    command = commands.add_parser("view", help="the newest metrics and the end of the log")
    _add_run(command)
    command.add_argument("--follow", action="store_true", help="continue until the job ends")
    command.add_argument(
        "--lines", type=_count, default=10, metavar="N", help="lines of the log (default: 10)"
    )
    command.set_defaults(function=_view)

    command = commands.add_parser("stop", help="stop a run with a checkpoint, and wait for its end")
    _add_run(command)
    command.add_argument(
        "--timeout",
        type=_seconds,
        metavar="SECONDS",
        help="how long to wait (default: 60; 600 for a rented machine)",
    )
    command.set_defaults(function=_stop)

    command = commands.add_parser("list", help="all runs")
    command.add_argument(
        "--root", type=path_argument, default=RUNS_ROOT, metavar="FOLDER",
        help="(default: checkpoints)",
    )  # fmt: skip
    command.set_defaults(function=_list)

    command = commands.add_parser("resume", help="continue a run from one of its checkpoints")
    _add_run(command)
    command.add_argument(
        "--step", type=_count, metavar="N",
        help="the checkpoint; later ones are removed (default: the newest)",
    )  # fmt: skip
    _add_job_options(command, default_backend=None)
    command.set_defaults(function=_resume)
    return parser


def _add_run(command: argparse.ArgumentParser) -> None:
    command.add_argument("run", metavar="RUN", help="a path, or a name in checkpoints/")


def _add_job_options(command: argparse.ArgumentParser, default_backend: str | None) -> None:
    command.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE",
        help="override a key of the configuration; may be repeated",
    )  # fmt: skip
    said = default_backend or "the backend of the run's newest job"
    command.add_argument(
        "--backend", choices=BACKENDS, default=default_backend,
        help="this machine, Slurm by sbatch, or a machine rented by SkyPilot's sky (default: "
        f"{said})",
    )  # fmt: skip
    command.add_argument(
        "--slurm", action="append", default=[], metavar="OPTION",
        help="an option of sbatch, such as time=8:00:00, partition=gpu or gres=gpu:1; may be "
        "repeated",
    )  # fmt: skip
    command.add_argument(
        "--sky", action="append", default=[], metavar="OPTION",
        help="an option of `sky jobs launch`, such as gpus=A100:1, infra=aws or no-use-spot; may "
        "be repeated",
    )  # fmt: skip


def _count(text: str) -> int:
    if not text.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number")
    return int(text)


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not value >= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds")
    return value


def _without_dashes(options: Sequence[str]) -> tuple[str, ...]:
    return tuple(option.removeprefix("--") for option in options)


def _start(options: argparse.Namespace) -> None:
    for backend in ("slurm", "sky"):
        if getattr(options, backend) and options.backend != backend:
            raise JobError(f"--{backend} needs --backend {backend}")
    request = JobRequest(
        find_config(options.config),
        tuple(options.set),
        options.backend,
        slurm_options=_without_dashes(options.slurm),
        sky_options=_without_dashes(options.sky),
    )
    start(request, show)


def _resume(options: argparse.Namespace) -> None:
    resume(
        find_run(options.run),
        step=options.step,
        overrides=options.set,
        backend=options.backend,
        slurm_options=_without_dashes(options.slurm),
        sky_options=_without_dashes(options.sky),
        say=show,
    )


def _status(options: argparse.Namespace) -> None:
    if options.run is not None:
        run = find_run(options.run)
        rented.fetch_records(run, note)
        show(describe(run, job_status(run)))
        return
    shown = []
    for run in sorted(filter(is_run, RUNS_ROOT.glob("*"))):
        try:
            status = job_status(run)
        except JobError as error:
            shown.append(f"{run.name}: {error}")
        else:
            if status.active:
                shown.append(describe(run, status))
    show("\n\n".join(shown) or f"No run in {RUNS_ROOT} is running.")


def _view(options: argparse.Namespace) -> None:
    run = find_run(options.run)
    rented.fetch_records(run, note)
    log = log_of(run)
    text = log.read(options.lines)
    metrics = f"{describe(run, job_status(run))}\n\n{metrics_text(run)}\n"
    shown = show(f"{metrics}\nThe end of {log.name}:\n{last_lines(text, options.lines)}", end="")
    if options.follow and shown:
        status = log.follow()
        show(headline(run, status))


def _stop(options: argparse.Namespace) -> None:
    stop(find_run(options.run), options.timeout, show)


def _list(options: argparse.Namespace) -> None:
    show(list_runs(options.root))


if __name__ == "__main__":
    sys.exit(main())
