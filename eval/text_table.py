"""Tables as plain text for a terminal."""

import io

from rich.console import Console
from rich.table import Table

#: Characters in a line of a table, unless the caller knows better.
TABLE_WIDTH = 80


def text_table(gap: int = 1) -> Table:
    """An empty table without lines, whose columns stand `gap` blanks apart."""
    return Table(box=None, padding=(0, gap, 0, 0), pad_edge=False)


def plain_text(table: Table, width: int = TABLE_WIDTH) -> str:
    """A table without colours and without blanks at the ends of its lines.

    Cells are taken as they are: brackets in a name are no markup.
    """
    text = io.StringIO()
    console = Console(
        file=text, width=width, color_system=None, highlight=False, markup=False, emoji=False
    )
    console.print(table)
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines())
