"""One game in the terminal: python -m eval.play --checkpoint RUN[@STEP]. See docs/play.md."""

from __future__ import annotations

import argparse
import math
import os
import secrets
import sys
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from bb_jax.errors import EvaluationError
from bb_jax.files import check_writable, write_whole
from bb_sim import OPPONENTS, SCORINGS, new_game
from bb_sim.rules.actions import Scoring
from eval.command_line import (
    Parser,
    check_seed,
    path_argument,
    run_command,
    run_program,
    start_jax,
)
from eval.console import note
from eval.matches.agents import is_agent_specification
from eval.matches.levels import LEVELS, level_named
from eval.matches.players import common_scoring, find_named_policy
from eval.runs.references import find_policy

if TYPE_CHECKING:
    from eval.games.opponents import Opponents
    from eval.terminal.session import Session

_SEATS = {"first": 0, "second": 1}
# Seeds are short, so that a person can type them.
_SEED_BITS = 31


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line and returns its exit code: 0, 2 for bad input, 130 for Ctrl-C."""
    options = _parser().parse_args(arguments)
    return run_command(lambda: _run(options))


def _parser() -> Parser:
    parser = Parser(
        prog="python -m eval.play",
        description="Plays one game in the terminal, with hints, undo and a review at the end. "
        "Moves may also come from a pipe, one a line.",
    )
    parser.add_argument(
        "--checkpoint", default="champion", metavar="RUN[@STEP]",
        help="gives hints and reviews, and plays unless somebody else does (default: champion)",
    )  # fmt: skip
    who = parser.add_mutually_exclusive_group()
    who.add_argument(
        "--level", choices=[level.name for level in LEVELS],
        help="play against this strength, from the weakest to the strongest",
    )  # fmt: skip
    who.add_argument(
        "--opponent", metavar="NAME",
        help=f"play against {', '.join(OPPONENTS)}, a RUN[@STEP], RUN[@STEP]+search or an agent as "
        "MODULE:CLASS",
    )  # fmt: skip
    parser.add_argument(
        "--seat", choices=(*_SEATS, "random"), default="random", help="default: random"
    )
    parser.add_argument(
        "--scoring", choices=SCORINGS, help="what is counted (default: as the opponent was trained)"
    )
    parser.add_argument(
        "--seed", type=int, metavar="N", help="seed of the deal and of the opponent (default: any)"
    )
    budget = parser.add_mutually_exclusive_group()
    budget.add_argument(
        "--samples", type=int, metavar="N",
        help="worlds for a hint and for a move of the review; 0 asks the network alone "
        "(default: 200)",
    )  # fmt: skip
    budget.add_argument("--milliseconds", type=float, metavar="X", help="time for a hint instead")
    parser.add_argument(
        "--save", type=path_argument, metavar="FILE",
        help="write the game to this new file, in the notation",
    )  # fmt: skip
    parser.add_device()
    return parser


def _run(options: argparse.Namespace) -> int:
    _check(options)
    seed = secrets.randbits(_SEED_BITS) if options.seed is None else options.seed
    session = _session(options, seed)
    try:
        session.play()
    finally:
        # The game is safe before the review begins, and after Ctrl-C.
        if options.save is not None:
            _save(options.save, session.text)
    session.conclude()
    note(f"--seed {seed} deals these cards again")
    return 0


def _check(options: argparse.Namespace) -> None:
    """Refuses bad options before anything slow begins."""
    if options.seed is not None:
        check_seed(options.seed)
        if options.seed >= 2**64:
            raise EvaluationError(f"--seed must be below 2**64, but it is {options.seed}")
    if options.samples is not None and options.samples < 0:
        raise EvaluationError(f"--samples must not be negative, but it is {options.samples}")
    time = options.milliseconds
    if time is not None and not (math.isfinite(time) and time > 0):
        raise EvaluationError(f"--milliseconds must be a number above 0, not {time}")
    if options.save is not None:
        _refuse_old(options.save)
        check_writable(options.save)
    find_policy(options.checkpoint)


def _session(options: argparse.Namespace, seed: int) -> Session:
    """The game, with everything that it needs loaded."""
    start_jax(options.device)
    note(f"loading {options.checkpoint}")
    from bb_jax import load_policy
    from eval.analysis.engine import Engine
    from eval.games.game import Game
    from eval.terminal.advice import Adviser
    from eval.terminal.prompt import Prompt
    from eval.terminal.screen import Screen
    from eval.terminal.session import Session

    opponents, key = _opponent(options)
    player = opponents.player(key)
    engine = Engine(load_policy(find_policy(options.checkpoint)))
    given = options.scoring or getattr(player, "scoring", None) or engine.scoring
    scoring: Scoring = "animals" if common_scoring([player], given) == "animals" else "points"
    # The seat does not depend on the cards.
    seat = _SEATS.get(options.seat, Random(seed).randrange(2))
    game = Game(opponents.offer(key), seat, scoring, [new_game(seed)], seed=seed)
    screen = Screen()
    return Session(
        game,
        opponents.chooser(key),
        Adviser(engine, options.samples, options.milliseconds),
        screen,
        Prompt(screen, sys.stdin),
    )


def _opponent(options: argparse.Namespace) -> tuple[Opponents, str]:
    """Who can be played against, and the key of the one who is.

    Raises:
      EvaluationError: there is nobody of that name.
      bb_jax.CheckpointError: a checkpoint is missing or damaged.
    """
    from eval.games.opponents import Opponents

    if options.level is not None:
        find_policy(level_named(options.level).checkpoint)
        return Opponents(options.checkpoint), options.level
    name = options.opponent or options.checkpoint
    if name in OPPONENTS:
        return Opponents(options.checkpoint), name
    if is_agent_specification(name):
        return Opponents(options.checkpoint, [name]), name
    run = name.partition("+")[0].strip()
    find_named_policy(run)
    opponents = Opponents(run)
    return opponents, opponents.checkpoint_offer(name).key


def _refuse_old(path: Path) -> None:
    if os.path.lexists(path):
        raise EvaluationError(f"--save: {path} is there already, and is not overwritten")


def _save(path: Path, text: str) -> None:
    _refuse_old(path)
    write_whole(path, text.encode())
    note(f"the game is in {path}")


if __name__ == "__main__":
    run_program(main)
