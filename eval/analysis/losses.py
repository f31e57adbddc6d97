"""Why games were not won: what the decisions cost, by several judges, and what was luck.

Every decision is judged by what its player could know then. The reference is the player's own
search with many times the samples. The other judges differ from it in one thing each, and so tell
what a better search would gain by it. As in a review, the win probability of a game goes from its
first decision's to 0 by two sums: the regret of the decisions and the luck between them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import Field

from bb_jax.policies.policy_file import Policy
from bb_jax.search.config import KNOWN, MAX_DEPTH, SearchConfig
from bb_sim import (
    ACTIONS,
    GameBatch,
    action_id,
    c_state_to_python,
    new_game,
    select_opponent_action_from,
    winner,
)
from bb_sim.rules.actions import Scoring
from eval.analysis.engine import Engine
from eval.analysis.notation import game_text, move_text
from eval.analysis.record import GameRecord
from eval.analysis.results import Analysis, Estimate, JsonModel

REFERENCE = "samples"
PLAYOUTS = "playouts"
# Decisions are not given to the other judges where so little was left to lose.
_LOST = 0.02


@dataclass(frozen=True)
class Judge:
    """A way to judge decisions.

    Attributes:
      name: what tables call it.
      what: how it differs from the player's search.
      engine: judges.
      sees_hand: whether it knows the opponent's hand.
    """

    name: str
    what: str
    engine: Engine
    sees_hand: bool = False


class JudgedDecision(JsonModel):
    """What one judge says of a decision."""

    best: str
    win: float = Field(description="Win probability of the best action.")
    played_win: float = Field(description="Win probability of the action played.")
    regret: Estimate = Field(description="The first minus the second, in common worlds.")


class AuditedDecision(JsonModel):
    """A decision of a game, by all judges that were asked."""

    turn: int
    played: str
    judged: dict[str, JudgedDecision] = Field(description="By the judges' names.")
    luck: float = Field(
        description="What the reference's win probability gained until the next decision, or until "
        "the end."
    )
    exact: bool = Field(description="Whether it was searched to the end of the game.")
    believed: float | None = Field(
        description="Mean probability that the cards of the opponent's hand were given; null if "
        "there was none."
    )
    expected: float | None = Field(description="The same if all hands were equally probable.")
    position: str = Field(description="The game so far as the player knew it, in the notation.")

    @property
    def regret(self) -> float:
        """What it cost by the reference."""
        return self.judged[REFERENCE].regret.mean


class AuditedGame(JsonModel):
    """A game of the player, decision by decision."""

    opponent: str
    seat: int
    deal: int = Field(description="The number of its deal.")
    won: bool
    decisions: list[AuditedDecision]

    @property
    def start(self) -> float:
        """The reference's win probability at the first decision."""
        return self.decisions[0].judged[REFERENCE].win

    @property
    def luck(self) -> float:
        return sum(decision.luck for decision in self.decisions)

    def regret(self, judge: str = REFERENCE) -> float:
        """What its decisions cost by a judge, where that was asked."""
        return sum(
            found.regret.mean
            for decision in self.decisions
            if (found := decision.judged.get(judge)) is not None
        )


def make_judges(policy: Policy, search: SearchConfig) -> list[Judge]:
    """The reference and the judges that differ from it in one thing.

    Args:
      policy: the player's.
      search: how the player searched.
    """

    def engine(**changed: float) -> Engine:
        objective = {
            name: changed.get(name, getattr(search, name))
            for name in ("margin_weight", "draw_reward", "depth")
        }
        return Engine(policy, **objective)

    same = engine()
    deeper = min(search.depth + 1, MAX_DEPTH)
    return [
        Judge(REFERENCE, "more samples, all else as in play", same),
        Judge("depth", f"depth {deeper} instead of {search.depth}", engine(depth=deeper)),
        Judge(PLAYOUTS, "played to the end by the policy, no values", engine(depth=MAX_DEPTH)),
        Judge("win alone", "margin_weight 0", engine(margin_weight=0.0)),
        Judge("hand seen", "the opponent's hand is known", same, sees_hand=True),
    ]


