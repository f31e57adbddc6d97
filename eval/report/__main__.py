"""Reports on runs, as charts and a page: python -m eval.report RUN [RUN ...] [--out FOLDER].

RUN/report gets one PNG for each chart, and index.html, which holds them all and needs no network.
Several runs share the charts, and the report lies in the first run's folder.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from bb_jax.errors import EvaluationError
from bb_jax.files import timestamp, write_whole
from eval.command_line import Parser, path_argument, run_command
from eval.console import show
from eval.report.curves import (
    learning_charts,
    norm_charts,
    rating_chart,
    schedule_charts,
    speed_charts,
    win_rate_charts,
)
from eval.report.data import RunData, read_runs
from eval.report.heat_maps import checkpoint_matrices, evaluation_matrices, met_maps, share_maps
from eval.report.page import GENERATOR, Page, Section, render_page
from eval.report.tables import (
    configuration_tables,
    final_tables,
    overview_table,
    rating_tables,
    readable_date,
)
from eval.runs.layout import REPORT
from eval.runs.references import find_run

PAGE_FILE = "index.html"
_RATINGS = (
    "Elo above the opponent random, with half its 95 % interval. Stronger: the likelihood that a "
    "checkpoint is stronger than the one before it on the ladder."
)
_WIN_RATES = (
    "The policy plays its best action. Bands are 95 % Wilson intervals of one evaluation; all "
    "charts have the same vertical axis, and its label says where it begins."
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line and returns its exit code: 0, 2 for bad input, 130 for Ctrl-C."""
    parser = Parser(
        prog="python -m eval.report",
        description="Draws the metrics of runs: a PNG for each chart and one HTML page.",
    )
    parser.add_argument(
        "runs", nargs="+", metavar="RUN", help="a run's folder, or its name under checkpoints/"
    )
    parser.add_argument(
        "--out",
        type=path_argument,
        metavar="FOLDER",
        help="the report's folder (default: report/ in the first run's folder)",
    )
    options = parser.parse_args(arguments)

    def command() -> int:
        folders = [find_run(reference) for reference in options.runs]
        page = write_report(folders, options.out or folders[0] / REPORT)
        show(str(page))
        return 0

    return run_command(command)


def write_report(folders: Sequence[Path], out: Path) -> Path:
    """Writes the report on runs; returns the page.

    Args:
      folders: the runs' folders.
      out: the report's folder; it is made if it is missing.

    Raises:
      EvaluationError: a run has no metrics, or a page that is not a report would be overwritten.
      FileError: a file cannot be written.
    """
    runs = read_runs(folders)
    page = _make_room(out)
    what = runs[0].name if len(runs) == 1 else f"{len(runs)} runs"
    content = Page(
        title=f"Training report: {what}",
        date=readable_date(timestamp()),
        overview=overview_table(runs),
        sections=_sections(runs),
        notes=[f"{run.name}: {note}" for run in runs for note in run.notes],
    )
    for section in content.sections:
        for chart in section.charts:
            write_whole(out / f"{chart.name}.png", chart.png)
    write_whole(page, render_page(content).encode(errors="backslashreplace"))
    return page


def _make_room(out: Path) -> Path:
    """Makes the report's folder; returns the page's path. Errors as in `write_report`."""
    page = out / PAGE_FILE
    try:
        out.mkdir(parents=True, exist_ok=True)
        ours = not page.exists() or GENERATOR.encode() in page.read_bytes()
    except OSError as error:
        raise EvaluationError(f"cannot write to {out}: {error.strerror or error}") from error
    if not ours:
        raise EvaluationError(f"{page} is not a report; choose another folder with --out")
    return page


def _sections(runs: Sequence[RunData]) -> list[Section]:
    rating = rating_chart(runs)
    return [
        Section("Final table", tables=final_tables(runs), wide=True),
        Section("Win rates in the evaluations", win_rate_charts(runs), introduction=_WIN_RATES),
        Section("Win-rate matrix", [*evaluation_matrices(runs), *checkpoint_matrices(runs)]),
        Section("Ratings", [rating] if rating else [], rating_tables(runs), _RATINGS),
        Section("Learning", learning_charts(runs)),
        Section("Norms", norm_charts(runs)),
        Section("Schedules", schedule_charts(runs)),
        Section("Opponents in training", [*share_maps(runs), *met_maps(runs)]),
        Section("Speed", speed_charts(runs)),
        Section("Configuration", tables=configuration_tables(runs), wide=True),
    ]


if __name__ == "__main__":
    sys.exit(main())
