"""Expert iteration: the expert's play, the update, learning, and exact resumption."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bb_jax import Hyper, NetworkConfig, build_network, init_params, legal_mask
from bb_jax.config import ExpertConfig
from bb_jax.expert.step import make_expert_step
from bb_jax.expert.update import Lessons, make_expert_update
from bb_jax.learning.state import init_state
from bb_jax.networks.network import MARGIN_UNIT, evaluate
from bb_sim.arena import EXTERNAL, Arena
from bb_sim.rules.afterstates import expand_afterstates
from bb_sim.rules.engine import NUM_PLIES
from bb_sim.rules.observation import POINTS_BYTE, POINTS_ZERO, TURN_BYTE
from tests.train.running import SMALL, metrics, train, train_struck, write_config

EXPERT = (
    SMALL
    + """
algorithm: expert_iteration
expert_config: {minibatch_size: 64, learning_rate: 1e-3}
temperature_start: 0.1
temperature_end: 0.02
"""
)
EXPERT = EXPERT.replace("temperature_schedule: cosine\n", "temperature_schedule: linear\n", 1)

QUICK = """
experiment_name: quick
algorithm: expert_iteration
total_iterations: 30
network_config: {kind: mlp, hidden_layers: [64], dropout: 0.0}
expert_config: {learning_rate: 3e-3, minibatch_size: 1024}
lr_schedule: linear
min_learning_rate: 1e-4
temperature_start: 0.05
games_per_iteration: 1024
num_groups: 2
games_per_group: 256
async_num_workers: 2
buffer_size: 60000
opponent_config: {current_weight: 0.2, checkpoint_weight: 0.0, random_weight: 0.2,
                  heuristic_weight: 0.6}
