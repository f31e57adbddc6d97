"""The report's tables, as plain text in cells."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eval.matches.match import MatchResult
from eval.report.data import Rating, RunData
from eval.report.style import run_style
from eval.runs.metric_keys import MEAN_WIN_RATE
from eval.statistics.reference import PUBLIC_BASELINE

# What CSS calls the line styles of the charts.
_CSS_LINES = {"-": "solid", "--": "dashed", ":": "dotted", "-.": "double"}


@dataclass(frozen=True)
class Row:
    """A row of a table.

    Attributes:
      cells: texts.
      colour, line: a CSS colour and line style, to show which curves belong to the row; may be
        empty.
    """

    cells: Sequence[str]
    colour: str = ""
    line: str = ""


@dataclass(frozen=True)
class Table:
    """A table with its heading.

    Attributes:
      columns: headings, C of them.
      rows: C cells each.
      title: a heading above the table; may be empty.
      remark: a faint text beside the title.
      of_text: whether the cells are texts, which may be long, and not numbers.
      folded: whether only the title shows until it is clicked.
    """

    columns: Sequence[str]
    rows: Sequence[Row]
    title: str = ""
    remark: str = ""
    of_text: bool = False
    folded: bool = False


def overview_table(runs: Sequence[RunData]) -> Table:
    """How far each run has come, with the colour that it has in the charts."""
    rows = []
    for index, run in enumerate(runs):
        iterations, rates = run.series(MEAN_WIN_RATE)
        latest = best = "–"
        if len(rates):
            latest = f"{100 * rates[-1]:.1f}"
            best = f"{100 * rates.max():.1f} at {iterations[rates.argmax()]}"
        total = run.configuration.get("total_iterations")
        done = f"{run.iterations()[-1]} of {total}" if total else str(run.iterations()[-1])
        games = run.latest("total/games")
        cells = [run.name, done, latest, best, "–" if games is None else f"{games:,.0f}"]
        if len(runs) > 1:
            style = run_style(index)
            rows.append(Row(cells, style["color"], _CSS_LINES[style["linestyle"]]))
        else:
            rows.append(Row(cells))
    return Table(["run", "iterations", "win %", "best", "games"], rows)


def final_tables(runs: Iterable[RunData]) -> list[Table]:
    """The final evaluations of the runs that have one."""
    return [_final_table(run, run.final) for run in runs if run.final and run.results]


def _final_table(run: RunData, final: Mapping[str, Any]) -> Table:
    comparable = final.get("scoring", "points") == "points"
    public = ["public"] if comparable else []
    columns = ["opponent", "win %", *public, "95 % interval", "wins", "draws", "losses", "margin"]
    games = ", ".join(f"{count:,}" for count in sorted({result.games for result in run.results}))
    return Table(
        columns,
        [Row(_final_cells(result, comparable)) for result in run.results],
        title=run.name,
        remark=f"after iteration {final.get('iteration', '?')}, "
        f"{readable_date(str(final.get('date', '')))}; {games} games an opponent, each deal from "
        "both seats",
    )


def _final_cells(result: MatchResult, comparable: bool) -> list[str]:
    low, high = result.ci95
    cells = [result.opponent, f"{100 * result.win_rate:.2f}"]
    if comparable:
        public = PUBLIC_BASELINE.get(result.opponent)
        cells.append("" if public is None else f"{public:.1f}")
    cells.append(f"{100 * low:.2f}–{100 * high:.2f}")
    cells += [f"{count:,}" for count in (result.wins, result.draws, result.losses)]
    return [*cells, f"{result.mean_margin:+.2f}"]


def rating_tables(runs: Iterable[RunData]) -> list[Table]:
    """The ratings and labels of each run's checkpoints."""
    columns = ["step", "Elo", "95 %", "stronger", "label"]
    return [
        Table(columns, [Row(_rating_cells(rating)) for rating in ratings], title=run.name)
        for run in runs
        if (ratings := run.ratings())
    ]


def _rating_cells(rating: Rating) -> list[str]:
    error, above = rating.error, rating.above_predecessor
    return [
        str(rating.step),
        f"{rating.rating:,.0f}",
        "" if error is None else f"± {1.96 * error:.0f}",
        "" if above is None else f"{100 * above:.1f} %",
        rating.label,
    ]


def configuration_tables(runs: Sequence[RunData]) -> list[Table]:
    """The keys in which several runs differ, and each run's configuration in full, folded."""
    flat = [dict(_leaves(run.configuration)) for run in runs]
    tables = []
    if len(runs) > 1:
        keys = dict.fromkeys(key for values in flat for key in values)
        found = {key: [values.get(key, "–") for values in flat] for key in keys}
        rows = [Row([key, *values]) for key, values in found.items() if len(set(values)) > 1]
        tables.append(Table(["key", *(run.name for run in runs)], rows, of_text=True))
    for run, values in zip(runs, flat, strict=True):
        if values:
            tables.append(
                Table(
                    ["key", "value"],
                    [Row(pair) for pair in values.items()],
                    title=run.name,
                    remark=f"{len(values)} keys",
                    of_text=True,
                    folded=True,
                )
            )
    return tables


def _leaves(content: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, str]]:
    """Every key of a configuration with its value, both as texts."""
    for key, value in content.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{key}.")
        elif isinstance(value, list):
            yield f"{prefix}{key}", ", ".join(map(str, value))
        else:
            yield f"{prefix}{key}", json.dumps(value).strip('"')


def readable_date(date: str) -> str:
    """Such as 2026-01-31 09:30 UTC, from ISO 8601 in UTC."""
    return f"{date[:16].replace('T', ' ')} UTC" if date.endswith("+00:00") else date
