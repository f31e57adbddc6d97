"""Rankings and cross tables of win rates as plain text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from eval.statistics.ratings import HeadToHead, Ratings
from eval.text_table import TABLE_WIDTH, plain_text, text_table

_NAME_WIDTH = 24
# Two-sided 95 % of the normal distribution, in standard errors.
_NORMAL_95 = 1.959964


def render_ratings(
    ratings: Ratings, results: Sequence[HeadToHead], width: int = TABLE_WIDTH
) -> str:
    """The ranking: Elo with its 95 % interval, games, wins, draws, and how sure each place is."""
    table = text_table()
    table.add_column("", justify="right", no_wrap=True)
    table.add_column("player", overflow="fold", max_width=_NAME_WIDTH)
    for header in ("Elo", "±95 %", "games", "wins %", "draws %", "above next"):
        table.add_column(header, justify="right", no_wrap=True)
    ranking = ratings.ranking()
    for place, name in enumerate(ranking, start=1):
        wins, draws, games = _record(name, results)
        error = ratings.standard_error(name)
        below = ranking[place : place + 1]
        table.add_row(
            str(place),
            name,
            f"{ratings.rating(name):.0f}",
            "anchor" if name in ratings.anchors else f"{_NORMAL_95 * error:.0f}",
            str(games),
            f"{100 * wins / games:.1f}",
            f"{100 * draws / games:.1f}",
            f"{100 * ratings.superiority(name, below[0]):.1f} %" if below else "",
        )
    return plain_text(table, width)


def render_cross_table(
    ranking: Sequence[str], results: Sequence[HeadToHead], width: int = TABLE_WIDTH
) -> str:
    """Win rates in percent, the row's player against the column's; folded if it is too wide."""
    rates = _win_rates(results)
    names = min(_NAME_WIDTH, max(map(len, ranking), default=0)) + 5
    cell = max((len(_percent(rate)) for rate in rates.values()), default=0)
    columns = max(1, (width - names) // (cell + 1))
    blocks = []
    for first in range(0, len(ranking), columns):
        shown = range(first, min(first + columns, len(ranking)))
        table = text_table()
        table.add_column("", justify="right", no_wrap=True)
        table.add_column("wins % against", overflow="fold", max_width=_NAME_WIDTH)
        for column in shown:
            table.add_column(str(column + 1), justify="right", no_wrap=True, min_width=cell)
        for row, name in enumerate(ranking):
            cells = [_cell(rates, name, ranking[column]) for column in shown]
            table.add_row(str(row + 1), name, *cells)
        blocks.append(plain_text(table, width))
    return "\n\n".join(blocks)


def _cell(rates: Mapping[tuple[str, str], float], name: str, other: str) -> str:
    if name == other:
        return "-"
    rate = rates.get((name, other))
    return "" if rate is None else _percent(rate)


def _percent(rate: float) -> str:
    return f"{100 * rate:.1f}"


def _sides(results: Sequence[HeadToHead]) -> Iterator[tuple[str, str, int, int, int]]:
    """Each result from both sides: player, opponent, wins, draws, games."""
    for result in results:
        games = result.wins + result.draws + result.losses
        yield result.player, result.opponent, result.wins, result.draws, games
        yield result.opponent, result.player, result.losses, result.draws, games


def _win_rates(results: Sequence[HeadToHead]) -> dict[tuple[str, str], float]:
    wins: dict[tuple[str, str], int] = {}
    games: dict[tuple[str, str], int] = {}
    for player, opponent, won, _, played in _sides(results):
        pair = player, opponent
        wins[pair] = wins.get(pair, 0) + won
        games[pair] = games.get(pair, 0) + played
    return {pair: wins[pair] / played for pair, played in games.items() if played}


def _record(name: str, results: Sequence[HeadToHead]) -> tuple[int, int, int]:
    """Wins, draws and games of one player."""
    own = [side[2:] for side in _sides(results) if side[0] == name]
    wins, draws, games = (sum(column) for column in zip(*own, strict=True))
    return wins, draws, games
