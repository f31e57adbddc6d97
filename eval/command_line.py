"""What all command lines share: a parser, common options, and errors in one sentence.

It is imported by every process that training starts, so it imports nothing heavy.
"""

from __future__ import annotations

import argparse
import os
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from bb_jax.config import DEVICES
from bb_jax.devices import select_devices
from bb_jax.errors import EvaluationError, UserError
from bb_jax.paths import expand_home
from eval.console import complain, replace_closed_outputs
from eval.interrupts import EXIT_INTERRUPTED, interruptible
from eval.outputs import ForgivingOutput

EXIT_BAD_INPUT = 2
DEFAULT_GAMES = 2000


class Parser(argparse.ArgumentParser):
    """A parser that refuses bad input in one sentence, without the usage text.

    Its subparsers are parsers of the same kind. Under the console command its program is what the
    user has typed, such as `beasty-bar eval`.
    """

    def __init__(self, *, prog: str, **options: Any) -> None:
        if sys.argv[0].startswith("beasty-bar ") and prog.startswith("python -m "):
            prog = sys.argv[0]
        super().__init__(prog=prog, **options)

    def error(self, message: str) -> NoReturn:
        complain(f"{message} (--help shows all options)")
        self.exit(EXIT_BAD_INPUT)

    def add_device(self) -> None:
        """Adds --device."""
        self.add_argument("--device", choices=DEVICES, default="auto", help="default: auto")

    def add_games(self, games: str) -> None:
        """Adds --games, which counts `games`."""
        self.add_argument(
            "--games",
            type=int,
            default=DEFAULT_GAMES,
            metavar="N",
            help=f"{games}, an even number (default: {DEFAULT_GAMES})",
        )

    def add_seed(self) -> None:
        """Adds --seed."""
        self.add_argument(
            "--seed", type=int, default=0, metavar="N", help="seed of the deals (default: 0)"
        )


def path_argument(text: str) -> Path:
    """The type of an option or argument that is a path; `~` is the home folder."""
    try:
        return expand_home(text)
    except UserError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def run_command(command: Callable[[], int]) -> int:
    """Runs a command and returns its exit code: its own, 2 for bad input, 130 for Ctrl-C."""
    replace_closed_outputs()
    try:
        with interruptible():
            return command()
    except KeyboardInterrupt:
        complain("interrupted")
        return EXIT_INTERRUPTED
    except UserError as error:
        complain(error)
        return EXIT_BAD_INPUT


def run_program(main: Callable[[], int]) -> NoReturn:
    """Ends the process with the exit code of its main function.

    The interpreter would wait for ever for a thread that a Python agent has left running.
    """
    try:
        code = main()
    except Exception:
        traceback.print_exc()
        code = 1
    others = [thread for thread in threading.enumerate() if not thread.daemon]
    if others == [threading.main_thread()]:
        sys.exit(code)
    for stream in (sys.stdout, sys.stderr):
        ForgivingOutput(stream).flush()
    os._exit(code)


def check_seed(seed: int) -> None:
    """Raises EvaluationError for a negative seed."""
    if seed < 0:
        raise EvaluationError(f"--seed must not be negative, but it is {seed}")


def start_jax(device: str) -> None:
    """Chooses the device before anything uses JAX.

    Raises:
      DeviceError: the device is not there.
    """
    # Leaves the memory of a GPU to a training run beside this one.
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    select_devices(device)
