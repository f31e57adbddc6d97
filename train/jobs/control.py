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
from train.jobs import rented, slurm
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
_STOP_SECONDS = 60.0
# How long `start` waits for the training to begin. A slower one is left to begin by itself.
_BEGIN_SECONDS = 120.0

Say = Callable[[str], object]


@dataclass(frozen=True)
class JobRequest:
    """A job to start.

    Attributes:
      config: the file of the configuration.
      overrides: overrides of the configuration, each KEY=VALUE.
      backend: "local", "slurm" or "sky".
      slurm_options: options of sbatch without the leading dashes.
      sky_options: options of `sky jobs launch` without the leading dashes.
      resume_step: the checkpoint to continue from; None for the newest.
    """

    config: Path
    overrides: tuple[str, ...] = ()
    backend: str = "local"
    slurm_options: tuple[str, ...] = ()
    sky_options: tuple[str, ...] = ()
    resume_step: int | None = None


def start(request: JobRequest, say: Say) -> Path:
    """Starts a job, detached from the terminal, and waits until the training begins.

    A run that was stopped continues where it stopped. A job for Slurm or for a
    rented machine is only submitted.

    Args:
      request: the job to start.
      say: prints a sentence about what has happened.

    Returns:
      The run folder.

    Raises:
      ConfigError: the configuration cannot be used.
      EvaluationError: the run is one of those shipped with the program.
      JobError: the run is active already, nothing can be written, or the training fails before it
        begins.
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
        sky_options=request.sky_options,
    )
    training_log = run / LOG
    log_size = training_log.stat().st_size if training_log.exists() else 0
    with record_lock(run):
        _refuse_if_active(run)
        if request.backend == "slurm":
            # Written before the job is submitted. The job waits for the lock before it changes it.
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
        if request.backend == "sky":
            rented.submit(run, config, record, say)
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
            f"{run} may run already ({status.detail}); if you are sure that it does not, remove "
            f"{run / JOB_RECORD}"
        )


def _launch_supervisor(run: Path, record: JobRecord) -> ProcessIdentity:
    command = [sys.executable, "-m", "train.jobs.supervisor", str(run), "0"]
    try:
        with open(run / JOB_LOG, "ab") as log:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=record.folder,
                # In a session of its own, so that closing the terminal sends it no signal.
                start_new_session=True,
            )
    except OSError as error:
        raise JobError(f"cannot start {command[0]} for {run}: {error.strerror}") from error
    identity = ProcessIdentity.of(process.pid)
    if identity is None:
        raise JobError(f"the supervisor of {run} ended at once; see {run / JOB_LOG}")
    return identity


def _wait_for_beginning(run: Path, training_log: Path, log_size: int, name: str, say: Say) -> None:
    """Waits for the first line in the training's log, or for the end of the training."""
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
    sky_options: Sequence[str],
    say: Say,
) -> None:
    """Starts a job that continues a run from one of its checkpoints.

    The configuration is that of the run's newest job. If there was no job or the file is gone, it
    is the one in the run folder.

    Args:
      run: the run folder.
      step: the step of the checkpoint; None for the newest. Later checkpoints are removed.
      overrides: overrides of the configuration, each KEY=VALUE, after those of the newest job.
      backend: "local", "slurm", "sky" or None for the backend of the newest job.
      slurm_options: options of sbatch, after those of the newest job.
      sky_options: options of `sky jobs launch`, after those of the newest job.
      say: prints a sentence about what has happened.

    Raises:
      ConfigError, EvaluationError: see `start`.
      JobError: see `start`; or the run has no such checkpoint.
    """
    record = read_record(run)
    chosen_backend = backend or (record.backend if record is not None else "local")
    in_mirror = chosen_backend == "sky" and record is not None and record.mirror is not None
    steps = rented.steps(record) if in_mirror and record is not None else saved_steps(run)
    if not steps:
        raise JobError(f"{run} has no checkpoint to resume from; use start --config")
    if step is not None and step not in steps:
        listed = ", ".join(map(str, steps))
        raise JobError(f"{run} has no checkpoint {step}; there are {listed}")
    chosen = JobRequest(run / CONFIGURATION)
    if record is not None:
        chosen = replace(chosen, slurm_options=record.slurm_options, sky_options=record.sky_options)
        if Path(record.config).exists():
            chosen = replace(chosen, config=Path(record.config), overrides=record.overrides)
    if not chosen.config.exists():
        raise JobError(f"{run} has no {CONFIGURATION} to resume with; use start --config")
    chosen = replace(
        chosen,
        overrides=(*chosen.overrides, *overrides),
        backend=chosen_backend,
        slurm_options=(*chosen.slurm_options, *slurm_options),
        sky_options=(*chosen.sky_options, *sky_options),
        resume_step=step,
    )
    # The configuration may name another folder: the run may have been moved.
    if load_config(chosen.config, chosen.overrides).run_dir.resolve() != run.resolve():
        moved = f"checkpoint_dir={run.resolve()}"
        chosen = replace(chosen, overrides=(*chosen.overrides, moved))
    start(chosen, say)


def stop(run: Path, timeout: float | None, say: Say) -> None:
    """Stops a job with a checkpoint and waits for its end.

    Args:
      run: the run folder.
      timeout: seconds to wait; None waits as long as a stop takes.
      say: prints a sentence about what has happened.

    Raises:
      JobError: the run is not active, or has not ended in time.
    """
    status = job_status(run)
    if not status.active:
        detail = f" ({status.detail})" if status.detail else ""
        raise JobError(f"{run} does not run: it is {status.state}{detail}")
    if status.record is not None and status.record.backend == "sky" and status.training is None:
        rented.stop(run, status, timeout, say)
        return
    timeout = _STOP_SECONDS if timeout is None else timeout
    _tell_to_stop(status)
    deadline = time.monotonic() + timeout
    poll = _POLL_SECONDS if status.training is not None else _SLURM_POLL_SECONDS
    while (status := job_status(run)).active:
        if time.monotonic() > deadline:
            raise JobError(
                f"{run} was told to stop and still runs after {timeout:g} seconds "
                f"({status.detail}); it may still end by itself"
            )
        time.sleep(poll)
    steps = saved_steps(run)
    reached = f"with checkpoint {steps[-1]}" if steps else "before its first checkpoint"
    say(f"{run.name} is {status.state} {reached}")


def _tell_to_stop(status: JobStatus) -> None:
    record, training = status.record, status.training
    if record is not None and record.slurm_job is not None and training is None:
        tell = slurm.cancel if status.state is State.QUEUED else slurm.stop
        tell(record.slurm_job)
        return
    supervisor = None if record is None else record.supervisor
    told = supervisor is not None and supervisor.signal(signal.SIGUSR2)
    if not told and training is not None:
        training.signal(signal.SIGTERM)