eval_opponents: [random, heuristic]
eval_frequency: 15
eval_games: 1000
final_eval_games: 1000
checkpoint_frequency: 30
device: cpu
"""


def positions(count: int) -> np.ndarray:
    """Decisions in the middle of games between two external players, and late in some."""
    arena = Arena(count)
    arena.start(np.arange(count, dtype=np.uint64), np.full((count, 2), EXTERNAL, np.uint8))
    random = np.random.default_rng(0)
    rows = []
    while arena.pending:
        observations = arena.observations.copy()
        rows.append(observations[arena.games >= 0])
        legal = np.asarray(legal_mask(jnp.asarray(observations)))
        arena.step(np.argmax(legal * random.random(legal.shape), axis=1).astype(np.uint8))
    return np.concatenate(rows)


def slow_choice(network, params, row, margin_weight):
    """Objectives of the legal actions, one afterstate at a time."""
    afterstates, _ = expand_afterstates(row[None])
    objectives = []
    for afterstate in afterstates:
        margin = int(afterstate[POINTS_BYTE]) - POINTS_ZERO
        if NUM_PLIES - afterstate[TURN_BYTE] + np.count_nonzero(afterstate[:4]) < 5:
            objectives.append(np.sign(margin) + margin_weight * margin)
            continue
        _, values = evaluate(network, params, jnp.asarray(afterstate[None]))
        outcome, expected = np.asarray(values)[0]
        objectives.append(outcome + margin_weight * MARGIN_UNIT * expected)
    return np.array(objectives)


def test_the_expert_plays_the_action_whose_afterstate_is_worth_most():
    network = build_network(NetworkConfig(kind="mlp", hidden_layers=(16,)))
    params = init_params(network, 3)
    rows = positions(20)[::7][:60]
    step = make_expert_step(network, 0.05, 0.0, 0.5, jax.local_devices()[:1])
    choice = step(params, rows, np.zeros(2, np.uint32), 1.0, 0)
    assert np.asarray(choice.best).all()
    for row, action, policy, values in zip(
        rows, choice.actions, np.asarray(choice.policy), np.asarray(choice.values), strict=True
    ):
        legal = np.flatnonzero(legal_mask(jnp.asarray(row[None]))[0])
        objectives = slow_choice(network, params, row, 0.05)
        best = objectives.max()
        assert objectives[legal.tolist().index(int(action))] == pytest.approx(best, abs=1e-4)
        assert values[0] + 0.05 * MARGIN_UNIT * values[1] == pytest.approx(best, abs=1e-4)
        expected = np.exp((objectives - best) / 0.5)
        np.testing.assert_allclose(policy[legal], expected / expected.sum(), atol=2e-3)
        assert policy.sum() == pytest.approx(1, abs=1e-2)


def test_a_higher_temperature_plays_the_best_action_less_often():
    network = build_network(NetworkConfig(kind="mlp", hidden_layers=(16,)))
    params, rows = init_params(network, 3), positions(40)
    step = make_expert_step(network, 0.05, 0.0, 0.5, jax.local_devices()[:1])
    shares = []
    for temperature in (1e-4, 0.1, 10.0):
        choice = step(params, rows, np.array([1, 2], np.uint32), temperature, 24)
        shares.append(np.asarray(choice.best).mean())
        played, best = np.asarray(choice.played_values), np.asarray(choice.values)
        # What is played is worth no more than the best.
        objective = np.array([1, 0.05 * MARGIN_UNIT])
        assert (played @ objective <= best @ objective + 1e-5).all()
    assert shares[0] > 0.99 > shares[1] > shares[2]


def test_the_update_draws_policy_and_values_to_their_targets():
    network = build_network(NetworkConfig(kind="mlp", hidden_layers=(32,)))
    config = ExpertConfig(minibatch_size=32, policy_coef=1.0, learning_rate=3e-3)
    rows = positions(4)[:32]
    afterstates, starts = expand_afterstates(rows)
    legal = np.asarray(legal_mask(jnp.asarray(rows)))
    policy = np.eye(33)[[np.flatnonzero(row)[-1] for row in legal]]
    lesson = Lessons(
        observations=rows,
        afterstates=afterstates[starts[:-1]],
        policy=policy.astype(np.float16),
        decision_values=np.tile(np.array([0.5, -0.25], np.float32), (32, 1)),
        afterstate_values=np.tile(np.array([-0.5, 0.25], np.float32), (32, 1)),
    )
    batches = Lessons(*(np.repeat(leaf[None], 100, axis=0) for leaf in lesson))
    update = make_expert_update(network, config, jax.local_devices()[:1])
    state, first = update(init_state(network, 0), batches, 1, Hyper(3e-3, 0.0))
    state, _ = update(state, batches, 100, Hyper(3e-3, 0.0))
    state, _ = update(state, batches, 100, Hyper(3e-3, 0.0))
    assert int(state.updates) == 201
    state, last = update(state, batches, 1, Hyper(0.0, 0.0))
    for name in ("policy_loss", "value_loss", "afterstate_value_loss"):
        assert last[f"train/{name}"] < 0.2 * first[f"train/{name}"]
    _, values = evaluate(network, state.params, jnp.asarray(rows))
    np.testing.assert_allclose(np.asarray(values).mean(0), [0.5, -0.25], atol=0.1)


def test_ranking_puts_the_afterstates_into_the_order_of_the_target():
    network = build_network(NetworkConfig(kind="mlp", hidden_layers=(32,)))
    rows = positions(20)[5::9][:40]
    legal = np.asarray(legal_mask(jnp.asarray(rows)))
    objectives = np.random.default_rng(1).normal(size=legal.shape) * 0.2
    weights = np.where(legal, np.exp(objectives / 0.1), 0.0)
    zeros = np.zeros((len(rows), 2), np.float32)
    policy = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float16)
    lesson = Lessons(rows, rows, policy, zeros, zeros)
    config = ExpertConfig(
        minibatch_size=40, policy_coef=0.0, value_coef=0.0, ranking_coef=1.0, policy_temperature=0.1
    )
    room = 300  # minibatches; those that are not learned from may hold anything
    garbage = Lessons(*(np.full((room, *leaf.shape), 255, leaf.dtype) for leaf in lesson))
    for target, leaf in zip(garbage, lesson, strict=True):
        target[:200] = leaf
    update = make_expert_update(
        network, config, jax.local_devices()[:1], margin_weight=0.05, draw_reward=-1.0
    )
    state, first = update(init_state(network, 0), garbage, 1, Hyper(3e-3, 0.0))
    untouched = jax.device_get(state.params["policy"])
    for _ in range(3):
        state, last = update(state, garbage, 200, Hyper(3e-3, 0.0))
    assert last["train/skipped_updates"] == 0
    assert last["train/ranking_loss"] < first["train/ranking_loss"]
    # Nothing draws at the policy here.
    jax.tree.map(np.testing.assert_array_equal, jax.device_get(state.params["policy"]), untouched)
    agree = []
    for row, mask, wanted in zip(rows, legal, objectives, strict=True):
        found = slow_choice(network, jax.device_get(state.params), row, 0.05)
        certain = (
            NUM_PLIES - row[TURN_BYTE] + np.count_nonzero(row[:4]) <= 6
        )  # some afterstates cannot move
        if mask.sum() > 1 and not certain:
            agree.append(found.argmax() == wanted[mask].argmax())
    assert len(agree) > 20
    assert np.mean(agree) > 0.9


def test_a_lesson_that_is_not_finite_is_skipped_and_counted():
    network = build_network(NetworkConfig(kind="mlp", hidden_layers=(8,)))
    rows = positions(2)[:16]
    lesson = Lessons(
        observations=rows,
        afterstates=rows,
        policy=np.zeros((16, 33), np.float16),
        decision_values=np.zeros((16, 2), np.float32),
        afterstate_values=np.zeros((16, 2), np.float32),
    )
    batches = Lessons(*(np.repeat(leaf[None], 3, axis=0) for leaf in lesson))
    batches.decision_values[1] = np.nan
    update = make_expert_update(network, ExpertConfig(minibatch_size=16), jax.local_devices()[:1])
    state, metrics_of_update = update(init_state(network, 0), batches, 3, Hyper(1e-3, 0.0))
    assert metrics_of_update["train/skipped_updates"] == 1
    assert int(state.updates) == 2
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(state.params))


@pytest.mark.parametrize(
    ("point", "signal", "exit_code", "count", "asynchronous"),
    [("generation", "SIGTERM", 143, 90, True), ("between", "SIGKILL", -9, 4, False)],
)
def test_a_run_that_is_struck_goes_on_exactly_with_its_replay_buffer(
    tmp_path, point, signal, exit_code, count, asynchronous
):
    whole = write_config(tmp_path / "whole", EXPERT, async_game_generation=asynchronous)
    result = train(whole)
    assert result.returncode == 0, result.stderr
    rows = metrics(tmp_path / "whole")
    assert rows[-1]["train/replay_positions"] > rows[0]["train/replay_positions"]
    assert rows[-1]["train/replay_positions"] <= 2000
    struck = write_config(tmp_path / "struck", EXPERT, async_game_generation=asynchronous)
    assert train_struck(struck, point, signal, count).returncode == exit_code
    again = train(struck)
    assert again.returncode == 0, again.stderr
    assert metrics(tmp_path / "struck") == rows


def test_it_starts_from_a_ppo_checkpoint(tmp_path):
    first = train(write_config(tmp_path / "ppo", total_iterations=2, use_exploit_patch=False))
    assert first.returncode == 0, first.stderr
    start = f"{tmp_path / 'ppo' / 'run'}@2"
    config = write_config(tmp_path / "expert", EXPERT, resume_from=start, total_iterations=4)
    result = train(config)
    assert result.returncode == 0, result.stderr
    assert [row["iteration"] for row in metrics(tmp_path / "expert")] == [3, 4]


def test_afterstates_as_policy_are_refused(tmp_path):
    config = write_config(tmp_path, EXPERT)
    result = train(config, "--set", "network_config.afterstates=true")
    assert result.returncode == 2
    assert "network_config.afterstates must be false" in result.stderr


def test_seconds_of_expert_iteration_beat_random_and_heuristic(tmp_path):
    result = train(write_config(tmp_path, QUICK))
    assert result.returncode == 0, result.stderr
    content = json.loads((tmp_path / "run" / "final_evaluation.json").read_text())
    found = {row["opponent"]: row["win_rate"] for row in content["results"]}
    assert found["random"] > 0.85
    assert found["heuristic"] > 0.6
    rows = metrics(tmp_path)
    assert rows[29]["eval/mean_win_rate"] > rows[14]["eval/mean_win_rate"]
    assert rows[-1]["train/kl"] < rows[0]["train/kl"]


def test_a_searching_expert_is_the_same_for_any_number_of_workers(tmp_path):
    search = {"search": "samples=2,opponent=unknown", "minibatch_size": 64}
    rows = []
    for workers in (1, 2):
        folder = tmp_path / str(workers)
        config = write_config(
            folder, EXPERT, expert_config=search, async_num_workers=workers, total_iterations=2
        )
        result = train(config)
        assert result.returncode == 0, result.stderr
        rows.append(metrics(folder))
    assert rows[0] == rows[1]
    plain = train(write_config(tmp_path / "plain", EXPERT, total_iterations=2))
    assert plain.returncode == 0, plain.stderr
    assert metrics(tmp_path / "plain") != rows[0]


def test_a_search_in_training_has_its_budget_in_samples(tmp_path):
    for text, complaint in (
        ("milliseconds=3", "budget in samples"),
        ("sample=3", "expert_config.search"),
    ):
        config = write_config(tmp_path, EXPERT, expert_config={"search": text})
        result = train(config)
        assert result.returncode == 2
        assert complaint in result.stderr and "Traceback" not in result.stderr
