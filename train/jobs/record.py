"""The record of a run's job: `job.json` in the run folder.

The command that starts the job and the job's supervisor write it. Each change is atomic and is
made under a lock.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from bb_jax.errors import UserError, one_line
from bb_jax.files import read_object, write_json
from eval.runs.layout import JOB_LOCK, JOB_RECORD
from eval.runs.locks import take_lock
from train.jobs.process import ProcessIdentity


class JobError(UserError):
    """A request about a job that cannot be met. The text is one sentence for the command line."""


@dataclass(frozen=True)
class JobRecord:
    """The newest job of a run.

    Attributes:
      backend: "local", "slurm" or "sky".
      config: the absolute path of the configuration.
      overrides: the overrides of the configuration, each KEY=VALUE.
      folder: the working folder of the training.
      host: the machine that runs the job. Until a Slurm job begins, the machine that submitted it.
      boot: the identifier of that machine's boot.
      started: when the job was started or submitted (ISO 8601, UTC).
      resume_step: the checkpoint to begin from; None for the newest.
      supervisor: the process that waits for the training; None before it begins.
      training: the training process; None before it begins.
      ended: when the training ended; None before, or if the supervisor was killed.
      exit_code: the training's exit code, 128 + number after a signal; None if `ended` is None.
      slurm_options: options of sbatch without the leading dashes, such as "time=24:00:00".
      slurm_job: Slurm's number of the job.
      requeues: the number of times that Slurm has restarted the job.
      sky_options: options of `sky jobs launch` without the leading dashes, such as "gpus=L4:1".
      sky_job: SkyPilot's name of the job.
      mirror: URL of the run's mirror, if a rented machine trains it.
      stop_asked: whether the rented machine's training was told to stop.
    """

    backend: str
    config: str
    overrides: tuple[str, ...]
    folder: str
    host: str
    boot: str
    started: str
    resume_step: int | None = None
    supervisor: ProcessIdentity | None = None
    training: ProcessIdentity | None = None
    ended: str | None = None
    exit_code: int | None = None
    slurm_options: tuple[str, ...] = ()
    slurm_job: str | None = None
    requeues: int = 0
    sky_options: tuple[str, ...] = ()
    sky_job: str | None = None
    mirror: str | None = None
    stop_asked: bool = False

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> JobRecord:
        """The inverse of `as_json`. ValueError if something is missing or of another type."""
        record = TypeAdapter(cls).validate_python(data)
        for moment in (record.started, record.ended or record.started):
            if datetime.fromisoformat(moment).tzinfo is None:
                raise ValueError(f"{moment} has no time zone")
        return record

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def read_record(run: Path) -> JobRecord | None:
    """The record of a run's newest job, or None if there was no job.

    Raises:
      JobError: the file is damaged.
    """
    path = run / JOB_RECORD
    try:
        data = read_object(path, JobError)
        return None if data is None else JobRecord.from_json(data)
    except ValueError as error:
        raise JobError(f"{path} is not a complete record of a job ({one_line(error)})") from error


def write_record(run: Path, record: JobRecord) -> None:
    """Replaces the record. The caller holds `record_lock`.

    Raises:
      JobError: the record cannot be written.
    """
    write_json(run / JOB_RECORD, record.as_json(), kind=JobError)


def update_record(run: Path, **changes: Any) -> JobRecord:
    """Changes attributes of the record; returns the new record.

    Raises:
      JobError: there is no record, or it cannot be written.
    """
    with record_lock(run):
        record = read_record(run)
        if record is None:
            raise JobError(f"{run / JOB_RECORD} is missing")
        record = replace(record, **changes)
        write_record(run, record)
        return record


@contextmanager
def record_lock(run: Path) -> Iterator[None]:
    """Keeps other processes from changing the record. Waits for the lock.

    Raises:
      JobError: the lock's file cannot be written.
    """
    path = run / JOB_LOCK
    try:
        file = open(path, "a")  # noqa: SIM115 - closed below
    except OSError as error:
        raise JobError(f"cannot write {path}: {error.strerror}") from error
    with file:
        take_lock(file, path, wait=True, kind=JobError)
        yield
