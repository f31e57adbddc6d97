"""Trainings with a mirror: what is lost comes back, and a bad mirror ends nothing."""

import shutil
import signal
import subprocess
import sys

import pytest

from eval.runs.layout import saved_steps
from tests.train.running import REPOSITORY, metrics, run_python, train, train_struck, write_config
from train.mirror.mirror import Mirror
from train.mirror.storage import Storage


def mirror_of(folder):
    return Mirror(Storage((folder / "bucket" / "small").as_uri()))


@pytest.fixture
def config(tmp_path):
    return write_config(
        tmp_path, async_game_generation=False, mirror=(tmp_path / "bucket").as_uri()
    )


def test_a_run_that_was_killed_and_lost_ends_as_if_nothing_had_happened(
    config, tmp_path, finished_run
):
    # The third save is struck, when two checkpoints are finished.
    struck = train_struck(config, "saving", "SIGKILL", 3)
    assert struck.returncode == -9, struck.stderr
    copied = mirror_of(tmp_path).steps()
    assert set(copied) <= {2, 4, 6}
    shutil.rmtree(tmp_path / "run")
    result = train(config)
    assert result.returncode == 0, result.stderr
    if copied:
        assert f"begins with checkpoint {copied[-1]} of" in result.stdout
    assert metrics(tmp_path) == metrics(finished_run(False))
    assert mirror_of(tmp_path).steps()[-1] == 6

    # On another machine it is finished, and shows its table.
    shutil.rmtree(tmp_path / "run")
    result = train(config)
    assert "is finished: 6 iterations." in result.stdout
    assert "restored from the mirror" in result.stderr

    # And by hand, to play against it.
    kept = ", ".join(map(str, saved_steps(tmp_path / "run")))
    elsewhere = tmp_path / "elsewhere"
    arguments = ("-m", "train.mirror", "restore", mirror_of(tmp_path).url, elsewhere)
    assert run_python(*arguments).stdout == f"{elsewhere} holds checkpoints {kept} now.\n"
    assert run_python(*arguments).stdout.startswith(f"{elsewhere} holds checkpoint 6 already")
    assert metrics(tmp_path) == metrics(finished_run(False))


@pytest.mark.slow
def test_a_mirror_that_cannot_be_written_to_ends_no_training(tmp_path):
    (tmp_path / "bucket").write_text("no folder")
    config = write_config(tmp_path, total_iterations=1, use_exploit_patch=False)
    assert train(config).returncode == 0
    mirrored = ("--set", f"mirror={(tmp_path / 'bucket').as_uri()}", "--set", "total_iterations=2")

    command = [sys.executable, "-um", "train.main", "--config", str(config), *mirrored]
    with subprocess.Popen(
        command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        said = []
        for line in process.stdout:
            said.append(line)
            if "Ctrl-C ends the wait" in line:
                process.send_signal(signal.SIGINT)
    assert process.returncode == 0, said
    assert len([line for line in said if "copying is tried again" in line]) == 1
    assert len([line for line in said if "lacks the newest checkpoint (cannot " in line]) == 1
    # The table stands at the end all the same.
    assert said[-1].startswith("Public baseline")
    assert [row["iteration"] for row in metrics(tmp_path)] == [1, 2]


def test_a_kind_of_mirror_that_there_is_not_is_refused_before_anything_is_written(tmp_path):
    result = train(write_config(tmp_path, mirror="nowhere://bucket/runs"))
    assert result.returncode == 2
    assert result.stderr.startswith("error: cannot use the mirror nowhere://bucket/runs/small: ")
    assert len(result.stderr.splitlines()) == 1
    assert not (tmp_path / "run").exists()


def test_copy_brings_a_mirror_up_to_a_run_that_had_none(finished_run, tmp_path):
    shutil.copytree(finished_run(False) / "run", tmp_path / "run")
    copied = run_python("-m", "train.mirror", "copy", tmp_path / "run")
    assert copied.returncode == 2
    assert copied.stderr.endswith("names no mirror; give its URL\n")
    url = mirror_of(tmp_path).url
    kept = ", ".join(map(str, saved_steps(tmp_path / "run")))
    copied = run_python("-m", "train.mirror", "copy", tmp_path / "run", url)
    assert copied.stdout == f"{url} holds checkpoints {kept} now.\n"
    assert run_python("-m", "train.mirror", "list", url).stdout == f"{url}: checkpoints {kept}\n"
    nothing = run_python("-m", "train.mirror", "restore", f"{url}er", tmp_path / "new")
    assert (nothing.returncode, nothing.stderr) == (2, f"error: {url}er holds no checkpoints\n")
