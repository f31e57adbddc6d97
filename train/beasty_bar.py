"""The console command: beasty-bar COMMAND ..., which is `python -m MODULE ...`.

It imports nothing that an extra brings. So `beasty-bar --help` works in every installation, and
spawned workers, which import it again, stay small.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from importlib.metadata import PackageNotFoundError, version
from typing import NoReturn

from bb_jax.errors import UserError
from bb_jax.extras import DISTRIBUTION, extra_of, require_extra
from eval.console import complain, replace_closed_outputs, show
from eval.interrupts import leave_on_interrupt

PROGRAM = "beasty-bar"
_EXIT_BAD_INPUT = 2

#: The module behind each command, and what the command does.
COMMANDS = {
    "train": ("train.main", "train a player, or go on where a run stopped"),
    "eval": ("eval.main", "win rates of checkpoints against opponents"),
    "play": ("eval.play", "one game in the terminal, with hints and a review"),
    "web": ("eval.web.__main__", "play, review and watch in the browser"),
    "tournament": ("eval.tournament", "every player against every other, with ratings"),
    "report": ("eval.report.__main__", "a run's curves and tables on one page"),
    "guide": ("eval.guide.__main__", "how a checkpoint plays, measured, as a strategy guide"),
    "analyse": ("eval.analyse", "judge positions for other programs, or review a game"),
    "jobs": ("train.jobs.__main__", "train in the background"),
    "checkpoints": ("train.checkpoints", "pack a training state into one file, or export a policy"),
    "mirror": (
        "train.mirror.__main__",
        "keep a run's finished steps elsewhere, or bring them back",
    ),
    "configs": ("train.named_configs", "list the configurations known by name, or print one"),
    "losses": ("eval.losses", "say why a search does not win the games that it does not win"),
    "backfill": ("eval.backfill", "evaluate those policies of a run that were not"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command and ends the process with its exit code; returns that of anything else."""
    replace_closed_outputs()
    given = list(sys.argv[1:] if arguments is None else arguments)
    name = given[0] if given else ""
    if name in ("-h", "--help"):
        show(_help())
        return 0
    if name == "--version":
        show(f"{PROGRAM} {_version()}")
        return 0
    if name not in COMMANDS:
        complain(_unknown(name))
        return _EXIT_BAD_INPUT
    leave_on_interrupt()
    module = COMMANDS[name][0]
    try:
        require_extra(extra_of(module), f"{PROGRAM} {name}")
    except UserError as error:
        complain(error)
        return _EXIT_BAD_INPUT
    return _run(name, module, given[1:])


def _run(name: str, module: str, arguments: Sequence[str]) -> NoReturn:
    # Python agents are looked for where the command is given, as `python -m` does.
    if "" not in sys.path:
        sys.path.append("")
    sys.argv = [f"{PROGRAM} {name}", *arguments]
    program = importlib.import_module(module)
    from eval.command_line import run_program

    run_program(program.main)


def _help() -> str:
    lines = [f"  {name:12} {what}" for name, (_, what) in COMMANDS.items()]
    return "\n".join(
        [
            f"usage: {PROGRAM} COMMAND ...",
            "",
            "Trains, evaluates and plays agents for the card game Beasty Bar.",
            "",
            *lines,
            "",
            f"`{PROGRAM} COMMAND --help` shows a command's options.",
            f"`{PROGRAM} --version` shows the version.",
        ]
    )


def _unknown(name: str) -> str:
    hint = f"{PROGRAM} --help lists the commands"
    if not name:
        return f"a command is missing: {hint}"
    near = get_close_matches(name, COMMANDS, n=1)
    guess = f"; the nearest is {near[0]}" if near else ""
    return f"there is no command {name}{guess} ({hint})"


def _version() -> str:
    try:
        return version(DISTRIBUTION)
    except PackageNotFoundError:
        return "of a source tree that is not installed"


if __name__ == "__main__":
    sys.exit(main())
