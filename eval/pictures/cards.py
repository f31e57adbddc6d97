"""A card as a piece of SVG, and what every picture is made of: colours, stars and text."""

from __future__ import annotations

from html import escape

from bb_sim import Card
from eval.pictures.animals import ANIMALS

# Okabe and Ito's blue, orange, green and pink, which people with any colour vision tell apart,
# dark enough for white text: https://jfly.uni-koeln.de/color/
OWNER_COLOURS = ("#0b6fb3", "#c8590a", "#0a7d5b", "#b0568a")
TEXT, FAINT = "#f3ecd9", "#a9c0c4"
GOLD = "#ffd166"
CARD_WIDTH, CARD_HEIGHT = 92, 128

_RECURRING = ("giraffe", "crocodile", "hippo")
_GOLD_EDGE = "#c9931f"
_PAPER = "#fdf8ea"


def draw_card(card: Card, x: float, y: float, scale: float = 1, *, new: bool = False) -> str:
    """A card as a part of an SVG, `CARD_WIDTH * scale` wide.

    Args:
      card: open or hidden.
      x, y: the upper left corner.
      scale: 1 shows strength, points and name; below 0.6 there is no room for the name.
      new: whether a golden frame marks it.
    """
    colour = OWNER_COLOURS[card.owner]
    frame = f' stroke="{GOLD}" stroke-width="5"' if new else ""
    parts = [
        f'<rect width="{CARD_WIDTH}" height="{CARD_HEIGHT}" rx="11" fill="{colour}"{frame}/>',
    ]
    if card.is_hidden:
        parts.append(_back())
    elif scale < 0.6:
        parts += [
            f'<rect x="6" y="6" width="{CARD_WIDTH - 12}" height="{CARD_HEIGHT - 12}" rx="7"'
            f' fill="{_PAPER}"/>',
            f'<g transform="translate(9 34) scale(.74)">{ANIMALS[card.species]}</g>',
            f'<rect x="0" y="0" width="48" height="34" rx="11" fill="{colour}"/>',
            draw_text(24, 27, str(card.strength), size=28, anchor="middle", colour="#fff"),
        ]
    else:
        parts += [
            f'<rect x="5" y="5" width="{CARD_WIDTH - 10}" height="{CARD_HEIGHT - 31}" rx="7"'
            f' fill="{_PAPER}"/>',
            f'<g transform="translate(12 27) scale(.7)">{ANIMALS[card.species]}</g>',
            f'<circle cx="18" cy="18" r="14" fill="{colour}"/>',
            draw_text(18, 24, str(card.strength), size=17, anchor="middle", colour="#fff"),
            *(draw_star(CARD_WIDTH - 14 - 12.5 * number, 15) for number in range(card.points)),
            _sign(card.species, colour),
            draw_text(
                CARD_WIDTH / 2, CARD_HEIGHT - 9, card.species,
                size=13.5, anchor="middle", colour="#fff",
            ),
        ]  # fmt: skip
    return f'<g transform="translate({x:g} {y:g}) scale({scale:g})">{"".join(parts)}</g>'


def draw_star(x: float, y: float) -> str:
    """A point that an animal is worth in the bar."""
    return (
        f'<path transform="translate({x:g} {y:g})" fill="{GOLD}" stroke="{_GOLD_EDGE}"'
        ' stroke-width="1" stroke-linejoin="round"'
        ' d="M0 -6 L1.8 -2 6 -1.5 2.9 1.5 3.7 5.7 0 3.6 -3.7 5.7 -2.9 1.5'
        ' -6 -1.5 -1.8 -2Z"/>'
    )


def draw_text(
    x: float, y: float, text: str, *, size: float = 14, anchor: str = "start", colour: str = TEXT
) -> str:
    """Bold text; `y` is its base line, `anchor` is start, middle or end of it."""
    if not text:
        return ""
    placed = f' text-anchor="{anchor}"' if anchor != "start" else ""
    return (
        f'<text x="{x:g}" y="{y:g}" font-size="{size:g}"{placed} fill="{colour}"'
        f' font-weight="600">{escape(text, quote=False)}</text>'
    )


def _back() -> str:
    """The back of a card: a paw."""
    toes = ((30, 50), (40, 40), (53, 40), (63, 50))
    return (
        f'<rect x="7" y="7" width="{CARD_WIDTH - 14}" height="{CARD_HEIGHT - 14}" rx="7"'
        ' fill="none" stroke="#fff" stroke-opacity=".45" stroke-width="2"/>'
        '<g fill="#fff" fill-opacity=".5">'
        '<path d="M46.5 54 Q60 58 64 74 Q64 84 46.5 80 Q29 84 29 74 Q33 58 46.5 54Z"/>'
        + "".join(f'<ellipse cx="{x}" cy="{y}" rx="5" ry="7"/>' for x, y in toes)
        + "</g>"
    )


def _sign(species: str, colour: str) -> str:
    """What the animal does in later turns: arrow for acting again, bars for stopping others."""
    if species in _RECURRING:
        lines = "M5.5 -2.5 A6 6 0 1 0 6 1.5 M6.5 -7 V-2 H1.5"
    elif species == "zebra":
        lines = "M-5 -6 V6 M0 -6 V6 M5 -6 V6"
    else:
        return ""
    return (
        f'<g transform="translate(17 90)"><circle r="10.5" fill="{_PAPER}"/>'
        f'<path d="{lines}" fill="none" stroke="{colour}" stroke-width="2.4"'
        ' stroke-linecap="round"/></g>'
    )
