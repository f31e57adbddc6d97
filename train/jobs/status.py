"""The state of a run's job, from its record, its processes, its files, Slurm and SkyPilot."""

from __future__ import annotations

import os
import re
import signal
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from bb_jax.errors import UserError
from bb_jax.files import open_regular, read_object, read_whole
from eval.runs.layout import CONFIGURATION, FINAL_EVALUATION, JOB_LOG, TRAINING_LOCK
from train.jobs import sky, slurm
from train.jobs.process import ProcessIdentity, boot_id, process_with_open_file
from train.jobs.record import JobError, JobRecord, read_record

# Exit codes of a training that was told to stop.
_STOPPED_CODES = tuple(128 + number for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP))
# The bytes at the end of a log that are searched for its last message.
_LOG_END = 16384
_SUPERVISOR_LINE = r"\[\d{4}-\d\d-\d\dT[\d:+]+\] "
# An error message of a command, or the last line of a traceback.
_ERROR_LINE = r"error: |[\w.]*(Error|Exception)\b"


class State(StrEnum):
    """States of a job."""

    QUEUED = "queued"
    STARTING = "starting"
    RUNNING = "running"
    FINISHED = "finished"
    STOPPED = "stopped"
    FAILED = "failed"
    DIED = "died"
    NOT_RUNNING = "not running"
    UNKNOWN = "unknown"


_ACTIVE = (State.QUEUED, State.STARTING, State.RUNNING)


@dataclass(frozen=True)
class JobStatus:
    """The state of a run's newest job.

    Attributes:
      state: the state.
      detail: a phrase that explains the state; may be empty.
      record: the job's record; None if the run was never started as a job.
      training: the process that trains on this machine, or None.
    """

    state: State
    detail: str
    record: JobRecord | None = None
    training: ProcessIdentity | None = None

    @property
    def active(self) -> bool:
        """Whether the job waits, starts or runs."""
        return self.state in _ACTIVE


def job_status(run: Path) -> JobStatus:
    """The state of a run's job.

    Raises:
      JobError: the record is damaged.
    """
    record = read_record(run)
    if record is None:
        return _outside(run, None) or _without_job(run)
    if record.backend == "slurm":
        return _in_slurm(run, record)
    if record.backend == "sky":
        return _rented(run, record)
    return _here(run, record)


def _here(run: Path, record: JobRecord) -> JobStatus:
    """The state of a local job."""
    training, supervisor = record.training, record.supervisor
    if training is not None and training.alive():
        detail = f"process {training.pid}"
        if supervisor is None or not supervisor.alive():
            detail += "; its supervisor was killed, so its exit code will not be known"
        return JobStatus(State.RUNNING, detail, record, training)
    if record.ended is None and supervisor is not None and supervisor.alive():
        # The training has not begun yet, or has just ended.
        return JobStatus(State.STARTING if training is None else State.RUNNING, "", record)
    return _outside(run, record) or _ended(run, record)


def _outside(run: Path, record: JobRecord | None) -> JobStatus | None:
    """The state of a run that a command in a terminal trains, or None."""
    holder = _lock_holder(run)
    if holder is None:
        return None
    detail = f"process {holder.pid}, not started by train.jobs"
    return JobStatus(State.RUNNING, detail, record, holder)


def _lock_holder(run: Path) -> ProcessIdentity | None:
    """The process that trains the run, if it is on this machine."""
    try:
        pid = int(read_whole(run / TRAINING_LOCK))
    except (OSError, ValueError):
        return None
    # The number stays in the file when the process ends, but the process must have it open.
    return process_with_open_file(pid, run / TRAINING_LOCK)


def _without_job(run: Path) -> JobStatus:
    if _files_say_finished(run) is not None:
        return JobStatus(State.FINISHED, "")
    return JobStatus(State.NOT_RUNNING, "not started by train.jobs")


def _ended(run: Path, record: JobRecord) -> JobStatus:
    """The state of a job whose processes have ended."""
    finished = _files_say_finished(run)
    if record.exit_code is None:
        if finished is not None and finished > datetime.fromisoformat(record.started):
            detail = "its exit code is not known: its supervisor was killed"
            return JobStatus(State.FINISHED, detail, record)
        return _lost(record)
    ended = datetime.fromisoformat(record.ended or record.started)
    if record.exit_code and finished is not None and finished > ended:
        return JobStatus(State.FINISHED, "by a later command", record)
    return JobStatus(*_by_exit_code(run, record.exit_code), record)


def _lost(record: JobRecord) -> JobStatus:
    """The state of a job whose end was not recorded."""
    if record.boot != boot_id():
        if record.host != os.uname().nodename:
            detail = f"it was started on {record.host}; ask there"
            return JobStatus(State.UNKNOWN, detail, record)
        return JobStatus(State.DIED, "the machine was restarted while it ran", record)
    detail = "its processes are gone and its exit code was not recorded"
    return JobStatus(State.DIED, detail, record)


