"""Writes the reference of all keys: `python -m train.config`.

The tables go into `docs/configuration.md`, and the schema to `configs/schema.json`.
"""

from pathlib import Path

from bb_jax.files import write_whole
from train.config.reference import schema_text, with_tables

_ROOT = Path(__file__).parents[2]


def main() -> None:
    """Writes both files."""
    page = _ROOT / "docs/configuration.md"
    write_whole(page, with_tables(page.read_text(encoding="utf-8")).encode())
    write_whole(_ROOT / "configs/schema.json", schema_text().encode())


if __name__ == "__main__":
    main()
