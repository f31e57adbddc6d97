"""The games that the guide is made from, played turn by turn in lock-step and recorded.

`N` denotes games, `T` = 24 turns. Game by game they are those of `eval.main` with the same seed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Protocol

import numpy as np

from bb_sim import (
    EXTERNAL,
    OBSERVATION_SIZE,
    OPPONENTS,
    GameBatch,
    action_id,
    c_state_to_python,
    new_game,
    select_opponent_action_from,
    winner,
)
from bb_sim.rules.actions import ACTIONS, Scoring
from bb_sim.rules.engine import NUM_PLIES
from bb_sim.rules.observation import legal_mask_of
from eval.analysis.record import GameRecord, dealt_record
from eval.matches.match import OnProgress, deal_seeds
from eval.matches.players import PolicyPlayer, SearchPlayer, decide
from eval.matches.search_session import SearchSession

#: The opponent that is the player itself.
ITSELF = "itself"
ALL = (*OPPONENTS, ITSELF)
# What a script says of a turn that the player decides by itself.
FREE = 255
# Games in progress at once. A search remembers 44 kB of each.
_AT_ONCE, _SEARCHED_AT_ONCE = 8192, 512


@dataclass(frozen=True)
class Plan:
    """Who plays whom on which deal.

    Attributes:
      opponents: int8 [N], indices into `ALL`.
      deals: int32 [N]; deals of different opponents have different numbers.
      seats: int8 [N], the player's seat. Both seats of a deal are in the plan.
      seeds: uint64 [N], the seeds of the deals.
    """

    opponents: np.ndarray
    deals: np.ndarray
    seats: np.ndarray
    seeds: np.ndarray

    def __len__(self) -> int:
        return len(self.seeds)

    @property
    def num_deals(self) -> int:
        return int(self.deals.max()) + 1

    def take(self, chosen: np.ndarray) -> Plan:
        return Plan(*(getattr(self, field.name)[chosen] for field in fields(self)))


@dataclass(frozen=True)
class Games:
    """Games that were played.

    Attributes:
      plan: the games.
      rows: uint8 [T, N, 19], what whoever is to move sees.
      actions: uint8 [T, N], what was played.
      decided: bool [T, N], whether the result was final before the turn.
      outcomes: int8 [N], +1, 0 or -1 for the player.

    Rows, actions and decided are [T, 0] in games that were played for their outcomes alone.
    """

    plan: Plan
    rows: np.ndarray
    actions: np.ndarray
    decided: np.ndarray
    outcomes: np.ndarray

    def record(self, game: int, turn: int, scoring: Scoring) -> GameRecord:
        """A game up to a turn, with all its cards."""
        start = new_game(int(self.plan.seeds[game]))
        dealt = [
            [card.species for card in (*start.hands[seat], *start.decks[seat])] for seat in range(2)
        ]
        moves = [ACTIONS[action] for action in self.actions[:turn, game].tolist()]
        return dealt_record(dealt, moves, scoring)


class Chooser(Protocol):
    """Chooses for the player in games of a chunk."""

    def __call__(self, games: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Action ids uint8 [B] for rows uint8 [B, 19] of the games, integers [B]."""
        ...


