"""The review of a game as plain text."""

from __future__ import annotations

from typing import Literal

from eval.analysis.review import THRESHOLDS, GameReview
from eval.text_table import plain_text, text_table

_PLURALS = {"blunder": "blunders", "mistake": "mistakes", "inaccuracy": "inaccuracies"}
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
    table = text_table()
    for header, justify in _COLUMNS:
        table.add_column(header, justify=justify, no_wrap=True)
    for move in review.moves:
        is_best = move.move == move.best
        table.add_row(
            str(move.turn),
            str(move.seat),
            move.move,
            "" if is_best else move.best,
            f"{100 * move.before:.1f}",
            "" if is_best else f"{100 * move.loss.mean:.1f}",
            "" if move.luck is None else f"{100 * move.luck:+.1f}",
            move.verdict if move.is_mistake else "",
        )
    parts = [plain_text(table)]
    for player in review.players:
        name = f" ({player.name})" if player.name else ""
        accuracy = "-" if player.accuracy is None else f"{player.accuracy:.0f}"
        mistakes = [
            f"{count} {_PLURALS[verdict] if count > 1 else verdict}"
            for verdict, _ in THRESHOLDS
            if (count := player.verdicts.get(verdict, 0))
        ]
        parts.append(
            f"player {player.seat}{name}: accuracy {accuracy}"
            f"{', ' + ', '.join(mistakes) if mistakes else ''}\n"
            f"  win probability {100 * player.start:.1f} -> {100 * player.end:.1f} %: "
            f"skill {100 * player.skill:+.1f}, luck {100 * player.luck:+.1f}"
        )
    if review.finished:
        first, second = review.scores
        who = "a draw" if review.winner is None else f"player {review.winner} wins"
        parts.append(f"{who}, {first} to {second}")
    return "\n".join(parts)
