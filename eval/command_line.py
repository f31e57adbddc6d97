"""What the command lines of this package share: errors in one sentence, a bar, safe output."""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

from bb_jax.devices import DEVICES, select_devices
from bb_jax.errors import EvaluationError, UserError
from bb_jax.files import timestamp as timestamp
from eval.matches.match import OnProgress

EXIT_BAD_INPUT = 2
EXIT_INTERRUPTED = 130


class Parser(argparse.ArgumentParser):
    """A parser for `python -m MODULE` that refuses in one sentence, without the usage text."""

    def __init__(self, module: str, description: str):
        super().__init__(prog=f"python -m {module}", description=description, allow_abbrev=False)
        self._module = module

    def error(self, message: str) -> NoReturn:
        self.exit(EXIT_BAD_INPUT, f"{self._module}: {message}\n")

    def add_device(self) -> None:
        """Adds --device."""
        self.add_argument("--device", choices=DEVICES, default="auto", help="default: auto")

    def add_seed(self) -> None:
        """Adds --seed."""
        self.add_argument(
            "--seed", type=int, default=0, metavar="N", help="of the deals (default: 0)"
        )


def run_command(module: str, command: Callable[[], int]) -> int:
    """Runs a command and returns its exit code: its own, 2 for bad input, 130 for Ctrl-C."""
    try:
        return command()
    except KeyboardInterrupt:
        print(f"{module}: interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED
    except UserError as error:
        print(f"{module}: {error}", file=sys.stderr)
        return EXIT_BAD_INPUT


def check_seed(seed: int) -> None:
    """Raises EvaluationError for a negative seed."""
    if seed < 0:
        raise EvaluationError(f"--seed must not be negative, but it is {seed}")


def check_temperature(temperature: float | None) -> None:
    """Raises EvaluationError for a temperature that is no number above 0."""
    if temperature is not None and not (math.isfinite(temperature) and temperature > 0):
        raise EvaluationError(f"--temperature must be a number above 0, not {temperature}")


def start_jax(device: str) -> None:
    """Chooses the device before anything uses JAX.

    Raises:
      DeviceError: it is not there.
    """
    # Leaves the memory of a GPU to a training run beside this one.
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    select_devices(device)


@contextmanager
def games_bar() -> Iterator[OnProgress | None]:
    """A bar on standard error while games are played, if that is a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    columns = (BarColumn(), MofNCompleteColumn(), "games", TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


def show(text: str) -> None:
    """Prints a text, to a reader that may have gone away: the files are still to be written."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        # What the buffer still holds must not fail again when the interpreter ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def note(text: str) -> None:
    """Prints a remark on standard error."""
    print(f"note: {text}", file=sys.stderr, flush=True)
