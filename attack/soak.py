"""A training that is stopped every few random minutes: it holds no more than at first, and what it
computes is what it computes when nobody stops it."""

from __future__ import annotations

import json
import math
import os
import random
import shutil
import signal
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from attack.growth import Holding, measure, slopes
from attack.small_runs import (
    REPOSITORY,
    Command,
    end_processes,
    marked_processes,
    shared_memory,
    wait_until_gone,
)
from attack.tally import Tally
from eval.console import show
from eval.runs.layout import METRICS, saved_steps

DEFAULT_MINUTES = 20.0
# The last part of the time goes to the undisturbed training that the rows are compared with.
_UNDISTURBED = 0.2
# After its first iteration a leg lasts so many seconds at the least and at the most, and at most
# this part of the time.
_SHORTEST, _LONGEST, _PART = 10.0, 300.0, 0.12
# One leg in so many is struck within its first seconds, while it starts.
_EARLY, _EARLY_SECONDS = 6, 15.0
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGKILL)
# Seconds between two measurements, and those that a training may take to save and to end.
_EVERY, _PATIENCE = 3.0, 120.0
# Seconds until the first iteration, which is compiled.
_STARTS_FOR = 300.0

# Quickstart, lighter: everything it does comes round within a leg, exploiting and past checkpoints
# too, which it does without.
_WARM = 24
_CHANGES = {
    "total_iterations": 100_000,
    "games_per_iteration": 512,
    "games_per_group": 128,
    "buffer_size": 20_000,
    "checkpoint_frequency": 7,
    "eval_frequency": 10,
    "eval_games": 200,
    "opponent_config.current_weight": 0.3,
    "opponent_config.checkpoint_weight": 0.1,
    "opponent_config.max_checkpoints": 3,
    "use_exploit_patch": "true",
    "exploit_patch_interval": 20,
    "exploit_patch_iterations": 2,
    "exploit_patch_games": 100,
    "device": "cpu",
}
_TRIED = "soak: "
# Bytes in which the last row of metrics lies.
_LONGEST_ROWS = 65536


def attack_soak(minutes: float, seed: int) -> Tally:
    """Trains `quickstart`, a little lighter, and stops it again and again.

    Args:
      minutes: how long; the last fifth trains the same undisturbed, to compare.
      seed: how long each leg lasts, and which signal ends it, are functions of it.
    """
    if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:
        # Under nohup the training would ignore it too; what is caught here it does not inherit.
        signal.signal(signal.SIGHUP, lambda *_: None)
    top = Path(tempfile.mkdtemp(prefix="attack"))
    soak = _Soak(top, minutes, seed)
    try:
        soak.disturb()
        soak.compare_with_undisturbed()
    finally:
        end_processes(str(top))
        if not soak.tally.findings:
            shutil.rmtree(top, ignore_errors=True)
    for slope in slopes(soak.holdings, _WARM):
        show(f"soak: {slope}")
        if slope.too_steep:
            soak.find("growth", str(slope))
        else:
            outcome = "flat" if math.isfinite(slope.error) else "too short to tell"
            soak.tally.count(_TRIED + "growth", outcome)
    if soak.tally.findings:
        show(f"soak: the run is kept in {top}")
    return soak.tally


