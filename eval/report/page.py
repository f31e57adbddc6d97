"""The report as one HTML page that needs nothing else: its pictures and its style are inside.

The HTML stands in `templates/`, where every text is escaped.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from eval.report.html import html_template
from eval.report.style import Chart
from eval.report.tables import Table

#: A line of the page by which a report is told from other pages.
GENERATOR = '<meta name="generator" content="eval.report">'


@dataclass(frozen=True)
class Section:
    """A heading with what stands below it; left out where there is nothing.

    Attributes:
      title: the heading.
      charts: pictures, in their order.
      tables: cards behind the charts.
      introduction: a sentence or two above them.
      wide: whether charts and tables get more room than a phone has.
    """

    title: str
    charts: Sequence[Chart] = ()
    tables: Sequence[Table] = ()
    introduction: str = ""
    wide: bool = False


@dataclass(frozen=True)
class Page:
    """All that the page shows.

    Attributes:
      title: the page's title.
      date: when it was made, for people.
      overview: the table at the top.
      sections: what follows, in its order.
      notes: sentences about what could not be read.
    """

    title: str
    date: str
    overview: Table
    sections: Sequence[Section] = ()
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class _Picture:
    """A chart as the page shows it.

    Attributes:
      source: the picture, as a data URL.
      dark_source: the picture for dark pages; None where inverting `source` will do.
      width, height: pixels; they keep the page from jumping while it loads.
      alternative: what the picture shows, for those who do not see it.
      note: a sentence below the picture; may be empty.
    """

    source: str
    dark_source: str | None
    width: int
    height: int
    alternative: str
    note: str


def render_page(page: Page) -> str:
    """The page's HTML."""
    return html_template("page.html", "eval.report").render(
        page=page,
        sections=[section for section in page.sections if section.charts or section.tables],
        picture=_picture,
        generator=Markup(GENERATOR),
    )


def _picture(chart: Chart) -> _Picture:
    # A PNG's header holds its size.
    width, height = (int.from_bytes(chart.png[start : start + 4]) for start in (16, 20))
    return _Picture(
        source=_data_url(chart.png),
        dark_source=None if chart.dark_png is None else _data_url(chart.dark_png),
        width=width,
        height=height,
        alternative=f"{chart.title}. {chart.note}".strip(),
        note=chart.note,
    )


def _data_url(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"