def plan_games(games: int, seed: int, opponents: Sequence[str] = ALL) -> Plan:
    """A plan of so many games or a few more, equally many against each opponent."""
    deals = -(-games // (2 * len(opponents)))
    numbers = [ALL.index(name) for name in opponents]
    seeds = np.stack([deal_seeds(seed, deals, name) for name in opponents], axis=1)
    # Deal by deal, so that all opponents fill every chunk; [deals, opponents, 2 seats].
    shape = (deals, len(opponents), 2)
    by_deal = np.arange(deals * len(opponents), dtype=np.int32).reshape(shape[:2])
    return Plan(
        opponents=_spread(np.array(numbers, np.int8)[None, :, None], shape),
        deals=_spread(by_deal[:, :, None], shape),
        seats=_spread(np.arange(2, dtype=np.int8)[None, None], shape),
        seeds=_spread(seeds[:, :, None], shape),
    )


def _spread(array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    return np.ascontiguousarray(np.broadcast_to(array, shape)).reshape(-1)


def play_games(
    player: PolicyPlayer | SearchPlayer,
    plan: Plan,
    scoring: Scoring,
    *,
    script: np.ndarray | None = None,
    keep: bool = True,
    on_progress: OnProgress | None = None,
) -> Games:
    """Plays the games of a plan.

    Args:
      player: the player, and where the plan says so its opponent too.
      plan: the games.
      scoring: "points" or "animals".
      script: uint8 [T, N], what the player (on either side) plays in a turn, `FREE` where it
        decides; named opponents decide all their moves.
      keep: whether rows and actions are wanted; else they are empty.
      on_progress: called with (games finished, games in all); what it raises ends the play.
    """
    total = len(plan)
    size = total if keep else 0
    rows = np.zeros((NUM_PLIES, size, OBSERVATION_SIZE), np.uint8)
    actions = np.zeros((NUM_PLIES, size), np.uint8)
    decided = np.ones((NUM_PLIES, size), bool)
    outcomes = np.zeros(total, np.int8)
    at_once = _SEARCHED_AT_ONCE if isinstance(player, SearchPlayer) else _AT_ONCE
    for first in range(0, total, at_once):
        part = slice(first, min(first + at_once, total))
        if on_progress is not None:
            on_progress(first, total)
        chunk = plan.take(np.arange(part.start, part.stop))
        batch = GameBatch(len(chunk))
        batch.reset(chunk.seeds)
        choose = _chooser(player, chunk)
        for turn in range(NUM_PLIES):
            over = batch.decided
            if over.all():
                break
            seen = batch.observations()
            scripted = np.full(len(chunk), FREE, np.uint8) if script is None else script[turn, part]
            played = _decide(batch, chunk, turn, seen, over, scripted, choose)
            if keep:
                rows[turn, part], actions[turn, part], decided[turn, part] = seen, played, over
            batch.step(played)
            if on_progress is not None and isinstance(player, SearchPlayer):
                on_progress(first, total)
        outcomes[part] = _outcomes(batch, chunk, scoring)
    if on_progress is not None:
        on_progress(total, total)
    return Games(plan, rows, actions, decided, outcomes)


def _chooser(player: PolicyPlayer | SearchPlayer, plan: Plan) -> Chooser:
    if isinstance(player, PolicyPlayer):
        return lambda _, rows: decide(player, rows, None)
    controllers = np.full((len(plan), 2), EXTERNAL, np.uint8)
    named = np.flatnonzero(plan.opponents < len(OPPONENTS))
    controllers[named, 1 - plan.seats[named]] = plan.opponents[named]
    return SearchSession(player.search, player.params, plan.seeds, controllers).decide


def _decide(
    batch: GameBatch,
    plan: Plan,
    turn: int,
    rows: np.ndarray,
    over: np.ndarray,
    scripted: np.ndarray,
    choose: Chooser,
) -> np.ndarray:
    """What is played in a turn, uint8 [N]; the first legal action once the result is final."""
    played = legal_mask_of(rows).argmax(axis=1).astype(np.uint8)
    named = (plan.seats != turn % 2) & (plan.opponents < len(OPPONENTS))
    for game in np.flatnonzero(named & ~over).tolist():
        name = OPPONENTS[plan.opponents[game]]
        played[game] = action_id(select_opponent_action_from(batch, game, name))
    own = ~named & ~over
    free = np.flatnonzero(own & (scripted == FREE))
    if free.size:
        played[free] = choose(free, rows[free])
    told = own & (scripted != FREE)
    played[told] = scripted[told]
    return played


def _outcomes(batch: GameBatch, plan: Plan, scoring: Scoring) -> np.ndarray:
    """int8 [N]: +1, 0 or -1 for the player."""
    scores = batch.scores(scoring)
    for_first = np.sign(scores[:, 0] - scores[:, 1])
    if scoring == "animals":
        # Equal numbers of animals are told apart by their strength.
        for game in np.flatnonzero(for_first == 0).tolist():
            who = winner(c_state_to_python(batch, game), scoring)
            for_first[game] = 0 if who is None else 1 - 2 * who
    return np.where(plan.seats == 0, for_first, -for_first).astype(np.int8)
