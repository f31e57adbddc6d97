"""What is noted about a run's job: `job.json` in the run folder.

It is written by the command that starts the job and by the job's supervisor, each change under a
lock, whole or not at all.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from bb_jax.errors import UserError
from bb_jax.files import read_object, write_json
from eval.runs.layout import JOB_LOCK, JOB_RECORD
from eval.runs.locks import take_lock
from train.jobs.process import ProcessIdentity


class JobError(UserError):
    """A request about a job that cannot be met; its text is one clear sentence for the user."""


@dataclass(frozen=True)
class JobRecord:
    """The newest job of a run.

    Attributes:
      backend: "local" or "slurm".
      config: absolute path of the configuration.
      overrides: KEY=VALUE each.
      folder: where the command runs.
      host: the machine that runs it; of a Slurm job that has not begun, the one it came from.
      resume_step: the step that the job is to begin with; None is the newest.
      boot: of the machine on which the job was started.
      supervisor: the process that waits for the training; None before it has begun.
      training: the training process; None before it has begun.
      started: when the job was given to the machine or to Slurm (ISO 8601, UTC).
      ended: when the training ended; None before, and where nobody was left to note it.
      exit_code: of the training, 128 + number after a signal; None as for `ended`.
      slurm_options: of sbatch, without the leading dashes, such as "time=24:00:00".
      slurm_job: Slurm's number of the job.
      requeues: how often Slurm has started the job anew.
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

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> JobRecord:
        """What `as_json` gave; KeyError, TypeError or ValueError where something is missing."""
        processes = {
            key: ProcessIdentity.from_json(data[key]) if data[key] else None
            for key in ("supervisor", "training")
        }
        lists = {key: tuple(data[key]) for key in ("overrides", "slurm_options")}
        return cls(**{**data, **processes, **lists})

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def read_record(run: Path) -> JobRecord | None:
    """The record of a run's newest job; None where no job was ever started.

    Raises:
      JobError: the file is damaged.
    """
    path = run / JOB_RECORD
    try:
        data = read_object(path, JobError)
        return None if data is None else JobRecord.from_json(data)
    except (KeyError, TypeError, ValueError) as error:
        raise JobError(f"{path} is not a complete record of a job ({error!r})") from error


def write_record(run: Path, record: JobRecord) -> None:
    """Replaces the record; the caller holds `record_lock`.

    Raises:
      JobError: the file system refuses.
    """
    write_json(run / JOB_RECORD, record.as_json(), kind=JobError)


def update_record(run: Path, **changes: Any) -> JobRecord:
    """Changes attributes of the record that is there; returns the new one.

    Raises:
      JobError: there is none, or the file system refuses.
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
    """Keeps every other process from changing the record; waits for one that does.

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
