"""Jobs from start to end: detached, recorded, stopped, resumed; the dead told from the living."""

import json
import os
import pty
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from tests.train.jobs.job_fakes import Jobs, own_process, record_of
from tests.train.running import REPOSITORY, SMALL, metrics, write_config
from tests.waiting import PATIENCE, wait_until
from train.jobs.record import JobRecord, read_record, update_record
from train.jobs.status import State, job_status


@pytest.fixture
def jobs(tmp_path):
    jobs = Jobs(tmp_path)
    yield jobs
    record = read_record(jobs.run) if jobs.run.exists() else None
    if record is not None:
        for process in (record.training, record.supervisor):
            if process is not None and process.pid != os.getpid():
                process.signal(signal.SIGKILL)


def refused(done, *words):
    """A refusal is one sentence on standard error with exit code 2."""
    assert done.returncode == 2, done
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1, done.stderr
    for word in ("error: ", *map(str, words)):
        assert word in done.stderr
    return True


def test_strays_beside_the_runs_are_no_jobs(jobs):
    runs = jobs.folder / "checkpoints"
    runs.mkdir()
    (runs / ".DS_Store").write_bytes(b"\0")
    (runs / "mine").mkdir()
    assert jobs("status").stdout == "No run in checkpoints is running.\n"
    assert jobs("list").stdout == "There are no runs in checkpoints.\n"
    long = "n" * 300
    assert jobs("list", "--root", long).stdout == f"There are no runs in {long}.\n"


def test_a_job_is_started_shown_stopped_and_resumed(jobs):
    started = jobs.start()
    assert started.returncode == 0, started.stderr
    assert "small runs" in started.stdout
    wait_until(lambda: (jobs.run / "training_metrics.jsonl").exists())

    shown = jobs("status", jobs.run).stdout
    assert f"run: running (process {record_of(jobs.run).training.pid})" in shown
    assert "62.5 %" in shown
    listed = jobs("list", "--root", jobs.folder).stdout.splitlines()
    assert listed[1].split()[:2] == ["run", "running"]
    assert refused(jobs.start(), "run is running already")

    stopped = jobs("stop", jobs.run)
    assert stopped.returncode == 0
    step = int((jobs.run / "job.log").read_text().split("iteration ")[-1].split()[0])
    assert stopped.stdout == f"run is stopped with checkpoint {step}\n"
    record = record_of(jobs.run)
    assert (record.exit_code, job_status(jobs.run).state) == (143, State.STOPPED)
    assert record.started <= record.ended
    assert refused(jobs("stop", jobs.run), "does not run", "stopped")

    assert refused(jobs("resume", jobs.run, "--step", step + 1), f"no checkpoint {step + 1}")
    resumed = jobs("resume", jobs.run, "--step", step, "--set", "seed=7")
    assert resumed.returncode == 0, resumed.stderr
    assert f"begins --set seed=7 --resume {step}" in jobs("view", jobs.run).stdout.replace(
        str(jobs.config), ""
    ).replace("  ", " ")
    assert jobs("stop", jobs.run).returncode == 0


def test_a_job_survives_its_terminal(jobs):
    leader, terminal = pty.openpty()
    command = f"{sys.executable} -m train.jobs start --config {jobs.config}; sleep 60"
    shell = subprocess.Popen(
        ["setsid", "--ctty", "sh", "-c", command],
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        cwd=jobs.folder,
        env=jobs.environment,
        # The tests may run under nohup, which would make the shell deaf to its terminal's end.
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),
    )
    os.close(terminal)
    wait_until(lambda: (jobs.run / "training_metrics.jsonl").exists())
    # What a terminal does when it is closed.
    os.close(leader)
    assert shell.wait(PATIENCE) == -signal.SIGHUP
    time.sleep(0.2)
    status = job_status(jobs.run)
    assert status.state is State.RUNNING
    assert status.training is not None
    assert os.getsid(status.training.pid) != shell.pid
    assert jobs("stop", jobs.run).returncode == 0
    assert record_of(jobs.run).exit_code == 143


