"""What `train.jobs` shows of runs: one line each, a page of one, and its log as it grows."""

from __future__ import annotations

import os
import shlex
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from bb_jax.errors import EvaluationError
from bb_jax.files import open_regular, read_object
from eval.console import duration, show
from eval.runs.layout import CONFIGURATION, JOB_LOG, LOG, METRICS, is_run, saved_steps
from eval.runs.metric_keys import MEAN_WIN_RATE, opponent_of
from eval.runs.metrics_file import MetricsError, Row, read_metrics
from eval.text_table import plain_text, text_table
from train.jobs import sky
from train.jobs.record import JobError, read_record
from train.jobs.status import JobStatus, State, job_status
from train.jobs.supervisor import training_command

# The number of iterations whose mean duration gives the time left.
_RECENT = 20
_FOLLOW_SECONDS = 0.5
# Querying the state of a job costs more than reading its log.
_STATUS_SECONDS = 2.0
_METRICS = {
    "train/policy_loss": "policy loss",
    "train/value_loss": "value loss",
    "train/entropy": "entropy",
    "train/kl": "KL",
    "train/clip_fraction": "clip fraction",
    "train/explained_variance": "explained variance",
    "train/grad_norm_pre_clip": "gradient norm",
    "train/learning_rate": "learning rate",
    "train/skipped_updates": "skipped updates",
    "time/games_per_second": "games a second",
    "total/games": "games in total",
}
_METRICS_A_LINE = 2


@dataclass(frozen=True)
class Progress:
    """The progress of a run.

    Attributes:
      iteration: completed iterations; None if the metrics cannot be read.
      total: the iterations of the whole run; None if unknown.
      seconds_left: the time left at the pace of the last iterations; None if unknown.
      row: the metrics of the last iteration; empty if there are none.
      evaluation: the newest metrics with an evaluation; empty if there are none.
      damage: what is wrong with the metrics; empty if nothing is.
    """

    iteration: int | None
    total: int | None
    seconds_left: float | None
    row: Row
    evaluation: Row
    damage: str = ""

    @property
    def mean_win_rate(self) -> float | None:
        value = self.evaluation.get(MEAN_WIN_RATE)
        return float(value) if isinstance(value, int | float) else None

    @property
    def done(self) -> str:
        """Completed and total iterations, such as 120/600."""
        iteration = "?" if self.iteration is None else str(self.iteration)
        return f"{iteration}/{'?' if self.total is None else self.total}"


def progress(run: Path) -> Progress:
    """The progress of a run, from its metrics and its configuration."""
    total = None
    with suppress(EvaluationError):
        total = (read_object(run / CONFIGURATION) or {}).get("total_iterations")
    damage: list[str] = []
    try:
        rows = read_metrics(run, damage.append) if (run / METRICS).exists() else []
    except MetricsError as error:
        return Progress(None, total, None, {}, {}, str(error))
    if not rows:
        return Progress(0, total, None, {}, {}, *damage)
    iteration = rows[-1]["iteration"]
    assert isinstance(iteration, int)
    seconds = [
        value for row in rows[-_RECENT:] if isinstance(value := row.get("time/seconds"), float)
    ]
    left = None
    if seconds and total is not None:
        left = max(0, total - iteration) * sum(seconds) / len(seconds)
    evaluation: Row = next((row for row in reversed(rows) if MEAN_WIN_RATE in row), {})
    return Progress(iteration, total, left, rows[-1], evaluation, *damage)


def list_runs(root: Path) -> str:
    """A table of all runs in a folder."""
    # Unlike Path.is_dir it takes any text, however long.
    folders = sorted(root.iterdir()) if os.path.isdir(root) else []
    runs = [run for run in folders if is_run(run)]
    if not runs:
        return f"There are no runs in {root}."
    table = text_table(gap=2)
    table.add_column("run", overflow="fold")
    table.add_column("state", no_wrap=True)
    for header in ("iteration", "mean win %", "time left"):
        table.add_column(header, justify="right", no_wrap=True)
    damages: list[str] = []
    for run in runs:
        try:
            state = job_status(run).state
        except JobError:
            state = State.UNKNOWN
        reached = progress(run)
        damages += filter(None, [reached.damage])
        rate = reached.mean_win_rate
        left = reached.seconds_left if state is State.RUNNING else None
        table.add_row(
            run.name,
            str(state),
            reached.done,
            "" if rate is None else f"{100 * rate:.1f}",
            "" if left is None else duration(left),
        )
    return "\n".join([plain_text(table), *damages])


