"""The replay buffer and the targets of expert iteration."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bb_jax.expert.update import Lessons
from train.games.rollout import ExpertRecord
from train.learning.replay import Replay, lambda_returns


def record_of(values, played):
    values, played = np.asarray(values, np.float32), np.asarray(played, np.float32)
    shape = values.shape[:2]
    return ExpertRecord(
        best=np.ones(shape, bool),
        values=values,
        played_values=played,
        policy=np.zeros((*shape, 33), np.float16),
    )


def slow_returns(values, played, length, reward, td_lambda):
    """One trajectory and one head by the recursion in words, from its end."""
    decisions, afterstates = [0.0] * length, [0.0] * length
    for t in range(length - 1, -1, -1):
        afterstates[t] = reward if t == length - 1 else decisions[t + 1]
        decisions[t] = values[t] + td_lambda * (afterstates[t] - played[t])
    return decisions, afterstates


@given(st.integers(0, 2**32 - 1), st.sampled_from([0.0, 0.5, 0.85, 1.0]))
def test_returns_follow_the_recursion(seed, td_lambda):
    random = np.random.default_rng(seed)
    values, played = random.normal(size=(2, 5, 12, 2))
    lengths = random.integers(0, 13, 5)
    rewards = random.normal(size=(5, 2)).astype(np.float32)
    decisions, afterstates = lambda_returns(record_of(values, played), lengths, rewards, td_lambda)
    for n, length in enumerate(lengths):
        for head in range(2):
            expected = slow_returns(
                values[n, :, head], played[n, :, head], length, rewards[n, head], td_lambda
            )
            np.testing.assert_allclose(decisions[n, :length, head], expected[0], atol=1e-4)
            np.testing.assert_allclose(afterstates[n, :length, head], expected[1], atol=1e-4)


def test_with_lambda_one_and_best_play_everything_is_worth_the_result():
    values = np.random.default_rng(0).normal(size=(3, 12, 2))
    lengths, rewards = np.array([12, 7, 1]), np.array([[1, 0.4], [-1, -0.2], [0, 0]], np.float32)
    decisions, afterstates = lambda_returns(record_of(values, values), lengths, rewards, 1.0)
    for n, length in enumerate(lengths):
        np.testing.assert_allclose(
            decisions[n, :length], rewards[n][None].repeat(length, 0), atol=1e-6
        )
        np.testing.assert_allclose(
            afterstates[n, :length], rewards[n][None].repeat(length, 0), atol=1e-6
        )


def test_a_worse_action_is_no_fault_of_the_decision():
    best, played = np.full((1, 12, 2), 0.5), np.full((1, 12, 2), 0.2)
    rewards = np.array([[0.2, 0.2]], np.float32)
    decisions, afterstates = lambda_returns(record_of(best, played), np.array([1]), rewards, 0.9)
    assert afterstates[0, 0].tolist() == pytest.approx([0.2, 0.2])
    assert decisions[0, 0].tolist() == pytest.approx([0.5, 0.5])


def lessons(first: int, count: int) -> Lessons:
    """Lessons whose every array says which they are."""
    numbers = np.arange(first, first + count)
    return Lessons(
        observations=numbers[:, None].repeat(19, 1).astype(np.uint8),
        afterstates=numbers[:, None].repeat(19, 1).astype(np.uint8),
        policy=numbers[:, None].repeat(33, 1).astype(np.float16),
        decision_values=numbers[:, None].repeat(2, 1).astype(np.float32),
        afterstate_values=numbers[:, None].repeat(2, 1).astype(np.float32),
    )


def test_the_oldest_lessons_leave_first():
    replay = Replay()
    for first in range(0, 100, 20):
        replay = replay.with_lessons(lessons(first, 20), capacity=50)
    assert len(replay) == 40
    drawn = replay.sample(2000, np.random.default_rng(0), 2000)
    assert set(drawn.observations[:, 0].tolist()) == set(range(60, 100))


def test_more_lessons_than_the_capacity_are_kept_until_the_next_come():
    assert len(Replay().with_lessons(lessons(0, 30), capacity=10)) == 30


def test_what_is_drawn_belongs_together_and_is_uniform():
    replay = Replay([lessons(0, 10), lessons(10, 90)])
    drawn = replay.sample(50_000, np.random.default_rng(1), 50_001)
    numbers = drawn.observations[:50_000, 0]
    for leaf in drawn:
        assert (leaf[:50_000] == numbers.reshape(-1, *[1] * (leaf.ndim - 1))).all()
    counts = np.bincount(numbers, minlength=100)
    assert counts.min() > 350 and counts.max() < 650


def test_adding_leaves_the_old_buffer_as_it_was():
    old = Replay([lessons(0, 10)])
    new = old.with_lessons(lessons(10, 10), capacity=10)
    assert (len(old), len(new)) == (10, 10)
    assert old.sample(100, np.random.default_rng(0), 100).observations.max() < 10


def test_a_buffer_comes_back_from_its_arrays():
    replay = Replay([lessons(0, 10), lessons(10, 3), lessons(13, 7)])
    again = Replay.from_arrays(replay.to_arrays())
    for one, other in zip(
        replay.sample(64, np.random.default_rng(3), 64),
        again.sample(64, np.random.default_rng(3), 64),
        strict=True,
    ):
        assert (one == other).all()
