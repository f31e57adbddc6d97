"""Match results as a table that fits 80 columns."""

import io
from collections.abc import Collection, Sequence

from rich.console import Console
from rich.table import Table

from eval.matches.match import MatchResult
from eval.statistics.paired import Comparison

# Strict win rates in percent of the published agents (PPO, 5 to 15 million games, points scoring).
PUBLIC_BASELINE = {
    "random": 93.4,
    "heuristic": 76.8,
    "aggressive": 75.0,
    "defensive": 81.0,
    "queue": 75.6,
    "skunk": 75.6,
    "noisy": 75.6,
    "online": 70.2,
    "outcome_heuristic": 66.0,
    "distilled_outcome": 67.4,
}
TABLE_WIDTH = 80


def mean_baseline(opponents: Collection[str]) -> float | None:
    """The mean of the public win rates in percent; None unless every opponent has one."""
    if not opponents or not all(opponent in PUBLIC_BASELINE for opponent in opponents):
        return None
    return sum(PUBLIC_BASELINE[opponent] for opponent in opponents) / len(opponents)


def beats_baseline(result: MatchResult) -> bool | None:
    """Whether the win rate lies above the public baseline; None where there is none."""
    baseline = PUBLIC_BASELINE.get(result.opponent)
    return None if baseline is None else 100 * result.win_rate > baseline


def results_table(results: Sequence[MatchResult], scoring: str = "points") -> Table:
    """A rich table, one row an opponent; the public baseline only where it is comparable."""
    with_baseline = scoring == "points" and any(r.opponent in PUBLIC_BASELINE for r in results)
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("opponent", overflow="fold", max_width=17 if with_baseline else 24)
    for header in ("games", "wins", "draws", "losses", "win %", "95 % interval", "margin"):
        table.add_column(header, justify="right", no_wrap=True)
    if with_baseline:
        table.add_column("public", justify="right", no_wrap=True)
    for result in results:
        low, high = result.ci95
        row = [
            result.opponent,
            str(result.games),
            str(result.wins),
            str(result.draws),
            str(result.losses),
            f"{100 * result.win_rate:.2f}",
            f"{100 * low:.2f}-{100 * high:.2f}",
            f"{result.mean_margin:+.2f}",
        ]
        if with_baseline:
            row.append(_compared_with_baseline(result))
        table.add_row(*row)
    return table


def _compared_with_baseline(result: MatchResult) -> str:
    """The public figure behind the sign that relates the win rate to it, as in "> 93.4"."""
    baseline = PUBLIC_BASELINE.get(result.opponent)
    if baseline is None:
        return ""
    return f"{'>' if beats_baseline(result) else '<='} {baseline:.1f}"


def render_results(
    results: Sequence[MatchResult], scoring: str = "points", width: int = TABLE_WIDTH
) -> str:
    """The table as plain text, and a line that says how many public figures are beaten."""
    lines = [plain_text(results_table(results, scoring), width)]
    compared = [beats_baseline(result) for result in results if scoring == "points"]
    known = [beaten for beaten in compared if beaten is not None]
    if known:
        lines.append(f"Public baseline beaten: {sum(known)} of {len(known)}.")
    return "\n".join(lines)


def render_comparisons(comparisons: Sequence[Comparison], width: int = TABLE_WIDTH) -> str:
    """One player minus another, as plain text, one row an opponent."""
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("opponent", overflow="fold", max_width=24)
    for header in ("win %", "95 % interval", "margin", "95 % interval", "variance"):
        table.add_column(header, justify="right", no_wrap=True)
    for row in comparisons:
        rate, margin = row.win_rate, row.margin
        ratio = row.variance_ratio
        table.add_row(
            row.opponent,
            f"{100 * rate.mean:+.2f}",
            f"{100 * rate.ci95[0]:+.2f} {100 * rate.ci95[1]:+.2f}",
            f"{margin.mean:+.2f}",
            f"{margin.ci95[0]:+.2f} {margin.ci95[1]:+.2f}",
            "" if ratio is None else f"{ratio:.2f}",
        )
    return plain_text(table, width)


def plain_text(table: Table, width: int = TABLE_WIDTH) -> str:
    """A table without colours and without blanks at the ends of its lines."""
    text = io.StringIO()
    Console(file=text, width=width, color_system=None, highlight=False).print(table)
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines())