def _by_exit_code(run: Path, code: int) -> tuple[State, str]:
    if code == 0:
        return State.FINISHED, ""
    if code in _STOPPED_CODES:
        return State.STOPPED, f"by {signal.Signals(code - 128).name}"
    if code > 128 and code - 128 in set(signal.Signals):
        return State.FAILED, f"killed by {signal.Signals(code - 128).name}"
    reason = last_message(run)
    return State.FAILED, f"exit code {code}" + (f": {reason}" if reason else "")


def _files_say_finished(run: Path) -> datetime | None:
    """When the run's final evaluation was made; None if iterations are left to do."""
    try:
        table = read_object(run / FINAL_EVALUATION)
        configuration = read_object(run / CONFIGURATION)
        if table is None or configuration is None:
            return None
        if table["iteration"] < configuration["total_iterations"]:
            return None
        return datetime.fromtimestamp((run / FINAL_EVALUATION).stat().st_mtime, UTC)
    except (UserError, KeyError, TypeError, OSError):
        return None


def _in_slurm(run: Path, record: JobRecord) -> JobStatus:
    """The state of a job that was submitted to Slurm."""
    if record.slurm_job is None:
        return JobStatus(State.FAILED, "it was not submitted", record)
    name = f"Slurm job {record.slurm_job}"
    if record.exit_code not in (None, *_STOPPED_CODES):
        # It has ended and was not queued again.
        return _named(name, _outside(run, record) or _ended(run, record))
    try:
        job = slurm.ask(record.slurm_job)
    except JobError as error:
        return JobStatus(State.UNKNOWN, f"{name}: {error}", record)
    times = "once" if record.requeues == 1 else f"{record.requeues} times"
    again = f", started again {times}" if record.requeues else ""
    if job is not None and job.waiting:
        return JobStatus(State.QUEUED, f"{name} waits: {job.reason or job.state}{again}", record)
    if job is not None and job.running:
        where = f" on {job.nodes}" if job.nodes else ""
        return JobStatus(State.RUNNING, f"{name}{where}{again}", record)
    outside = _outside(run, record)
    if outside is not None:
        return outside
    if record.exit_code is not None:
        return _named(name, _ended(run, record))
    said = f"Slurm says {job.state}" if job is not None else "Slurm knows no such job any more"
    # A job that was cancelled in the queue never ran.
    if job is not None and job.state == "CANCELLED" and record.training is None:
        return JobStatus(State.STOPPED, f"{name} was cancelled before it began", record)
    return JobStatus(State.DIED, f"{name} ended without an exit code; {said}", record)


def _rented(run: Path, record: JobRecord) -> JobStatus:
    """The state of a job on a rented machine."""
    if record.sky_job is None:
        return _outside(run, record) or JobStatus(State.FAILED, "it was not submitted", record)
    name = f"sky job {record.sky_job}"
    try:
        job = sky.ask(record.sky_job)
    except JobError as error:
        return JobStatus(State.UNKNOWN, f"{name}: {error}", record)
    if job is None:
        detail = f"{name} is not known to sky any more"
        return _outside(run, record) or JobStatus(State.DIED, detail, record)
    detail = f"{name} on {job.where}" if job.where else name
    times = "once" if job.recoveries == 1 else f"{job.recoveries} times"
    replaced = f", replaced {times}" if job.recoveries else ""
    because = f": {job.reason}" if job.reason else ""
    if job.waiting:
        return JobStatus(State.QUEUED, f"{detail} waits{because}", record)
    if job.starting:
        what = "looks for another machine" if job.state == "RECOVERING" else "looks for a machine"
        return JobStatus(State.STARTING, f"{detail} {what}{replaced}{because}", record)
    detail += replaced
    if job.running:
        return JobStatus(State.RUNNING, detail, record)
    outside = _outside(run, record)
    if outside is not None:
        return outside
    if job.failed:
        return JobStatus(State.FAILED, f"{detail}, {job.state}{because}", record)
    if job.state == "CANCELLED" or record.stop_asked:
        return JobStatus(State.STOPPED, detail, record)
    if job.state == "SUCCEEDED":
        return JobStatus(State.FINISHED, detail, record)
    return JobStatus(State.UNKNOWN, f"{detail}, {job.state}", record)


def _named(job: str, status: JobStatus) -> JobStatus:
    """The status with the job's name before its detail, unless another process trains the run."""
    if status.active:
        return status
    return replace(status, detail=", ".join(part for part in (job, status.detail) if part))


def last_message(run: Path) -> str:
    """The error in the log of a job, or else its last line; may be empty."""
    try:
        with open_regular(run / JOB_LOG) as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _LOG_END))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return ""
    said: list[str] = []
    for line in lines:
        if re.match(_SUPERVISOR_LINE + "python -m", line):
            # The newest attempt begins here.
            said = []
        elif line.strip() and not re.match(_SUPERVISOR_LINE, line):
            said.append(line.strip())
    errors = [line for line in said if re.match(_ERROR_LINE, line)]
    return (errors or said or [""])[-1].removeprefix("error: ")
