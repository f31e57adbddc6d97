"""How charts look: sizes, colours, legends and PNGs."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

# Okabe and Ito's colours, which people with any colour vision can tell apart. Their yellow is left
# out: it is too light for a line. https://jfly.uni-koeln.de/color/
OKABE_ITO = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
LINE_STYLES = ("-", "--", ":", "-.")
INK, FAINT, GRID = "#222222", "#6b6b6b", "#e3e3e3"
# A chart is as wide as a phone, so that its text has the same size everywhere.
WIDTH, HEIGHT = 4.2, 2.7
_LEGEND_ROW_HEIGHT = 0.17
_DPI = 200
_STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 8.5,
    # A name with two dollar signs is no formula.
    "text.parse_math": False,
    "axes.labelcolor": FAINT,
    "axes.edgecolor": FAINT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "text.color": INK,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "figure.facecolor": "white",
}
_DARK_INK, _DARK_FAINT, _DARK_GROUND = "#ececec", "#a8a8a8", "#1c1c1c"
_DARK_STYLE = _STYLE | {
    "axes.labelcolor": _DARK_FAINT,
    "axes.edgecolor": _DARK_FAINT,
    "axes.facecolor": _DARK_GROUND,
    "figure.facecolor": _DARK_GROUND,
    "text.color": _DARK_INK,
    "xtick.color": _DARK_FAINT,
    "ytick.color": _DARK_FAINT,
}


@dataclass(frozen=True)
class Chart:
    """A finished picture.

    Attributes:
      name: the file's name, without its ending.
      title: what the picture shows.
      note: a sentence that explains it; may be empty.
      png: the picture.
      dark_png: the picture on a dark ground; None if inverting `png` will do.
    """

    name: str
    title: str
    note: str
    png: bytes
    dark_png: bytes | None = None


def run_style(index: int) -> dict[str, Any]:
    """Colour and line style of the run with this number; the first 28 are all different."""
    colour = OKABE_ITO[index % len(OKABE_ITO)]
    style = LINE_STYLES[index // len(OKABE_ITO) % len(LINE_STYLES)]
    return {"color": colour, "linestyle": style}


def draw_chart(
    name: str,
    title: str,
    note: str,
    draw: Callable[[Figure, Axes], Mapping[str, Any] | None],
    *,
    height: float = HEIGHT,
    corner: str = "",
    legend: Sequence[str] = (),
    in_dark_too: bool = False,
) -> Chart:
    """Makes a chart of one pair of axes.

    Args:
      name, title, note: the chart's, as in `Chart`.
      draw: draws into the figure's axes; returns what the legend shows, by its label.
      height: inches, without the legend.
      corner: a short text at the title's right.
      legend: the labels; from two on they stand below the axes and cover nothing.
      in_dark_too: whether to draw it on a dark ground as well, for colours that have a meaning.
    """
    columns = _legend_columns(legend) if len(legend) > 1 else 0
    if columns:
        height += _LEGEND_ROW_HEIGHT * (-(-len(legend) // columns) + 0.5)

    def render(style: dict[Any, Any]) -> bytes:
        with matplotlib.rc_context(style):
            figure = Figure(figsize=(WIDTH, height), layout="constrained")
            FigureCanvasAgg(figure)
            axes = figure.add_subplot()
            figure.suptitle(title, x=0.015, ha="left", fontsize=9.5, fontweight="bold")
            faint = matplotlib.rcParams["xtick.color"]
            figure.text(0.985, 0.975, corner, ha="right", va="top", fontsize=8, color=faint)
            drawn = draw(figure, axes) or {}
            if columns:
                # Given explicitly, because matplotlib leaves out labels that begin with "_".
                figure.legend(
                    list(drawn.values()), list(drawn), loc="outside lower center", ncols=columns
                )
            buffer = io.BytesIO()
            figure.savefig(buffer, format="png", dpi=_DPI, metadata={"Software": None})
            return buffer.getvalue()

    return Chart(name, title, note, render(_STYLE), render(_DARK_STYLE) if in_dark_too else None)


def label_iterations(axes: Axes) -> None:
    """Labels the horizontal axis as iterations, with whole numbers."""
    axes.set_xlabel("iteration")
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))


def _legend_columns(labels: Sequence[str]) -> int:
    longest = max(map(len, labels))
    return min(1 if longest > 26 else 2 if longest > 14 else 3, len(labels))


def dashes(what: str, values: Sequence[float]) -> str:
    """A text for a chart's corner on what its dashed lines are, with up to three values."""
    if not values:
        return ""
    listed = ", ".join(f"{value:g}" for value in values)
    return f"dashes: {what} {listed}" if len(values) <= 3 else f"dashes: {what}"


def running_mean(values: np.ndarray, window: int) -> np.ndarray:
    """The mean of the last `window` values (fewer at the beginning), float64 [N] -> [N]."""
    sums = np.cumsum(np.concatenate([[0.0], values]))
    ends = np.arange(1, len(values) + 1)
    starts = np.maximum(ends - window, 0)
    return (sums[ends] - sums[starts]) / (ends - starts)


def short_name(name: str) -> str:
    """A name that leaves room for a chart beside it."""
    return name if len(name) <= 18 else f"{name[:8]}…{name[-9:]}"
