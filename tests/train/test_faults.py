"""What a run does when the world around it fails: it goes on exactly, or says one clear sentence.

No completed checkpoint is lost, no traceback is shown, and nothing stays behind in memory.
"""

import json
import os
import shutil
import signal
import sys
from typing import Any

import pytest

from tests.train.faults import POINTS
from tests.train.full_disk import NAMESPACE, reason_to_skip, steps_in
from tests.train.processes import Training, is_alive, tree
from tests.train.running import metrics, run_python, train, train_struck, write_config
from tests.waiting import promised, wait_until

NO_DISK = reason_to_skip()
FULL_DISK_COUNTS = {"generation": 90, "learning": 4, "evaluation": 2, "between": 4}
FULL_DISK_CELLS = [(p, FULL_DISK_COUNTS.get(p, c)) for p in POINTS for c in (1, 2)]
FAST_FULL_DISK_CELLS = [("before saving", 2)]
LONG: dict[str, Any] = {
    "total_iterations": 100_000,
    "use_exploit_patch": False,
    "eval_frequency": 100_000,
}


def copy_of(finished_run, folder, **changes):
    """The configuration of a run of its own in the state that the finished run ended with."""
    config = write_config(folder, **({"async_game_generation": False} | changes))
    shutil.copytree(finished_run(False) / "run", folder / "run")
    return config


def assert_refused(result, *parts):
    """One sentence on standard error that holds the parts, and no more."""
    code, errors = result if isinstance(result, list) else (result.returncode, result.stderr)
    said = [line for line in errors.splitlines() if not line.startswith("note: ")]
    assert code == 2, errors
    assert len(said) == 1, errors
    assert said[0].startswith("error: ")
    for part in parts:
        assert part in said[0]


# ---------------------------------------------------------------------------------------
# The disk
# ---------------------------------------------------------------------------------------


def check_full_disk(folder, point, count, expected):
    result = run_python("-m", "tests.train.full_disk", folder, point, count, prefix=NAMESPACE)
    assert result.returncode == 0, result.stderr
    seen = json.loads(result.stdout)
    assert_refused(seen["full"], "No space left on device")
    assert_refused(seen["still full"], "No space left on device")
    assert set(seen["steps"]) <= set(seen["steps then"])
    assert seen["room"] == [0, ""]
    if seen["steps"]:
        assert f"begins with checkpoint {max(seen['steps then'])} of" in seen["begins"]
    assert seen["metrics"] == expected


@pytest.mark.skipif(NO_DISK is not None, reason=str(NO_DISK))
@pytest.mark.parametrize(("point", "count"), FAST_FULL_DISK_CELLS)
def test_a_full_disk_costs_no_checkpoint(tmp_path, finished_run, point, count):
    check_full_disk(tmp_path, point, count, metrics(finished_run(False)))


@pytest.mark.slow
@pytest.mark.skipif(NO_DISK is not None, reason=str(NO_DISK))
@pytest.mark.parametrize(
    ("point", "count"), sorted(set(FULL_DISK_CELLS) - set(FAST_FULL_DISK_CELLS))
)
def test_a_disk_that_is_full_at_any_moment_costs_no_checkpoint(
    tmp_path, finished_run, point, count
):
    check_full_disk(tmp_path, point, count, metrics(finished_run(False)))


def without_override():
    """A command prefix under which even root has to obey permissions; skips where there is none."""
    if os.geteuid() != 0:
        return ()
    if shutil.which("setpriv") is None:
        pytest.skip("root ignores permissions, and there is no setpriv to change that")
    return ("setpriv", "--bounding-set", "-dac_override,-dac_read_search")


def test_a_file_where_the_folder_should_be_is_named(tmp_path):
    fresh = write_config(tmp_path)
    run = tmp_path / "run"
    run.write_text("a file where the folder should be")
    assert_refused(train(fresh), str(run))
    assert run.read_text() == "a file where the folder should be"


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("steps", 0o500),
        pytest.param("steps", 0, marks=pytest.mark.slow),
        pytest.param(".", 0o500, marks=pytest.mark.slow),
        pytest.param(".lock", 0o400, marks=pytest.mark.slow),
    ],
)
def test_a_folder_that_cannot_be_written_is_named(tmp_path, finished_run, name, mode):
    config = copy_of(finished_run, tmp_path)
    prefix = without_override()
    path = tmp_path / "run" / name
    normal = path.stat().st_mode
    path.chmod(mode)
    try:
        before = tree(tmp_path) if os.access(path, os.R_OK) else None
        result = run_python("-m", "train.main", "--config", config, prefix=prefix)
        assert_refused(result, "Permission denied", str(tmp_path / "run"))
        assert before is None or tree(tmp_path) == before
    finally:
        path.chmod(normal)
    assert steps_in(tmp_path) == steps_in(finished_run(False))


