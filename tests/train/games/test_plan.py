"""The plan of an iteration's games: opponents, seats, groups and trajectories."""

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bb_sim import OPPONENTS
from bb_sim.arena import EXTERNAL
from tests.train.pools import opponent_config
from train.config import Config, OpponentConfig
from train.games.plan import (
    BOTH_SEATS,
    NO_TRAJECTORY,
    assign_games,
    plan_games,
    split_into_groups,
)
from train.games.pool import OpponentPool, make_opponent_pool
from train.games.worker import FIRST_PYTHON_AGENT

POOL_SHARES = opponent_config(0.5, 0.1, 0.1, 0.3)
AGENT = "tests.train.policies:FirstAction"
SHARES = {
    "self": 0.4,
    "checkpoint:aaa": 0.1,
    "checkpoint:bbb": 0.1,
    "random": 0.1,
    "noisy": 0.2,
    AGENT: 0.1,
}


# ---------------------------------------------------------------------------------------------
# Opponents and seats
# ---------------------------------------------------------------------------------------------


def random_shares():
    keys = st.lists(st.sampled_from(["self", "checkpoint:a", *OPPONENTS]), min_size=1, unique=True)
    return keys.flatmap(
        lambda names: (
            st.lists(st.floats(0, 1), min_size=len(names), max_size=len(names))
            .filter(lambda weights: sum(weights) > 0.01)
            .map(lambda weights: dict(zip(names, np.array(weights) / sum(weights), strict=True)))
        )
    )


@settings(max_examples=100, deadline=None)
@given(shares=random_shares(), num_games=st.integers(0, 300), seed=st.integers(0, 2**32))
def test_assignment_follows_the_shares(shares, num_games, seed):
    games = assign_games(shares, num_games, np.random.default_rng(seed))
    assert len(games) == num_games
    assert games.keys[0] == "self"
    counts = np.bincount(games.opponent_index, minlength=len(games.keys))
    for key, count in zip(games.keys, counts, strict=True):
        assert abs(count - shares.get(key, 0.0) * num_games) < 1 + 1e-9
    for index in range(1, len(games.keys)):
        seats = Counter(games.learner_seat[games.opponent_index == index].tolist())
        assert set(seats) <= {0, 1}
        assert abs(seats[0] - seats[1]) <= 1
    self_play = games.opponent_index == 0
    assert (games.learner_seat[self_play] == BOTH_SEATS).all()
    assert self_play[: counts[0]].all()


@settings(max_examples=100, deadline=None)
@given(shares=random_shares(), num_games=st.integers(0, 300), num_groups=st.integers(1, 20))
def test_every_group_gets_its_part(shares, num_games, num_groups):
    games = assign_games(shares, num_games, np.random.default_rng(1))
    groups = split_into_groups(games, num_groups)
    assert sorted(np.concatenate(groups)) == list(range(num_games))
    kinds = games.opponent_index * 3 + games.learner_seat
    for values in (np.zeros(num_games, int), games.opponent_index, kinds):
        for value in np.unique(values):
            sizes = [int((values[group] == value).sum()) for group in groups]
            assert max(sizes) - min(sizes) <= 1
    for group in groups:
        part = games.take(group)
        long_games = int((part.opponent_index == 0).sum())
        assert (part.opponent_index[:long_games] == 0).all()


def test_assignment_depends_on_the_generator_alone():
    shares = OpponentPool(POOL_SHARES, OPPONENTS).shares()
    first, again, other = (
        assign_games(shares, 1001, np.random.default_rng(seed)) for seed in (3, 3, 4)
    )
    assert np.array_equal(first.opponent_index, again.opponent_index)
    assert np.array_equal(first.learner_seat, again.learner_seat)
    assert not np.array_equal(first.opponent_index, other.opponent_index)
    assert first.opponent_index.dtype == np.int32
    assert first.learner_seat.dtype == np.uint8


def test_largest_remainders_get_the_games_left_over():
    games = assign_games({"self": 0.5, "a": 0.26, "b": 0.24}, 10, np.random.default_rng(0))
    assert np.bincount(games.opponent_index).tolist() == [5, 3, 2]


