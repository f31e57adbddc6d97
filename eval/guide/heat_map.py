"""A table of shares as a picture: the lighter a cell, the larger its share."""

from __future__ import annotations

from collections.abc import Sequence

from eval.guide.estimates import Figure
from eval.pictures.animals import ANIMALS
from eval.pictures.board import draw_document
from eval.pictures.cards import FAINT, TEXT, draw_text

# From a little above the ground of all pictures to a light yellow.
_LOW, _HIGH = (31, 64, 77), (255, 224, 140)
# What is written on cells whose share is at least this part of the largest one.
_DARK_INK, _LIGHT_FROM = "#17303b", 0.45
_LEFT, _TOP, _ROW, _MARGIN = 150, 64, 34, 14


def draw_heat_map(
    title: str,
    rows: Sequence[tuple[str, Sequence[Figure | None]]],
    columns: Sequence[str],
    *,
    cell: int = 52,
) -> str:
    """Shares of animals as an SVG.

    Args:
      title: what the picture shows.
      rows: (animal, its share in each column); None where nothing is known.
      columns: the columns' headings.
      cell: the width of a cell.
    """
    width = _LEFT + cell * len(columns) + _MARGIN
    top = max((share.mean for _, shares in rows for share in shares if share), default=1.0)
    parts = [draw_text(_MARGIN, 27, title, size=16)]
    for place, name in enumerate(columns):
        x = _LEFT + cell * (place + 0.5)
        parts.append(draw_text(x, 54, name, size=13, colour=FAINT, anchor="middle"))
    for line, (animal, shares) in enumerate(rows):
        y = _TOP + _ROW * line
        parts.append(
            f'<g transform="translate({_MARGIN} {y + 1}) scale(.32)">{ANIMALS[animal]}</g>'
        )
        parts.append(draw_text(_MARGIN + 40, y + 22, animal, size=14))
        for place, share in enumerate(shares):
            if share is not None:
                parts.append(_cell(_LEFT + cell * place, y, cell, share.mean, top))
    return draw_document(title, width, _TOP + _ROW * len(rows) + _MARGIN, parts)


def _cell(x: float, y: float, width: int, value: float, top: float) -> str:
    part = value / top if top else 0.0
    colour = "#" + "".join(
        f"{round(low + part * (high - low)):02x}" for low, high in zip(_LOW, _HIGH, strict=True)
    )
    ink = _DARK_INK if part >= _LIGHT_FROM else TEXT
    return (
        f'<rect x="{x + 1:g}" y="{y + 1}" width="{width - 2}" height="{_ROW - 2}" rx="4"'
        f' fill="{colour}"/>'
        + draw_text(x + width / 2, y + 22, f"{100 * value:.0f}", colour=ink, anchor="middle")
    )