@dataclass
class _Soak:
    """A soak in progress.

    Attributes:
      rows: every row of metrics by its iteration, as it was first computed.
      holdings: what was held, in order.
      resumes: legs that went on from a checkpoint.
    """

    top: Path
    minutes: float
    seed: int
    tally: Tally = field(default_factory=Tally)
    rows: dict[int, dict[str, Any]] = field(default_factory=dict)
    holdings: list[Holding] = field(default_factory=list)
    resumes: int = 0

    def __post_init__(self) -> None:
        self._began = time.monotonic()
        self._computed: set[tuple[int, str]] = set()

    @property
    def _run(self) -> Path:
        return self.top / "run"

    def find(self, tried: str, what: str) -> None:
        show(f"FOUND soak, {tried}: {what}")
        self.tally.find(_TRIED + tried, f"soak --minutes {self.minutes:g} --seed {self.seed}", what)

    def disturb(self) -> None:
        """Trains leg after leg."""
        ends = self._began + 60 * self.minutes * (1 - _UNDISTURBED)
        leg = 0
        while time.monotonic() < ends:
            rng = random.Random(f"{self.seed}:{leg}")
            early = rng.randrange(_EARLY) == 0
            longest = min(60 * self.minutes * _PART, _LONGEST)
            seconds = rng.uniform(*((0, _EARLY_SECONDS) if early else (_SHORTEST, longest)))
            self._leg(leg, seconds, early, rng.choice(_SIGNALS))
            leg += 1
            self._report(leg)

    def compare_with_undisturbed(self) -> None:
        """Trains from the beginning for the last part of the time, in a folder of the same name."""
        self._run.rename(self.top / "disturbed")
        command = self._start("undisturbed")
        ends = time.monotonic() + 60 * self.minutes * _UNDISTURBED
        while time.monotonic() < ends and command.process.poll() is None:
            time.sleep(min(_EVERY, max(0.0, ends - time.monotonic())))
        if command.process.poll() is not None:
            code, output = command.wait()
            self.find("undisturbed", f"it ends with {code}: {output[-500:]!r}")
        end_processes(str(self.top))
        command.process.wait()
        last = self._compare("row of the undisturbed training")
        show(f"soak: the undisturbed training comes to iteration {last}")

    def _start(self, name: str) -> Command:
        settings = {**_CHANGES, "checkpoint_dir": str(self._run)}
        arguments = ["-m", "train.main", "--config", str(REPOSITORY / "configs/quickstart.yaml")]
        for key, value in settings.items():
            arguments += ["--set", f"{key}={value}"]
        # Unlike the commands that are killed while they compile, it computes for long.
        return Command(str(self.top), arguments, self.top / f"{name}.log", XLA_FLAGS="")

    def _leg(self, leg: int, seconds: float, early: bool, number: signal.Signals) -> None:
        """Starts the training, strikes it, and looks at what it left.

        Args:
          leg: its number.
          seconds: when it is struck, counted from its start if `early`, else from its first
            iteration.
          early: whether it is struck while it starts.
          number: what it is struck with.
        """
        newest = max(saved_steps(self._run), default=0)
        command = self._start("leg")
        starts = time.monotonic() + _STARTS_FOR
        while not early and time.monotonic() < starts and command.process.poll() is None:
            if self._iteration():
                break
            time.sleep(0.2)
        ends = time.monotonic() + seconds
        while (left := ends - time.monotonic()) > 0 and command.process.poll() is None:
            time.sleep(min(_EVERY, left))
            self._measure(leg, command.process.pid, newest)
        blocks = shared_memory(marked_processes(str(self.top)))
        ended_before = command.process.poll()
        if ended_before is None:
            command.process.send_signal(number)
        code, output = command.wait(_PATIENCE)
        tried = number.name
        wrong = wait_until_gone(str(self.top), blocks)
        if ended_before is not None or "Traceback" in output:
            wrong = f"leg {leg} ends by itself with {code}: {output[-500:]!r}"
        elif code not in (-number, 128 + number):
            wrong = f"leg {leg} ends with {code}: {output[-500:]!r}"
        elif newest and "begins with" in output and f"checkpoint {newest} of" not in output:
            wrong = f"leg {leg} does not begin with checkpoint {newest}: {output[:500]!r}"
        elif "begins with" in output and newest:
            self.resumes += 1
        if wrong:
            self.find(tried, wrong)
        else:
            self.tally.count(_TRIED + tried, "stopped")
        last = self._compare("row computed again")
        kept = max(saved_steps(self._run), default=0)
        if number != signal.SIGKILL and code == 128 + number and kept < last:
            self.find(tried, f"leg {leg} saved {kept} after iteration {last}")
        if kept < newest:
            self.find(tried, f"leg {leg} lost checkpoint {newest}: {kept} is the newest")

    def _measure(self, leg: int, trainer: int, newest: int) -> None:
        iteration = self._iteration()
        if iteration:
            others = [process for process in marked_processes(str(self.top)) if process != trainer]
            with suppress(OSError):
                self.holdings.append(measure(leg, iteration - newest, trainer, others))

    def _iteration(self) -> int:
        """The last iteration that this leg has completed; 0 before its first."""
        last = _last_row(self._run)
        return 0 if last is None or last in self._computed else last[0]

    def _compare(self, tried: str) -> int:
        """Compares rows that were computed again with the first; returns the last new iteration."""
        last = 0
        for iteration, row in _rows(self._run).items():
            computed = (iteration, row["time/stamp"])
            if computed in self._computed:
                continue
            self._computed.add(computed)
            last = iteration
            row = {k: v for k, v in row.items() if not k.startswith("time/")}
            known = self.rows.setdefault(iteration, row)
            if known is row:
                continue
            if known == row:
                self.tally.count(_TRIED + tried, "equal")
                continue
            keys = sorted(k for k in {*known, *row} if known.get(k) != row.get(k))
            self.find(tried, f"iteration {iteration} differs in {', '.join(keys)[:300]}")
            break
        return last

    def _report(self, legs: int) -> None:
        minutes = (time.monotonic() - self._began) / 60
        counts = ", ".join(
            f"{name.removeprefix(_TRIED)} {sum(outcomes.values())}"
            for name, outcomes in sorted(self.tally.outcomes.items())
        )
        show(
            f"soak: {minutes:.1f} min, {legs} legs, {self.resumes} resumes, iteration "
            f"{max(self.rows, default=0)}; {counts}; {len(self.tally.findings)} findings"
        )


def _rows(run: Path) -> dict[int, dict[str, Any]]:
    """The rows of a run's metrics by iteration, without a torn last line."""
    try:
        lines = (run / METRICS).read_bytes().split(b"\n")[:-1]
    except FileNotFoundError:
        return {}
    rows = [json.loads(line) for line in lines]
    return {row["iteration"]: row for row in rows}


def _last_row(run: Path) -> tuple[int, str] | None:
    """Iteration and time stamp of the last row; it reads the end of the file alone."""
    try:
        with (run / METRICS).open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _LONGEST_ROWS))
            lines = file.read().split(b"\n")[:-1]
    except FileNotFoundError:
        return None
    if not lines:
        return None
    row = json.loads(lines[-1])
    return row["iteration"], row["time/stamp"]
