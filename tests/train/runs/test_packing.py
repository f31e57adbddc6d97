"""A packed training state: what is in it, and that it can be started from and played."""

import json
import re
import shutil
import subprocess
import sys

import jax
import numpy as np
import pytest

from bb_jax import load_policy
from bb_jax.arrays import to_arrays
from bb_jax.config import NetworkConfig
from bb_jax.errors import CheckpointError
from eval import backfill
from eval.runs.metrics_file import read_metrics
from eval.runs.references import find_policy
from tests.train.processes import tree
from tests.train.running import REPOSITORY, metrics, run_python, train, write_config
from train import checkpoints
from train.config import load_config
from train.runs.folder import RunFolder
from train.runs.packing import pack_state, unpack_state
from train.runs.start import find_new_run
from train.runs.steps import SavedState, TrainingSteps
from train.runs.store import RunStore


def pack(*arguments: object) -> int:
    return checkpoints.main(["pack", *map(str, arguments)])


@pytest.fixture(scope="module")
def packed(tmp_path_factory, finished_run):
    """The state after six iterations, packed where a fresh clone would have it."""
    file = tmp_path_factory.mktemp("packed") / "shipped" / "policies" / "000006.policy"
    assert pack(f"{finished_run(True)}/run@6", file, "--note", "For a test.") == 0
    return file


@pytest.fixture
def state(finished_run):
    reading = TrainingSteps(finished_run(True) / "run" / "steps", keep=None)
    yield reading.restore(6)
    reading.close()


def flat(tree):
    return {jax.tree_util.keystr(path): np.asarray(leaf) for path, leaf in leaves(tree)}


def leaves(tree):
    return jax.tree_util.tree_flatten_with_path(tree)[0]


@pytest.mark.parametrize("moments", ["float32", "bfloat16"])
def test_parameters_come_back_exactly_and_moments_as_their_type_allows(tmp_path, state, moments):
    file = tmp_path / "state.policy"
    pack_state(file, state, {}, moments)
    found = flat(unpack_state(file)[0].arrays["learner"])
    expected = flat(state.arrays["learner"])
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        assert found[name].dtype == values.dtype
        exact = moments == "float32" or not ("mu" in name or "nu" in name)
        # bfloat16 keeps eight bits of a number.
        np.testing.assert_allclose(found[name], values, rtol=0 if exact else 2**-8, err_msg=name)


def test_equal_states_make_equal_files(tmp_path, packed, finished_run):
    again = tmp_path / "again.policy"
    assert pack(f"{finished_run(True)}/run@6", again, "--note", "For a test.") == 0
    assert again.read_bytes() == packed.read_bytes()


def test_it_says_where_it_comes_from(packed, finished_run, capsys):
    assert checkpoints.main(["show", str(packed)]) == 0
    said = json.loads(capsys.readouterr().out)
    last = metrics(finished_run(True))[-1]
    assert (said["run"], said["step"], said["note"]) == ("small", 6, "For a test.")
    assert (said["algorithm"], said["draw_reward"]) == ("ppo", 0.0)
    assert said["games"] == last["total/games"]
    assert said["positions"] == last["total/positions"]
    seconds = sum(
        float(row["time/seconds"] or 0) for row in read_metrics(finished_run(True) / "run")
    )
    assert said["hours"] == pytest.approx(seconds / 3600, abs=1e-6)  # a second or so in all
    assert said["made_on"]["device"] == "cpu"
    assert said["config"]["games_per_iteration"] == 40
    rows = said["evaluation"]["results"]
    assert [(row["opponent"], row["games"]) for row in rows] == [("random", 20), ("online", 20)]


def test_another_run_starts_from_it_and_writes_nothing_there(tmp_path, packed):
    before = tree(packed.parents[1])
    config = write_config(
        tmp_path,
        resume_from=f"{packed.parents[1]}@6",
        total_iterations=7,
        async_game_generation=False,
        final_eval_games=2,
    )
    result = train(config)
    assert result.returncode == 0, result.stderr
    assert f"begins with checkpoint 6 of {packed.parents[1]} at iteration 6" in result.stdout
    (row,) = metrics(tmp_path)
    assert row["iteration"] == 7
    start = find_new_run(load_config(config))
    assert start.source is None
    assert start.origin.state.pool == {
        "members": [],
        "exploiters": [],
        "win_rates": {},
        "fixed": [],
    }
    assert row["total/games"] == start.origin.state.totals.games + 40
    assert tree(packed.parents[1]) == before
    # Its own name does as well.
    named = load_config(config, [f"resume_from={packed}"])
    found = find_new_run(named).origin
    assert flat(found.arrays).keys() == flat(start.origin.arrays).keys()
    assert find_new_run(load_config(config, [f"resume_from={packed.parents[1]}"])).origin.state == (
        start.origin.state
    )


def test_it_plays(packed, state):
    for reference in (f"{packed.parents[1]}@6", str(packed.parents[1]), str(packed)):
        policy = load_policy(find_policy(reference))
        assert policy.metadata["step"] == 6
        found, expected = flat(policy.params), flat(state.arrays["learner"]["params"])
        assert all(np.array_equal(found[name], values) for name, values in expected.items())


