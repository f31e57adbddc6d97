"""Curves over the iterations; every chart shows all runs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fnmatch import fnmatchcase

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, PercentFormatter

from eval.report.data import Rating, RunData, in_usual_order
from eval.report.style import (
    FAINT,
    OKABE_ITO,
    Chart,
    dashes,
    draw_chart,
    label_iterations,
    run_style,
    running_mean,
    short_name,
)
from eval.runs.metric_keys import MEAN_WIN_RATE, opponent_key
from eval.statistics.reference import PUBLIC_BASELINE, mean_baseline

# A curve of more points is drawn as a running mean above the points themselves.
_CALM_POINTS = 120
_WINDOWS = 40
_LEARNING = {
    "train/policy_loss": "policy loss",
    "train/value_loss": "value loss",
    "train/entropy": "entropy (nats)",
    "train/explained_variance": "explained variance",
}
_SCHEDULES = {
    "train/learning_rate": "learning rate",
    "train/entropy_coef": "entropy coefficient",
    "train/temperature": "temperature",
}
# Never negative, so drawn from zero; not those that change little far from zero.
_FROM_ZERO = (
    "train/entropy",
    "train/kl",
    "train/clip_fraction",
    "train/skipped_updates",
    "train/grad_norm_*",
    "train/update_norm",
    *_SCHEDULES,
    "time/*",
)
_SPEEDS = {
    "time/games_per_second": "games a second",
    "time/positions_per_second": "positions a second",
}
# Parts of an iteration that follow one another; the rest of its time is _THE_REST.
_PARTS = {
    "time/waiting_share": "waiting for games",
    "time/learning_share": "learning",
    "time/evaluation_share": "evaluation",
}
_THE_REST = "the rest"


def win_rate_charts(runs: Sequence[RunData]) -> list[Chart]:
    """A chart of the evaluations' mean win rate, and one with an interval for each opponent.

    All have the same vertical axis, so that opponents can be compared.
    """
    opponents = in_usual_order(name for run in runs for name in run.evaluated_opponents())
    start = _axis_start(runs, opponents)
    charts = []
    if any(len(run.series(MEAN_WIN_RATE)[0]) for run in runs):
        charts.append(_win_rate_chart(runs, None, start))
    return charts + [_win_rate_chart(runs, opponent, start) for opponent in opponents]


def _axis_start(runs: Sequence[RunData], opponents: Sequence[str]) -> int:
    """Where the axis of win rates begins, in percent: the ten below everything drawn."""
    lowest = [PUBLIC_BASELINE[name] / 100 for name in opponents if name in PUBLIC_BASELINE]
    for run in runs:
        for name in opponents:
            for quantity in ("win_rate", "ci95_low"):
                lowest += list(run.series(opponent_key("eval", name, quantity))[1])
    return max(0, 10 * math.floor(10 * min(lowest, default=0.0)))


def _win_rate_chart(runs: Sequence[RunData], opponent: str | None, start: int) -> Chart:
    baseline = None
    if any(run.scoring == "points" for run in runs):
        met = {tuple(run.evaluated_opponents()) for run in runs}
        names = (opponent,) if opponent is not None else met.pop() if len(met) == 1 else ()
        baseline = mean_baseline(names)

    def draw(_: Figure, axes: Axes) -> dict[str, Artist]:
        legend: dict[str, Artist] = {}
        axes.set_ylim(start, 101)
        axes.set_ylabel("win rate" if start == 0 else f"win rate (axis from {start} %)")
        axes.yaxis.set_major_formatter(PercentFormatter(decimals=0))
        for index, run in enumerate(runs):
            key = MEAN_WIN_RATE if opponent is None else opponent_key("eval", opponent, "win_rate")
            iterations, rates = run.series(key)
            if not len(iterations):
                continue
            style = run_style(index)
            (line,) = axes.plot(iterations, 100 * rates, marker=".", ms=4, lw=1.5, **style)
            legend[run.name] = line
            low, high = (
                run.series(opponent_key("eval", opponent or "", bound))[1]
                for bound in ("ci95_low", "ci95_high")
            )
            if len(low) == len(high) == len(iterations):
                colour = style["color"]
                axes.fill_between(iterations, 100 * low, 100 * high, color=colour, alpha=0.2, lw=0)
        if baseline is not None:
            axes.axhline(baseline, color=FAINT, linestyle=(0, (5, 3)), lw=1)
        label_iterations(axes)
        return legend

    name = "win_rate_mean" if opponent is None else f"win_rate_{file_name(opponent)}"
    title = "Mean win rate" if opponent is None else f"Win rate: {short_name(opponent)}"
    corner = f"dashes: public {baseline:.1f} %" if baseline is not None else ""
    return draw_chart(name, title, "", draw, corner=corner, legend=[run.name for run in runs])


def learning_charts(runs: Sequence[RunData]) -> list[Chart]:
    """Charts of losses, entropy, divergence, clipping and skipped updates."""
    charts = [line_chart(runs, key, title) for key, title in _LEARNING.items()]
    told = _ppo_values(runs, "target_kl")
    corner = dashes("target", told)
    charts.append(line_chart(runs, "train/kl", "KL to the proximal policy", told, corner))
    charts.append(line_chart(runs, "train/clip_fraction", "clip fraction"))
    skipped = [run for run in runs if run.series("train/skipped_updates")[1].any()]
    if skipped:
        charts.append(line_chart(runs, "train/skipped_updates", "skipped updates"))
    return [chart for chart in charts if chart is not None]


def _ppo_values(runs: Sequence[RunData], key: str) -> list[float]:
    """The different numbers that the runs' configurations give a PPO key, ascending."""
    values = [run.configuration.get("ppo_config", {}).get(key) for run in runs]
    return sorted({float(value) for value in values if isinstance(value, int | float)})


