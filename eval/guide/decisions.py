"""Decisions of recorded games as flat arrays.

`K` denotes decisions, `S` = 12 species, `A` the 33 actions. A seat's moves are numbers, 0 to 11.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from bb_sim import OPPONENTS, SPECIES
from bb_sim.rules.actions import ACTIONS
from bb_sim.rules.engine import NUM_PLIES, QUEUE_SIZE
from bb_sim.rules.observation import (
    HAND_BYTE,
    OPPONENT_CARD,
    OWN_CARD,
    QUEUE_BYTE,
)
from eval.guide.games import Games

NUM_MOVES = NUM_PLIES // 2
#: int8 [A]: the species that each action plays.
SPECIES_OF = np.array([SPECIES.index(action.species) for action in ACTIONS], np.int8)
#: The four phases that the guide divides a player's twelve moves into.
PHASES = ("moves 1–3", "moves 4–6", "moves 7–9", "moves 10–12")


@dataclass(frozen=True)
class Decisions:
    """Decisions in games whose result was still open.

    Attributes:
      games: int32 [K], indices of the games.
      deals: int32 [K], the games' deals.
      opponents: int8 [K], the games' opponents.
      turns: int8 [K].
      rows: uint8 [K, 19], what the decider saw.
      actions: uint8 [K], what it played.
    """

    games: np.ndarray
    deals: np.ndarray
    opponents: np.ndarray
    turns: np.ndarray
    rows: np.ndarray
    actions: np.ndarray

    def __len__(self) -> int:
        return len(self.games)

    def take(self, chosen: np.ndarray) -> Decisions:
        return Decisions(*(getattr(self, field.name)[chosen] for field in fields(self)))

    @property
    def moves(self) -> np.ndarray:
        """int8 [K]: the decider's moves so far."""
        return self.turns // 2

    @property
    def phases(self) -> np.ndarray:
        """int8 [K]: indices into `PHASES`."""
        return self.moves * len(PHASES) // NUM_MOVES

    @property
    def species(self) -> np.ndarray:
        """int8 [K]: the species played."""
        return SPECIES_OF[self.actions]

    @property
    def hands(self) -> np.ndarray:
        """bool [K, S]: the species in the decider's hand."""
        return hands_of(self.rows)

    @property
    def queue_lengths(self) -> np.ndarray:
        """int64 [K]: animals in the queue before the move."""
        return np.count_nonzero(self.queues, axis=1)

    @property
    def queues(self) -> np.ndarray:
        """uint8 [K, 4]: the codes of the animals in the queue from the gate, 0 where it ends."""
        return self.rows[:, QUEUE_BYTE : QUEUE_BYTE + QUEUE_SIZE]


def hands_of(rows: np.ndarray) -> np.ndarray:
    """bool [K, S]: the species in the hands of rows uint8 [K, 19]."""
    bits = np.unpackbits(rows[:, HAND_BYTE : HAND_BYTE + 2], axis=1, bitorder="little")
    return bits[:, : len(SPECIES)].astype(bool)


def own_cards(codes: np.ndarray) -> np.ndarray:
    """Whether codes of animals in the queue, of any shape, are the decider's."""
    return (codes >= OWN_CARD) & (codes < OPPONENT_CARD)


def card_species(codes: np.ndarray) -> np.ndarray:
    """The species of codes of animals in the queue, of any shape; -1 where nobody stands."""
    return np.where(codes == 0, -1, (codes.astype(int) - OWN_CARD) % len(SPECIES))


def decisions_of_player(games: Games) -> Decisions:
    """The player's decisions; those of both seats where it plays against itself."""
    plan = games.plan
    turns = np.arange(NUM_PLIES)[:, None]
    return _decisions(games, (plan.opponents == len(OPPONENTS)) | (turns % 2 == plan.seats))


def decisions_of_opponents(games: Games) -> Decisions:
    """The named opponents' decisions."""
    plan = games.plan
    turns = np.arange(NUM_PLIES)[:, None]
    return _decisions(games, (plan.opponents < len(OPPONENTS)) & (turns % 2 != plan.seats))


def _decisions(games: Games, whose: np.ndarray) -> Decisions:
    """The open decisions among those marked in bool [T, N]."""
    turns, numbers = np.nonzero(whose & ~games.decided)
    return Decisions(
        games=numbers.astype(np.int32),
        deals=games.plan.deals[numbers],
        opponents=games.plan.opponents[numbers],
        turns=turns.astype(np.int8),
        rows=games.rows[turns, numbers],
        actions=games.actions[turns, numbers],
    )
