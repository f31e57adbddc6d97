"""Steps on disk: kept, restored exactly, and never taken for whole where they are damaged."""

import os
import shutil

import numpy as np
import pytest

from bb_jax.errors import CheckpointError
from eval.runs.layout import saved_steps
from tests.train.processes import tree
from train.runs.folder import RunFolder
from train.runs.steps import SavedState, TrainingSteps


def state(step: int) -> SavedState:
    generator = np.random.default_rng(step)
    arrays = {
        "learner": {
            "kernel": generator.normal(size=(40, 30)).astype(np.float32),
            "count": np.int32(step),
            "empty": {},
        }
    }
    return SavedState(arrays, {"iteration": step, "words": ["a", 2**70]})


def save_steps(folder, win_rates, keep=2):
    """Saves steps with these win rates (None: never evaluated); returns the steps left."""
    checkpoints = TrainingSteps(folder, keep)
    for step, win_rate in win_rates.items():
        checkpoints.save(step, state(step), win_rate)
    checkpoints.wait()
    steps = checkpoints.steps
    checkpoints.close()
    return steps


@pytest.fixture
def steps(tmp_path):
    folder = tmp_path / "steps"
    save_steps(folder, {1: 0.2, 2: 0.4, 3: 0.3})
    return folder


def restore(folder, step):
    checkpoints = TrainingSteps(folder, keep=2)
    try:
        return checkpoints.restore(step)
    finally:
        checkpoints.close()


def test_a_state_comes_back_as_it_was(steps):
    restored = restore(steps, 3)
    expected = state(3)
    assert restored.host == expected.host
    for name in ("kernel", "count"):
        found, wanted = restored.arrays["learner"][name], expected.arrays["learner"][name]
        assert found.dtype == wanted.dtype
        np.testing.assert_array_equal(found, wanted)


def test_the_newest_and_the_best_are_kept(tmp_path):
    assert save_steps(tmp_path, {1: 0.2, 2: 0.9, 3: 0.3, 4: None, 5: 0.1, 6: None}) == [2, 5, 6]


@pytest.mark.parametrize("damage", ["host", "arrays", "metadata", "bit"])
def test_a_damaged_step_is_named_with_the_others(steps, damage):
    newest = steps / "3"
    data = [path for path in newest.rglob("d/*") if path.stat().st_size > 4000]
    if damage == "host":
        (newest / "host" / "metadata").write_bytes(b'{"iterat')
    elif damage == "arrays":
        data[0].write_bytes(data[0].read_bytes()[:1000])
    elif damage == "metadata":
        (newest / "arrays" / "_METADATA").write_bytes(b"")
    else:
        content = bytearray(data[0].read_bytes())
        content[len(content) // 2] ^= 1
        data[0].write_bytes(content)
    with pytest.raises(CheckpointError, match=r"checkpoint 3 in .* is damaged .*: 2$") as caught:
        restore(steps, 3)
    assert "\n" not in str(caught.value)
    assert restore(steps, 2).host == state(2).host


@pytest.mark.parametrize(
    "content",
    [b"", b'{"mean_win_rate": 1' + b"0" * 400 + b"}", b'{"mean_win_rate": NaN}', b"[" * 9999],
    ids=["empty", "huge", "NaN", "deep"],
)  # fmt: skip
def test_a_step_with_a_damaged_win_rate_is_whole_but_never_the_best(steps, content):
    (steps / "3" / "metrics" / "metrics").write_bytes(content)
    assert restore(steps, 3).host == state(3).host
    assert save_steps(steps, {4: 0.1, 5: 0.2}) == [2, 4, 5]


@pytest.mark.timeout(60)
@pytest.mark.parametrize("keep", [2, None])
@pytest.mark.parametrize("name", ["metrics/metrics", "arrays/_METADATA", "host/metadata"])
def test_a_pipe_in_a_step_is_never_waited_for(steps, name, keep):
    path = steps / "2" / name
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(CheckpointError, match=rf"{name}: it is no regular file$"):
        TrainingSteps(steps, keep=keep)


def test_a_file_in_a_step_that_no_memory_holds(steps):
    for path in (steps / "3" / "arrays").glob("manifest.*"):
        os.truncate(path, 2**43)
    with pytest.raises(CheckpointError, match=r"arrays/manifest.*: it does not fit into memory$"):
        TrainingSteps(steps, keep=None)


@pytest.mark.parametrize("inside", [(), (".DS_Store",)], ids=["empty", "a file manager's file"])
@pytest.mark.parametrize("step", [3, 7])
def test_an_empty_step_is_none(steps, step, inside):
    path = steps / str(step)
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir()
    for name in inside:
        (path / name).write_bytes(b"\0")
    whole = [2, 3] if step == 7 else [2]
    assert saved_steps(steps.parent) == whole
    reader = TrainingSteps(steps, keep=None)
    assert reader.steps == whole and path.is_dir()
    reader.close()
    assert save_steps(steps, {step: 0.1, step + 1: 0.1})[-2:] == [step, step + 1]
    assert restore(steps, step).host == state(step).host


def test_what_is_no_step_is_left_alone(steps):
    for name in (".DS_Store", "notes", "\u00b2", "2/.DS_Store", "2/metrics/.DS_Store"):
        (steps / name).write_bytes(b"\0")
    for name in ("3 copy", "0003"):
        shutil.copytree(steps / "3", steps / name)
    (steps / "mine").mkdir()
    assert saved_steps(steps.parent) == [2, 3]
    assert save_steps(steps, {4: 0.1, 5: 0.2}) == [2, 4, 5]
    names = {path.name for path in steps.iterdir()}
    assert names >= {".DS_Store", "notes", "\u00b2", "3 copy", "0003", "mine"}


def test_reading_somebody_else_s_steps_writes_nothing(steps):
    unfinished = steps / "4.orbax-checkpoint-tmp"
    unfinished.mkdir()
    (unfinished / "part").write_text("being saved by another process")
    before = tree(steps)
    reader = TrainingSteps(steps, keep=None)
    assert reader.newest == 3
    assert reader.restore(2).host == state(2).host
    reader.close()
    assert tree(steps) == before


def test_a_missing_step_names_those_that_are_there(steps):
    with pytest.raises(CheckpointError, match=r"no checkpoint 7; there are: 2, 3"):
        restore(steps, 7)
    with pytest.raises(CheckpointError, match="no complete checkpoint"):
        assert TrainingSteps(steps.parent / "other", keep=1).newest


def test_steps_after_the_one_gone_on_from_are_removed_even_where_damaged(steps):
    (steps / "3" / "host" / "metadata").write_bytes(b"")
    checkpoints = TrainingSteps(steps, keep=2)
    checkpoints.delete_after(2)
    checkpoints.save(3, state(3), None)
    checkpoints.close()
    assert restore(steps, 3).host == state(3).host


def test_exploiters_of_other_iterations_are_removed(tmp_path):
    folder = RunFolder(tmp_path)
    for name in ("000004", "000008", "000012", "mine"):
        (folder.exploiter / name).mkdir(parents=True)
    (folder.exploiter / ".DS_Store").write_bytes(b"\0")
    (folder.exploiter / "7").write_text("")
    folder.drop_exploiters_except(range(9))
    left = [".DS_Store", "000004", "000008", "7", "mine"]
    assert sorted(path.name for path in folder.exploiter.iterdir()) == left
