"""Figures in words: numbers with their intervals, lists, and moves."""

from __future__ import annotations

import math
from collections.abc import Sequence

from eval.guide.estimates import Figure

NOTHING = "–"
MINUS = "−"


def percent(figure: Figure | None) -> str:
    """A share such as "71.2 ± 0.8 %"."""
    return NOTHING if figure is None else f"{share(figure)} %"


def share(figure: Figure | None) -> str:
    """A share in percent without its sign, such as "71.2 ± 0.8"."""
    return _with_interval(figure, 100, signed=False)


def points(figure: Figure | None) -> str:
    """A difference of shares in percentage points, such as "+3.1 ± 0.4"."""
    return _with_interval(figure, 100, signed=True)


def cost(figure: Figure | None) -> str:
    """A difference of shares that is a loss, without a plus, such as "3.1 ± 0.4"."""
    return _with_interval(figure, 100, signed=False)


def number(figure: Figure | None, *, signed: bool = False) -> str:
    """A number such as "6.62 ± 0.01"."""
    return _with_interval(figure, 1, signed=signed)


def count(value: int) -> str:
    """A count such as "100,000"."""
    return f"{value:,}"


def in_words(names: Sequence[str], last: str = "and") -> str:
    """A list such as "lion, hippo and seal"."""
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} {last} {names[-1]}"


def bold(text: str) -> str:
    """The text in bold."""
    return f"**{text}**"


def capital(text: str) -> str:
    """The text with a capital first letter."""
    return text[:1].upper() + text[1:]


def _with_interval(figure: Figure | None, scale: float, *, signed: bool) -> str:
    if figure is None:
        return NOTHING
    value, reach = scale * figure.mean, scale * figure.half_width
    decimals = _decimals(reach)
    text = f"{abs(value):.{decimals}f}"
    is_zero = float(text) == 0
    sign = MINUS if value < 0 and not is_zero else "+" if signed and not is_zero else ""
    return f"{sign}{text} ± {_ceiled(reach, decimals)}"


def _decimals(reach: float) -> int:
    """As many decimals as show the interval's first digit, or its first two if that is a 1."""
    if reach <= 0:
        return 1
    return min(2, max(0, math.ceil(-math.log10(reach / 1.95))))


def _ceiled(reach: float, decimals: int) -> str:
    """The interval's reach, rounded up, so that rounding never makes it narrower."""
    scale = 10**decimals
    return f"{math.ceil(reach * scale - 1e-6) / scale:.{decimals}f}"
