"""An iteration's games: plans, the decisions of networks, whole rollouts."""

from collections import Counter

import jax
import numpy as np
import pytest

from bb_jax import NetworkConfig, Policy, build_network, init_params, legal_mask, make_policy_step
from bb_sim import NUM_ACTIONS, OPPONENTS, GameBatch
from bb_sim.arena import EXTERNAL, NO_DECISION
from train.config import Config, OpponentConfig
from train.game_player import generate_games_batched_by_opponent
from train.games.deciders import ALL_PLIES, NetworkDecider, SamplingSettings, WaitingGames
from train.games.plan import BOTH_SEATS, NO_TRAJECTORY, plan_games, records
from train.games.pool import OpponentPool
from train.games.worker import FIRST_PYTHON_AGENT

CONFIG = NetworkConfig(kind="mlp", hidden_layers=(16,), dropout=0.3)
NETWORK = build_network(CONFIG)
AGENT = "tests.train.policies:FirstAction"
SHARES = {
    "self": 0.4,
    "checkpoint:aaa": 0.1,
    "checkpoint:bbb": 0.1,
    "random": 0.1,
    "noisy": 0.2,
    AGENT: 0.1,
}


def params(seed):
    """Parameters whose policy is far from uniform: a fresh one hardly prefers anything."""
    return jax.tree.map(lambda leaf: 30 * leaf, init_params(NETWORK, seed))


def policy(seed):
    return Policy(NETWORK, params(seed), CONFIG, "points", {})


def log_softmax(parameters, observations, temperature):
    """float64 [B, 33], written anew: no masks of the library, no float32."""
    logits, _ = NETWORK.apply({"params": parameters}, observations)
    legal = np.asarray(legal_mask(observations))
    scaled = np.where(legal, np.asarray(logits, np.float64) / temperature, -np.inf)
    scaled -= scaled.max(axis=1, keepdims=True)
    return scaled - np.log(np.exp(scaled).sum(axis=1, keepdims=True))


# ---------------------------------------------------------------------------------------
# Plans
# ---------------------------------------------------------------------------------------


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
    with pytest.raises(ValueError, match="max_checkpoints must be at least 0 and at most 100"):
        OpponentConfig(max_checkpoints=101)
    with pytest.raises(ValueError, match="exploit_patch_max must be at least 0 and at most 20"):
        Config(experiment_name="many", total_iterations=1, exploit_patch_max=21)


def test_a_plan_depends_on_its_seed_alone():
    plan, again, other = make_plan(), make_plan(), make_plan(seed=(3, 2))
    for name in ("seeds", "controllers", "trajectories", "opponent_index"):
        assert np.array_equal(getattr(plan, name), getattr(again, name))
    assert len(set(plan.seeds.tolist())) == 200
    assert not np.isin(plan.seeds, other.seeds).any()
    assert not np.array_equal(plan.learner_seat, other.learner_seat)


# ---------------------------------------------------------------------------------------
# Decisions
# ---------------------------------------------------------------------------------------


class CountedStep:
    """A policy step that notes what it is called with."""

    def __init__(self):
        self.calls = []
        self._step = make_policy_step(NETWORK, jax.local_devices()[:1])

    def __call__(self, parameters, observations, key, temperature, sampled_plies):
        self.calls.append((len(observations), tuple(key)))
        return self._step(parameters, observations, key, temperature, sampled_plies)


def make_decider(step, temperature=0.7, sampled_plies=ALL_PLIES, seed=(5,)):
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


# ---------------------------------------------------------------------------------------
# Whole rollouts
# ---------------------------------------------------------------------------------------


def make_pool():
    pool = OpponentPool(OpponentConfig(0.4, 0.2, 0.1, 0.3), ("random", "noisy", AGENT))
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
