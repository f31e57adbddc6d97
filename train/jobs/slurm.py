"""Slurm's commands: they submit a job, query its state, signal it and cancel it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from train.jobs.record import JobError

_SCRIPT = Path(__file__).with_name("slurm_job.sh")
_TIMEOUT_SECONDS = 60
_WAITING = {"PENDING", "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "SPECIAL_EXIT", "RESV_DEL_HOLD"}
_RUNNING = {
    "RUNNING", "COMPLETING", "CONFIGURING", "RESIZING", "SIGNALING", "STAGE_OUT", "STOPPED",
    "SUSPENDED",
}  # fmt: skip


@dataclass(frozen=True)
class SlurmJob:
    """The state of a job in Slurm.

    Attributes:
      state: Slurm's word for the state, such as PENDING or TIMEOUT.
      reason: why the job waits; empty if it does not wait.
      nodes: the nodes that run the job; empty before it begins.
    """

    state: str
    reason: str = ""
    nodes: str = ""

    @property
    def waiting(self) -> bool:
        return self.state in _WAITING

    @property
    def running(self) -> bool:
        return self.state in _RUNNING


def submit(run: Path, name: str, folder: str, log: Path, options: Sequence[str]) -> str:
    """Submits the job recorded in `run` to Slurm.

    Args:
      run: the run folder, which the nodes see under the same path.
      name: the job's name.
      folder: the working folder of the job.
      log: the file to which the job's output is appended.
      options: options of sbatch without the leading dashes, such as "time=8:00:00". They replace
        those in the batch script.

    Returns:
      Slurm's number of the job.

    Raises:
      JobError: Slurm is missing or refuses the job.
    """
    command = [
        "sbatch",
        "--parsable",
        f"--job-name={name}",
        f"--chdir={folder}",
        f"--output={log}",
        *(f"--{option}" for option in options),
    ]
    printed = _run([*command, str(_SCRIPT), sys.executable, str(run)])
    number = printed.strip().partition(";")[0]
    if not number.isdigit():
        raise JobError(f"sbatch answered with {printed!r:.80}, which is not the number of a job")
    return number


def ask(job: str) -> SlurmJob | None:
    """The state of a job, or None if Slurm has forgotten it.

    Raises:
      JobError: Slurm is missing or does not answer.
    """
    query = ["squeue", "--noheader", "--states=all", f"--jobs={job}", "--format=%T|%r|%N"]
    try:
        line = _run(query).strip()
    except JobError as error:
        if "Invalid job id" not in str(error):
            raise
        line = ""
    if line:
        state, reason, nodes = line.splitlines()[0].split("|")
        return SlurmJob(state, "" if reason == "None" else reason, nodes)
    return _ask_accounting(job)


def _ask_accounting(job: str) -> SlurmJob | None:
    query = ["sacct", "--noheader", "--parsable2", "--allocations", f"--jobs={job}"]
    try:
        lines = _run([*query, "--format=State,NodeList"]).split("\n")
    except JobError:
        # Many clusters keep no accounts.
        return None
    if not lines[0].strip():
        return None
    state, _, nodes = lines[0].partition("|")
    # Such as "CANCELLED by 1000".
    return SlurmJob(state.split()[0], "", nodes)


def stop(job: str) -> None:
    """Tells a running job to stop the training with a checkpoint for good."""
    _run(["scancel", "--batch", "--signal=USR2", job])


def cancel(job: str) -> None:
    """Removes a waiting job from the queue, or kills a running one."""
    _run(["scancel", job])


def _run(command: Sequence[str]) -> str:
    """Runs one of Slurm's commands; returns its standard output.

    Raises:
      JobError: the command is missing, fails or does not end.
    """
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_SECONDS,
        )
    except FileNotFoundError:
        raise JobError(f"{command[0]} is not on this machine, so Slurm cannot be used") from None
    except subprocess.TimeoutExpired:
        raise JobError(f"{command[0]} did not answer within {_TIMEOUT_SECONDS} seconds") from None
    except OSError as error:
        raise JobError(f"{command[0]} cannot be run: {error.strerror}") from error
    if done.returncode:
        reason = " ".join(done.stderr.split()) or f"exit code {done.returncode}"
        raise JobError(f"{command[0]} failed: {reason.removeprefix(f'{command[0]}: error: ')}")
    return done.stdout
