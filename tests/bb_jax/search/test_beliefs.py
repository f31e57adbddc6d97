"""What a searching player makes of the moves that it sees."""

import numpy as np
import pytest

from bb_jax.search import Beliefs, Search, SearchConfig
from bb_sim import (
    EXTERNAL,
    OPPONENTS,
    Arena,
    legal_actions,
    new_game,
    observe,
    step,
)
from bb_sim.opponents.posterior import NETWORK_MODEL, NUM_MODELS
from bb_sim.rules.observation import POINTS_BYTE, legal_mask_of
from tests.bb_jax.games import tiny_network


def beliefs_after(
    opponent: int, games: int, assumed: str = "unknown", times: int = 1
) -> np.ndarray:
    """The models' last shares, float32 [games, M], for a player of the first legal action.

    The same games are played as often as `times` says, with one memory.
    """
    network, params = tiny_network()
    others = np.full(games, opponent)
    beliefs = Beliefs(Search(network, SearchConfig(opponent=assumed)), params, others)
    for _ in range(times):
        last = _play(beliefs, opponent, games)
    return last


def _play(beliefs: Beliefs, opponent: int, games: int) -> np.ndarray:
    arena = Arena(games)
    controllers = np.full((games, 2), EXTERNAL, np.uint8)
    seats = np.arange(games) % 2
    controllers[np.arange(games), 1 - seats] = opponent
    arena.start(np.arange(games, dtype=np.uint64) + np.uint64(5), controllers)
    last = np.zeros((games, NUM_MODELS), np.float32)
    while arena.pending:
        slots = np.flatnonzero(arena.deciders == 0)
        who, rows = arena.games[slots], arena.observations[slots]
        last[who] = beliefs.at(who, rows).sum(axis=1)
        bits = np.unpackbits(rows[:, 14:], axis=1, count=33, bitorder="little")
        actions = np.full(games, 255, np.uint8)
        actions[slots] = bits.argmax(axis=1)
        beliefs.played(who, rows, actions[slots])
        arena.step(actions)
    return last


@pytest.mark.parametrize("name", ["random", "queue", "online", "outcome_heuristic"])
def test_moves_tell_who_the_opponent_is(name):
    model = OPPONENTS.index(name)
    shares = beliefs_after(model, 40)
    assert np.allclose(shares.sum(axis=1), 1, atol=1e-5)
    mean = shares.mean(axis=0)
    assert mean[model] > 2 / NUM_MODELS
    # Bayes' rule with the true model among the models: it is the most probable one in the mean.
    assert mean.argmax() == model or mean.max() - mean[model] < 0.05


def test_a_game_that_begins_again_is_a_new_one():
    model = OPPONENTS.index("online")
    assert np.array_equal(beliefs_after(model, 10, times=2), beliefs_after(model, 10))


def test_the_known_are_known_and_the_assumed_assumed():
    known = beliefs_after(3, 4, "known")
    assert np.allclose(known, np.eye(NUM_MODELS)[3], atol=1e-6)
    assert np.allclose(beliefs_after(3, 4, "noisy"), np.eye(NUM_MODELS)[6], atol=1e-6)
    of_network = beliefs_after(3, 4, "network")
    assert np.allclose(of_network, np.eye(NUM_MODELS)[NETWORK_MODEL], atol=1e-6)


def test_everybody_is_equally_probable_before_the_first_move():
    network, params = tiny_network()
    beliefs = Beliefs(Search(network, SearchConfig()), params, np.zeros(3, int))
    arena = Arena(3)
    arena.start(np.arange(3, dtype=np.uint64), np.full((3, 2), EXTERNAL, np.uint8))
    found = beliefs.at(np.arange(3), arena.observations)
    assert np.allclose(found.sum(axis=1), 1 / NUM_MODELS)
    assert np.allclose(found, found[:, :1])  # all hands alike


def test_a_move_outside_the_rules_leaves_the_models_alone_and_is_told():
    network, params = tiny_network()
    beliefs = Beliefs(Search(network, SearchConfig()), params, np.zeros(1, int))
    seat = np.zeros(1, int)
    row = observe(new_game(1))[None]
    beliefs.at(seat, row)
    beliefs.played(seat, row, legal_mask_of(row).argmax(axis=1).astype(np.uint8))
    state = step(new_game(1), legal_actions(new_game(1))[0])
    later = observe(step(state, legal_actions(state)[0]))[None]
    later[0, POINTS_BYTE] += 9
    with pytest.warns(UserWarning, match="does not follow from the rules"):
        found = beliefs.at(seat, later)
    assert np.allclose(found.sum(axis=1), 1 / NUM_MODELS)
