"""Policies of other runs that are opponents throughout, and what a draw is worth in training."""

from typing import Any

import numpy as np
import pytest

from bb_jax import load_policy, policy_hash
from tests.train.running import metrics, train, train_struck, write_config
from train.games.pool import CHECKPOINT_PREFIX
from train.games.rollout import Rollout

# Past selves would join the fixed opponent.
ALONE: dict[str, Any] = {
    "opponent_config": {
        "current_weight": 0.5,
        "checkpoint_weight": 0.5,
        "random_weight": 0.0,
        "heuristic_weight": 0.0,
        "max_checkpoints": 0,
    },
    "use_adaptive_weights": False,
    "use_exploit_patch": False,
    "total_iterations": 3,
    "async_num_workers": 1,
}


@pytest.fixture(scope="module")
def other_run(tmp_path_factory):
    """The folder of a run of two iterations, and the hash of its policy."""
    folder = tmp_path_factory.mktemp("other")
    result = train(write_config(folder, total_iterations=2, use_exploit_patch=False))
    assert result.returncode == 0, result.stderr
    policy = load_policy(folder / "run" / "policies" / "000002.policy")
    return folder / "run", policy_hash(policy.params)


def test_a_fixed_opponent_is_met_in_every_iteration_and_after_a_crash(tmp_path, other_run):
    folder, name = other_run
    config = write_config(tmp_path / "whole", fixed_opponents=[f"{folder}@2"], **ALONE)
    result = train(config)
    assert result.returncode == 0, result.stderr
    rows = metrics(tmp_path / "whole")
    met = f"met/{CHECKPOINT_PREFIX}{name}/games"
    assert [row[met] for row in rows] == [20, 20, 20]
    struck = write_config(tmp_path / "struck", fixed_opponents=[f"{folder}@2"], **ALONE)
    assert train_struck(struck, "between", "SIGKILL", 2).returncode == -9
    again = train(struck)
    assert again.returncode == 0, again.stderr
    assert metrics(tmp_path / "struck") == rows


@pytest.mark.slow
def test_a_run_that_starts_from_another_takes_its_own_fixed_opponents(tmp_path, other_run):
    folder, name = other_run
    settings = ALONE | {"resume_from": f"{folder}@2", "fixed_opponents": [str(folder)]}
    result = train(write_config(tmp_path, **settings))
    assert result.returncode == 0, result.stderr
    assert [row["iteration"] for row in metrics(tmp_path)] == [3]
    assert all(row[f"met/{CHECKPOINT_PREFIX}{name}/games"] == 20 for row in metrics(tmp_path))


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"fixed_opponents": ["nowhere@7"]}, "fixed_opponents nowhere@7: there is no run nowhere"),
        (
            {"network_config": {"kind": "mlp", "hidden_layers": [8], "dropout": 0.0}},
            "hidden_layers (16,) instead of (8,)",
        ),
    ],
)
def test_what_cannot_play_is_refused_before_anything_is_written(
    tmp_path, other_run, changes, complaint
):
    folder, _ = other_run
    settings = ALONE | {"fixed_opponents": [f"{folder}@2"]} | changes
    result = train(write_config(tmp_path, **settings))
    assert result.returncode == 2
    assert complaint in result.stderr and "Traceback" not in result.stderr
    assert not (tmp_path / "run").exists()


def test_a_draw_is_worth_what_is_configured_and_nothing_else_changes():
    rewards = np.array([[1, 3], [0, 0], [-1, -2], [0, 0]], np.float32)
    nothing = np.zeros(0)
    rollout = Rollout(nothing, nothing, nothing, nothing, rewards, nothing, nothing, {})
    assert rollout.rewards_with(-1.0).tolist() == [[1, 3], [-1, 0], [-1, -2], [-1, 0]]
    assert rewards[1, 0] == 0
