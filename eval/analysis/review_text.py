"""The review of a game as plain text."""

from __future__ import annotations

from typing import Literal

from eval.analysis.review import THRESHOLDS, GameReview
from eval.text_table import TABLE_WIDTH, plain_text, text_table

_PLURALS = {"blunder": "blunders", "mistake": "mistakes", "inaccuracy": "inaccuracies"}
# Two moves with the longest names fit.
_WIDEST = 100
_COLUMNS: tuple[tuple[str, Literal["left", "right"]], ...] = (
    ("turn", "right"),
    ("player", "right"),
    ("played", "left"),
    ("best", "left"),
    ("win %", "right"),
    ("lost", "right"),
    ("luck", "right"),
    ("", "left"),
)


def review_text(review: GameReview) -> str:
    """A review as text for a terminal of 80 columns."""
    parts = [moves_text(review, TABLE_WIDTH), players_text(review)]
    if review.finished:
        first, second = review.scores
        who = "a draw" if review.winner is None else f"player {review.winner} wins"
        parts.append(f"{who}, {first} to {second}")
    return "\n".join(parts)


def moves_text(
    review: GameReview, width: int, *, names: tuple[str, str] = ("0", "1"), first_turn: int = 0
) -> str:
    """The reviewed moves: a table where it fits into the width, else a list.

    Args:
      review: the review.
      width: characters in a line.
      names: what the players are called.
      first_turn: the number that a game's first turn has.
    """
    table = _moves_table(review, names, first_turn)
    if max(map(len, table.splitlines())) <= width:
        return table
    return _moves_list(review, names, first_turn)


def players_text(review: GameReview, names: tuple[str, str] | None = None) -> str:
    """What the players' moves come to together; `names` as in `moves_text`."""
    parts = []
    for player in review.players:
        accuracy = "-" if player.accuracy is None else f"{player.accuracy:.0f}"
        mistakes = [
            f"{count} {_PLURALS[verdict] if count > 1 else verdict}"
            for verdict, _ in THRESHOLDS
            if (count := player.verdicts.get(verdict, 0))
        ]
        name = f"player {player.seat}{f' ({player.name})' if player.name else ''}"
        parts.append(
            f"{name if names is None else names[player.seat]}: accuracy {accuracy}"
            f"{', ' + ', '.join(mistakes) if mistakes else ''}\n"
            f"  win probability {100 * player.start:.1f} -> {100 * player.end:.1f} %: "
            f"skill {100 * player.skill:+.1f}, luck {100 * player.luck:+.1f}"
        )
    return "\n".join(parts)


def _percent(share: float, sign: str = "") -> str:
    """A share in percent, without the minus of a number that rounds to zero."""
    return format(round(100 * share, 1) + 0.0, f"{sign}.1f")


def _moves_table(review: GameReview, names: tuple[str, str], first_turn: int) -> str:
    table = text_table()
    for header, justify in _COLUMNS:
        table.add_column(header, justify=justify, no_wrap=True)
    for move in review.moves:
        is_best = move.move == move.best
        table.add_row(
            str(first_turn + move.turn),
            names[move.seat],
            move.move,
            "" if is_best else move.best,
            f"{100 * move.before:.1f}",
            "" if is_best else _percent(move.loss.mean),
            "" if move.luck is None else _percent(move.luck, "+"),
            move.verdict if move.is_mistake else "",
        )
    return plain_text(table, _WIDEST)


def _moves_list(review: GameReview, names: tuple[str, str], first_turn: int) -> str:
    lines = []
    for move in review.moves:
        line = f"{first_turn + move.turn}. {names[move.seat]}: {move.move}"
        if move.is_mistake:
            line += f", {move.verdict}"
        if move.move != move.best:
            line += f"\n    {move.best}: {_percent(move.loss.mean, '+')} %"
        lines.append(line)
    return "\n".join(lines)
