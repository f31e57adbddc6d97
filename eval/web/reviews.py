"""A review of a game for the page, position by position: games of others go on meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from bb_sim import is_decided
from eval.analysis.engine import Engine
from eval.analysis.record import GameRecord
from eval.analysis.results import Analysis
from eval.analysis.review import review_game
from eval.web.views import Json

if TYPE_CHECKING:
    from eval.web.table import Table


class _Judged:
    """Stands for the engine where every position has been analysed already."""

    def __init__(self, found: dict[int, Analysis]) -> None:
        self._found = found

    def analyse(self, record: GameRecord, *, turn: int, **_: object) -> Analysis:
        return self._found[turn]


async def review_json(
    table: Table, player: str, record: GameRecord, samples: int, say: Callable[[Json], None]
) -> Json:
    """The review of a game; see `eval.analysis.review.GameReview`.

    Args:
      table: analyses the positions.
      player: who asks.
      record: the game. Decisions in hands that are not known are left out.
      samples: worlds sampled for a position.
      say: called with {"turn", "win"} for every position that is judged.

    Raises:
      AnalysisError: no hand is known.
    """
    found: dict[int, Analysis] = {}
    last = record.end_turn + (not is_decided(record.states[-1]))
    for turn in range(record.start.turn, last):
        if record.knows_hand(turn, turn % 2):
            found[turn] = await table.analysis(player, record, turn, samples)
            say({"turn": turn, "win": found[turn].win.mean})
    review = review_game(cast(Engine, _Judged(found)), record, samples=samples)
    return review.model_dump(mode="json", by_alias=True)
