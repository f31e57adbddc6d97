"""A run that starts from another one's checkpoint: iteration 600, with the sizes made small."""

import dataclasses
import shutil

import jax
import numpy as np
import pytest

from bb_jax.errors import CheckpointError
from tests.train.processes import tree
from tests.train.running import REPOSITORY, metrics, train, train_struck
from train.config import load_config
from train.runs.folder import RunFolder
from train.runs.start import find_new_run
from train.runs.state import RunState
from train.runs.steps import SavedState, TrainingSteps
from train.runs.store import RunStore

FIRST = REPOSITORY / "configs" / "iter0_to_600.yaml"
SECOND = REPOSITORY / "configs" / "iter600_to_1000.yaml"
SIZES = {
    "network_config.hidden_dim": 16,
    "network_config.num_heads": 2,
    "network_config.num_layers": 1,
    "network_config.species_embedding_dim": 8,
    "ppo_config.minibatch_size": 256,
    "ppo_config.ppo_epochs": 1,
    "games_per_iteration": 60,
    "num_groups": 2,
    "games_per_group": 16,
    "eval_games": 4,
    "final_eval_games": 2,
    "eval_frequency": 2,
    "checkpoint_frequency": 2,
    "exploit_patch_iterations": 1,
    "exploit_patch_games": 4,
    "exploit_patch_threshold": 0.0,
    "device": "cpu",
}


def test_the_users_configuration_starts_in_a_fresh_clone():
    start = find_new_run(load_config(SECOND))
    assert start.source is None
    assert (start.origin.state.iteration, start.origin.state.start_iteration) == (600, 600)
    assert start.origin.arrays is not None
    parameters = jax.tree.leaves(start.origin.arrays["learner"]["params"])
    assert sum(values.size for values in parameters) > 3_000_000
    assert all(np.isfinite(values).all() for values in parameters)


def overrides(folder, **changes) -> list[str]:
    values = SIZES | {"checkpoint_dir": folder / "run"} | changes
    return [f"--set={key}={value}" for key, value in values.items()]


@pytest.fixture(scope="module")
def iteration_600(tmp_path_factory):
    """A run folder with a checkpoint 600: that of two iterations, saved again under this number."""
    folder = tmp_path_factory.mktemp("first")
    result = train(FIRST, *overrides(folder, total_iterations=2))
    assert result.returncode == 0, result.stderr
    run = RunFolder(folder / "run")
    checkpoints = TrainingSteps(run.steps, keep=10)
    saved = checkpoints.restore(2)
    state = dataclasses.replace(RunState.from_json(saved.host["run"]), iteration=600)
    host = saved.host | {"run": state.as_json()}
    checkpoints.save(600, SavedState(saved.arrays, host), 0.5)
    checkpoints.close()
    return folder / "run"


def second(folder, source, **changes):
    """Config and arguments of configs/iter600_to_1000.yaml, made small."""
    return SECOND, *overrides(folder, resume_from=f"{source}@600", **changes)


