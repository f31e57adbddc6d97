"""The report as one HTML page that needs nothing but itself: pictures and style are inside."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

from eval.matches.match import MatchResult
from eval.report.data import RunData
from eval.report.style import Chart, run_style
from eval.runs.metric_keys import MEAN_WIN_RATE
from eval.statistics.reference import PUBLIC_BASELINE

# Tells a report from other pages.
GENERATOR = '<meta name="generator" content="eval.report">'
_STYLE = """
:root { color-scheme: light dark; --ink: #1c1c1c; --faint: #5c5c5c; --page: #f4f4f2;
  --card: #ffffff; --line: #dcdcd8; --filter: none; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #ececec; --faint: #a8a8a8; --page: #101010; --card: #1c1c1c; --line: #3a3a3a;
    --filter: invert(0.89) hue-rotate(180deg); } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1rem; max-width: 84rem; background: var(--page); color: var(--ink);
  font: 16px/1.45 system-ui, sans-serif; overflow-wrap: break-word; }
h1 { font-size: 1.5rem; margin: 0.3rem 0; }
h2 { font-size: 1.15rem; margin: 2rem 0 0.6rem; }
p { margin: 0.4rem 0; }
.faint, figcaption, summary span { color: var(--faint); font-size: 0.85rem; }
nav { display: flex; flex-wrap: wrap; gap: 0.3rem 1rem; margin: 0.8rem 0; }
nav a { color: inherit; padding: 0.25rem 0; }
.grid { display: grid; gap: 0.8rem;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 22rem), 1fr)); align-items: start; }
.grid.wide { grid-template-columns: repeat(auto-fill, minmax(min(100%, 40rem), 1fr)); }
.card, figure { background: var(--card); border: 1px solid var(--line); border-radius: 6px;
  padding: 0.6rem; margin: 0; min-width: 0; }
figure img { display: block; width: 100%; height: auto; }
.inverted { filter: var(--filter); }
.scrolling { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 0.84rem; }
th, td { text-align: right; padding: 0.2rem 0.4rem; border-bottom: 1px solid var(--line);
  white-space: nowrap; }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
th { font-weight: 600; }
.configuration td, .configuration th { text-align: left; white-space: normal; }
.configuration td { overflow-wrap: anywhere; }
@media (max-width: 30rem) {
  body { padding: 0.7rem; }
  table { font-size: 0.8rem; }
  th, td { padding: 0.2rem 0.28rem; } }
summary { cursor: pointer; padding: 0.3rem 0; }
.swatch { display: inline-block; width: 1.6em; border-top: 4px solid; vertical-align: middle;
  margin-right: 0.5em; }
"""


@dataclass(frozen=True)
class Section:
    """A heading with what stands below it; left out where there is nothing.

    Attributes:
      title: the heading.
      charts: in their order.
      cards: tables and the like, as HTML, behind the charts.
      introduction: a sentence or two above them.
      wide: whether charts and cards get more room than a phone has.
    """

    title: str
    charts: Sequence[Chart] = ()
    cards: Sequence[str] = ()
    introduction: str = ""
    wide: bool = False


@dataclass(frozen=True)
class Page:
    """All that the page shows.

    Attributes:
      title: of the page.
      date: when it was made.
      runs: in the order of their colours.
      sections: in their order.
    """

    title: str
    date: str
    runs: Sequence[RunData]
    sections: Sequence[Section] = field(default_factory=tuple)


def render_page(page: Page) -> str:
    """The page's HTML."""
    sections = [section for section in page.sections if section.charts or section.cards]
    anchors = [f"section-{number}" for number in range(len(sections))]
    links = "".join(
        f'<a href="#{anchor}">{escape(section.title)}</a>'
        for anchor, section in zip(anchors, sections, strict=True)
    )
    notes = "".join(
        f"<p>{escape(run.name)}: {escape(note)}</p>" for run in page.runs for note in run.notes
    )
    body = "".join(map(_section, sections, anchors))
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'{GENERATOR}\n<link rel="icon" href="data:,">\n'
        f"<title>{escape(page.title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f"<h1>{escape(page.title)}</h1>\n"
        f'<p class="faint">Made on {escape(_readable(page.date))}. '
        "Win rates are strict: a draw is not a win. Those in the first table are means over the "
        "opponents of an evaluation.</p>\n"
        f"{notes}{_overview(page.runs)}\n<nav>{links}</nav>\n{body}</body>\n</html>\n"
    )


