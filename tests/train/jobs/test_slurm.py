"""Jobs through Slurm: against scripts in its commands' place, and against a cluster of one node."""

import signal
import subprocess
import sys

import pytest

from tests.train.jobs.job_fakes import FakeSlurm, Jobs, record_of
from tests.train.jobs.slurm_cluster import Cluster, ClusterError
from tests.train.jobs.test_jobs import refused
from tests.train.running import REPOSITORY, SMALL, metrics, write_config
from tests.waiting import PATIENCE, wait_until
from train.jobs.record import JobError
from train.jobs.slurm import ask
from train.jobs.status import State, job_status


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    """Slurm's commands as scripts, for this process too."""
    slurm = FakeSlurm(tmp_path / "slurm")
    for name, value in slurm.environment().items():
        monkeypatch.setenv(name, value)
    return slurm


@pytest.fixture
def jobs(tmp_path, slurm):
    return Jobs(tmp_path / "job")


def submit(jobs, *options):
    return jobs.start("train", "--backend", "slurm", *options)


class RunningScript:
    """The script given to sbatch, run as Slurm would run it."""

    def __init__(self, jobs, slurm, restarts=0):
        slurm.say("RUNNING", nodes="node1")
        variables = {"SLURM_JOB_ID": "42", "SLURM_RESTART_COUNT": str(restarts)}
        self._process = subprocess.Popen(
            slurm.script(),
            cwd=jobs.folder,
            env=jobs.environment | variables,
            stdin=subprocess.DEVNULL,
            stdout=open(jobs.run / "job.log", "ab"),  # noqa: SIM115 - ends with the process
        )
        (jobs.run / "training_metrics.jsonl").unlink(missing_ok=True)
        wait_until(lambda: (jobs.run / "training_metrics.jsonl").exists())

    def signal(self, number):
        """As `--signal=B:` and `scancel --batch` do: to the script's process alone."""
        self._process.send_signal(number)
        return self._process.wait(20)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self._process.poll() is None:
            self.signal(signal.SIGUSR2)


def test_a_job_is_submitted_with_limit_signal_and_requeue(jobs, slurm):
    slurm.say("PENDING", "Resources")
    done = submit(jobs, "--slurm", "time=8:00:00", "--slurm", "gres=gpu:1")
    assert (done.returncode, done.stderr) == (0, "")
    assert "job 42" in done.stdout
    arguments = (slurm.folder / "sbatch.arguments").read_text().splitlines()
    # Options of the command line replace those of the script.
    assert {"--parsable", "--gres=gpu:1", "--time=8:00:00"} <= set(arguments)
    assert f"--chdir={jobs.folder}" in arguments
    script = (slurm.folder / "script").read_text()
    for option in ("--requeue", "--open-mode=append", "--time=", "--signal=B:USR1@"):
        assert f"#SBATCH {option}" in script
    shown = jobs("status", jobs.run).stdout
    assert "queued (Slurm job 42 waits: Resources)" in shown
    assert refused(submit(jobs), "is queued already")


def test_a_refusal_of_sbatch_is_passed_on_and_leaves_no_job(jobs, slurm):
    (slurm.folder / "refusal").write_text("sbatch: error: invalid partition specified: gpu\n")
    assert refused(submit(jobs), "sbatch failed: invalid partition specified: gpu")
    assert "failed" in jobs("status", jobs.run).stdout
    assert "was not submitted" in jobs("status", jobs.run).stdout


def test_without_slurm_the_missing_command_is_named(jobs, slurm):
    (slurm.commands / "sbatch").unlink()
    jobs.environment["PATH"] = str(slurm.commands)
    assert refused(submit(jobs), "sbatch is not on this machine")


def test_the_time_limit_saves_and_puts_the_job_into_the_queue_again(jobs, slurm):
    submit(jobs)
    with RunningScript(jobs, slurm) as script:
        assert "on node1" in job_status(jobs.run).detail
        assert job_status(jobs.run).state is State.RUNNING
        assert script.signal(signal.SIGUSR1) == 143
    assert slurm.told() == "scontrol requeue 42\n"
    slurm.say("PENDING", "BeginTime")
    assert job_status(jobs.run).state is State.QUEUED
    with RunningScript(jobs, slurm, restarts=1):
        assert "started again once" in job_status(jobs.run).detail
        assert record_of(jobs.run).exit_code is None


def test_a_step_to_resume_from_holds_for_the_first_start_alone(jobs, slurm):
    (jobs.run / "steps" / "5" / "host").mkdir(parents=True)
    (jobs.run / "config.json").write_text("{}")
    submit(jobs)
    slurm.say("CANCELLED")
    assert jobs("resume", jobs.run, "--step", 5).returncode == 0
    log = jobs.run / "job.log"
    with RunningScript(jobs, slurm) as script:
        wait_until(lambda: "begins" in log.read_text())
        script.signal(signal.SIGUSR1)
    assert "--resume 5" in log.read_text()
    log.unlink()
    with RunningScript(jobs, slurm, restarts=1):
        wait_until(lambda: "begins" in log.read_text())
    assert "--resume" not in log.read_text()


