"""Runs the training of a job and records how it ends: python -m train.jobs.supervisor RUN REQUEUES.

`train.jobs` starts it in a session of its own, or Slurm's batch script starts it. REQUEUES is the
number of times that Slurm has restarted the job. It lives as long as the training, so it imports
nothing heavy. Signals:

  SIGUSR2   stops the training with a checkpoint.
  SIGTERM, SIGINT   do the same after a while. A shutdown or scancel sends them to every process,
            and a training that gets a second one ends without saving. So the training is only
            told if it still runs by then.
  SIGHUP    is ignored: the job outlives its terminal.

If the supervisor is killed, the training goes on, but its exit code stays unknown.
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
from contextlib import suppress
from pathlib import Path
from typing import Any

from bb_jax.files import timestamp
from train.jobs.process import ProcessIdentity, boot_id
from train.jobs.record import JobError, JobRecord, update_record

# A training ends within 20 seconds of a signal. One that still runs by then did not get it.
_FORWARD_AFTER_SECONDS = 25.0
_NOT_STARTED = 127
_FORWARDED = (signal.SIGTERM, signal.SIGINT)


def main() -> int:
    """Supervises the job that is recorded in the run folder."""
    run, requeues = sys.argv[1:]
    try:
        return _supervise(Path(run), int(requeues))
    except JobError as error:
        _say(f"error: {error}")
        return 2


def training_command(record: JobRecord) -> list[str]:
    """The command of the training."""
    command = [sys.executable, "-m", "train.main", "--config", record.config]
    for override in record.overrides:
        command += ["--set", override]
    # A job that Slurm restarts continues from its newest checkpoint.
    if record.resume_step is not None and record.requeues == 0:
        command += ["--resume", str(record.resume_step)]
    return command


def _supervise(run: Path, requeues: int) -> int:
    events: queue.SimpleQueue[int | signal.Signals] = queue.SimpleQueue()
    for number in (*_FORWARDED, signal.SIGUSR2):
        signal.signal(number, lambda received, _: events.put(signal.Signals(received)))
    # The training inherits that a signal is ignored, but not a handler.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)

    record = update_record(
        run,
        supervisor=ProcessIdentity.of(os.getpid()),
        training=None,
        host=os.uname().nodename,
        boot=boot_id(),
        ended=None,
        exit_code=None,
        requeues=requeues,
    )
    command = training_command(record)
    _say(shlex.join(["python", *command[1:]]))
    try:
        training = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, env=os.environ | {"PYTHONUNBUFFERED": "1"}
        )
    except OSError as error:
        _say(f"error: cannot run {command[0]}: {error.strerror}")
        _note(run, exit_code=_NOT_STARTED, ended=timestamp())
        return _NOT_STARTED
    _note(run, training=ProcessIdentity.of(training.pid))
    threading.Thread(target=lambda: events.put(training.wait()), daemon=True).start()
    return_code = _wait(training, events)
    code = return_code if return_code >= 0 else 128 - return_code
    _say(f"ended with exit code {code}")
    _note(run, exit_code=code, ended=timestamp())
    return code


def _wait(
    training: subprocess.Popen[bytes], events: queue.SimpleQueue[int | signal.Signals]
) -> int:
    """Passes signals on to the training until it ends; returns its return code."""
    told = False
    deadline: float | None = None
    while True:
        try:
            timeout = None if deadline is None else max(0.0, deadline - time.monotonic())
            event = events.get(timeout=timeout)
        except queue.Empty:
            event = signal.SIGUSR2
        if not isinstance(event, signal.Signals):
            return event
        if told:
            continue
        if event in _FORWARDED:
            deadline = deadline or time.monotonic() + _FORWARD_AFTER_SECONDS
            continue
        told, deadline = True, None
        training.send_signal(signal.SIGTERM)


def _note(run: Path, **changes: Any) -> None:
    """Changes the record. The training goes on even if the disk is full."""
    try:
        update_record(run, **changes)
    except JobError as error:
        _say(f"error: {error}")


def _say(text: str) -> None:
    """Writes a line to the job's log. The training goes on even if the disk is full."""
    with suppress(OSError):
        os.write(sys.stdout.fileno(), f"[{timestamp()}] {text}\n".encode())


if __name__ == "__main__":
    sys.exit(main())