def test_the_second_run_goes_on_from_600_to_1000(tmp_path, iteration_600):
    before = tree(iteration_600)
    config, *arguments = second(tmp_path, iteration_600)

    # Stopped after four iterations, since nobody waits for four hundred, ...
    stopped = train_struck(config, "between", "SIGTERM", 4, *arguments)
    assert stopped.returncode == 143, stopped.stderr
    assert stopped.stderr == "stopped by SIGTERM; the same command goes on from here\n"
    assert f"begins with checkpoint 600 of {iteration_600} at iteration 600" in stopped.stdout
    assert tree(iteration_600) == before

    # ... and killed two iterations after it went on: schedules span 600 to 1000 all the same.
    killed = train_struck(config, "between", "SIGKILL", 2, *arguments)
    assert killed.returncode == -9, killed.stderr
    assert f"begins with checkpoint 604 of {tmp_path / 'run'}" in killed.stdout
    rows = metrics(tmp_path)
    assert [row["iteration"] for row in rows] == [601, 602, 603, 604, 605, 606]
    done = np.arange(6) / 400
    found = {key: [row[f"train/{key}"] for row in rows] for key in ("entropy_coef", "temperature")}
    np.testing.assert_allclose(found["entropy_coef"], 0.04 - 0.03 * done, rtol=1e-6)
    np.testing.assert_allclose(found["temperature"], 1.0 - 0.5 * done, rtol=1e-6)
    assert found["entropy_coef"][0] == 0.04
    assert found["temperature"][0] == 1.0

    # The first run completed iteration 600, so no exploiter of it is due here.
    assert "exploit/iteration" not in rows[0]
    # It evaluates, saves, adds to the totals, and plays against the first run's members.
    assert [row["iteration"] for row in rows if "eval/mean_win_rate" in row] == [602, 604, 606]
    assert [row["checkpoint"] for row in rows] == [None, 602, None, 604, None, 606]
    assert [row["total/games"] for row in rows] == [60 * n for n in range(3, 9)]
    (member,) = find_new_run(load_config(config, clean(arguments))).origin.state.pool["members"]
    assert (tmp_path / "run" / "opponents" / f"{member}.policy").exists()
    assert rows[0][f"met/checkpoint:{member}/games"] > 0


def clean(arguments):
    return [argument.removeprefix("--set=") for argument in arguments]


def test_what_comes_along_and_what_does_not(tmp_path, iteration_600):
    config, *arguments = second(tmp_path, iteration_600)
    settings = load_config(config, clean(arguments))
    start = find_new_run(settings)
    assert not (tmp_path / "run").exists()

    checkpoints = TrainingSteps(iteration_600 / "steps", keep=None)
    saved = checkpoints.restore(600)
    checkpoints.close()
    assert start.origin.arrays is not None
    found, expected = flat(start.origin.arrays["learner"]), flat(saved.arrays["learner"])
    assert found.keys() == expected.keys()
    assert any("/mu/" in name for name in found)
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values)

    state, source_state = start.origin.state, RunState.from_json(saved.host["run"])
    assert (state.iteration, state.start_iteration) == (600, 600)
    assert state.totals == source_state.totals
    assert state.pool["members"] == source_state.pool["members"] != []
    # Adaptive weights, evaluations and the source's own next games are its own affair.
    assert source_state.pool["win_rates"] and source_state.evaluations
    assert source_state.next_games is not None
    assert state.pool["win_rates"] == {}
    assert state.evaluations == ()
    assert state.next_games is None

    store = RunStore(settings)
    store.begin(start)
    store.close()
    (member,) = state.pool["members"]
    copied = tmp_path / "run" / "opponents" / f"{member}.policy"
    assert copied.read_bytes() == (iteration_600 / "opponents" / copied.name).read_bytes()


def flat(arrays, prefix=""):
    if not isinstance(arrays, dict):
        return {} if arrays is None else {prefix: arrays}
    found: dict[str, np.ndarray] = {}
    for name, value in arrays.items():
        found |= flat(value, f"{prefix}/{name}")
    return found


def test_a_start_without_its_opponents_is_refused(tmp_path, iteration_600):
    source = tmp_path / "source"
    shutil.copytree(iteration_600, source)
    for policy in (source / "opponents").iterdir():
        policy.unlink()
    config, *arguments = second(tmp_path, source)
    with pytest.raises(CheckpointError, match=f"600 of {source} lacks its opponent"):
        find_new_run(load_config(config, clean(arguments)))
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_a_short_second_run_ends_with_the_schedules_ends(tmp_path, iteration_600):
    config, *arguments = second(
        tmp_path, iteration_600, total_iterations=604, exploit_patch_interval=2
    )
    result = train(config, *arguments)
    assert result.returncode == 0, result.stderr
    rows = metrics(tmp_path)
    assert [row["train/entropy_coef"] for row in rows] == pytest.approx(
        [0.04, 0.0325, 0.025, 0.0175]
    )
    # It appears with the first iteration that is played against it.
    assert [row.get("exploit/iteration") for row in rows] == [None, None, 602, None]
    assert "is finished: 604 iterations" in train(config, *arguments).stdout
