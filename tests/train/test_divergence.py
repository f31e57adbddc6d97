"""A network that diverges ends its run in one sentence, and spoils no checkpoint."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from bb_jax import load_policy, save_policy
from bb_jax.errors import CheckpointError
from tests.train.running import metrics, train, write_config

TOO_HIGH = "--set=ppo_config.learning_rate=1e12"


def steps(folder: Path) -> list[str]:
    return sorted(step.name for step in (folder / "run" / "steps").glob("[0-9]*"))


def test_a_run_that_diverges_before_its_first_checkpoint_begins_anew(tmp_path):
    config = write_config(tmp_path, total_iterations=1, eval_frequency=9)
    result = train(config, TOO_HIGH)
    assert result.returncode == 2
    (said,) = result.stderr.splitlines()
    assert said.startswith("error: iteration 1 diverged: ")
    assert "ppo_config.learning_rate" in said
    assert steps(tmp_path) == []

    result = train(config)
    assert result.returncode == 0, result.stderr
    assert [row["iteration"] for row in metrics(tmp_path)] == [1]


def test_a_run_that_diverges_keeps_its_checkpoints_and_goes_on_with_other_values(
    tmp_path, finished_run
):
    shutil.copytree(finished_run(False) / "run", tmp_path / "run")
    config = write_config(
        tmp_path, total_iterations=7, checkpoint_frequency=1, async_game_generation=False
    )
    kept = steps(tmp_path)
    result = train(config, TOO_HIGH)
    assert result.returncode == 2
    assert "error: iteration 7 diverged: " in result.stderr
    assert "Traceback" not in (tmp_path / "run" / "training.log").read_text()
    assert steps(tmp_path) == kept

    result = train(config)
    assert result.returncode == 0, result.stderr
    rows = metrics(tmp_path)
    assert [row["iteration"] for row in rows] == list(range(1, 8))
    assert np.isfinite([row["train/loss"] for row in rows]).all()


@pytest.mark.slow
def test_an_exploiter_that_diverges_is_judged_as_it_was_before(tmp_path):
    """The learning rate that its run ends with is far too high for one more update."""
    config = write_config(
        tmp_path,
        total_iterations=2,
        checkpoint_frequency=1,
        exploit_patch_interval=1,
        exploit_patch_threshold=1.0,
        eval_frequency=9,
    )
    result = train(config, "--set=total_iterations=1")
    assert result.returncode == 0, result.stderr
    result = train(config, TOO_HIGH)
    assert "exploiter of iteration 1: win rate" in result.stdout
    log = (tmp_path / "run" / "training.log").read_text()
    assert "exploiter of iteration 1: it ends after 0 iterations" in log


@pytest.mark.slow
def test_an_update_that_the_target_of_the_divergence_stops_has_not_diverged(tmp_path):
    config = write_config(tmp_path, total_iterations=1, eval_frequency=9)
    result = train(config, "--set=ppo_config.target_kl=1e-9")
    assert result.returncode == 0, result.stderr
    assert [row["train/minibatches_applied"] for row in metrics(tmp_path)] == [1]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_policy_whose_parameters_are_not_finite_is_refused(tmp_path, finished_run, value):
    policy = load_policy(finished_run(False) / "run" / "policies" / "000006.policy")
    policy.params["policy"]["bias"] = np.full_like(policy.params["policy"]["bias"], value)
    spoilt = tmp_path / "spoilt.policy"
    save_policy(spoilt, policy.params, policy.network_config, policy.scoring, policy.metadata)
    with pytest.raises(CheckpointError, match="not finite numbers"):
        load_policy(spoilt)