def test_following_ends_with_the_job(jobs):
    jobs.start()
    with subprocess.Popen(
        [sys.executable, "-m", "train.jobs", "view", jobs.run, "--follow"],
        stdout=subprocess.PIPE,
        text=True,
        cwd=jobs.folder,
        env=jobs.environment,
    ) as viewer:
        assert viewer.stdout is not None
        for line in viewer.stdout:
            if line.strip() == f"The end of {jobs.run / 'job.log'}:":
                break
        jobs("stop", jobs.run)
        rest = viewer.stdout.read()
    assert "is saved" in rest
    assert rest.splitlines()[-1] == "run: stopped (by SIGTERM)"
    assert viewer.returncode == 0


def test_a_training_that_fails_at_once_is_reported(jobs):
    assert refused(jobs.start("fail"), "there is no run nowhere")
    status = job_status(jobs.run)
    assert status.state is State.FAILED
    assert "exit code 1: resume_from nowhere@3" in status.detail


def test_a_finished_run_says_so(jobs):
    done = jobs.start("finish")
    assert (done.returncode, done.stderr) == (0, "")
    assert "small is finished" in done.stdout
    wait_until(lambda: record_of(jobs.run).exit_code == 0)
    assert jobs("list", "--root", jobs.folder).stdout.splitlines()[1].split()[1] == "finished"


def test_a_killed_training_is_a_failure(jobs):
    jobs.start()
    record_of(jobs.run).training.signal(signal.SIGKILL)
    wait_until(lambda: not job_status(jobs.run).active)
    assert job_status(jobs.run).detail == "killed by SIGKILL"
    assert record_of(jobs.run).exit_code == 137


def test_without_its_supervisor_a_job_runs_stops_and_has_died(jobs):
    jobs.start()
    record_of(jobs.run).supervisor.signal(signal.SIGKILL)
    wait_until(lambda: "supervisor was killed" in job_status(jobs.run).detail)
    assert job_status(jobs.run).state is State.RUNNING
    assert refused(jobs.start(), "is running already")
    assert jobs("stop", jobs.run).returncode == 0
    status = job_status(jobs.run)
    assert status.state is State.DIED
    assert record_of(jobs.run).exit_code is None
    assert jobs.start("finish").returncode == 0


def test_a_supervisor_told_to_stop_leaves_a_training_that_was_told_too_alone(jobs):
    jobs.start()
    record = record_of(jobs.run)
    record.supervisor.signal(signal.SIGTERM)
    time.sleep(0.5)
    assert job_status(jobs.run).state is State.RUNNING
    record.supervisor.signal(signal.SIGUSR2)
    wait_until(lambda: not job_status(jobs.run).active)
    assert record_of(jobs.run).exit_code == 143


def test_a_job_that_does_not_stop_in_time_is_named(jobs):
    jobs.start("deaf")
    assert refused(jobs("stop", jobs.run, "--timeout", 0.5), "still runs after 0.5 seconds")
    assert job_status(jobs.run).active


def test_a_training_in_a_terminal_is_seen_and_stopped(jobs):
    jobs.run.mkdir()
    training = subprocess.Popen(
        [sys.executable, "-m", "train.main", "--config", jobs.config],
        cwd=jobs.folder,
        env=jobs.environment,
        stdout=subprocess.DEVNULL,
    )
    wait_until(lambda: (jobs.run / "training_metrics.jsonl").exists())
    assert "not started by train.jobs" in job_status(jobs.run).detail
    assert refused(jobs.start(), "is running already")
    assert jobs("stop", jobs.run).returncode == 0
    assert training.wait(PATIENCE) == 143
    assert job_status(jobs.run).state is State.NOT_RUNNING


def test_bad_input_is_refused_before_anything_is_made(jobs):
    assert refused(jobs("start", "--config", jobs.folder / "none.yaml"), "none.yaml")
    assert refused(jobs("start", "--config", jobs.config, "--set", "sed=1"), "sed")
    assert refused(jobs("start", "--config", jobs.config, "--slurm", "time=1"), "--backend slurm")
    assert refused(jobs("start"), "--config")
    for command in ("status", "view", "stop", "resume"):
        assert refused(jobs(command, "nowhere"), "there is no run nowhere")
    assert not jobs.run.exists()
    jobs.run.mkdir()
    assert refused(jobs("resume", jobs.run), "holds no run")
    (jobs.run / "policies").mkdir()
    assert refused(jobs("resume", jobs.run), "has no checkpoint")
    (jobs.run / "job.json").write_text("{}")
    assert refused(jobs("status", jobs.run), "job.json is not a complete record")
    assert "run  unknown" in jobs("list", "--root", jobs.folder).stdout
    (jobs.run / "job.json").unlink()


