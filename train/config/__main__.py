"""Writes the reference of all keys: `python -m train.config`.

The tables go into `docs/configuration.md`, and the schema to `configs/schema.json`.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from bb_jax.files import named_errors, write_whole
from eval.command_line import Parser, run_command
from train.config.reference import schema_text, with_tables

_ROOT = Path(__file__).parents[2]


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit code."""
    Parser(
        prog="python -m train.config",
        description="Writes the tables of docs/configuration.md and configs/schema.json.",
    ).parse_args(arguments)
    return run_command(_write)


def _write() -> int:
    page = _ROOT / "docs/configuration.md"
    with named_errors(page, "read"):
        text = page.read_text(encoding="utf-8")
    write_whole(page, with_tables(text).encode())
    write_whole(_ROOT / "configs/schema.json", schema_text().encode())
    return 0


if __name__ == "__main__":
    sys.exit(main())
