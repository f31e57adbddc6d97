"""Heat maps of opponents over time: win rates, and shares of the games."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from eval.report.data import SELF, RunData
from eval.report.style import Chart, draw_chart, short_name
from eval.runs.metric_keys import opponent_key

# The numbers in so many columns can still be read on a phone.
_MOST_COLUMNS = 10
_MOST_BINS = 100
_ROW_HEIGHT, _FRAME_HEIGHT = 0.22, 0.85
# Its lightness rises evenly, which people with any colour vision see.
_COLOURS = "viridis"
_MISSING = "#8a8a8a"


def evaluation_matrices(runs: Sequence[RunData]) -> list[Chart]:
    """Each run's evaluations, opponents by iterations, with the same colours for all runs."""
    found = []
    for run in runs:
        rates: dict[int, dict[str, float]] = {}
        for opponent in run.evaluated_opponents():
            series = run.series(opponent_key("eval", opponent, "win_rate"))
            for iteration, rate in zip(*series, strict=True):
                rates.setdefault(int(iteration), {})[opponent] = float(rate)
        found.append(dict(sorted(rates.items())))
    return _matrices("win_rate_matrix", "Evaluations, win %", runs, found, "iteration")


def checkpoint_matrices(runs: Sequence[RunData]) -> list[Chart]:
    """Each run's checkpoints, opponents by steps, with the same colours for all runs."""
    found = [run.checkpoint_win_rates() for run in runs]
    return _matrices("checkpoint_matrix", "Checkpoints, win %", runs, found, "checkpoint")


def _matrices(
    name: str,
    title: str,
    runs: Sequence[RunData],
    found: Sequence[Mapping[int, Mapping[str, float]]],
    across: str,
) -> list[Chart]:
    """Matrices of win rates by step and opponent, one for each run that has any."""
    known = [rate for steps in found for rates in steps.values() for rate in rates.values()]
    start = min(10 * math.floor(10 * min(known, default=0.0)), 90)
    return [
        _matrix(f"{name}{suffix}", title, corner, steps, across, start)
        for (suffix, corner), steps in zip(_distinctions(runs), found, strict=True)
        if steps
    ]


def _matrix(
    name: str,
    title: str,
    corner: str,
    found: Mapping[int, Mapping[str, float]],
    across: str,
    start: float,
) -> Chart:
    """A matrix with a number in every cell; of many columns, some are left out evenly."""
    opponents = list(dict.fromkeys(opponent for rates in found.values() for opponent in rates))
    steps = list(found)
    shown = [steps[index] for index in _evenly(len(steps), _MOST_COLUMNS)]
    rates = 100 * np.array([[found[s].get(name, np.nan) for s in shown] for name in opponents])

    def draw(figure: Figure, axes: Axes) -> None:
        image = axes.imshow(rates, cmap=_colours(), vmin=start, vmax=100, aspect="auto")
        for (row, column), rate in np.ndenumerate(rates):
            if not np.isnan(rate):
                light = (rate - start) / (100 - start) > 0.55
                # 99.96 is not 100.
                text = "100" if rate == 100 else f"{min(rate, 99.4):.0f}"
                axes.text(
                    column, row, text, ha="center", va="center", fontsize=7.5,
                    color="black" if light else "white",
                )  # fmt: skip
        axes.set_xticks(range(len(shown)), [str(step) for step in shown], fontsize=7.5)
        if max(shown) >= 1000:
            axes.tick_params(axis="x", rotation=45)
        axes.set_yticks(range(len(opponents)), [short_name(name) for name in opponents])
        _finish(figure, axes, image, across)

    note = f"Colours go from {start:.0f} to 100 %."
    if len(shown) < len(steps):
        note = f"{len(shown)} of {len(steps)} columns, evenly spaced. {note}"
    if np.isnan(rates).any():
        note += " Grey: not played."
    height = _height(len(opponents))
    return draw_chart(name, title, note, draw, height=height, corner=corner, in_dark_too=True)