def norm_charts(runs: Sequence[RunData]) -> list[Chart]:
    """Charts of the norms of gradients (before and after clipping), updates and parameters."""
    limits = _ppo_values(runs, "max_grad_norm")
    corner = dashes("limit", limits)
    charts = [
        line_chart(runs, "train/grad_norm_pre_clip", "gradient norm", limits, corner),
        line_chart(runs, "train/grad_norm_post_clip", "gradient norm, clipped", limits, corner),
        line_chart(runs, "train/update_norm", "norm of the update"),
        line_chart(runs, "train/param_norm", "norm of the parameters"),
    ]
    return [chart for chart in charts if chart is not None]


def schedule_charts(runs: Sequence[RunData]) -> list[Chart]:
    """Charts of coefficients that change over the run."""
    charts = [line_chart(runs, key, title, smooth=False) for key, title in _SCHEDULES.items()]
    return [chart for chart in charts if chart is not None]


def speed_charts(runs: Sequence[RunData]) -> list[Chart]:
    """Charts of games and positions a second, and of what each run's time went into."""
    charts = [line_chart(runs, key, title) for key, title in _SPEEDS.items()]
    charts += [_parts_chart(run, index, len(runs)) for index, run in enumerate(runs)]
    return [chart for chart in charts if chart is not None]


def line_chart(
    runs: Sequence[RunData],
    key: str,
    title: str,
    marks: Sequence[float] = (),
    corner: str = "",
    *,
    smooth: bool = True,
) -> Chart | None:
    """A chart of one metric of all runs; None if no run has it.

    Args:
      runs: the runs.
      key: the metric's key.
      title: the chart's title.
      marks: values to draw a dashed line at.
      corner: a short text at the title's right.
      smooth: whether a long curve is drawn as a running mean above its points.
    """
    series = [run.series(key) for run in runs]
    longest = max(len(iterations) for iterations, _ in series)
    if not longest:
        return None
    window = max(1, longest // _WINDOWS) if smooth and longest > _CALM_POINTS else 1

    def draw(_: Figure, axes: Axes) -> dict[str, Artist]:
        legend: dict[str, Artist] = {}
        for index, (run, (iterations, values)) in enumerate(zip(runs, series, strict=True)):
            style = run_style(index)
            if window > 1:
                axes.plot(iterations, values, color=style["color"], lw=0.6, alpha=0.35)
            mean = running_mean(values, window)
            (line,) = axes.plot(iterations, mean, lw=1.5, **style)
            legend[run.name] = line
        for mark in marks:
            axes.axhline(mark, color=FAINT, linestyle=(0, (5, 3)), lw=1)
        if any(fnmatchcase(key, pattern) for pattern in _FROM_ZERO):
            axes.set_ylim(bottom=0)
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: short_number(value)))
        label_iterations(axes)
        return legend

    note = f"Thick: mean of the last {window} iterations; thin: each one." if window > 1 else ""
    title = title[0].upper() + title[1:]
    name, names = file_name(key.partition("/")[2]), [run.name for run in runs]
    return draw_chart(name, title, note, draw, corner=corner, legend=names)