@pytest.mark.skipif(NO_DISK is not None, reason=str(NO_DISK))
def test_too_little_shared_memory_is_one_sentence(tmp_path):
    small_memory = "mount -t tmpfs -o size=12k tmpfs /dev/shm && exec $0 $@"
    config = write_config(tmp_path)
    result = run_python(
        "-m", "train.main", "--config", config, prefix=(*NAMESPACE, "sh", "-c", small_memory)
    )
    assert_refused(result, "shared memory", "No space left on device")


# ---------------------------------------------------------------------------------------
# Damaged checkpoints
# ---------------------------------------------------------------------------------------


def test_after_a_torn_checkpoint_the_run_goes_on_from_an_earlier_one(tmp_path, finished_run):
    config = copy_of(finished_run, tmp_path)
    steps = tmp_path / "run" / "steps"
    earlier, newest = steps_in(tmp_path)[0], steps_in(tmp_path)[-1]
    for part in (steps / str(newest) / "arrays").rglob("d/*"):
        os.truncate(part, part.stat().st_size // 2)
    before = tree(steps)
    assert_refused(train(config), f"checkpoint {newest}", "is damaged", str(earlier))
    assert tree(steps) == before

    result = train(config, "--resume", earlier)
    assert result.returncode == 0, result.stderr
    assert "Traceback" not in result.stderr
    assert f"begins with checkpoint {earlier} of" in result.stdout
    assert metrics(tmp_path) == metrics(finished_run(False))
    assert steps_in(tmp_path) == steps_in(finished_run(False))


# ---------------------------------------------------------------------------------------
# Processes and signals
# ---------------------------------------------------------------------------------------


def test_a_run_that_is_busy(tmp_path):
    config = write_config(tmp_path, **LONG)
    with Training(config) as training:
        training.wait_for_row(2)
        blocks, children = training.shared_memory(), training.children()
        assert blocks and children

        # A second process in the same folder.
        assert_refused(train(config), "is being trained by process", str(training.process.pid))
        assert training.process.poll() is None

        # The process is killed: workers and shared memory go with it.
        training.process.kill()
        training.end()
        wait_until(lambda: not any(block.exists() for block in blocks), "shared memory")
        wait_until(lambda: not any(map(is_alive, children)), "workers")

    # The lock went with it too, and so does a terminal's Ctrl-C with everything.
    with Training(config) as training:
        done = len(training.rows)
        training.wait_for_row(done + 1)
        blocks, children = training.shared_memory(), training.children()
        training.interrupt_everything()
        code, errors = training.end(promised(20))
        assert (code, errors) == (130, "stopped by SIGINT; the same command goes on from here\n")
        wait_until(lambda: not any(map(is_alive, children)), "workers")
        assert not any(block.exists() for block in blocks)
        assert steps_in(tmp_path)[-1] == training.rows[-1]["iteration"]


@pytest.mark.slow
def test_a_worker_killed_in_training_leaves_no_trace(tmp_path, finished_run):
    config = write_config(tmp_path, async_game_generation=False)
    result = train_struck(config, "generation", "KILL_WORKER", 30)
    assert (result.returncode, result.stderr) == (0, "")
    assert metrics(tmp_path) == metrics(finished_run(False))
    rows = (tmp_path / "run" / "training_metrics.jsonl").read_text().splitlines()
    assert json.loads(rows[-1])["time/workers_replaced"] == 1
    assert "died with exit code -9" in (tmp_path / "run" / "training.log").read_text()


def test_a_signal_while_the_first_iteration_compiles(tmp_path):
    config = write_config(tmp_path)
    with Training(config, JAX_COMPILATION_CACHE_DIR=str(tmp_path / "cache")) as training:
        wait_until(lambda: (tmp_path / "run" / "config.json").exists(), "the beginning")
        blocks = training.shared_memory()
        training.process.send_signal(signal.SIGTERM)
        code, errors = training.end(promised(20))
        assert (code, errors) == (143, "stopped by SIGTERM; the same command goes on from here\n")
        assert not any(block.exists() for block in blocks)
    assert not training.rows


def test_a_terminal_that_closes_stops_the_run_and_leaves_nothing(tmp_path):
    with Training(write_config(tmp_path, **LONG)) as training:
        training.wait_for_row(1)
        blocks = training.shared_memory()
        # The shell and the terminal send it, to all processes.
        training.interrupt_everything(signal.SIGHUP)
        training.interrupt_everything(signal.SIGHUP)
        code, errors = training.end(promised(20))
        assert (code, errors) == (129, "stopped by SIGHUP; the same command goes on from here\n")
        assert blocks and not any(block.exists() for block in blocks)
    assert steps_in(tmp_path) == [training.rows[-1]["iteration"]]


@pytest.mark.slow
def test_a_run_under_nohup_goes_on_when_its_terminal_closes(tmp_path):
    with Training(write_config(tmp_path, **LONG), ignored=[signal.SIGHUP]) as training:
        training.wait_for_row(1)
        training.interrupt_everything(signal.SIGHUP)
        training.wait_for_row(len(training.rows) + 2)
        training.process.send_signal(signal.SIGTERM)
        assert training.end(promised(20))[0] == 143


@pytest.mark.slow
@pytest.mark.parametrize("moment", [0.05, 0.2, 0.4, 0.8, 1.2, 1.6, 2.0, 2.5, 3.0])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_at_any_moment_of_the_start(tmp_path, moment, number):
    config = write_config(tmp_path, **LONG)
    with Training(config) as training:
        try:
            code, errors = training.end(moment)
        except Exception:
            training.interrupt_everything(number)
            code, errors = training.end(promised(20))
        # Before Python runs a line of ours, a signal does what it does to any program.
        if code not in (-number, 1) or "<frozen" not in errors:
            assert "Traceback" not in errors
        assert code in (128 + number, -number, 1)


@pytest.mark.slow
def test_a_second_signal_ends_the_process_at_once(tmp_path, finished_run):
    config = write_config(tmp_path, async_game_generation=False)
    result = train_struck(config, "learning", "SIGINT_TWICE", 4)
    assert result.returncode in (130, 143)
    assert "Traceback" not in result.stderr
    assert steps_in(tmp_path) == [2]
    assert train(config).returncode == 0
    assert metrics(tmp_path) == metrics(finished_run(False))


@pytest.mark.slow
@pytest.mark.parametrize(("point", "count"), [("learning", 1), ("learning", 4), ("evaluation", 2)])
def test_a_device_that_fails_is_one_sentence(tmp_path, finished_run, point, count):
    config = write_config(tmp_path, async_game_generation=False)
    failed = train_struck(config, point, "DEVICE_FAILS", count)
    assert_refused(failed, "the device failed: RESOURCE_EXHAUSTED: Out of memory")
    assert "Traceback" in (tmp_path / "run" / "training.log").read_text()
    assert train(config).returncode == 0
    assert metrics(tmp_path) == metrics(finished_run(False))


# ---------------------------------------------------------------------------------------
# Outputs, evaluations, agents
# ---------------------------------------------------------------------------------------


def test_a_reader_that_goes_away_does_not_end_the_run(tmp_path):
    config = write_config(tmp_path, total_iterations=1, use_exploit_patch=False)
    command = f"{sys.executable} -m train.main --config {config} | head -1; exit ${{PIPESTATUS[0]}}"
    result = run_python("-c", command, interpreter="bash")
    assert (result.returncode, result.stderr) == (0, "")
    assert len(result.stdout.splitlines()) == 1
    assert [row["iteration"] for row in metrics(tmp_path)] == [1]


@pytest.mark.slow
@pytest.mark.parametrize("outputs", ["| true; exit ${PIPESTATUS[0]}", ">&- 2>&-"])
def test_a_finished_run_may_have_nowhere_to_show_its_table(tmp_path, finished_run, outputs):
    config = copy_of(finished_run, tmp_path)
    command = f"{sys.executable} -m train.main --config {config} {outputs}"
    result = run_python("-c", command, interpreter="bash")
    # It notes that the folder is another one.
    said = [line for line in result.stderr.splitlines() if not line.startswith("note: ")]
    assert (result.returncode, said) == (0, [])


def test_an_evaluation_that_fails_stops_the_run_with_its_state_saved(tmp_path):
    agent = "tests.train.policies:Moody"
    config = write_config(
        tmp_path,
        python_agents=[agent],
        eval_opponents=["random", agent],
        total_iterations=2,
        checkpoint_frequency=100,
        use_exploit_patch=False,
    )
    mood = "bad in evaluations"
    failed = run_python("-m", "train.main", "--config", config, TEST_AGENT_MOOD=mood)
    assert_refused(failed, f"agent {agent}", "is in a bad mood")
    assert steps_in(tmp_path) == [1]
    resumed = train(config)
    assert resumed.returncode == 0, resumed.stderr
    assert "begins with checkpoint 1 of" in resumed.stdout
    assert [row["iteration"] for row in metrics(tmp_path)] == [1, 2]


@pytest.mark.slow
def test_an_agent_that_fails_in_training_is_named_and_its_traceback_logged(tmp_path):
    agent = "tests.train.policies:Moody"
    config = write_config(tmp_path, python_agents=[agent], use_exploit_patch=False)
    failed = run_python("-m", "train.main", "--config", config, TEST_AGENT_MOOD="bad")
    assert_refused(failed, f"agent {agent}", "is in a bad mood")
    assert "Traceback" in (tmp_path / "run" / "training.log").read_text()
    resumed = train(config)
    assert resumed.returncode == 0, resumed.stderr
    assert metrics(tmp_path)[0][f"met/{agent}/games"] > 0
