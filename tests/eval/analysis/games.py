"""Games for the tests of the analysis."""

import functools

import numpy as np

from bb_jax.policies.policy_file import Policy
from bb_sim import legal_actions, new_game
from eval.analysis.engine import Engine
from eval.analysis.record import GameRecord, dealt_record
from tests.bb_jax.games import TINY_MLP, tiny_network


def random_record(seed: int, turns: int = 24) -> GameRecord:
    """A game of random moves."""
    random = np.random.default_rng(seed)
    record = GameRecord(new_game(seed))
    for _ in range(turns):
        legal = legal_actions(record.states[-1])
        record = record.after(legal[random.integers(len(legal))])
    return record


def dealt_cards(record: GameRecord, seat: int) -> list[str]:
    """The species of a seat in the order dealt."""
    start = record.start
    return [card.species for card in (*start.hands[seat], *start.decks[seat])]


def tiny_policy() -> Policy:
    """A small network that judges visibly."""
    network, params = tiny_network()
    return Policy(network, params, TINY_MLP, "points", {})


@functools.cache
def tiny_engine() -> Engine:
    """One engine with that network, which compiles once."""
    return Engine(tiny_policy())


def with_hidden_permuted(record: GameRecord, turn: int, seat: int, seed: int) -> GameRecord:
    """A game of which a seat has seen the same until a turn, with the rest of its cards elsewhere.

    What follows the turn is left out.
    """
    random = np.random.default_rng(seed)
    part = record.until(turn)
    own_moves = sum(1 for number in range(turn) if number % 2 == seat)
    dealt = [dealt_cards(record, player) for player in (0, 1)]
    left = dealt[seat][4 + own_moves :]
    dealt[seat][4 + own_moves :] = random.permutation(left).tolist()
    played = [move.species for move in part.moves[1 - seat :: 2]]
    others = [species for species in dealt[1 - seat] if species not in played]
    dealt[1 - seat] = played + random.permutation(others).tolist()
    return dealt_record(dealt, part.moves, record.scoring)
