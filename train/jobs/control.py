"""Starts, resumes and stops jobs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bb_jax.files import timestamp
from eval.runs.layout import (
    CONFIGURATION,
    JOB_LOG,
    JOB_RECORD,
    LOG,
    refuse_shipped,
    saved_steps,
)
from train.config import load_config
from train.jobs import slurm
from train.jobs.process import ProcessIdentity, boot_id
from train.jobs.record import (
    JobError,
    JobRecord,
    read_record,
    record_lock,
    write_record,
)
from train.jobs.status import JobStatus, State, job_status, last_message

_POLL_SECONDS = 0.2
_SLURM_POLL_SECONDS = 2.0
# A training that has not begun by then (a slow file system, a large checkpoint) goes on anyhow.
_BEGIN_SECONDS = 120.0
# A job that is being stopped may be one whose training has not begun yet.
_STARTING_SECONDS = 10.0

Say = Callable[[str], object]


@dataclass(frozen=True)
class JobRequest:
    """What is to be run.

    Attributes:
      config: the configuration's file.
      overrides: KEY=VALUE each.
      backend: "local" or "slurm".
      slurm_options: of sbatch, without the leading dashes.
      resume_step: the step to go on from; None is the newest.
    """

    config: Path
    overrides: tuple[str, ...] = ()
    backend: str = "local"
    slurm_options: tuple[str, ...] = ()
    resume_step: int | None = None


def start(request: JobRequest, say: Say) -> Path:
    """Starts a job, detached from the terminal; waits until the training has begun.

    A run that was stopped goes on where it stopped. A job for Slurm is only submitted.

    Args:
      request: what to run.
      say: told in sentences what has come about.

    Returns:
      The run folder.

    Raises:
      ConfigError: the configuration cannot be used.
      EvaluationError: the folder of the run came with the program.
      JobError: the run runs already, nothing can be written, or the training ends with an error
        before it has begun.
    """
    config = load_config(request.config, request.overrides)
    run = config.run_dir.resolve()
    name = config.experiment_name
    refuse_shipped(run)
    try:
        run.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise JobError(f"cannot write to {run}: {error.strerror}") from error
    record = JobRecord(
        backend=request.backend,
        config=str(request.config.resolve()),
        overrides=request.overrides,
        folder=os.getcwd(),
        host=os.uname().nodename,
        boot=boot_id(),
        started=timestamp(),
        resume_step=request.resume_step,
        slurm_options=request.slurm_options,
    )
    training_log = run / LOG
    log_size = training_log.stat().st_size if training_log.exists() else 0
    with record_lock(run):
        _refuse_if_active(run)
        if request.backend == "slurm":
            # Before it is submitted, for it may begin at once; it waits for the lock.
            previous = read_record(run)
            write_record(run, record)
            try:
                job = slurm.submit(run, name, record.folder, run / JOB_LOG, record.slurm_options)
            except JobError:
                if previous is not None:
                    write_record(run, previous)
                raise
            write_record(run, replace(record, slurm_job=job))
            say(f"{name} is submitted to Slurm as job {job}; its log is {run / JOB_LOG}")
            return run
        supervisor = _launch_supervisor(run, record)
        write_record(run, replace(record, supervisor=supervisor))
    _wait_for_beginning(run, training_log, log_size, name, say)
    return run


def _refuse_if_active(run: Path) -> None:
    status = job_status(run)
    if status.active:
        detail = f" ({status.detail})" if status.detail else ""
        raise JobError(f"{run} is {status.state} already{detail}; stop that job first")
    if status.state is State.UNKNOWN:
        raise JobError(
            f"{run} may run already ({status.detail}); if it surely does not, remove "
            f"{run / JOB_RECORD}"
        )


def _launch_supervisor(run: Path, record: JobRecord) -> ProcessIdentity:
    command = [sys.executable, "-m", "train.jobs.supervisor", record.backend, str(run)]
    try:
        with open(run / JOB_LOG, "ab") as log:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=record.folder,
                # No terminal, so that closing one sends it nothing.
                start_new_session=True,
            )
    except OSError as error:
        raise JobError(f"cannot start {command[0]} for {run}: {error.strerror}") from error
    identity = ProcessIdentity.of(process.pid)
    if identity is None:
        raise JobError(f"the supervisor of {run} ended at once; see {run / JOB_LOG}")
    return identity


def _wait_for_beginning(run: Path, training_log: Path, log_size: int, name: str, say: Say) -> None:
    """Waits for the line that the training logs when it begins, or for its end."""
    deadline = time.monotonic() + _BEGIN_SECONDS
    while time.monotonic() < deadline:
        begun = training_log.exists() and training_log.stat().st_size > log_size
        status = job_status(run)
        if begun and status.active:
            say(f"{name} runs ({status.detail}); its log is {run / JOB_LOG}")
            return
        if not status.active:
            break
        time.sleep(_POLL_SECONDS)
    else:
        say(f"{name} is started and has not begun to train yet; its log is {run / JOB_LOG}")
        return
    if status.state is State.FINISHED:
        say(f"{name} is finished; its log is {run / JOB_LOG}")
        return
    reason = last_message(run) or status.detail
    raise JobError(f"{name} ended at once: {reason}")


def resume(
    run: Path,
    *,
    step: int | None,
    overrides: Sequence[str],
    backend: str | None,
    slurm_options: Sequence[str],
    say: Say,
) -> None:
    """Goes on with a run from one of its checkpoints, as a job.

    The configuration is that of the run's newest job or, where there was none or its file is gone,
    the one left in the run folder.

    Args:
      run: the run folder.
      step: of the checkpoint; None is the newest. Later ones are removed.
      overrides: KEY=VALUE each, after those of the newest job.
      backend: "local", "slurm" or None for that of the newest job.
      slurm_options: after those of the newest job.
      say: told in sentences what has come about.

    Raises:
      ConfigError, JobError: as in `start`; the run has no such checkpoint.
    """
    steps = saved_steps(run)
    if not steps:
        raise JobError(f"{run} has no checkpoint to resume from; start begins it anew")
    if step is not None and step not in steps:
        listed = ", ".join(map(str, steps))
        raise JobError(f"{run} has no checkpoint {step}; there are {listed}")
    record = read_record(run)
    chosen = JobRequest(run / CONFIGURATION)
    if record is not None:
        chosen = replace(chosen, backend=record.backend, slurm_options=record.slurm_options)
        if Path(record.config).exists():
            chosen = replace(chosen, config=Path(record.config), overrides=record.overrides)
    if not chosen.config.exists():
        raise JobError(f"{run} holds no {CONFIGURATION} to go on with; use start --config")
    chosen = replace(
        chosen,
        overrides=(*chosen.overrides, *overrides),
        backend=backend or chosen.backend,
        slurm_options=(*chosen.slurm_options, *slurm_options),
        resume_step=step,
    )
    # The folder may have been moved, or have been named by its path.
    if load_config(chosen.config, chosen.overrides).run_dir.resolve() != run.resolve():
        moved = f"checkpoint_dir={run.resolve()}"
        chosen = replace(chosen, overrides=(*chosen.overrides, moved))
    start(chosen, say)


def stop(run: Path, timeout: float, say: Say) -> None:
    """Stops a job with a checkpoint and waits for its end.

    Args:
      run: the run folder.
      timeout: seconds to wait.
      say: told in sentences what has come about.

    Raises:
      JobError: the run does not run, or has not ended in time.
    """
    status = job_status(run)
    if not status.active:
        detail = f" ({status.detail})" if status.detail else ""
        raise JobError(f"{run} does not run: it is {status.state}{detail}")
    _tell_to_stop(run, status)
    deadline = time.monotonic() + timeout
    poll = _POLL_SECONDS if status.training is not None else _SLURM_POLL_SECONDS
    while (status := job_status(run)).active:
        if time.monotonic() > deadline:
            raise JobError(
                f"{run} has been told to stop and still runs after {timeout:g} seconds "
                f"({status.detail}); it may yet end by itself"
            )
        time.sleep(poll)
    steps = saved_steps(run)
    reached = f"with checkpoint {steps[-1]}" if steps else "before its first checkpoint"
    say(f"{run.name} is {status.state} {reached}")


def _tell_to_stop(run: Path, status: JobStatus) -> None:
    job = status.record.slurm_job if status.record is not None else None
    if job is not None and status.training is None:
        if status.state is State.QUEUED:
            slurm.cancel(job)
        else:
            slurm.stop(job)
        return
    deadline = time.monotonic() + _STARTING_SECONDS
    while status.training is None and status.active and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
        status = job_status(run)
    if status.training is not None:
        status.training.signal(signal.SIGTERM)
    elif status.record is not None and status.record.supervisor is not None:
        status.record.supervisor.signal(signal.SIGUSR2)
