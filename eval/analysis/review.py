"""The review of a game: what each decision cost, and what was luck.

A decision is judged by what its player could know then. The win probability of the best action
before a decision, W, and that of the action played, Q, divide a game's course into two sums:

    skill   Q - W of each decision: 0 for the best action, below it for others
    luck    W before the next decision (or the result) - Q: the card drawn and the opponent's reply

So skill and luck add up to the result minus the first W. The estimates' own noise is in both.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from pydantic import Field

from bb_jax.search.config import UNKNOWN
from bb_sim import is_decided, scores, winner
from eval.analysis.engine import Engine
from eval.analysis.errors import AnalysisError
from eval.analysis.notation import move_text
from eval.analysis.record import SEATS, GameRecord
from eval.analysis.results import ActionAnalysis, Analysis, Estimate, JsonModel

Verdict = Literal["forced", "best", "good", "inaccuracy", "mistake", "blunder"]

# A decision is in the first class whose win probability it has lost.
THRESHOLDS: tuple[tuple[Verdict, float], ...] = (
    ("blunder", 0.15),
    ("mistake", 0.08),
    ("inaccuracy", 0.03),
)
# What is lost counts as a mistake if it is so many standard errors above zero.
CERTAIN = 2.0
DEFAULT_SAMPLES = 1000


class MoveReview(JsonModel):
    """One decision of a game."""

    turn: int
    seat: int
    move: str = Field(description="What was played.")
    best: str = Field(description="The best action.")
    verdict: Verdict
    before: float = Field(description="Win probability of the best action.")
    after: float = Field(description="Win probability of the action played.")
    loss: Estimate = Field(description="The first minus the second, in common worlds.")
    luck: float | None = Field(
        description="What the win probability gained until the next decision or the end of the "
        "game; null if the record ends before."
    )
    accuracy: float = Field(description="0 to 100.")
    analysis: Analysis

    @property
    def skill(self) -> float:
        """What the decision changed; 0 for the best one."""
        return self.after - self.before

    @property
    def is_mistake(self) -> bool:
        return self.verdict in ("inaccuracy", "mistake", "blunder")

    @property
    def played(self) -> ActionAnalysis:
        return self.analysis.of(self.move)


class PlayerReview(JsonModel):
    """The decisions of one player together."""

    seat: int
    name: str
    accuracy: float | None = Field(
        description="Mean accuracy of the decisions that were not forced, 0 to 100; null if there "
        "was none."
    )
    verdicts: dict[Verdict, int]
    start: float = Field(description="Win probability at the first decision.")
    end: float = Field(
        description="That after the last decision; after the game 1 for a win and else 0."
    )
    skill: float = Field(description="The sum over the decisions.")
    luck: float = Field(description="The sum over the decisions; skill + luck = end - start.")


class GameReview(JsonModel):
    """A reviewed game."""

    moves: list[MoveReview] = Field(description="The decisions, in the order played.")
    players: list[PlayerReview] = Field(description="The players whose decisions were reviewed.")
    scores: tuple[int, int] = Field(description="What both have in the bar at the end.")
    winner: int | None = Field(
        description="The seat that won; null for a draw or an unfinished game."
    )
    finished: bool


def review_game(
    engine: Engine,
    record: GameRecord,
    *,
    seats: Sequence[int] | None = None,
    samples: int = DEFAULT_SAMPLES,
    opponent: str = UNKNOWN,
    seed: int = 0,
    cancelled: Callable[[], bool] | None = None,
    on_progress: Callable[[int, int], object] | None = None,
) -> GameReview:
    """Reviews the decisions of a game.

    Args:
      engine: judges the decisions.
      record: the game, at any length.
      seats: whose decisions; by default those of both. Decisions in hands that are not known are
        left out.
      samples, opponent, seed, cancelled: as in `Engine.analyse`.
      on_progress: called with (decisions judged, decisions in all).

    Raises:
      AnalysisError: no hand is known, or as in `Engine.analyse`.
    """
    seats = SEATS if seats is None else seats
    last = record.states[-1]
    finished = is_decided(last)
    turns = [
        turn
        for turn in range(record.start.turn, record.end_turn + (not finished))
        if turn % 2 in seats and record.knows_hand(turn, turn % 2)
    ]
    if not turns:
        raise AnalysisError("no player's hand is known, so no decision can be judged", "game")
    found: dict[int, Analysis] = {}
    for number, turn in enumerate(turns):
        if on_progress is not None:
            on_progress(number, len(turns))
        found[turn] = engine.analyse(
            record, turn=turn, samples=samples, opponent=opponent, seed=seed, cancelled=cancelled
        )
    if on_progress is not None:
        on_progress(len(turns), len(turns))
    won = winner(last, record.scoring) if finished else None
    # The result is what comes after the last decision of each player.
    ends: dict[int, float] = {turn: analysis.win.mean for turn, analysis in found.items()}
    if finished:
        ends |= {record.end_turn + n: float(won == (record.end_turn + n) % 2) for n in range(2)}
    moves = [
        _judged(record, turn, found[turn], ends.get(turn + 2))
        for turn in turns
        if turn < record.end_turn
    ]
    players = [
        _player(record, seat, [move for move in moves if move.seat == seat], found)
        for seat in SEATS
        if any(turn % 2 == seat for turn in turns)
    ]
    first, second = scores(last, record.scoring)
    return GameReview(
        moves=moves, players=players, scores=(first, second), winner=won, finished=finished
    )


def _judged(record: GameRecord, turn: int, analysis: Analysis, later: float | None) -> MoveReview:
    """The review of a decision; `later` is what the win probability came to after it."""
    move = move_text(record.moves[turn - record.start.turn])
    played = analysis.of(move)
    before = analysis.win.mean
    after = before - played.behind.mean
    return MoveReview(
        turn=turn,
        seat=analysis.seat,
        move=move,
        best=analysis.best,
        verdict=verdict_of(played, analysis),
        before=before,
        after=after,
        loss=played.behind,
        luck=None if later is None else later - after,
        accuracy=accuracy_of(played.behind.mean),
        analysis=analysis,
    )


def _player(
    record: GameRecord, seat: int, moves: Sequence[MoveReview], found: Mapping[int, Analysis]
) -> PlayerReview:
    free = [move.accuracy for move in moves if move.verdict != "forced"]
    verdicts: dict[Verdict, int] = {}
    for move in moves:
        verdicts[move.verdict] = verdicts.get(move.verdict, 0) + 1
    if moves:
        start, end = moves[0].before, moves[-1].after + (moves[-1].luck or 0.0)
    else:
        start = end = next(one.win.mean for turn, one in found.items() if turn % 2 == seat)
    return PlayerReview(
        seat=seat,
        name=record.players[seat],
        accuracy=sum(free) / len(free) if free else None,
        verdicts=verdicts,
        start=start,
        end=end,
        skill=sum(move.skill for move in moves),
        luck=sum(move.luck or 0.0 for move in moves),
    )


def verdict_of(played: ActionAnalysis, analysis: Analysis) -> Verdict:
    """The class of a decision by the win probability that it lost."""
    if len(analysis.actions) == 1:
        return "forced"
    loss, error = played.behind.mean, played.behind.error or 0.0
    if loss > CERTAIN * error:
        for verdict, threshold in THRESHOLDS:
            if loss >= threshold:
                return verdict
    return "best" if played.action == analysis.best else "good"


def accuracy_of(loss: float) -> float:
    """The accuracy, 0 to 100, of a decision that lost so much win probability.

    lichess' formula (https://lichess.org/page/accuracy).
    """
    accuracy = 103.1668 * math.exp(-4.354 * max(loss, 0.0)) - 3.1669
    return min(100.0, max(0.0, accuracy))
