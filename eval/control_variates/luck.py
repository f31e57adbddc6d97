"""The luck in games against named opponents, event by event.

AIVAT (Burch, Schmid, Moravcik, Morrill and Bowling, "AIVAT: A New Variance Reduction Technique for
Agent Evaluation in Imperfect Information Games", AAAI 2018) takes from a result, for each chance
event, the value after what happened minus its expectation over all that could have happened. Each
such term has the expectation zero, whatever the value is. The named opponents' probabilities are
known, so their moves are chance events, too.

`G` denotes games, `N` events, `E` outcomes, `C` components of the luck.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bb_sim import OPPONENTS
from bb_sim.opponents.chance import ChanceEvents, chance_events
from bb_sim.rules.engine import HAND_SIZE, NUM_PLIES, NUM_SPECIES
from bb_sim.rules.observation import DECK_BYTE, HAND_BYTE, TURN_BYTE
from eval.matches.match import MatchResult, deal_seeds

# rows uint8 [E, 19] -> win probabilities and margins, float64 [E, 2]. In the rows the viewer is to
# move, or the game is over.
ValueFunction = Callable[[np.ndarray], np.ndarray]

_GAMES_AT_ONCE = 1024
# Luck is added up apart for the opponent's turns and the player's draws, and for parts of the game,
# because values are worth more the later they are.
_PART_TURNS = 4
_PARTS = NUM_PLIES // _PART_TURNS
NUM_COMPONENTS = 2 * _PARTS * 2
_SETS = range(1 << NUM_SPECIES)
_SIZES = np.array([cards.bit_count() for cards in _SETS], np.uint8)


@dataclass(frozen=True)
class Games:
    """Games of a player against a named opponent.

    Attributes:
      seeds: uint64 [G].
      seats: the player's seat, uint8 [G].
      opponent: its number in OPPONENTS.
      actions: what the player played, in order, uint8 [G, 12]; 255 after its last turn.
      margins: the final margins from the player's side, int8 [G].
      scoring: "points" or "animals".
    """

    seeds: np.ndarray
    seats: np.ndarray
    opponent: int
    actions: np.ndarray
    margins: np.ndarray
    scoring: str


def games_of(result: MatchResult, seed: int, scoring: str) -> Games:
    """The games of a result whose actions were recorded, in the order of its deals."""
    if result.actions is None:
        raise ValueError("the actions of these games were not recorded")
    deals = len(result.margins)
    return Games(
        seeds=np.repeat(deal_seeds(seed, deals, result.opponent), 2),
        seats=np.tile(np.arange(2, dtype=np.uint8), deals),
        opponent=OPPONENTS.index(result.opponent),
        actions=result.actions.reshape(2 * deals, -1),
        margins=result.margins.reshape(-1),
        scoring=scoring,
    )


def luck_of(games: Games, value: ValueFunction) -> np.ndarray:
    """float64 [G, C]: the luck in each game, part by part.

    Each component has the expectation zero. The first half of them is about win probabilities, the
    second about margins.
    """
    luck = np.empty((len(games.seeds), NUM_COMPONENTS))
    for start in range(0, len(luck), _GAMES_AT_ONCE):
        part = slice(start, start + _GAMES_AT_ONCE)
        opponents = np.full_like(games.seats[part], games.opponent)
        events = chance_events(
            games.seeds[part], games.seats[part], opponents, games.actions[part], games.scoring
        )
        if (events.margins != games.margins[part]).any():
            raise RuntimeError("games replayed from their seeds have ended otherwise")
        luck[part] = _components(events, value)
    return luck


def event_luck(events: ChanceEvents, value: ValueFunction) -> np.ndarray:
    """float64 [N, 2]: the value after each event minus its expectation before."""
    if not len(events.games):
        return np.zeros((0, 2))
    values = value(_told_rows(events))
    weighted = events.probabilities[:, None] * values
    return values[events.happened] - np.add.reduceat(weighted, events.starts[:-1])


def _told_rows(events: ChanceEvents) -> np.ndarray:
    """The rows of the outcomes, uint8 [E, 19], in which the player holds a full hand.

    Networks know no decisions with a card that is still to be told. The middle one of those that it
    can be stands for it, which does not depend on what it is.
    """
    rows = events.rows.copy()
    hands, decks = (_sets(rows, byte) for byte in (HAND_BYTE, DECK_BYTE))
    untold = np.where(_SIZES[hands] < HAND_SIZE, _MIDDLE[decks], 0).astype(np.uint16)
    for byte, cards in ((HAND_BYTE, hands | untold), (DECK_BYTE, decks ^ untold)):
        rows[:, byte : byte + 2] = cards.astype("<u2")[:, None].view(np.uint8)
    return rows


def _components(events: ChanceEvents, value: ValueFunction) -> np.ndarray:
    """float64 [G, C]: the luck of the games, added up part by part."""
    luck = event_luck(events, value)
    happened = events.happened
    # The player's hand differs between the outcomes of its draw, and in no others.
    hands = _sets(events.rows, HAND_BYTE)
    draws = hands[events.starts[:-1]] != hands[events.starts[1:] - 1]
    parts = draws * _PARTS + np.minimum(events.rows[happened, TURN_BYTE] // _PART_TURNS, _PARTS - 1)
    games, width = len(events.dealt), 2 * _PARTS
    sums = [np.bincount(events.games * width + parts, column, games * width) for column in luck.T]
    return np.concatenate([one.reshape(games, width) for one in sums], axis=1)


def _sets(rows: np.ndarray, byte: int) -> np.ndarray:
    """uint16 [E]: the sets of cards that begin at a byte of rows uint8 [E, 19]."""
    found: np.ndarray = np.ascontiguousarray(rows[:, byte : byte + 2]).view("<u2")[:, 0]
    return found


def _middle_card(cards: int) -> int:
    held = [1 << card for card in range(NUM_SPECIES) if cards >> card & 1]
    return held[len(held) // 2] if held else 0


_MIDDLE = np.array([_middle_card(cards) for cards in _SETS], np.uint16)