def test_stopping_reaches_the_batch_process_and_does_not_queue_again(jobs, slurm):
    submit(jobs)
    with RunningScript(jobs, slurm) as script:
        stopping = subprocess.Popen(
            [sys.executable, "-m", "train.jobs", "stop", jobs.run],
            cwd=jobs.folder,
            env=jobs.environment,
            stdout=subprocess.DEVNULL,
        )
        wait_until(slurm.told)
        assert slurm.told() == "scancel --batch --signal=USR2 42\n"
        assert script.signal(signal.SIGUSR2) == 143
        assert stopping.wait(20) == 0
    assert "requeue" not in slurm.told()
    status = job_status(jobs.run)
    assert (status.state, status.detail) == (State.STOPPED, "Slurm job 42, by SIGTERM")


def test_a_waiting_job_is_cancelled(jobs, slurm):
    slurm.say("PENDING", "Priority")
    submit(jobs)
    assert jobs("stop", jobs.run).returncode == 0
    assert slurm.told() == "scancel 42\n"


@pytest.mark.parametrize(
    ("queue", "accounts", "state", "words"),
    [
        ("NODE_FAIL", None, State.DIED, "Slurm says NODE_FAIL"),
        (None, "OUT_OF_MEMORY|node1\n", State.DIED, "Slurm says OUT_OF_MEMORY"),
        (None, "CANCELLED by 0|None assigned\n", State.STOPPED, "cancelled before it began"),
        (None, None, State.DIED, "Slurm knows no such job any more"),
        ("COMPLETING", None, State.RUNNING, "Slurm job 42"),
        ("SUSPENDED", None, State.RUNNING, "Slurm job 42"),
    ],
)
def test_what_slurm_says_of_a_job_without_exit_code(jobs, slurm, queue, accounts, state, words):
    submit(jobs)
    slurm.forget()
    if queue is not None:
        slurm.say(queue)
    if accounts is not None:
        (slurm.folder / "accounts").write_text(accounts)
    status = job_status(jobs.run)
    assert status.state is state
    assert words in status.detail


def test_a_controller_that_does_not_answer_is_not_taken_for_an_ended_job(jobs, slurm):
    submit(jobs)
    (slurm.commands / "squeue").write_text("#!/bin/sh\necho 'Unable to contact' >&2; exit 1\n")
    with pytest.raises(JobError, match="squeue failed: Unable to contact"):
        ask("42")
    assert job_status(jobs.run).state is State.UNKNOWN
    assert refused(submit(jobs), "may run already", "Unable to contact")


# ---------------------------------------------------------------------------------------------
# The real one
# ---------------------------------------------------------------------------------------------


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    (tmp_path / "cluster").mkdir()
    try:
        with Cluster(tmp_path / "cluster") as cluster:
            monkeypatch.setenv("SLURM_CONF", cluster.environment["SLURM_CONF"])
            yield cluster
    except ClusterError as error:
        pytest.skip(f"no Slurm here: {error}")


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_job_goes_through_its_time_limits_on_a_real_cluster(tmp_path, cluster):
    text = SMALL.replace("total_iterations: 6", "total_iterations: 1000000")
    text = text.replace("use_exploit_patch: true", "use_exploit_patch: false")
    for key in ("eval_frequency", "checkpoint_frequency"):
        text = text.replace(f"{key}: 2", f"{key}: 50")
    config = write_config(tmp_path, text)
    run = tmp_path / "run"

    def command(*arguments):
        done = subprocess.run(
            [sys.executable, "-m", "train.jobs", *map(str, arguments)],
            cwd=REPOSITORY, capture_output=True, text=True, timeout=PATIENCE,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    command("start", "--config", config, "--backend", "slurm", "--slurm", "time=2")
    wait_until(lambda: (run / "training_metrics.jsonl").exists())
    assert job_status(run).state is State.RUNNING
    first = wait_until(lambda: metrics(tmp_path) if record_of(run).exit_code is not None else [])
    assert record_of(run).exit_code == 143
    wait_until(lambda: record_of(run).requeues == 1)
    wait_until(lambda: len(metrics(tmp_path)) > len(first) + 5)
    assert "started again once" in job_status(run).detail

    command("stop", run, "--timeout", 120)
    assert job_status(run).state is State.STOPPED
    rows = metrics(tmp_path)
    assert [row["iteration"] for row in rows] == list(range(1, len(rows) + 1))
    assert rows[: len(first)] == first

    command("resume", run, "--set", f"total_iterations={len(rows) + 2}")
    wait_until(lambda: job_status(run).state is State.FINISHED)
    assert len(metrics(tmp_path)) == len(rows) + 2

    command("start", "--config", config, "--backend", "slurm", "--slurm", "begin=now+1hour")
    assert job_status(run).state is State.QUEUED
    command("stop", run)
    assert job_status(run).state is State.STOPPED
    assert not cluster.run("squeue", "-h").strip()
