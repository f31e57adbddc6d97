"""Generation of games by worker processes: complete, reproducible, and safe against deaths."""

import multiprocessing
import os
import re
import signal
import time
from pathlib import Path

import jax
import numpy as np
import pytest

from bb_jax import NetworkConfig, build_network, init_params, make_policy_step
from bb_sim import OPPONENTS
from tests.train.policies import HashedDecider, hashed_actions
from tests.train.pools import opponent_config
from tests.waiting import promised
from train.game_player import GamePlayer
from train.games.deciders import NetworkDecider
from train.games.generator import GenerationShape, Generator
from train.games.plan import plan_games, records
from train.games.pool import OpponentPool
from train.games.rollout import Rollout
from train.games.worker_pool import GenerationError
from train.runs.state import GameSource

SHAPE = GenerationShape(games=60, groups=4, slots=8, trajectories=130)
SHARES = {"self": 0.5, "checkpoint:abc": 0.1, "random": 0.2, "heuristic": 0.2}
AGENTS = "tests.train.policies"


def make_plan(shares=None, python_agents=(), seed=(1, 2)):
    return plan_games(
        shares or SHARES,
        num_games=SHAPE.games,
        num_groups=SHAPE.groups,
        members=("abc",),
        python_agents=python_agents,
        seed=seed,
    )


def make_generator(num_workers=1, python_agents=()):
    return Generator(
        SHAPE,
        num_workers=num_workers,
        scoring="points",
        stop_when_decided=True,
        python_agents=python_agents,
    )


@pytest.fixture(scope="module")
def expected() -> Rollout:
    """What one worker that nobody disturbs generates."""
    with make_generator() as generator:
        return generator.generate(make_plan(), HashedDecider())


def assert_same(rollout: Rollout, expected: Rollout) -> None:
    assert np.array_equal(rollout.lengths, expected.lengths)
    used = np.arange(12) < expected.lengths[:, None]
    for name in ("observations", "actions", "log_probs"):
        assert np.array_equal(getattr(rollout, name)[used], getattr(expected, name)[used]), name
    for name in ("rewards", "margins", "outcomes"):
        assert np.array_equal(getattr(rollout, name), getattr(expected, name)), name


def test_every_game_is_played_and_every_decision_recorded(expected):
    plan = make_plan()
    assert len(expected.outcomes) == SHAPE.games
    seats = plan.trajectories[plan.trajectories >= 0]
    assert (expected.lengths[seats] >= 8).all()
    assert expected.lengths[len(seats) :].sum() == 0
    used = np.arange(12) < expected.lengths[:, None]
    chosen = hashed_actions(expected.observations[used])
    assert np.array_equal(expected.actions[used], chosen)
    # The learner's decisions only: a checkpoint opponent's would bear another log-probability.
    assert (expected.log_probs[used] == -1.0).all()


def test_rewards_are_outcome_and_margin_of_the_trajectory_s_seat(expected):
    plan = make_plan()
    for seat, sign in ((0, 1), (1, -1)):
        games = np.flatnonzero(plan.trajectories[:, seat] >= 0)
        rewards = expected.rewards[plan.trajectories[games, seat]]
        results = np.stack([expected.outcomes[games], expected.margins[games]], axis=1)
        np.testing.assert_array_equal(rewards, sign * results)


@pytest.mark.parametrize("num_workers", [2, 3])
def test_the_number_of_workers_changes_nothing(expected, num_workers):
    with make_generator(num_workers) as generator:
        assert_same(generator.generate(make_plan(), HashedDecider()), expected)


def test_a_second_iteration_starts_clean(expected):
    with make_generator(2) as generator:
        other = generator.generate(make_plan(seed=(7,)), HashedDecider())
        assert not np.array_equal(other.margins, expected.margins)
        assert_same(generator.generate(make_plan(), HashedDecider()), expected)


@pytest.mark.parametrize("when", [1, 20, 40])
def test_a_worker_killed_in_mid_game_is_replaced_without_a_trace(expected, when, caplog):
    with make_generator(2) as generator:
        victim = multiprocessing.active_children()[0]

        def kill(call):
            if call == when:
                os.kill(victim.pid or 0, signal.SIGKILL)

        assert_same(generator.generate(make_plan(), HashedDecider(kill)), expected)
        assert generator.workers_replaced == 1
        assert "exit code -9" in caplog.text


def test_workers_that_die_again_and_again_stop_the_run():
    agent = f"{AGENTS}:Suicidal"
    with make_generator(1, (agent,)) as generator, pytest.raises(GenerationError, match="died"):
        generator.generate(make_plan({"self": 0.5, agent: 0.5}, (agent,)), HashedDecider())


