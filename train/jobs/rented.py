"""Jobs on rented machines: what SkyPilot does for them, and what the run's mirror does.

The machine's disk is gone with the machine, so the run lives in its mirror. There its steps are
listed, its newest metrics are fetched, and the training is told to stop.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from eval.runs.layout import (
    CONFIGURATION,
    FINAL_EVALUATION,
    JOB_LOG,
    MANIFEST,
    METRICS,
    SUMMARY,
    saved_steps,
)
from train.config import Config
from train.jobs import sky
from train.jobs.record import JobError, JobRecord, read_record, update_record, write_record
from train.jobs.status import JobStatus, State, job_status
from train.mirror.mirror import Mirror
from train.mirror.storage import MirrorError, Storage

# A training looks for a request every quarter of a minute; SkyPilot gives the machine back after.
_STOP_SECONDS = 600.0
_POLL_SECONDS = 5.0

Say = Callable[[str], object]


def submit(run: Path, config: Config, record: JobRecord, say: Say) -> None:
    """Submits the job of a record, and writes the record. The caller holds `record_lock`.

    Args:
      run: the run's folder here, for the record, the log and fetched metrics.
      config: the run's configuration.
      record: the job, without a name yet.
      say: called with a sentence.

    Raises:
      JobError: there is no mirror in a bucket, or see `sky.submit`.
      MirrorError: the run's folder has steps, or is to go back to one, and the mirror cannot be
        reached from here.
    """
    if config.mirror is None:
        raise JobError(
            "a rented machine needs a mirror, since its disk goes with it; give the key mirror, "
            "such as --set mirror=s3://BUCKET/runs"
        )
    storage = f"{config.mirror.rstrip('/')}/{config.experiment_name}"
    own = saved_steps(run)
    if own or record.resume_step is not None:
        mirror = Mirror(Storage(config.mirror, config.experiment_name))
        there = mirror.steps()
        if own and own[-1] > max(there, default=-1):
            raise JobError(
                f"checkpoint {own[-1]} of {run} is not in the mirror, where the rented machine "
                f"begins; `python -m train.mirror copy {run} {storage}` puts it there"
            )
        if record.resume_step is not None:
            mirror.remove_after(record.resume_step)
    previous = read_record(run)
    name = sky.new_name(config.experiment_name)
    record = replace(record, mirror=storage, sky_job=name)
    # Written before the job is submitted, so that whatever happens then, it can be stopped.
    write_record(run, record)
    say(f"submitting {name} to SkyPilot, which takes some minutes the first time")
    try:
        sky.submit(
            name,
            Path(record.config),
            record.overrides,
            config.mirror,
            run / JOB_LOG,
            record.sky_options,
        )
    except JobError:
        write_record(run, previous or replace(record, sky_job=None))
        raise
    say(f"{config.experiment_name} is submitted to SkyPilot as job {name}; its mirror is {storage}")


def steps(record: JobRecord) -> list[int]:
    """The checkpoints in the mirror of a job.

    Raises:
      MirrorError: the mirror cannot be reached from here.
    """
    return _mirror(record).steps()


def fetch_records(run: Path, note: Say) -> None:
    """Brings the run's metrics and tables here up to the newest checkpoint in its mirror.

    Nothing is fetched for a run that was not trained on a rented machine, or that has checkpoints
    here.

    Args:
      run: the run's folder.
      note: called with a sentence where the mirror cannot be reached from here.
    """
    record = read_record(run)
    if record is None or record.sky_job is None or record.mirror is None or saved_steps(run):
        return
    names = (METRICS, SUMMARY, MANIFEST, CONFIGURATION, FINAL_EVALUATION)
    try:
        _mirror(record).fetch(names, run)
    except MirrorError as error:
        note(f"{error}, so the metrics shown may be old")


def stop(run: Path, status: JobStatus, timeout: float | None, say: Say) -> None:
    """Stops a job with a checkpoint, and waits until its machine is given back.

    A job that has no machine yet is cancelled. So is one whose mirror cannot be reached from here,
    since the machine costs money; it goes on from its newest checkpoint.

    Raises:
      JobError: it has not ended in time, or SkyPilot does not answer.
    """
    record = status.record
    assert record is not None and record.sky_job is not None
    timeout = _STOP_SECONDS if timeout is None else timeout
    update_record(run, stop_asked=True)
    cancelled = status.state is not State.RUNNING
    if not cancelled:
        try:
            _mirror(record).request_stop()
        except MirrorError as error:
            say(f"{error}, so the job is cancelled: it has what was copied to its mirror")
            cancelled = True
    if cancelled:
        sky.cancel(record.sky_job)
    deadline = time.monotonic() + timeout
    while (status := job_status(run)).active:
        if time.monotonic() > deadline:
            raise JobError(
                f"{run} was told to stop and still runs after {timeout:g} seconds "
                f"({status.detail}); `sky jobs cancel -n {record.sky_job}` ends it at once"
            )
        time.sleep(min(_POLL_SECONDS, timeout))
    reached = ""
    try:
        there = steps(record)
        reached = f" with checkpoint {there[-1]}" if there else " before its first checkpoint"
    except MirrorError as error:
        say(str(error))
    say(f"{run.name} is {status.state}{reached}")


def _mirror(record: JobRecord) -> Mirror:
    assert record.mirror is not None
    return Mirror(Storage(record.mirror))
