"""Runs the training of a job and notes how it ends: python -m train.jobs.supervisor BACKEND RUN.

Started by `train.jobs`, in a session of its own or as a Slurm batch script. Nothing heavy is
imported, for it lives as long as the training. Signals:

  SIGUSR1   the time limit is near: the training stops with a checkpoint, and Slurm is asked to
            start the job again, which goes on from there.
  SIGUSR2   the training stops with a checkpoint, for good.
  SIGTERM, SIGINT   as SIGUSR2, but only where the training still runs after a while. Whoever sends
            them (a shutdown, scancel) mostly sends them to every process, and the training takes a
            second one as a wish to end without saving.
  SIGHUP    nothing: the job survives its terminal.

If it is killed, the training goes on; only its exit code stays unknown.
"""

from __future__ import annotations

import os
import queue
import shlex
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from bb_jax.files import timestamp
from train.jobs.process import ProcessIdentity, boot_id
from train.jobs.record import JobError, JobRecord, update_record
from train.jobs.slurm import requeue

# The training is out within 20 seconds of a signal; one that is not has not been told.
_FORWARD_AFTER_SECONDS = 25.0
_NOT_STARTED = 127
_FORWARDED = (signal.SIGTERM, signal.SIGINT)
# How often, and how long after one another, the end is tried to be noted on a full disk.
_NOTE_ATTEMPTS, _NOTE_SECONDS = 30, 10.0


def main() -> int:
    """Supervises the job recorded in the run folder that is the second argument."""
    backend, run = sys.argv[1:]
    try:
        return _supervise(Path(run), in_slurm=backend == "slurm")
    except JobError as error:
        _say(f"error: {error}")
        return 2


def training_command(record: JobRecord) -> list[str]:
    """The command that trains, as the job's supervisor runs it."""
    command = [sys.executable, "-m", "train.main", "--config", record.config]
    for override in record.overrides:
        command += ["--set", override]
    # A job that Slurm starts anew goes on from what it had reached.
    if record.resume_step is not None and record.requeues == 0:
        command += ["--resume", str(record.resume_step)]
    return command


def _supervise(run: Path, in_slurm: bool) -> int:
    events: queue.SimpleQueue[int | signal.Signals] = queue.SimpleQueue()
    for number in (*_FORWARDED, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, lambda received, _: events.put(signal.Signals(received)))
    # Ignored, unlike handled, signals stay ignored in the training.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)

    changes: dict[str, Any] = {}
    if in_slurm:
        changes["slurm_job"] = os.environ["SLURM_JOB_ID"]
        changes["requeues"] = int(os.environ.get("SLURM_RESTART_COUNT", "0"))
    record = update_record(
        run,
        supervisor=ProcessIdentity.own(),
        training=None,
        host=os.uname().nodename,
        boot=boot_id(),
        ended=None,
        exit_code=None,
        **changes,
    )
    command = training_command(record)
    _say(shlex.join(["python", *command[1:]]))
    try:
        training = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, env=os.environ | {"PYTHONUNBUFFERED": "1"}
        )
    except OSError as error:
        _say(f"error: cannot run {command[0]}: {error.strerror}")
        _note_end(run, _NOT_STARTED)
        return _NOT_STARTED
    try:
        update_record(run, training=ProcessIdentity.of(training.pid))
    except JobError as error:
        # It trains all the same, and is stopped through its supervisor.
        _say(f"error: {error}")
    threading.Thread(target=lambda: events.put(training.wait()), daemon=True).start()

    return_code, time_is_up = _wait(training, events)
    code = return_code if return_code >= 0 else 128 - return_code
    _say(f"ended with exit code {code}")
    _note_end(run, code)
    if in_slurm and time_is_up and code in (128 + number for number in _FORWARDED):
        _say("the time limit is near; the job is put into the queue again")
        requeue(changes["slurm_job"])
    return code


def _wait(
    training: subprocess.Popen[bytes], events: queue.SimpleQueue[int | signal.Signals]
) -> tuple[int, bool]:
    """Waits for the training's return code, and says whether a time limit ended it."""
    told = time_is_up = False
    deadline: float | None = None
    while True:
        try:
            timeout = None if deadline is None else max(0.0, deadline - time.monotonic())
            event = events.get(timeout=timeout)
        except queue.Empty:
            event = signal.SIGUSR2
        if not isinstance(event, signal.Signals):
            return event, time_is_up
        if told:
            continue
        if event in _FORWARDED:
            deadline = deadline or time.monotonic() + _FORWARD_AFTER_SECONDS
            continue
        told, deadline, time_is_up = True, None, event is signal.SIGUSR1
        training.send_signal(signal.SIGTERM)


def _note_end(run: Path, code: int) -> None:
    """Records the exit code, with patience: the disk may be full for a while."""
    changes: dict[str, Any] = {"exit_code": code, "ended": timestamp()}
    for attempt in range(_NOTE_ATTEMPTS):
        try:
            update_record(run, **changes)
            return
        except JobError as error:
            if attempt == 0:
                _say(f"error: {error}")
            time.sleep(_NOTE_SECONDS)


def _say(text: str) -> None:
    """Leaves a line in the job's log; a full disk must not end the supervisor."""
    try:
        print(f"[{timestamp()}] {text}", flush=True)
    except OSError:
        # What the buffer still holds must not fail again when the interpreter ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    sys.exit(main())
