"""The guide as one HTML page that needs nothing else: pictures, style and look-up are inside.

The HTML stands in `templates/`, where every text is escaped.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Sequence

from markupsafe import Markup, escape

from bb_sim import SPECIES
from eval.guide.chapters.openings import opponent_words
from eval.guide.document import Document, Picture, anchor
from eval.guide.figures import GENERATOR, Figures, Openings
from eval.report.html import html_template

_INLINE = re.compile(r"`([^`]+)`|\*\*(.+?)\*\*|\[([^\]]+)\]\(([^)]+)\)")


def render_page(document: Document, figures: Figures) -> str:
    """The page's HTML.

    Args:
      document: the guide.
      figures: what it is made from; the opening hands are looked up in them.
    """
    return html_template("guide.html", "eval.guide", "eval.report").render(
        document=document,
        generator=GENERATOR,
        kind=lambda block: type(block).__name__,
        inline=inline,
        anchor=anchor,
        picture=_data_url,
        animals=SPECIES,
        hands=json.dumps(_hands(figures.openings), separators=(",", ":")),
    )


def inline(text: str) -> Markup:
    """A text with `code`, **bold** and [links](target) as HTML; all else is escaped."""
    parts, end = [], 0
    for match in _INLINE.finditer(text):
        parts.append(escape(text[end : match.start()]))
        code, strong, label, target = match.groups()
        if code is not None:
            parts.append(Markup("<code>{}</code>").format(code))
        elif strong is not None:
            parts.append(Markup("<strong>{}</strong>").format(inline(strong)))
        else:
            parts.append(Markup('<a href="{}">{}</a>').format(target, label))
        end = match.end()
    return Markup("").join([*parts, escape(text[end:])])


def _data_url(picture: Picture) -> str:
    return f"data:image/svg+xml;base64,{base64.b64encode(picture.svg.encode()).decode()}"


def _hands(openings: Sequence[Openings]) -> list[dict[str, object]]:
    """What the look-up shows: by opponent, cards and percentages of each hand."""
    return [
        {
            "opponent": opponent_words(one.opponent),
            "hands": {
                " ".join(sorted(hand.cards)): [
                    [card, *(round(100 * part, 1) for part in parts)]
                    for card, *parts in zip(
                        hand.cards,
                        hand.win,
                        hand.win_reach,
                        hand.behind,
                        hand.behind_reach,
                        strict=True,
                    )
                ]
                for hand in one.hands
            },
        }
        for one in openings
    ]
