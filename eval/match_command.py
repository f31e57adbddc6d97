"""What `eval.main` and `eval.tournament` share: options, games played in parts, a result file."""

from __future__ import annotations

import argparse
import math
import shlex
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from bb_jax.errors import EvaluationError
from bb_jax.files import check_writable, timestamp, write_json
from eval.command_line import Parser, check_seed, path_argument
from eval.console import games_bar, note
from eval.matches.match import OnProgress, check_games
from eval.matches.resumable import PartialResults


def add_match_options(parser: Parser, *, games: str) -> None:
    """Adds the options that say how games are played and where their results go.

    Args:
      parser: the command's parser.
      games: which games --games counts.
    """
    parser.add_games(games)
    parser.add_seed()
    parser.add_argument(
        "--temperature",
        type=float,
        metavar="T",
        help="checkpoints draw from softmax(logits / T) (default: they play the best action)",
    )
    parser.add_device()
    parser.add_argument(
        "--json",
        type=path_argument,
        metavar="FILE",
        help="write the results to this file too; the same command resumes a stopped one",
    )


def check_match_options(options: argparse.Namespace) -> None:
    """Refuses what cannot be played or stored, before hours of play.

    Raises:
      EvaluationError: an option has an impossible value.
      FileError: the file of --json cannot be written.
    """
    check_games(options.games, "--games")
    check_seed(options.seed)
    temperature = options.temperature
    if temperature is not None and not (math.isfinite(temperature) and temperature > 0):
        raise EvaluationError(f"--temperature must be a number above 0, not {temperature}")
    if options.json is not None:
        check_writable(options.json)


class MatchCommand:
    """The games of one command, and the file that their result goes to.

    Attributes:
      partial: where unfinished results are kept; None without --json.
      seconds: how long the games of this start took.
    """

    def __init__(self, module: str, options: argparse.Namespace, arguments: Sequence[str]) -> None:
        """Plays nothing yet.

        Args:
          module: the command, as in `python -m MODULE`.
          options: those of `add_match_options`, parsed.
          arguments: the command line's arguments, as they were given.
        """
        self._command = shlex.join(["python", "-m", module, *arguments])
        self._options = options
        self.partial = None if options.json is None else PartialResults.beside(options.json, note)
        self.seconds = 0.0

    @property
    def games_found(self) -> int:
        """Games that an earlier start of the same command had played."""
        return 0 if self.partial is None else self.partial.games_found

    @contextmanager
    def playing(self) -> Iterator[OnProgress]:
        """Shows a bar and takes the time while games are played."""
        begun = time.perf_counter()
        with games_bar() as on_progress:
            yield on_progress
        self.seconds = time.perf_counter() - begun

    def store(self, result: Mapping[str, Any], scoring: str) -> None:
        """Writes the result with how it came about, if --json asks for it.

        To be called before anything is shown: hours of play must not hang on a terminal.

        Raises:
          FileError: the file cannot be written; the unfinished results stay.
        """
        if self._options.json is None or self.partial is None:
            return
        origin = {
            "seed": self._options.seed,
            "temperature": self._options.temperature,
            "scoring": scoring,
            "date": timestamp(),
            "command": self._command,
            "seconds": round(self.seconds, 3),
        }
        write_json(self._options.json, {**result, **origin})
        self.partial.remove()