def share_maps(runs: Sequence[RunData]) -> list[Chart]:
    """Opponents' shares of the games over each run, with the same colours for all runs."""
    found, notes = [], []
    for run in runs:
        shares = run.shares()
        # Self-play has so large a share that the others would all look alike.
        own = shares.pop(SELF, None)
        found.append(shares)
        note = "Past checkpoints and exploiters together."
        if own is not None:
            low, high = 100 * own.min(), 100 * own.max()
            span = f"{low:.0f} %" if round(low) == round(high) else f"{low:.0f} to {high:.0f} %"
            note = f"Self-play, {span}, is left out. {note}"
        notes.append(note)
    largest = max((share.max() for shares in found for share in shares.values()), default=0.0)
    end = max(2, 2 * math.ceil(50 * largest))
    return _time_maps("weights", "Shares of the games", runs, found, notes, end)


def met_maps(runs: Sequence[RunData]) -> list[Chart]:
    """Win rates against each opponent in training, over each run."""
    notes = ["Moves are sampled in training, so these lie below the evaluations."] * len(runs)
    found = [run.met() for run in runs]
    return _time_maps("met", "Win rates met in training", runs, found, notes, 100)


def _time_maps(
    name: str,
    title: str,
    runs: Sequence[RunData],
    found: Sequence[Mapping[str, np.ndarray]],
    notes: Sequence[str],
    end: float,
) -> list[Chart]:
    return [
        _time_map(f"{name}{suffix}", title, corner, note, run.iterations(), rows, end)
        for (suffix, corner), run, rows, note in zip(
            _distinctions(runs), runs, found, notes, strict=True
        )
        if rows
    ]


def _time_map(
    name: str,
    title: str,
    corner: str,
    note: str,
    iterations: np.ndarray,
    rows: Mapping[str, np.ndarray],
    end: float,
) -> Chart:
    """A map of fractions by opponent and iteration; many iterations are binned."""
    values = 100 * np.array(list(rows.values()))
    size = -(-len(iterations) // _MOST_BINS)
    first = np.arange(0, len(iterations), size)
    known = ~np.isnan(values)
    counts = np.add.reduceat(known, first, axis=1, dtype=np.int64)
    sums = np.add.reduceat(np.where(known, values, 0.0), first, axis=1)
    binned = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
    edges = np.append(iterations[first], iterations[-1] + 1) - 0.5

    def draw(figure: Figure, axes: Axes) -> None:
        levels = np.arange(len(rows) + 1) - 0.5
        image = axes.pcolormesh(edges, levels, binned, cmap=_colours(), vmin=0, vmax=end)
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.set_yticks(range(len(rows)), [short_name(opponent) for opponent in rows])
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        _finish(figure, axes, image, "iteration")

    note += f" Colours go from 0 to {end:g} %."
    if np.isnan(binned).any():
        note += " Grey: not played."
    if size > 1:
        note += f" A column is the mean of {size} iterations."
    height = _height(len(rows))
    return draw_chart(name, title, note, draw, height=height, corner=corner, in_dark_too=True)


def _colours() -> matplotlib.colors.Colormap:
    return matplotlib.colormaps[_COLOURS].with_extremes(bad=_MISSING)


def _distinctions(runs: Sequence[RunData]) -> list[tuple[str, str]]:
    """For each run its file names' suffix and its charts' corner; both empty for a single run."""
    if len(runs) == 1:
        return [("", "")]
    return [(f"_{number}", short_name(run.name)) for number, run in enumerate(runs, start=1)]


def _finish(figure: Figure, axes: Axes, image: matplotlib.cm.ScalarMappable, across: str) -> None:
    axes.grid(False)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_xlabel(across)
    bar = figure.colorbar(image, ax=axes, pad=0.015, aspect=30, format=PercentFormatter(decimals=0))
    bar.ax.tick_params(labelsize=7, length=2)
    bar.outline.set_visible(False)


def _height(rows: int) -> float:
    return _FRAME_HEIGHT + _ROW_HEIGHT * max(rows, 3)


def _evenly(count: int, most: int) -> Sequence[int]:
    """At most `most` numbers below `count`, evenly spaced, with the first and the last."""
    if count <= most:
        return range(count)
    return [round(index) for index in np.linspace(0, count - 1, most)]