@pytest.mark.parametrize(
    ("agent", "message"),
    [
        ("Broken", "lost its mind"),
        ("Cheat", "Cheat returned .*not legal"),
        ("Exiting", "Exiting failed .*SystemExit"),
        ("Interrupting", "Interrupting raised KeyboardInterrupt"),
    ],
)
def test_an_agent_s_error_is_reported_with_its_traceback(agent, message, caplog):
    name = f"{AGENTS}:{agent}"
    with make_generator(1, (name,)) as generator, pytest.raises(GenerationError, match=message):
        generator.generate(make_plan({"self": 0.5, name: 0.5}, (name,)), HashedDecider())
    assert "Traceback" in caplog.text
    assert "select_action" in caplog.text


@pytest.mark.parametrize("agent", ["FirstAction", "Clairvoyant", "NeedsNoJax"])
def test_python_agents_play_and_see_what_they_may(agent):
    name = f"{AGENTS}:{agent}"
    plan = make_plan({"self": 0.4, name: 0.6}, (name,))
    with make_generator(2, (name,)) as generator:
        rollout = generator.generate(plan, HashedDecider())
    assert records(plan, rollout.outcomes)[name].games == 36


@pytest.mark.slow
def test_a_slow_agent_is_waited_for(monkeypatch):
    # Together, the first moves of all games take longer than a worker may keep silent.
    monkeypatch.setattr("train.games.worker_pool._SILENCE_SECONDS", 4.0)
    agent = f"{AGENTS}:Slow"
    with make_generator(1, (agent,)) as generator:
        rollout = generator.generate(
            make_plan({"self": 0.8, agent: 0.2}, (agent,)), HashedDecider()
        )
        assert rollout.seconds["generation"] > 6
        assert generator.workers_replaced == 0


@pytest.mark.slow
def test_a_worker_that_hangs_is_replaced(monkeypatch, caplog):
    monkeypatch.setattr("train.games.worker_pool._SILENCE_SECONDS", 1.0)
    agent = f"{AGENTS}:Hanging"
    with make_generator(1, (agent,)) as generator, pytest.raises(GenerationError, match="6 times"):
        generator.generate(make_plan({"self": 0.5, agent: 0.5}, (agent,)), HashedDecider())
    assert "does not answer" in caplog.text


def mapped_blocks() -> set[str]:
    """The blocks of shared memory that this process has mapped."""
    return set(re.findall(r"/dev/shm/.+", Path("/proc/self/maps").read_text()))


def test_workers_and_shared_memory_are_gone_after_closing():
    before = len(multiprocessing.active_children())
    generator = make_generator(3)
    blocks = mapped_blocks()
    # A name would stay where all processes are killed at once.
    assert blocks
    assert not any(Path(block).exists() for block in blocks)
    assert len(multiprocessing.active_children()) == before + 3
    # Workers that are still starting cannot obey.
    generator.generate(make_plan(), HashedDecider())
    began = time.monotonic()
    assert generator.close() == 3
    assert time.monotonic() - began < promised(10)
    assert len(multiprocessing.active_children()) == before
    assert not mapped_blocks() & blocks


def test_records_are_counted_from_the_learner_s_side(expected):
    plan = make_plan()
    found = records(plan, expected.outcomes)
    assert set(found) == {"checkpoint:abc", "random", "heuristic"}
    assert found["random"].games == 12
    assert set(found) - {"checkpoint:abc"} <= set(OPPONENTS)
    wins = 0
    for game in range(SHAPE.games):
        if plan.opponents[plan.opponent_index[game]] == "random":
            sign = -1 if plan.learner_seat[game] == 1 else 1
            wins += expected.outcomes[game] * sign == 1
    assert found["random"].wins == wins


def test_each_checkpoint_opponent_costs_at_most_one_forward_pass_a_ply():
    network = build_network(NetworkConfig(kind="mlp", hidden_layers=(8,), dropout=0.0), "points")
    learner, *members = (init_params(network, seed) for seed in range(4))
    step = make_policy_step(network, jax.local_devices()[:1])
    calls = []

    def counted(params, *arguments):
        calls.append(id(params))
        return step(params, *arguments)

    pool = OpponentPool(opponent_config(0.3, 0.5, 0.1, 0.1), ("random", "heuristic"))
    for name in "abc":
        pool.add_checkpoint(name)
    # One group, one slot a game: nobody has more than the 24 plies of a game to answer.
    shape = GenerationShape(games=60, groups=1, slots=60, trajectories=120)
    with Generator(shape, num_workers=1, scoring="points", stop_when_decided=True) as generator:
        player = GamePlayer(
            generator,
            lambda params, others, settings, _: NetworkDecider(counted, params, others, settings),
            dict(zip("abc", members, strict=True)).__getitem__,
            num_games=60,
            num_groups=1,
        )
        source = GameSource(1, pool.shares(), pool.hashes())
        plan, rollout = player.prepare(source, learner, 1.0, (5,))()
    assert len(rollout.outcomes) == 60
    assert len(rollout.lengths) == plan.num_trajectories
    assert (rollout.lengths > 0).all()
    for params in (learner, *members):
        assert 1 <= calls.count(id(params)) <= 24
