"""The command line of training: `python -m train.main --config configs/quickstart.yaml`.

Nothing heavy is imported at the top: a spawned worker imports this module again.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from train.interrupt import StopSignals

# Seconds that the loss of a host may take to be noticed after a collective has failed.
_LOSS_SECONDS = 5.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit code (128 + number after a signal)."""
    from eval.console import replace_closed_outputs
    from train.games.main_guard import refuse_in_workers
    from train.interrupt import StopSignals

    refuse_in_workers()
    replace_closed_outputs()
    options = _parser().parse_args(arguments)
    with StopSignals() as stop:
        code = _main(options, stop)
    _flush()
    return code


def _main(options: argparse.Namespace, stop: StopSignals) -> int:
    from bb_jax.errors import UserError
    from train.config import find_config, load_config
    from train.hosts.rendezvous import cluster_options

    overrides = list(options.set)
    if options.device:
        overrides.append(f"device={options.device}")
    try:
        config = load_config(find_config(options.config), overrides)
        cluster = cluster_options(options)
    except UserError as error:
        return _fail(error)

    from jax.errors import JaxRuntimeError

    from bb_jax.errors import DeviceError, one_line
    from eval.console import note, show
    from eval.heartbeat import Heartbeat
    from train.hosts.base import HostError, Hosts
    from train.hosts.rendezvous import connect_hosts
    from train.interrupt import Interrupted
    from train.launch import launch

    hosts = Hosts()
    try:
        if cluster is not None:
            with Heartbeat(note) as heartbeat, heartbeat.phase("waiting for the other hosts"):
                hosts = connect_hosts(cluster, stop)
        launch(config, stop, hosts, resume_step=options.resume, profile=options.profile)
    except UserError as error:
        hosts.leave(str(error))
        _leave(_fail(error))
    except JaxRuntimeError as error:
        # A collective fails when a host is lost; otherwise most often a GPU has too little memory.
        lost = hosts.why_lost(_LOSS_SECONDS)
        failure = HostError(lost) if lost else DeviceError(f"the device failed: {one_line(error)}")
        hosts.leave(str(failure))
        # The traceback is in the run's log.
        _leave(_fail(failure))
    except Interrupted as interruption:
        show(f"{interruption}; the same command goes on from here", file=sys.stderr)
        hosts.leave()
        _leave(128 + interruption.signal_number)
    if hosts.count > 1:
        hosts.leave()
        _leave(0)
    return 0


def _parser() -> argparse.ArgumentParser:
    from eval.command_line import Parser, path_argument
    from train.hosts.rendezvous import add_options

    parser = Parser(
        prog="python -m train.main",
        description="Trains a Beasty Bar player. The same command resumes a run that was stopped.",
    )
    parser.add_argument(
        "--config",
        required=True,
        type=path_argument,
        metavar="FILE",
        help="YAML configuration, or the name of one in configs/",
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE",
        help="override a key, such as ppo_config.gamma=0.99; may be given again",
    )  # fmt: skip
    parser.add_argument(
        "--resume", type=_step, metavar="STEP",
        help="go on from this checkpoint of the run instead of the newest; later ones are removed",
    )  # fmt: skip
    parser.add_argument("--device", help="auto, cpu or cuda; overrides the configuration")
    parser.add_argument(
        "--profile", type=_count, nargs="?", const=3, default=0, metavar="N",
        help="trace N iterations (default: 3), once they are warm, into the run's folder",
    )  # fmt: skip
    add_options(parser)
    return parser


def _count(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of iterations")
    return int(text)


def _step(text: str) -> int | None:
    if text == "latest":
        return None
    if not text.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is neither a step nor 'latest'")
    return int(text)


def _fail(error: Exception) -> int:
    from eval.command_line import EXIT_BAD_INPUT
    from eval.console import complain

    complain(error)
    return EXIT_BAD_INPUT


def _leave(code: int) -> None:
    """Ends the process even while an abandoned computation runs in a thread."""
    _flush()
    os._exit(code)


def _flush() -> None:
    """Empties the buffers; an output without a reader is no error of the run."""
    from eval.outputs import ForgivingOutput

    for stream in (sys.stdout, sys.stderr):
        ForgivingOutput(stream).flush()


if __name__ == "__main__":
    from eval.command_line import run_program

    run_program(main)