def _section(section: Section, anchor: str) -> str:
    introduction = (
        f'<p class="faint">{escape(section.introduction)}</p>\n' if section.introduction else ""
    )
    content = "\n".join([*map(_figure, section.charts), *section.cards])
    kind = "grid wide" if section.wide else "grid"
    heading = f'<h2 id="{anchor}">{escape(section.title)}</h2>\n'
    grid = f'<div class="{kind}">\n{content}\n</div>\n'
    return f"<section>\n{heading}{introduction}{grid}</section>\n"


def _figure(chart: Chart) -> str:
    caption = f"<figcaption>{escape(chart.note)}</figcaption>" if chart.note else ""
    # The size in the PNG's header keeps the page from jumping while it loads.
    width, height = (int.from_bytes(chart.png[start : start + 4]) for start in (16, 20))
    kind = ' class="inverted"' if chart.dark_png is None else ""
    picture = (
        f'<img{kind} alt="{escape(f"{chart.title}. {chart.note}".strip())}" '
        f'width="{width}" height="{height}" src="{_data(chart.png)}">'
    )
    if chart.dark_png is not None:
        dark = f'media="(prefers-color-scheme: dark)" srcset="{_data(chart.dark_png)}"'
        picture = f"<picture><source {dark}>{picture}</picture>"
    return f"<figure>{picture}{caption}</figure>"