# ---------------------------------------------------------------------------------------------
# The living and the dead
# ---------------------------------------------------------------------------------------------


def dead_job(jobs, **changes):
    """The record of a job whose processes have ended without a word."""
    jobs.start()
    record = record_of(jobs.run)
    record.supervisor.signal(signal.SIGKILL)
    record.training.signal(signal.SIGKILL)
    wait_until(lambda: not job_status(jobs.run).active)
    return update_record(jobs.run, **changes)


def test_a_number_that_another_process_has_now_is_not_the_job(jobs):
    dead_job(jobs)
    another = own_process()
    recycled = replace(another, started=another.started - 1)
    update_record(jobs.run, training=recycled, supervisor=recycled)
    assert job_status(jobs.run).state is State.DIED
    update_record(jobs.run, training=another)
    assert job_status(jobs.run).state is State.RUNNING


def test_a_job_does_not_survive_a_reboot(jobs):
    own = own_process()
    before = replace(own, boot="another boot")
    dead_job(jobs, training=before, supervisor=before, boot="another boot")
    status = job_status(jobs.run)
    assert status.state is State.DIED
    assert "the machine was restarted" in status.detail


def test_of_a_job_on_another_machine_nothing_is_said(jobs):
    dead_job(jobs, boot="another boot", host="elsewhere")
    status = job_status(jobs.run)
    assert status.state is State.UNKNOWN
    assert "elsewhere" in status.detail
    assert refused(jobs.start(), "may run already", "job.json")


def test_a_run_that_finished_after_its_supervisor_was_killed(jobs):
    dead_job(jobs)
    table = {"iteration": json.loads((jobs.run / "config.json").read_text())["total_iterations"]}
    (jobs.run / "final_evaluation.json").write_text(json.dumps(table))
    assert job_status(jobs.run).state is State.FINISHED


def test_a_record_comes_back_as_it_was(tmp_path):
    own = own_process()
    record = JobRecord(
        backend="local",
        config="/c.yaml",
        overrides=("a=1",),
        folder="/",
        host="here",
        boot="boot",
        started="2026-01-01T00:00:00+00:00",
        training=own,
        slurm_options=("time=1",),
    )
    assert JobRecord.from_json(json.loads(json.dumps(record.as_json()))) == record


def test_a_real_training_is_stopped_and_finishes_after_resuming(tmp_path):
    text = SMALL.replace("total_iterations: 6", "total_iterations: 1000000")
    text = text.replace("use_exploit_patch: true", "use_exploit_patch: false")
    config = write_config(tmp_path, text)
    run = tmp_path / "run"

    def command(*arguments):
        done = subprocess.run(
            [sys.executable, "-m", "train.jobs", *map(str, arguments)],
            cwd=REPOSITORY, capture_output=True, text=True, timeout=PATIENCE,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    try:
        command("start", "--config", config)
        # Two evaluations, so that a checkpoint from before the last one is there.
        wait_until(lambda: len(list((run / "policies").glob("*.policy"))) >= 2)
        stopped = command("stop", run)
        last = int(stopped.split()[-1])
        assert [row["iteration"] for row in metrics(tmp_path)] == list(range(1, last + 1))
        command("resume", run, "--set", f"total_iterations={last + 2}")
        followed = command("view", run, "--follow")
        assert followed.splitlines()[-1] == "run: finished"
        assert record_of(run).exit_code == 0
        assert [row["iteration"] for row in metrics(tmp_path)] == list(range(1, last + 3))
    finally:
        record = read_record(run)
        if record is not None and record.training is not None:
            record.training.signal(signal.SIGKILL)