def describe(run: Path, status: JobStatus) -> str:
    """A run's state, progress and command, over several lines."""
    reached, record = progress(run), status.record
    lines = {"iteration": reached.done}
    if status.state is State.RUNNING and reached.seconds_left is not None:
        lines["time left"] = f"about {duration(reached.seconds_left)}"
    if reached.mean_win_rate is not None:
        at = f"mean at iteration {reached.evaluation['iteration']}"
        lines["win rate"] = f"{100 * reached.mean_win_rate:.1f} %, {at}"
    if steps := saved_steps(run):
        lines["checkpoints"] = ", ".join(map(str, steps))
    if reached.damage:
        lines["metrics"] = reached.damage
    if record is not None:
        lines["started"] = _local_time(record.started)
        if record.ended is not None:
            lines["ended"] = _local_time(record.ended)
        if record.exit_code is not None:
            lines["exit code"] = str(record.exit_code)
        lines["command"] = shlex.join(["python", *training_command(record)[1:]])
        if record.mirror is not None:
            lines["mirror"] = record.mirror
        lines["log"] = str(run / JOB_LOG)
    body = "\n".join(f"  {name:<12} {value}" for name, value in lines.items())
    return f"{headline(run, status)}\n{body}"


def headline(run: Path, status: JobStatus) -> str:
    """Such as "quickstart: running (process 123)"."""
    return f"{run.name}: {status.state}" + (f" ({status.detail})" if status.detail else "")


def metrics_text(run: Path) -> str:
    """The main metrics of the last iteration, and the newest win rates."""
    reached = progress(run)
    if not reached.row:
        return "There are no metrics yet."
    cells = [
        f"{label:<20}{_number(value):>12}"
        for key, label in _METRICS.items()
        if isinstance(value := reached.row.get(key), int | float)
    ]
    lines = [f"Metrics of iteration {reached.iteration}:", *_in_columns(cells, _METRICS_A_LINE)]
    rates = [
        f"{opponent:<20}{100 * value:>12.1f}"
        for key, value in reached.evaluation.items()
        if (opponent := opponent_of(key, "eval", "win_rate")) and isinstance(value, float)
    ]
    if rates:
        lines.append(f"Win rates in percent at iteration {reached.evaluation['iteration']}:")
        lines += _in_columns(rates, _METRICS_A_LINE)
    return "\n".join(lines)


def _in_columns(cells: Sequence[str], columns: int) -> Iterator[str]:
    for start in range(0, len(cells), columns):
        yield "  " + "    ".join(cells[start : start + columns])


class Log(Protocol):
    """The log of a job.

    Attributes:
      name: names it in messages.
    """

    name: str

    def read(self, lines: int) -> str:
        """The log, or its end: at least so many lines, as far as there are any."""
        ...

    def follow(self) -> JobStatus:
        """Prints what is added until the job ends or nobody reads; returns the job's status."""
        ...


def log_of(run: Path) -> Log:
    """The log of a run's newest job. Without a job it is the training's own log."""
    record = read_record(run)
    if record is not None and record.sky_job is not None:
        return _RentedLog(run, record.sky_job)
    return _LogFile(run)


class _LogFile:
    """A log on this machine, or on a disk that it shares."""

    def __init__(self, run: Path) -> None:
        self._run = run
        paths = (run / JOB_LOG, run / LOG)
        self._path = next((path for path in paths if path.exists()), run / JOB_LOG)
        self.name = str(self._path)
        self._position = 0

    def read(self, lines: int) -> str:
        return self._read_on()

    def follow(self) -> JobStatus:
        checked = -_STATUS_SECONDS
        status = job_status(self._run)
        while show(self._read_on(), end="") and status.active:
            time.sleep(_FOLLOW_SECONDS)
            if time.monotonic() - checked >= _STATUS_SECONDS:
                checked = time.monotonic()
                status = job_status(self._run)
        show(self._read_on(), end="")
        return status

    def _read_on(self) -> str:
        """The text written since the last call."""
        try:
            with open_regular(self._path) as file:
                file.seek(self._position)
                text = file.read()
        except OSError:
            return ""
        self._position += len(text)
        return text.decode(errors="replace")


class _RentedLog:
    """What a training on a rented machine prints."""

    def __init__(self, run: Path, job: str) -> None:
        self._run = run
        self._job = job
        self.name = f"the log of sky job {job}"

    def read(self, lines: int) -> str:
        try:
            return sky.log(self._job, lines)
        except JobError as error:
            return f"{error}\n"

    def follow(self) -> JobStatus:
        sky.follow(self._job)
        return job_status(self._run)


def last_lines(text: str, count: int) -> str:
    """The last lines of a text, with their line ends."""
    return "".join(deque(text.splitlines(keepends=True), count))


def _number(value: float) -> str:
    return f"{value:,.0f}" if float(value).is_integer() or value >= 1000 else f"{value:.4g}"


def _local_time(stamp: str) -> str:
    return datetime.fromisoformat(stamp).astimezone().strftime("%Y-%m-%d %H:%M:%S")