def played_record(
    seed: int,
    seat: int,
    opponent: str,
    actions: Sequence[int],
    player: str,
    scoring: Scoring,
) -> GameRecord:
    """The record of a game against a named opponent.

    Args:
      seed: the game's seed.
      seat: the player's seat.
      opponent: its name.
      actions: what the player played, in order.
      player: the player's name.
      scoring: "points" or "animals".
    """
    batch = GameBatch(1)
    batch.reset([seed])
    own = iter(actions)
    moves = []
    while not batch.decided[0]:
        if batch.to_move[0] == seat:
            move = ACTIONS[next(own)]
        else:
            # Draws the opponent's choice from the game's own stream, as the game itself did.
            move = select_opponent_action_from(batch, 0, opponent)
        moves.append(move)
        batch.step([action_id(move)])
    names = (player, opponent) if seat == 0 else (opponent, player)
    record = GameRecord(new_game(seed), tuple(moves), scoring, names)
    assert record.states[-1] == c_state_to_python(batch, 0)
    return record


def audit_game(
    record: GameRecord,
    seat: int,
    deal: int,
    judges: Sequence[Judge],
    search: SearchConfig,
    times: int,
    *,
    seed: int = 0,
    cancelled: Callable[[], bool] | None = None,
) -> AuditedGame:
    """Judges a player's decisions in a whole game against a named opponent.

    Args:
      record: the game.
      seat: the player's.
      deal: its number, for the result.
      judges: from `make_judges`, the reference first.
      search: how the player searched, with a number of samples.
      times: how many times its samples the judges take.
      seed: the seed of the judges' worlds.
      cancelled: as in `Engine.analyse`.
    """
    name = record.players[1 - seat]
    opponent = name if search.opponent == KNOWN else search.opponent
    samples = (search.samples or 0) * times

    def ask(judge: Judge, turn: int) -> Analysis:
        return judge.engine.analyse(
            record,
            turn=turn,
            samples=samples,
            opponent=opponent,
            seed=seed,
            sees_hand=judge.sees_hand,
            cancelled=cancelled,
        )

    reference, *others = judges
    turns = range(seat, record.end_turn, 2)
    found = [ask(reference, turn) for turn in turns]
    won = winner(record.states[-1], record.scoring) == seat
    ends = [*(analysis.win.mean for analysis in found[1:]), float(won)]
    decisions = []
    for turn, analysis, end in zip(turns, found, ends, strict=True):
        move = move_text(record.moves[turn])
        judged = {reference.name: _judged(analysis, move)}
        if len(analysis.actions) > 1 and analysis.win.mean > _LOST and not analysis.exact:
            judged |= {judge.name: _judged(ask(judge, turn), move) for judge in others}
        held = [card.species for card in record.state(turn).hands[1 - seat]]
        beliefs = analysis.opponent.hand
        decisions.append(
            AuditedDecision(
                turn=turn,
                played=move,
                judged=judged,
                luck=end - judged[reference.name].played_win,
                exact=analysis.exact,
                believed=float(np.mean([beliefs[card] for card in held])) if held else None,
                expected=len(held) / len(beliefs) if held else None,
                position=game_text(record.until(turn).seen_by(seat)),
            )
        )
    return AuditedGame(opponent=name, seat=seat, deal=deal, won=won, decisions=decisions)


def _judged(analysis: Analysis, move: str) -> JudgedDecision:
    played = analysis.of(move)
    return JudgedDecision(
        best=analysis.best,
        win=analysis.win.mean,
        played_win=analysis.win.mean - played.behind.mean,
        regret=played.behind,
    )


class Mean(JsonModel):
    """A mean over games and its standard error; null for a single game."""

    mean: float
    error: float | None


def mean_of(values: Sequence[float]) -> Mean:
    """The mean of at least one value."""
    error = float(np.std(values, ddof=1)) / math.sqrt(len(values)) if len(values) > 1 else None
    return Mean(mean=float(np.mean(values)), error=error)


def worst_decisions(
    games: Sequence[AuditedGame], number: int
) -> list[tuple[AuditedGame, AuditedDecision]]:
    """The decisions that cost most by the reference, the dearest first."""
    decisions = [(game, one) for game in games for one in game.decisions if one.regret > 0]
    return sorted(decisions, key=lambda pair: -pair[1].regret)[:number]