def _parts_chart(run: RunData, index: int, runs: int) -> Chart | None:
    """A chart of what the time of a run's iterations went into, stacked to 100 %."""
    shares = {label: run.series(key) for key, label in _PARTS.items()}
    iterations = next(iter(shares.values()))[0]
    if not len(iterations) or any(len(x) != len(iterations) for x, _ in shares.values()):
        return None
    window = max(1, len(iterations) // _WINDOWS)
    layers = {label: running_mean(values, window) for label, (_, values) in shares.items()}
    layers[_THE_REST] = np.maximum(0.0, 1.0 - sum(layers.values()))

    def draw(_: Figure, axes: Axes) -> dict[str, Artist]:
        colours = [OKABE_ITO[5], OKABE_ITO[1], OKABE_ITO[2], "#c9c9c9"]
        values = [100 * layer for layer in layers.values()]
        drawn = axes.stackplot(iterations, values, colors=colours, lw=0, step="mid")
        axes.set_ylim(0, 100)
        axes.margins(x=0)
        axes.yaxis.set_major_formatter(PercentFormatter(decimals=0))
        label_iterations(axes)
        return dict(zip(layers, drawn, strict=True))

    note = f"Mean of {window} iterations. " if window > 1 else ""
    note += "Generation overlaps learning where it is asynchronous: only the waiting counts."
    name = f"time_shares_{index + 1}" if runs > 1 else "time_shares"
    corner = short_name(run.name) if runs > 1 else ""
    title = "Where the time goes"
    return draw_chart(name, title, note, draw, corner=corner, legend=list(layers))


def rating_chart(runs: Sequence[RunData]) -> Chart | None:
    """A chart of checkpoints' Elo with 95 % intervals; None if no run has any."""
    ladders: dict[int, list[Rating]] = {
        index: ratings for index, run in enumerate(runs) if (ratings := run.ratings())
    }
    if not ladders:
        return None

    def draw(_: Figure, axes: Axes) -> dict[str, Artist]:
        legend: dict[str, Artist] = {}
        for index, ratings in ladders.items():
            style = run_style(index)
            bars = axes.errorbar(
                [rating.step for rating in ratings],
                [rating.rating for rating in ratings],
                yerr=[1.96 * (rating.error or 0.0) for rating in ratings],
                marker="o", ms=3.5, lw=1.3, capsize=2.5, **style,
            )  # fmt: skip
            legend[runs[index].name] = bars.lines[0]
        axes.set_ylabel("Elo, random = 0")
        label_iterations(axes)
        return legend

    note = "Bars: 95 % interval (1.96 standard errors). The vertical axis need not start at 0."
    names = [runs[index].name for index in ladders]
    return draw_chart("ratings", "Ratings of the checkpoints", note, draw, legend=names)


def short_number(value: float) -> str:
    """A number such as 12k, 0.03 or 2e-05."""
    if abs(value) >= 10_000:
        return f"{value / 1000:g}k"
    return f"{value:.6g}"


def file_name(text: str) -> str:
    """A text as part of a file's name."""
    return "".join(letter if letter.isalnum() or letter in "_-" else "_" for letter in text)
