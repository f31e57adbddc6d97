"""The decisions of networks: who decides where, at what cost, and what choices depend on."""

import jax
import numpy as np
import pytest

from bb_jax import make_policy_step
from bb_sim import GameBatch
from bb_sim.arena import NO_DECISION
from bb_sim.rules.engine import NUM_PLIES
from tests.train.sharp_network import NETWORK, log_softmax, params
from train.games.deciders import NetworkDecider, SamplingSettings, WaitingGames
from train.games.worker import FIRST_PYTHON_AGENT


class CountedStep:
    """A policy step that notes what it is called with."""

    def __init__(self):
        self.calls = []
        self._step = make_policy_step(NETWORK, jax.local_devices()[:1])

    def __call__(self, parameters, observations, key, temperature, sampled_plies):
        self.calls.append((len(observations), tuple(key)))
        return self._step(parameters, observations, key, temperature, sampled_plies)


def make_decider(step, temperature=0.7, sampled_plies=NUM_PLIES, seed=(5,)):
    settings = SamplingSettings(seed, temperature, sampled_plies)
    return NetworkDecider(step, params(0), [params(1), params(2)], settings)


def waiting(group, ply, observations, deciders):
    """Games that wait; networks do not look at which they are."""
    return WaitingGames(group, ply, observations, deciders, np.zeros(len(deciders), np.int32))


@pytest.fixture(scope="module")
def observations():
    """uint8 [200, 19]: rows of games in their middle."""
    batch = GameBatch(200)
    batch.reset(np.arange(200, dtype=np.uint64))
    for _ in range(7):
        batch.step_random()
    return batch.observations()


def test_each_network_decides_in_its_own_slots_by_one_pass(observations):
    deciders = np.array([0, 1, 2, NO_DECISION, FIRST_PYTHON_AGENT] * 40, np.uint8)
    step = CountedStep()
    # So cold that the best action is as good as certain.
    decider = make_decider(step, temperature=1e-3)
    actions, log_probs = decider.decide(waiting(0, 4, observations, deciders)).result()
    # The learner's pass is over all slots, a member's over its padded own.
    assert [rows for rows, _ in step.calls] == [200, 64, 64]
    assert len({key for _, key in step.calls}) == 3
    for index in range(3):
        slots = deciders == index
        expected = log_softmax(params(index), observations[slots], 1e-3)
        best = expected.argmax(axis=1)
        clear = np.sort(expected, axis=1)[:, -2] < -20
        assert clear.mean() > 0.9
        assert np.array_equal(actions[slots][clear], best[clear])
        np.testing.assert_allclose(log_probs[slots][clear], 0, atol=1e-6)


def test_a_network_that_does_not_decide_costs_nothing(observations):
    step = CountedStep()
    decider = make_decider(step)
    for deciders, passes in (([2] * 200, [256]), ([0] * 200, [200]), ([NO_DECISION] * 200, [])):
        step.calls.clear()
        decider.decide(waiting(0, 0, observations, np.array(deciders, np.uint8))).result()
        # Padding never exceeds the slots.
        assert [rows for rows, _ in step.calls] == [min(rows, 200) for rows in passes]


def test_choices_depend_on_the_group_and_the_ply_and_not_on_who_else_waits(observations):
    decider = make_decider(CountedStep())
    everybody = np.zeros(200, np.uint8)
    actions, log_probs = decider.decide(waiting(1, 2, observations, everybody)).result()
    half = np.where(np.arange(200) % 2, 0, NO_DECISION).astype(np.uint8)
    again, log_probs_again = decider.decide(waiting(1, 2, observations, half)).result()
    assert np.array_equal(actions[1::2], again[1::2])
    assert np.array_equal(log_probs[1::2], log_probs_again[1::2])
    for group, ply in ((1, 3), (2, 2)):
        other, _ = decider.decide(waiting(group, ply, observations, everybody)).result()
        assert not np.array_equal(actions, other)
    other, _ = (
        make_decider(CountedStep(), seed=(6,))
        .decide(waiting(1, 2, observations, everybody))
        .result()
    )
    assert not np.array_equal(actions, other)


def test_from_a_move_on_the_best_action_is_played(observations):
    everybody = np.zeros(200, np.uint8)
    logits = log_softmax(params(0), observations, 1.0)
    # These positions are of turn 7, the eighth move of a game.
    best, log_probs = (
        make_decider(CountedStep(), sampled_plies=7)
        .decide(waiting(0, 0, observations, everybody))
        .result()
    )
    assert (logits[np.arange(200), best] >= logits.max(axis=1) - 1e-4).all()
    assert (log_probs == 0).all()
    sampled, log_probs = (
        make_decider(CountedStep(), sampled_plies=8)
        .decide(waiting(0, 0, observations, everybody))
        .result()
    )
    assert (sampled != best).any()
    assert (log_probs < 0).any()
