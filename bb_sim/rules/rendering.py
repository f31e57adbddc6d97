"""Positions and observations as text for a person."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bb_sim.rules.actions import ACTIONS, NUM_ACTIONS, SPECIES, Action
from bb_sim.rules.state import Card, State

OBSERVATION_SIZE = 19
"""Bytes of an observation row."""

_OWN, _OPPONENT = 1, 13
"""First queue code of an own card and of the opponent's."""


def render(state: State) -> str:
    """A position as a few lines of text; a card is written `species(owner)`."""
    lines = [
        f"turn {state.turn}, "
        + (f"player {state.to_move} to move" if state.cards_left else "the game is over"),
        f"  gate > {_names(state.queue)} > exclusion end",
    ]
    for player, (hand, deck) in enumerate(zip(state.hands, state.decks, strict=True)):
        own_bar = [card for card in state.bar if card.owner == player]
        points = sum(card.points for card in own_bar)
        known = [card.species for card in hand if not card.is_hidden]
        hidden = len(hand) - len(known)
        held = known + ([f"{hidden} hidden"] if hidden else [])
        lines.append(
            f"  player {player}: hand {', '.join(held) or '-'}; {len(deck)} in the deck; "
            f"{points} points with {len(own_bar)} in the bar"
        )
    lines.append(f"  bar: {_names(state.bar)}")
    lines.append(f"  that's it: {_names(state.thats_it)}")
    return "\n".join(lines)


def _names(cards: tuple[Card, ...]) -> str:
    return " ".join(map(str, cards)) or "-"


@dataclass(frozen=True, slots=True)
class ObservationView:
    """What an observation row says, in words. `own` and `opponent` are seen from the viewer.

    Attributes:
        queue: from the front, (own, species).
        hand, deck: own species; the deck as a set, in order of strength.
        opponent_unseen: species in the opponent's hand and deck together.
        points_margin, animals_margin, strength_margin: in the bar, own minus the opponent's.
        turn: plies played.
        legal_actions: empty where the viewer is not to move.
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
    """Reads an observation row back.

    Args:
        row: uint8 `[OBSERVATION_SIZE]`.

    Raises:
        ValueError: it is not such a row, or holds what no observation holds.
    """
    row = np.asarray(row)
    if row.shape != (OBSERVATION_SIZE,) or row.dtype != np.uint8:
        raise ValueError(
            f"an observation is uint8 of shape ({OBSERVATION_SIZE},), not {row.dtype} {row.shape}"
        )
    codes = [int(code) for code in row[:4] if code]
    if any(code >= _OPPONENT + len(SPECIES) for code in codes):
        raise ValueError(f"the queue codes {codes} are no cards")
    return ObservationView(
        queue=tuple(
            (True, SPECIES[code - _OWN]) if code < _OPPONENT else (False, SPECIES[code - _OPPONENT])
            for code in codes
        ),
        hand=_species(row[4:6]),
        deck=_species(row[6:8]),
        opponent_unseen=_species(row[8:10]),
        points_margin=int(row[10]) - 36,
        animals_margin=int(row[11]) - 12,
        strength_margin=int(row[12]) - 78,
        turn=int(row[13]),
        legal_actions=tuple(ACTIONS[a] for a in _set_bits(row[14:19], NUM_ACTIONS, "legal mask")),
    )


def _species(mask: NDArray[np.uint8]) -> tuple[str, ...]:
    return tuple(SPECIES[s] for s in _set_bits(mask, len(SPECIES), "set of species"))


def _set_bits(mask: NDArray[np.uint8], limit: int, name: str) -> list[int]:
    """Positions of the set bits of a little-endian bit mask of at most `limit` bits."""
    bits = np.flatnonzero(np.unpackbits(mask, bitorder="little")).tolist()
    if bits and bits[-1] >= limit:
        raise ValueError(f"a {name} has {limit} bits, bit {bits[-1]} is set")
    return bits
