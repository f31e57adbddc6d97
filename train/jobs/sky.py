"""SkyPilot's command `sky`: it rents a machine for a job, shows the job and ends it.

A job is one of SkyPilot's managed jobs: where its machine is taken away, another is rented, and the
training goes on there from its mirror. `cloud/sky.yaml` says what is rented and what runs there.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from eval.console import show
from train.jobs.record import JobError

CHECKOUT = Path(__file__).parents[2]
_TASK = CHECKOUT / "cloud" / "sky.yaml"
_TIMEOUT_SECONDS = 120
# SkyPilot's kinds of buckets, by the URL's beginning.
_STORES = {"s3": "s3", "gs": "gcs", "gcs": "gcs"}
_WAITING = {"PENDING", "SUBMITTED", "WINDING_UP"}
_STARTING = {"STARTING", "RECOVERING"}
_RUNNING = {"RUNNING", "CANCELLING", "WINDING_DOWN"}


@dataclass(frozen=True)
class SkyJob:
    """The state of a managed job.

    Attributes:
      state: SkyPilot's word for the state, such as RUNNING.
      where: the cloud and region of its machine; empty before there is one.
      recoveries: how often its machine was replaced.
      reason: why it failed or waits; may be empty.
    """

    state: str
    where: str = ""
    recoveries: int = 0
    reason: str = ""

    @property
    def waiting(self) -> bool:
        return self.state in _WAITING

    @property
    def starting(self) -> bool:
        return self.state in _STARTING

    @property
    def running(self) -> bool:
        return self.state in _RUNNING

    @property
    def failed(self) -> bool:
        return self.state.startswith("FAILED")


def new_name(experiment: str) -> str:
    """A name for a job that no other one has; SkyPilot takes few characters."""
    plain = re.sub(r"[^a-z0-9]+", "-", experiment.lower()).strip("-")[:24]
    return f"{plain or 'run'}-{datetime.now(UTC):%m%d-%H%M%S}"


def submit(
    name: str,
    config: Path,
    overrides: Sequence[str],
    mirror: str,
    log: Path,
    options: Sequence[str],
) -> None:
    """Submits a training; returns once SkyPilot has taken it.

    Args:
      name: the job's name, from `new_name`.
      config: the configuration's file, in this checkout: the checkout is what the machine gets.
      overrides: overrides of the configuration, each KEY=VALUE.
      mirror: URL of the folder of mirrors, in a bucket.
      log: the file to which SkyPilot's words are appended.
      options: options of `sky jobs launch` without the leading dashes, such as "gpus=L4:1".

    Raises:
      JobError: SkyPilot is missing or refuses the job, the file lies elsewhere, or the mirror is in
        no bucket.
    """
    if not _TASK.exists():
        raise JobError(f"a rented machine gets a checkout of the project, and {_TASK} is missing")
    if not config.is_relative_to(CHECKOUT):
        raise JobError(
            f"a rented machine gets the folder {CHECKOUT}, and {config} lies elsewhere; copy it to "
            f"{CHECKOUT / 'configs'}"
        )
    kind, _, rest = mirror.partition("://")
    if kind not in _STORES:
        known = ", ".join(f"{kind}://" for kind in _STORES)
        raise JobError(
            f"a rented machine needs a mirror in a bucket ({known}), and the mirror is {mirror}"
        )
    words = [word for override in overrides for word in ("--set", override)]
    # On its own disk, whatever the run's folder is called here.
    words += ["--set", "checkpoint_dir=null"]
    variables = {
        "CONFIG": str(config.relative_to(CHECKOUT)),
        "OVERRIDES": shlex.join(words),
        "MIRROR": mirror,
        "BUCKET": rest.partition("/")[0],
        "STORE": _STORES[kind],
    }
    command = ["sky", "jobs", "launch", str(_TASK), f"--name={name}", "--detach-run", "--yes"]
    for variable, value in variables.items():
        command += ["--env", f"{variable}={value}"]
    command += [f"--{option}" for option in options]
    try:
        with open(log, "ab") as output:
            begins = output.tell()
            # The first job of an account waits for SkyPilot's own machine, some minutes.
            code = subprocess.run(
                command,
                cwd=CHECKOUT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            ).returncode
    except OSError as error:
        raise JobError(_cannot_run(error)) from None
    if code:
        with open(log, "rb") as output:
            output.seek(begins)
            raise JobError(f"sky refuses the job: {_last_line(output.read())}; see {log}")


def ask(name: str) -> SkyJob | None:
    """The state of a job, or None if SkyPilot does not know it.

    Raises:
      JobError: SkyPilot is missing or does not answer.
    """
    printed = _run(["jobs", "queue", "--all", "--output=json"])
    # Warnings may stand before it.
    begins = re.search(r"^\[", printed, re.MULTILINE)
    try:
        jobs = json.loads(printed[begins.start() :]) if begins else None
        if not isinstance(jobs, list):
            raise ValueError("it is no list")
        found = [job for job in jobs if isinstance(job, dict) and job.get("job_name") == name]
    except ValueError as error:
        raise JobError(f"sky answered with {printed!r:.80}, which is no queue") from error
    return _job(found[0]) if found else None


def _job(values: Mapping[str, Any]) -> SkyJob:
    reason = values.get("failure_reason") or values.get("details") or ""
    known = {key: values.get(key) for key in ("infra", "cloud", "region")}
    said = {key: str(value) for key, value in known.items() if value not in (None, "", "-")}
    where = said.get("infra") or " ".join(said.values())
    recoveries = values.get("recovery_count") or 0
    state = str(values.get("status") or "PENDING")
    return SkyJob(state, where, recoveries, " ".join(str(reason).split()))


def cancel(name: str) -> None:
    """Ends a job and gives its machine back; what it has copied to its mirror stays."""
    _run(["jobs", "cancel", f"--name={name}", "--yes"])


def log(name: str, lines: int) -> str:
    """The end of what a job has printed; a sentence where there is nothing yet."""
    return _run(["jobs", "logs", f"--name={name}", "--no-follow", f"--tail={lines}"])


def follow(name: str) -> None:
    """Prints what a job prints, until it ends or the reader goes away.

    Raises:
      JobError: SkyPilot is missing.
    """
    command = ["sky", "jobs", "logs", f"--name={name}", "--tail=0"]
    try:
        with subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        ) as process:
            assert process.stdout is not None
            for line in process.stdout:
                if not show(line.decode(errors="replace"), end=""):
                    process.terminate()
                    break
    except OSError as error:
        raise JobError(_cannot_run(error)) from None


def _run(arguments: Sequence[str]) -> str:
    """Runs `sky`; returns its standard output.

    Raises:
      JobError: it is missing, fails or does not end.
    """
    what = " ".join(["sky", *arguments[:2]])
    try:
        done = subprocess.run(
            ["sky", *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_TIMEOUT_SECONDS,
        )
    except OSError as error:
        raise JobError(_cannot_run(error)) from None
    except subprocess.TimeoutExpired:
        raise JobError(f"`{what}` did not answer within {_TIMEOUT_SECONDS} seconds") from None
    if done.returncode:
        raise JobError(f"`{what}` failed: {_last_line(done.stderr or done.stdout)}")
    return done.stdout.decode(errors="replace")


def _cannot_run(error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return (
            "`sky` is not on this machine, so no machine can be rented; docs/rented-machines.md "
            "says how to install it"
        )
    return f"`sky` cannot be run: {error.strerror}"


def _last_line(printed: bytes) -> str:
    lines = [line.strip() for line in printed.decode(errors="replace").splitlines()]
    return next((line for line in reversed(lines) if line), "it says nothing")
