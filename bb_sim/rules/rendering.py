"""Positions and observations as text for a person."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bb_sim.rules.actions import ACTIONS, SPECIES, Action
from bb_sim.rules.engine import NUM_ACTIONS, NUM_SPECIES, QUEUE_SIZE
from bb_sim.rules.observation import (
    ANIMALS_BYTE,
    ANIMALS_ZERO,
    DECK_BYTE,
    HAND_BYTE,
    LEGAL_BYTE,
    OBSERVATION_SIZE,
    OPPONENT_CARD,
    OWN_CARD,
    POINTS_BYTE,
    POINTS_ZERO,
    QUEUE_BYTE,
    STRENGTH_BYTE,
    STRENGTH_ZERO,
    TURN_BYTE,
    UNSEEN_BYTE,
)
from bb_sim.rules.state import State, check_state


def render(state: State) -> str:
    """A position as a few lines of text; a card is written `species(owner)`."""
    return State.__str__(check_state(state))


@dataclass(frozen=True, slots=True)
class ObservationView:
    """An observation row in words, from the side of the viewer.

    Attributes:
        queue: (whether the card is the viewer's, species) of each card from the front.
        hand: the viewer's hand, in order of strength.
        deck: the viewer's deck as a set, in order of strength.
        opponent_unseen: the opponent's hand and deck together, in order of strength.
        points_margin: points in the bar, the viewer's minus the opponent's.
        animals_margin: the same difference in the number of animals.
        strength_margin: the same difference in total strength.
        turn: plies played.
        legal_actions: the legal actions; empty if the viewer is not to move.
    """

    queue: tuple[tuple[bool, str], ...]
    hand: tuple[str, ...]
    deck: tuple[str, ...]
    opponent_unseen: tuple[str, ...]
    points_margin: int
    animals_margin: int
    strength_margin: int
    turn: int
    legal_actions: tuple[Action, ...]

    def __str__(self) -> str:
        queue = [f"{'own' if own else 'opponent'} {species}" for own, species in self.queue]
        return "\n".join(
            (
                f"turn {self.turn}",
                f"  gate > {', '.join(queue) or '-'} > exclusion end",
                f"  own hand: {', '.join(self.hand) or '-'}",
                f"  own deck: {', '.join(self.deck) or '-'}",
                f"  opponent's hand and deck: {', '.join(self.opponent_unseen) or '-'}",
                f"  margins in the bar: {self.points_margin:+d} points, "
                f"{self.animals_margin:+d} animals, {self.strength_margin:+d} strength",
                f"  legal: {'; '.join(map(str, self.legal_actions)) or '-'}",
            )
        )


def decode_observation(row: NDArray[np.uint8] | Any) -> ObservationView:
    """Decodes an observation row.

    Args:
        row: the observation, uint8 [OBSERVATION_SIZE].

    Raises:
        ValueError: `row` has another dtype or shape, or holds impossible values.
    """
    row = np.asarray(row)
    if row.shape != (OBSERVATION_SIZE,) or row.dtype != np.uint8:
        raise ValueError(
            f"an observation is uint8 of shape ({OBSERVATION_SIZE},), not {row.dtype} {row.shape}"
        )
    codes = [int(code) for code in row[QUEUE_BYTE : QUEUE_BYTE + QUEUE_SIZE] if code]
    if any(code >= OPPONENT_CARD + NUM_SPECIES for code in codes):
        raise ValueError(f"the queue codes {codes} are no cards")
    return ObservationView(
        queue=tuple(
            (code < OPPONENT_CARD, SPECIES[(code - OWN_CARD) % NUM_SPECIES]) for code in codes
        ),
        hand=_species_at(row, HAND_BYTE),
        deck=_species_at(row, DECK_BYTE),
        opponent_unseen=_species_at(row, UNSEEN_BYTE),
        points_margin=int(row[POINTS_BYTE]) - POINTS_ZERO,
        animals_margin=int(row[ANIMALS_BYTE]) - ANIMALS_ZERO,
        strength_margin=int(row[STRENGTH_BYTE]) - STRENGTH_ZERO,
        turn=int(row[TURN_BYTE]),
        legal_actions=tuple(
            ACTIONS[a] for a in _set_bits(row[LEGAL_BYTE:], NUM_ACTIONS, "legal mask")
        ),
    )


def _species_at(row: NDArray[np.uint8], offset: int) -> tuple[str, ...]:
    bits = _set_bits(row[offset : offset + 2], NUM_SPECIES, "set of species")
    return tuple(SPECIES[species] for species in bits)


def _set_bits(mask: NDArray[np.uint8], limit: int, name: str) -> list[int]:
    """The positions of the set bits of a little-endian mask of `limit` bits."""
    bits = np.flatnonzero(np.unpackbits(mask, bitorder="little")).tolist()
    if bits and bits[-1] >= limit:
        raise ValueError(f"a {name} has {limit} bits, bit {bits[-1]} is set")
    return bits