def test_nothing_writes_to_a_folder_that_comes_with_the_program(tmp_path, packed, capsys):
    shutil.copytree(packed.parents[1], tmp_path / "run")
    before = tree(tmp_path / "run")
    config = write_config(tmp_path)
    with pytest.raises(CheckpointError, match=r"run holds a checkpoint that comes with .* another"):
        RunStore(load_config(config))
    assert backfill.main([str(tmp_path / "run"), "--games", "2"]) == 2
    job = [sys.executable, "-m", "train.jobs", "start", "--config", str(config)]
    result = subprocess.run(job, cwd=REPOSITORY, capture_output=True, text=True)
    assert result.returncode == 2
    for text in (capsys.readouterr().err, result.stderr):
        assert "comes with the program, and is never written to" in text
        assert text.count("\n") == 1
    assert tree(tmp_path / "run") == before


def damage(file, position):
    data = bytearray(file.read_bytes())
    data[position] ^= 1
    file.write_bytes(data)


@pytest.mark.parametrize("part", [0.3, 0.6, 0.9])
def test_damage_is_noticed_wherever_it_is(tmp_path, packed, part):
    file = tmp_path / "damaged.policy"
    data = packed.read_bytes()
    file.write_bytes(data)
    damage(file, int(len(data) * part))
    with pytest.raises(CheckpointError, match=r"damaged.policy is (damaged|torn)"):
        unpack_state(file)
    file.write_bytes(data[: int(len(data) * part)])
    with pytest.raises(CheckpointError, match=r"damaged.policy is torn"):
        unpack_state(file)


def test_what_cannot_be_started_from_is_refused(tmp_path, packed, finished_run):
    def refusal(*changes: str) -> str:
        config = write_config(tmp_path, total_iterations=9)
        with pytest.raises(CheckpointError) as refused:
            find_new_run(load_config(config, changes))
        return str(refused.value)

    assert "network_config.hidden_layers is [16] there and [32]" in refusal(
        f"resume_from={packed}", "network_config.hidden_layers=[32]"
    )
    assert "has no checkpoint 7; there are: 6" in refusal(f"resume_from={packed.parents[1]}@7")
    export = finished_run(True) / "run" / "policies" / "000006.policy"
    assert "no training state to start from" in refusal(f"resume_from={export}")
    assert "there is no policy file" in refusal(f"resume_from={tmp_path}/none.policy")


def test_pack_overwrites_nothing(tmp_path, packed, finished_run, capsys):
    run, before = f"{finished_run(True)}/run", packed.read_bytes()
    assert pack(run, packed) == 2
    assert "exists already" in capsys.readouterr().err
    assert pack(run, tmp_path / "state.npz") == 2
    assert "must end in .policy" in capsys.readouterr().err
    assert pack(f"{run}@5", tmp_path / "state.policy") == 2
    assert "has no checkpoint 5" in capsys.readouterr().err
    assert pack(packed, tmp_path / "state.policy") == 2
    assert "is packed already" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        checkpoints.main(["pack"])
    assert capsys.readouterr().err.count("\n") == 1
    assert packed.read_bytes() == before
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("moments", ["float32", "bfloat16"])
def test_the_large_network_takes_at_most_40_megabytes(tmp_path, state, moments):
    from bb_jax import build_network, init_state

    network = NetworkConfig()
    learner = jax.eval_shape(lambda: init_state(build_network(network), 0))
    zeros = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), learner)
    config = state.host["config"] | {"network_config": vars(network)}
    file = tmp_path / "large.policy"
    large = SavedState({"learner": to_arrays(zeros)}, state.host | {"config": config})
    pack_state(file, large, {}, moments)
    assert file.stat().st_size <= 40e6


def test_git_keeps_the_checkpoint_that_ships_and_nothing_else():
    def ignored(path: str) -> bool:
        command = ["git", "check-ignore", "-q", f"checkpoints/{path}"]
        result = subprocess.run(command, cwd=REPOSITORY, capture_output=True)
        if result.returncode not in (0, 1):
            pytest.skip("this is no git repository")
        return result.returncode == 0

    assert not ignored("iter0_to_600/policies/000600.policy")
    for path in ("mine", "iter0_to_600/steps/600", "iter0_to_600/policies/000550.policy"):
        assert ignored(path)
    assert RunFolder(REPOSITORY / "checkpoints/iter0_to_600").policy(600).name == "000600.policy"


def test_a_damaged_checkpoint_is_one_sentence(tmp_path, finished_run):
    shutil.copytree(finished_run(True) / "run", tmp_path / "run")
    for index in (tmp_path / "run" / "steps" / "6" / "arrays").glob("manifest.*"):
        index.write_bytes(index.read_bytes()[:-9])
    file = tmp_path / "packed.policy"
    result = run_python("-m", "train.checkpoints", "pack", f"{tmp_path / 'run'}@6", file)
    assert result.returncode == 2
    assert re.fullmatch(r"error: checkpoint 6 in .* is damaged .*\n", result.stderr)
    assert not file.exists()
