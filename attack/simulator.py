"""Fuzzes the simulator under sanitizers: no crash, no report, no hang, nothing silently wrong.

The calls are made by `attack.simulator_fuzz` in a process of their own, on a copy of the simulator
that scripts/sanitize.sh builds. Where the process ends, the case that it was at is a finding, and
the next process goes on behind it.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from attack.small_runs import REPOSITORY
from attack.tally import Tally
from bb_jax.errors import UserError
from eval.console import show

DEFAULT_MINUTES = 10.0
# Seconds of computing, and seconds by the clock, after which a case hangs. On a busy machine the
# clock says more about others.
_HANGS, _HANGS_BY_CLOCK = 30.0, 600.0
# Larger blocks of memory are refused, as on a machine that is full.
_LARGEST_BLOCK_MB = 1000
_REPORT = ("ERROR: AddressSanitizer", "runtime error:", "Sanitizer:DEADLYSIGNAL")
# Findings of a function that are told one by one.
_MOST_FINDINGS = 5


def attack_simulator(minutes: float, seed: int, only: int | None = None) -> Tally:
    """Calls the simulator's public functions with hostile arguments.

    Args:
      minutes: how long, without the time that the build takes.
      seed: case i is a function of the seed and i.
      only: the number of the one case to try.
    """
    fuzz = _Fuzz(_build(), seed)
    ends = time.monotonic() + 60 * minutes
    first, said = only or 0, time.monotonic()
    while True:
        left = ends - time.monotonic() if only is None else 3600.0
        if left <= 0:
            break
        number = fuzz.run(first, left, 1 if only is not None else 10**9)
        if only is not None:
            break
        first = number
        if time.monotonic() - said > 60 or time.monotonic() >= ends:
            said = time.monotonic()
            show(f"simulator: {first} cases, {len(fuzz.tally.findings)} findings")
    return fuzz.tally


@dataclass(frozen=True)
class _Copy:
    """The copy of the simulator with sanitizers.

    Attributes:
      folder: where it lies.
      environment: what a process that imports it needs.
    """

    folder: str
    environment: dict[str, str]


def _build() -> _Copy:
    code = "import json, os; print(json.dumps([os.getcwd(), dict(os.environ)]))"
    limits = f"allocator_may_return_null=1:max_allocation_size_mb={_LARGEST_BLOCK_MB}"
    done = subprocess.run(
        ["sh", "scripts/sanitize.sh", "--python", "-c", code],
        cwd=REPOSITORY, env=os.environ | {"ASAN_OPTIONS": limits}, capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode:
        raise UserError(f"the simulator cannot be built with sanitizers: {done.stderr[-300:]!r}")
    return _Copy(*json.loads(done.stdout.splitlines()[-1]))


class _Fuzz:
    """The cases so far.

    Attributes:
      tally: their outcomes.
    """

    def __init__(self, copy: _Copy, seed: int):
        self.tally = Tally()
        self._copy = copy
        self._seed = seed
        self._found: Counter[str] = Counter()

    def run(self, first: int, seconds: float, most: int) -> int:
        """Runs a process until it ends.

        Args:
          first: the first case.
          seconds: how long.
          most: the number of cases.

        Returns:
          The next case.
        """
        with tempfile.TemporaryDirectory(prefix="attack") as name:
            progress, output = Path(name) / "progress", Path(name) / "output"
            errors = Path(name) / "errors"
            command = [
                sys.executable, "-m", "attack.simulator_fuzz",
                "--seed", str(self._seed), "--first", str(first), "--seconds", str(seconds),
                "--most", str(most), "--progress", str(progress),
            ]  # fmt: skip
            with output.open("wb") as out, errors.open("wb") as err:
                process = subprocess.Popen(
                    command, cwd=self._copy.folder, env=self._copy.environment,
                    stdout=out, stderr=err, start_new_session=True,
                )  # fmt: skip
                hangs = _wait(process, progress, first)
            ended = self._read(output)
            if ended is not None and not hangs:
                return ended
            number, target = _position(progress, first)
            report = _report(errors.read_text(errors="replace"))
            ending = "it hangs" if hangs else f"exit code {process.returncode}"
            self._find(target, number, f"{target}: {ending}; {report}")
            return number + 1

    def _read(self, output: Path) -> int | None:
        """Adds what a process reported; returns the number behind its last case, if it ended."""
        for line in output.read_text(errors="replace").splitlines():
            try:
                report: dict[str, Any] = json.loads(line)
            except ValueError:
                continue  # the process was killed while it wrote
            for outcome, times in report.get("counts", {}).items():
                target, _, how = outcome.rpartition(" ")
                self.tally.count(_tried(target), how, times)
            if "found" in report:
                self._find(*report["found"])
            if "ended" in report:
                return int(report["ended"])
        return None

    def _find(self, target: str, number: int, what: str) -> None:
        tried = _tried(target)
        self._found[target] += 1
        if self._found[target] <= _MOST_FINDINGS:
            show(f"FOUND {tried}, case {number}: {what}")
            self.tally.find(tried, f"simulator --seed {self._seed} --only {number}", what)
        else:
            self.tally.count(tried, "found")


def _wait(process: subprocess.Popen[bytes], progress: Path, first: int) -> bool:
    """Waits until a process ends; whether it was at one case for too long and was killed."""
    at, since = _position(progress, first), (_computed(process.pid), time.monotonic())
    while process.poll() is None:
        time.sleep(0.2)
        now = _position(progress, first)
        computed, clock = _computed(process.pid), time.monotonic()
        if now != at:
            at, since = now, (computed, clock)
        elif computed > since[0] + _HANGS or clock > since[1] + _HANGS_BY_CLOCK:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return True
    return False


def _computed(process: int) -> float:
    """Seconds that a process has computed; 0 if it has ended."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _position(progress: Path, first: int) -> tuple[int, str]:
    """The case that a process is at, and its target."""
    try:
        number, target = progress.read_text().split()
    except (OSError, ValueError):
        return first, "the start"
    return int(number), target


def _report(errors: str) -> str:
    """The line of a sanitizer's report that says what is wrong, and where in the simulator."""
    lines = errors.splitlines()
    for i, line in enumerate(lines):
        if any(mark in line for mark in _REPORT):
            where = [at.strip() for at in lines[i + 1 :] if "bb_sim" in at]
            return " ".join([line.strip(), *where[:2]])[:600]
    return errors[-300:]


def _tried(target: str) -> str:
    """The kind of attack: the functions of a module together."""
    return f"simulator: {target.rpartition('.')[0] or target}"
