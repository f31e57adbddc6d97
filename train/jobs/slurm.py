"""Slurm's commands: submitting a job, asking after it, signalling and cancelling it."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from train.jobs.record import JobError

DEFAULT_TIME_LIMIT = "24:00:00"
# Slurm sends the signal up to a minute earlier than told; the training is out within 20 seconds.
_SIGNAL_BEFORE_LIMIT = "B:USR1@60"
_TIMEOUT_SECONDS = 60
_WAITING = {"PENDING", "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "SPECIAL_EXIT", "RESV_DEL_HOLD"}
_RUNNING = {
    "RUNNING", "COMPLETING", "CONFIGURING", "RESIZING", "SIGNALING", "STAGE_OUT", "STOPPED",
    "SUSPENDED",
}  # fmt: skip


@dataclass(frozen=True)
class SlurmJob:
    """What Slurm says of a job.

    Attributes:
      state: Slurm's word for it, such as PENDING or TIMEOUT.
      reason: why it waits; empty where it does not.
      nodes: where it runs; empty before.
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
    """Submits the supervisor of the job recorded in `run`; returns Slurm's number of the job.

    Args:
      run: the run folder, which the nodes see under the same path.
      name: the job's name.
      folder: where the command runs.
      log: what is printed is appended there.
      options: of sbatch, without the leading dashes; they win over the ones chosen here.

    Raises:
      JobError: Slurm is not there or refuses.
    """
    command = [
        "sbatch",
        "--parsable",
        f"--job-name={name}",
        f"--chdir={folder}",
        f"--output={log}",
        "--open-mode=append",
        "--ntasks=1",
        f"--time={DEFAULT_TIME_LIMIT}",
        f"--signal={_SIGNAL_BEFORE_LIMIT}",
        "--requeue",
        *(f"--{option}" for option in options),
    ]
    supervisor = shlex.join([sys.executable, "-m", "train.jobs.supervisor", "slurm", str(run)])
    # In place of the shell, the supervisor is what --signal=B: and scancel --batch reach.
    printed = _run(command, script=f"#!/bin/sh\nexec {supervisor}\n")
    number = printed.strip().partition(";")[0]
    if not number.isdigit():
        raise JobError(f"sbatch did not answer with the number of a job but with {printed!r:.80}")
    return number


def ask(job: str) -> SlurmJob | None:
    """What Slurm knows of a job; None where it has forgotten it.

    Raises:
      JobError: Slurm is not there or does not answer.
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
        # Many clusters keep no accounts; what is known is then in the record.
        return None
    if not lines[0].strip():
        return None
    state, _, nodes = lines[0].partition("|")
    # Such as "CANCELLED by 1000".
    return SlurmJob(state.split()[0], "", nodes)


def stop(job: str) -> None:
    """Tells a running job's supervisor to stop the training with a checkpoint, for good."""
    _run(["scancel", "--batch", "--signal=USR2", job])


def cancel(job: str) -> None:
    """Takes a waiting job out of the queue, or kills a running one."""
    _run(["scancel", job])


def requeue(job: str) -> None:
    """Puts a running job into the queue again."""
    _run(["scontrol", "requeue", job])


def _run(command: Sequence[str], script: str | None = None) -> str:
    """Runs one of Slurm's commands; returns what it prints.

    Raises:
      JobError: it is not there, fails or does not end.
    """
    try:
        done = subprocess.run(
            command,
            input=script or "",
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
