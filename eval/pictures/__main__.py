"""Draws the pictures of the documentation: `python -m eval.pictures`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from bb_jax.files import named_errors, write_whole
from eval.command_line import Parser, path_argument, run_command
from eval.console import show
from eval.pictures.rules import draw_pictures


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line and returns its exit code."""
    parser = Parser(
        prog="python -m eval.pictures",
        description="Draws the positions and turns that the documentation shows, as SVG.",
    )
    parser.add_argument(
        "--out", type=path_argument, default=Path("docs/pictures"), metavar="FOLDER",
        help="where to write them (default: docs/pictures)",
    )  # fmt: skip
    options = parser.parse_args(arguments)

    def command() -> int:
        pictures = draw_pictures()
        with named_errors(options.out):
            options.out.mkdir(parents=True, exist_ok=True)
        for name, text in pictures.items():
            write_whole(options.out / name, text.encode())
        show(f"{len(pictures)} pictures in {options.out}")
        return 0

    return run_command(command)


if __name__ == "__main__":
    sys.exit(main())
