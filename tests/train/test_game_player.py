"""Whole rollouts: what is recorded of an iteration's games."""

import numpy as np
import pytest

from bb_jax import Policy
from bb_sim import NUM_ACTIONS
from tests.train.pools import opponent_config
from tests.train.sharp_network import CONFIG, NETWORK, log_softmax, params
from train.games.plan import BOTH_SEATS, records
from train.games.pool import OpponentPool
from train.generation import generate_games_batched_by_opponent

AGENT = "tests.train.policies:FirstAction"


def policy(seed):
    return Policy(NETWORK, params(seed), CONFIG, "points", {})


def make_pool():
    pool = OpponentPool(opponent_config(0.4, 0.2, 0.1, 0.3), ("random", "noisy", AGENT))
    pool.add_checkpoint("aaa")
    pool.add_checkpoint("bbb")
    return pool


def play(**changes):
    arguments = {"policies": {"aaa": policy(1), "bbb": policy(2)}, "python_agents": (AGENT,)}
    return generate_games_batched_by_opponent(
        policy(0), 150, make_pool(), **(arguments | {"seed": 9, "num_groups": 3} | changes)
    )


@pytest.fixture(scope="module")
def rollout_at():
    return {temperature: play(temperature=temperature)[1] for temperature in (1.0, 0.5)}


@pytest.mark.parametrize("temperature", [1.0, 0.5])
def test_what_is_recorded_is_the_tempered_policy_that_acted(rollout_at, temperature):
    rollout = rollout_at[temperature]
    used = np.arange(12) < rollout.lengths[:, None]
    actions = rollout.actions[used].astype(int)
    expected = log_softmax(params(0), rollout.observations[used], temperature)
    chosen = expected[np.arange(len(actions)), actions]
    np.testing.assert_allclose(rollout.log_probs[used], chosen, atol=1e-4)
    # The actions are distributed as the log-probabilities say: the mean of each action's number is
    # within five standard deviations of its expectation.
    probabilities = np.exp(expected)
    observed = np.bincount(actions, minlength=NUM_ACTIONS)
    variance = (probabilities * (1 - probabilities)).sum(axis=0)
    assert (abs(observed - probabilities.sum(axis=0)) <= 5 * np.sqrt(variance) + 1e-3).all()


def test_every_opponent_is_met_and_counted():
    plan, rollout = play()
    found = records(plan, rollout.outcomes)
    assert {key: record.games for key, record in found.items()} == {
        "checkpoint:aaa": 15,
        "checkpoint:bbb": 15,
        "random": 15,
        "noisy": 23,
        AGENT: 22,
    }
    seats = np.where(plan.learner_seat == BOTH_SEATS, 2, 1).sum()
    assert np.count_nonzero(rollout.lengths) == seats == len(rollout.lengths)
    # Rewards: both seats of self-play sum to nothing.
    own = plan.trajectories[plan.learner_seat == BOTH_SEATS]
    np.testing.assert_allclose(rollout.rewards[own].sum(axis=1), 0, atol=1e-6)


def test_games_do_not_depend_on_the_number_of_workers():
    rollouts = [play(num_workers=workers)[1] for workers in (1, 2)]
    for name in ("observations", "actions", "log_probs", "lengths", "rewards", "outcomes"):
        first, second = (getattr(rollout, name) for rollout in rollouts)
        assert np.array_equal(first, second), name


def test_a_checkpoint_opponent_that_is_not_given_is_named():
    with pytest.raises(KeyError, match="bbb"):
        play(policies={"aaa": policy(1)})