def _data(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


def _overview(runs: Sequence[RunData]) -> str:
    """A table of the runs, with the colour that each has in the charts."""
    head = "<th>run</th><th>iterations</th><th>win %</th><th>best</th><th>games</th>"
    rows = []
    for index, run in enumerate(runs):
        iterations, rates = run.series(MEAN_WIN_RATE)
        latest = f"{100 * rates[-1]:.1f}" if len(rates) else "–"
        best = "–"
        if len(rates):
            best = f"{100 * rates.max():.1f} at {iterations[rates.argmax()]}"
        total = run.configuration.get("total_iterations")
        done = f"{run.iterations()[-1]} of {total}" if total else str(run.iterations()[-1])
        games = run.latest("total/games")
        cells = [done, latest, best, "–" if games is None else f"{games:,.0f}"]
        swatch = ""
        if len(runs) > 1:
            style = run_style(index)
            line = {"-": "solid", "--": "dashed", ":": "dotted"}.get(style["linestyle"], "double")
            swatch = (
                f'<span class="swatch inverted" style="border-color: {style["color"]}; '
                f'border-top-style: {line}"></span>'
            )
        rows.append([f"{swatch}{escape(run.name)}", *map(escape, cells)])
    return _card(_scrolling(_table(head, rows)))


def final_tables(runs: Iterable[RunData]) -> list[str]:
    """The tables at the end of the runs that have one, as HTML."""
    return [table for run in runs if (table := _final_table(run))]


def _final_table(run: RunData) -> str:
    if not run.results or run.final is None:
        return ""
    comparable = run.final.get("scoring", "points") == "points"
    head = "<th>opponent</th><th>win %</th>" + ("<th>public</th>" if comparable else "")
    head += "<th>95 % interval</th>"
    head += "<th>wins</th><th>draws</th><th>losses</th><th>margin</th>"
    rows = [_final_row(result, comparable) for result in run.results]
    games = ", ".join(f"{count:,}" for count in sorted({result.games for result in run.results}))
    date = _readable(str(run.final.get("date", "")))
    made = f"after iteration {run.final.get('iteration', '?')}, {date}"
    about = (
        f'<p><strong>{escape(run.name)}</strong> <span class="faint">{escape(made)}; '
        f"{games} games an opponent, each deal from both seats</span></p>"
    )
    return _card(about + _scrolling(_table(head, rows)))


def _final_row(result: MatchResult, comparable: bool) -> list[str]:
    low, high = result.ci95
    cells = [result.opponent, f"{100 * result.win_rate:.2f}"]
    if comparable:
        public = PUBLIC_BASELINE.get(result.opponent)
        cells.append("" if public is None else f"{public:.1f}")
    cells.append(f"{100 * low:.2f}–{100 * high:.2f}")
    cells += [f"{count:,}" for count in (result.wins, result.draws, result.losses)]
    cells.append(f"{result.mean_margin:+.2f}")
    return [escape(cell) for cell in cells]


def rating_tables(runs: Iterable[RunData]) -> list[str]:
    """The ratings and labels of the runs' checkpoints, as HTML."""
    cards = []
    for run in runs:
        rows = [
            [
                str(rating.step),
                f"{rating.rating:,.0f}",
                "" if rating.error is None else f"± {1.96 * rating.error:.0f}",
                ""
                if rating.above_predecessor is None
                else f"{100 * rating.above_predecessor:.1f} %",
                escape(rating.label),
            ]
            for rating in run.ratings()
        ]
        if rows:
            head = "<th>step</th><th>Elo</th><th>95 %</th><th>stronger</th><th>label</th>"
            about = f"<p><strong>{escape(run.name)}</strong></p>"
            cards.append(_card(about + _scrolling(_table(head, rows))))
    return cards


def configuration_tables(runs: Sequence[RunData]) -> list[str]:
    """The configurations as HTML: where several runs differ, then each in full, folded."""
    flat = [dict(_leaves(run.configuration)) for run in runs]
    parts = []
    if len(runs) > 1:
        keys = dict.fromkeys(key for values in flat for key in values)
        differing = [key for key in keys if len({values.get(key, "–") for values in flat}) > 1]
        head = "<th>key</th>" + "".join(f"<th>{escape(run.name)}</th>" for run in runs)
        rows = [[escape(k), *(escape(values.get(k, "–")) for values in flat)] for k in differing]
        parts.append(_card(_scrolling(_table(head, rows, "configuration"))))
    for run, values in zip(runs, flat, strict=True):
        if values:
            rows = [[escape(key), escape(value)] for key, value in values.items()]
            table = _table("<th>key</th><th>value</th>", rows, "configuration")
            title = f"{escape(run.name)} <span>{len(rows)} keys</span>"
            parts.append(_card(f"<details><summary>{title}</summary>{table}</details>"))
    return parts


def _leaves(content: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, str]]:
    for key, value in content.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            text = ", ".join(map(str, value)) if isinstance(value, list) else None
            yield f"{prefix}{key}", text if text is not None else json.dumps(value).strip('"')


def _readable(date: str) -> str:
    """Such as 2026-01-31 09:30 UTC, from ISO 8601 in UTC."""
    return f"{date[:16].replace('T', ' ')} UTC" if date.endswith("+00:00") else date


def _table(head: str, rows: Iterable[Sequence[str]], kind: str = "") -> str:
    """A table from cells that are HTML already."""
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>\n" for row in rows)
    name = f' class="{kind}"' if kind else ""
    return f"<table{name}><thead><tr>{head}</tr></thead><tbody>\n{body}</tbody></table>"


def _scrolling(table: str) -> str:
    """A table that scrolls by itself where the page is too narrow for it."""
    return f'<div class="scrolling">{table}</div>'


def _card(content: str) -> str:
    return f'<div class="card">{content}</div>\n'
