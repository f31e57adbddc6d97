"""Sampled worlds: they agree with all that a player knows, and are spread as they should be."""

from collections import Counter

import numpy as np
import pytest

from bb_sim import SPECIES, new_game, observe
from bb_sim.opponents.posterior import (
    NUM_HANDS,
    NUM_MODELS,
    hand_probabilities,
    uniform_posterior,
)
from bb_sim.rules.observation import ANIMALS_ZERO, POINTS_ZERO, STRENGTH_ZERO
from bb_sim.search.worlds import sample_worlds
from tests.bb_sim.rows import MARGINS, states_of_random_games

NO_MARGINS = POINTS_ZERO, ANIMALS_ZERO, STRENGTH_ZERO


def test_worlds_look_like_the_row_that_they_were_made_of():
    for state in states_of_random_games(6):
        row = observe(state)
        row[MARGINS] = NO_MARGINS
        for world in sample_worlds(row, 5, 4):
            assert observe(world).tolist() == row.tolist()
            mover, other = state.to_move, 1 - state.to_move
            assert set(world.hands[mover]) == set(state.hands[mover])
            assert set(world.decks[mover]) == set(state.decks[mover])
            assert len(world.hands[other]) == len(state.hands[other])
            assert len(world.decks[other]) == len(state.decks[other])
            assert set(world.hands[other]) | set(world.decks[other]) == (
                set(state.hands[other]) | set(state.decks[other])
            )
            assert (world.turn, world.to_move) == (state.turn, state.to_move)
            assert set(world.thats_it) == set(state.thats_it) | set(state.bar)


def test_hands_and_orders_are_uniform():
    row = observe(new_game(8))
    count = 6000
    worlds = sample_worlds(row, 1, count)
    own_next = Counter(world.decks[0][0].species for world in worlds)
    assert max(own_next.values()) - min(own_next.values()) <= 0.01 * count
    for place in (1, 7):
        cards = Counter(world.decks[0][place].species for world in worlds)
        assert len(cards) == 8
        assert max(abs(n - count / 8) for n in cards.values()) < 5 * np.sqrt(count / 8)
    held = Counter(card.species for world in worlds for card in world.hands[1])
    drawn = Counter(world.decks[1][0].species for world in worlds)
    assert set(held) == set(drawn) == set(SPECIES)
    assert max(abs(n - count / 3) for n in held.values()) < 5 * np.sqrt(count / 3)
    assert max(abs(n - count / 12) for n in drawn.values()) < 5 * np.sqrt(count / 12)
    pairs = Counter(frozenset(card.species for card in world.hands[1]) for world in worlds)
    assert len(pairs) == 495 and max(pairs.values()) - min(pairs.values()) <= 0.002 * count


def test_hands_are_drawn_by_their_weights():
    row = observe(new_game(8))
    posterior = uniform_posterior(row[None], np.eye(NUM_MODELS)[:1])[0]
    weights = np.random.default_rng(0).random(NUM_HANDS).astype(np.float32) ** 4
    posterior[:, 0] *= weights
    worlds = sample_worlds(row, 1, 4000, posterior)
    held = Counter(card.species for world in worlds for card in world.hands[1])
    expected = hand_probabilities(row[None], posterior[None])[0]
    found = [held[species] / 4000 for species in SPECIES]
    assert np.abs(found - expected).max() < 0.01
    assert np.abs(expected - 1 / 3).max() > 0.03


def test_a_world_depends_on_row_seed_and_number_alone():
    row = observe(new_game(2))
    assert sample_worlds(row, 7, 3) == sample_worlds(row, 7, 10)[:3]
    assert sample_worlds(row, 7, 3) != sample_worlds(row, 8, 3)


def test_bad_arguments_are_refused():
    row = observe(new_game(0))
    for bad in (row[:-1], row.astype(int), np.zeros_like(row)):
        with pytest.raises(ValueError, match="observation must be a uint8 array"):
            sample_worlds(bad, 0, 1)
    for seed, count in ((-1, 1), (1 << 64, 1), (0, -1)):
        with pytest.raises(ValueError, match=r"(seed|count) must be 0 to"):
            sample_worlds(row, seed, count)
    with pytest.raises(ValueError, match="posterior has no hand that fits"):
        sample_worlds(row, 0, 1, np.zeros((NUM_HANDS, NUM_MODELS), np.float32))