def test_odd_games_get_either_seat():
    seats = {
        int(assign_games({"queue": 1.0}, 1, np.random.default_rng(seed)).learner_seat[0])
        for seed in range(20)
    }
    assert seats == {0, 1}


@pytest.mark.parametrize(
    "shares", [{"self": 0.9}, {"self": 1.5, "queue": -0.5}, {"self": math.nan}]
)
def test_impossible_shares_are_refused(shares):
    with pytest.raises(ValueError, match="shares"):
        assign_games(shares, 10, np.random.default_rng(0))


def test_a_configuration_counts_enough_trajectories():
    for games in (1, 7, 64, 1000):
        config = Config(experiment_name="test", total_iterations=10, games_per_iteration=games)
        for state in (None, {"members": ["a"], "exploiters": [], "win_rates": {"queue": 0.1}}):
            assignment = assign_games(
                make_opponent_pool(config, 3, state).shares(), games, np.random.default_rng(0)
            )
            two_seats = (assignment.learner_seat == BOTH_SEATS).sum()
            assert games + two_seats <= config.max_trajectories
        assert config.replace(use_opponent_pool=False).max_trajectories == 2 * games


# ---------------------------------------------------------------------------------------------
# Whole plans
# ---------------------------------------------------------------------------------------------


def make_plan(seed=(3, 1), num_games=200, num_groups=3):
    return plan_games(
        SHARES,
        num_games=num_games,
        num_groups=num_groups,
        members=("aaa", "bbb"),
        python_agents=(AGENT,),
        seed=seed,
    )


def test_a_plan_gives_every_seat_its_player_and_the_learner_s_its_trajectory():
    plan = make_plan()
    codes = {
        "checkpoint:aaa": EXTERNAL + 1,
        "checkpoint:bbb": EXTERNAL + 2,
        "random": OPPONENTS.index("random"),
        "noisy": OPPONENTS.index("noisy"),
        AGENT: EXTERNAL + FIRST_PYTHON_AGENT,
    }
    for game in range(200):
        opponent, seat = plan.opponents[plan.opponent_index[game]], plan.learner_seat[game]
        if opponent == "self":
            assert seat == BOTH_SEATS
            assert (plan.controllers[game] == EXTERNAL).all()
            assert (plan.trajectories[game] >= 0).all()
        else:
            assert plan.controllers[game, seat] == EXTERNAL
            assert plan.controllers[game, 1 - seat] == codes[opponent]
            assert plan.trajectories[game, seat] >= 0
            assert plan.trajectories[game, 1 - seat] == NO_TRAJECTORY
    used = plan.trajectories[plan.trajectories >= 0]
    assert sorted(used) == list(range(len(used)))
    assert plan.group_bounds.tolist() == [0, 67, 134, 200]
    counts = Counter(plan.opponents[index] for index in plan.opponent_index)
    assert counts == {key: round(200 * share) for key, share in SHARES.items()}


def test_no_configuration_has_more_checkpoint_opponents_than_there_are_numbers_for():
    largest = OpponentConfig(max_checkpoints=100)
    members = [f"{n:016x}" for n in range(largest.max_checkpoints + 20)]
    shares = {f"checkpoint:{member}": 1 / len(members) for member in members}
    plan = plan_games(
        shares, num_games=500, num_groups=4, members=members, python_agents=(), seed=(1,)
    )
    assert plan.controllers.max() < EXTERNAL + FIRST_PYTHON_AGENT
    with pytest.raises(ValueError, match="max_checkpoints must be a whole number from 0 to 100"):
        OpponentConfig(max_checkpoints=101)
    with pytest.raises(ValueError, match="exploit_patch_max must be a whole number from 0 to 20"):
        Config(experiment_name="many", total_iterations=1, exploit_patch_max=21)


def test_a_plan_depends_on_its_seed_alone():
    plan, again, other = make_plan(), make_plan(), make_plan(seed=(3, 2))
    for name in ("seeds", "controllers", "trajectories", "opponent_index"):
        assert np.array_equal(getattr(plan, name), getattr(again, name))
    assert len(set(plan.seeds.tolist())) == 200
    assert not np.isin(plan.seeds, other.seeds).any()
    assert not np.array_equal(plan.learner_seat, other.learner_seat)
