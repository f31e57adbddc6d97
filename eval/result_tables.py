"""Match results, and differences between players, as tables of plain text."""

from collections.abc import Sequence

from rich.table import Table

from eval.control_variates.reduction import ReducedMean, ReducedResult
from eval.matches.match import MatchResult
from eval.statistics.paired import Comparison
from eval.statistics.reference import PUBLIC_BASELINE, beats_baseline
from eval.text_table import TABLE_WIDTH, plain_text, text_table


def results_table(results: Sequence[MatchResult], scoring: str = "points") -> Table:
    """A table with one row an opponent; it has the public baseline where that is comparable."""
    with_baseline = scoring == "points" and any(r.opponent in PUBLIC_BASELINE for r in results)
    table = text_table()
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
    """How the win rate compares with the public one, such as "> 93.4"."""
    baseline = PUBLIC_BASELINE.get(result.opponent)
    if baseline is None:
        return ""
    return f"{'>' if beats_baseline(result) else '<='} {baseline:.1f}"


def render_results(
    results: Sequence[MatchResult], scoring: str = "points", width: int = TABLE_WIDTH
) -> str:
    """The table as plain text, and a line that counts the public win rates that are beaten."""
    lines = [plain_text(results_table(results, scoring), width)]
    compared = [beats_baseline(result) for result in results if scoring == "points"]
    known = [beaten for beaten in compared if beaten is not None]
    if known:
        lines.append(f"Public baseline beaten: {sum(known)} of {len(known)}.")
    return "\n".join(lines)


def render_comparisons(comparisons: Sequence[Comparison], width: int = TABLE_WIDTH) -> str:
    """The results of one player minus those of another, one row an opponent."""
    table = text_table()
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


def render_reduced(results: Sequence[ReducedResult], width: int = TABLE_WIDTH) -> str:
    """Win rates and margins as they are and without luck, one row an opponent in two tables."""
    sign = "" if results[0].other is None else "+"
    tables = [
        _reduced_table("win %", 100, sign, [(row.opponent, row.win_rate) for row in results]),
        _reduced_table("margin", 1, "+", [(row.opponent, row.margin) for row in results]),
    ]
    return "\n\n".join(
        [
            *(plain_text(table, width) for table in tables),
            "variance: of the plain mean, where that of the mean without luck is 1",
        ]
    )


def _reduced_table(
    what: str, scale: float, sign: str, rows: Sequence[tuple[str, ReducedMean]]
) -> Table:
    table = text_table()
    table.add_column("opponent", overflow="fold", max_width=24)
    for header in (what, "error", "without luck", "error", "95 % interval", "variance"):
        table.add_column(header, justify="right", no_wrap=True)
    for name, row in rows:
        low, high = (f"{scale * end:{sign}.2f}" for end in row.reduced.ci95)
        table.add_row(
            name,
            f"{scale * row.plain.mean:{sign}.2f}",
            f"{scale * row.plain.standard_error:.3f}",
            f"{scale * row.reduced.mean:{sign}.2f}",
            f"{scale * row.reduced.standard_error:.3f}",
            f"{low} {high}",
            "" if row.reduction is None else f"{row.reduction:.2f}",
        )
    return table
