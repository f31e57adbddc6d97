"""The configurations that are known by a name: python -m train.named_configs [NAME].

Without a name it lists them, each with its first sentence. With a name it prints the file, to be
changed under another name: `beasty-bar configs quickstart > mine.yaml`.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path

from bb_jax.files import named_errors
from eval.command_line import Parser, run_command
from eval.console import show
from train.config.locating import find_config, known_configs


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit code."""
    parser = Parser(
        prog="python -m train.named_configs",
        description="Lists the configurations that --config knows by name, or prints one.",
    )
    parser.add_argument("name", nargs="?", metavar="NAME", help="the one to print")
    options = parser.parse_args(arguments)

    def command() -> int:
        if options.name is not None:
            show(_read(find_config(Path(options.name))), end="")
            return 0
        for name, path in known_configs().items():
            show(f"{name:18} {_first_sentence(_read(path))}")
        return 0

    return run_command(command)


def _read(path: Path) -> str:
    with named_errors(path, "read"):
        return path.read_text(encoding="utf-8", errors="replace")


def _first_sentence(text: str) -> str:
    """The first sentence of the comment that a configuration begins with."""
    lines = (line for line in text.splitlines() if "yaml-language-server" not in line)
    comment = takewhile(lambda line: re.match(r"# \S", line), lines)
    return re.split(r"(?<=\.) ", " ".join(line.removeprefix("# ") for line in comment))[0]


if __name__ == "__main__":
    sys.exit(main())
