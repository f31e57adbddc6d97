"""What a run writes about itself: one row an iteration, a summary, a log, TensorBoard events.

Files of a run folder:
  training_metrics.jsonl  one JSON object an iteration, `iteration` first, then the keys in
                          alphabetical order, `time/` keys last; NaN and infinities are null.
  summary.json            latest value of every key, best value and its iteration where a direction
                          of better is declared, and the totals; rewritten after every row.
  training.log            what happened, in words.
  tensorboard/            event files, one for every start of the run.

Everything outside `time/` is the same in a repeated or resumed run.
"""

from __future__ import annotations

import itertools
import json
import logging
import math
import os
import time
from collections.abc import Mapping
from contextlib import nullcontext, suppress
from fnmatch import fnmatchcase
from pathlib import Path
from typing import IO, Any, Literal, Protocol, Self

import numpy as np
from tensorboardX.event_file_writer import EventsWriter
from tensorboardX.proto.event_pb2 import Event, SessionLog
from tensorboardX.proto.summary_pb2 import Summary

from bb_jax.files import write_json, write_whole
from eval.runs.layout import LOG, METRICS, SUMMARY, TENSORBOARD
from eval.runs.metrics_file import MetricsError as MetricsError
from eval.runs.metrics_file import Row, Value, clear_errors, complete_lines, is_count
from eval.runs.metrics_file import read_metrics as read_metrics

# A flush of an event file waits for the disk.
_EVENTS_FLUSH_SECONDS = 5.0

Direction = Literal["max", "min"]

# Patterns of keys, and whether the largest or the smallest value is the best; the first one holds.
DIRECTIONS: Mapping[str, Direction] = {
    "*win_rate": "max",
    "*mean_margin": "max",
    "train/explained_variance": "max",
    "train/value_loss": "min",
    "time/*_per_second": "max",
}


def plain_value(key: str, value: Any) -> Value:
    """A metric as JSON has it: numpy and device scalars become numbers, NaN and infinities None.

    Raises:
      TypeError: the value is not a scalar.
    """
    if value is None or isinstance(value, str):
        return value
    scalar = np.asarray(value)
    if scalar.ndim or scalar.dtype.kind not in "biuf":
        raise TypeError(f"metric {key} must be a number, a text or None, not {value!r:.60}")
    number: bool | int | float = scalar.item()
    return None if isinstance(number, float) and not math.isfinite(number) else number


def _order(key: str) -> tuple[bool, bool, str]:
    return key != "iteration", key.startswith("time/"), key


class Metrics(Protocol):
    """What the training loop reports; where several hosts train, host 0 alone writes it.

    Attributes:
      log: a logger for what happens, in words.
    """

    log: logging.Logger

    def __enter__(self) -> Self: ...

    def __exit__(self, *exception: Any) -> None: ...

    def cut_back(self, iteration: int) -> object:
        """Drops the rows after an iteration, so that a run can go on from there."""
        ...

    def write(self, row: Mapping[str, Any]) -> Row:
        """Adds the row of one iteration; returns it with plain values."""
        ...


class MetricsWriter:
    """Writes all metrics of a run; opening one on a folder with metrics goes on behind them.

    A context manager. Every failure to write is a MetricsError.

    Args:
      folder: the run folder; made if it is missing.
      directions: key patterns (as in fnmatch) with "max" or "min", for the best in the summary.
      tensorboard: whether to write event files.
      fsync: wait for the disk after every row; without it a power failure (not a kill) may lose the
        last rows. `sync` does so once.

    Attributes:
      log: a logger that appends to training.log.
    """

    def __init__(
        self,
        folder: Path,
        *,
        directions: Mapping[str, Direction] = DIRECTIONS,
        tensorboard: bool = True,
        fsync: bool = False,
    ) -> None:
        self._folder = Path(folder)
        self._directions = dict(directions)
        self._tensorboard = tensorboard
        self._fsync = fsync
        self._events: EventsWriter | None = None
        self._rows: IO[bytes] | None = None
        self._next_flush = 0.0
        self._purge_step: int | None = None
        with clear_errors(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
        self.log, self._handler = _open_log(self._folder / LOG)
        try:
            self._reload(None)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> MetricsWriter:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        # An error in progress tells more than what it leads to here.
        with suppress(MetricsError) if kind is not None else nullcontext():
            self.close()

    @property
    def last_iteration(self) -> int:
        """The iteration of the newest row; 0 where there is none."""
        return self._last_iteration

    def write(self, row: Mapping[str, Any]) -> Row:
        """Appends the row of one iteration everywhere.

        Args:
          row: flat; "iteration" is an integer above that of the row before. Values are numbers
            (numpy and device scalars too), texts or None.

        Returns:
          The row as it was written.

        Raises:
          MetricsError: a full disk or the like; the message names the file.
          TypeError, ValueError: the row does not have that form; nothing is written.
        """
        plain = {key: plain_value(key, row[key]) for key in sorted(row, key=_order)}
        iteration = plain.get("iteration")
        if not is_count(iteration) or iteration <= self._last_iteration:
            raise ValueError(
                f"iteration must be an integer above {self._last_iteration}, not {iteration!r}"
            )
        path = self._folder / METRICS
        line = json.dumps(plain, allow_nan=False).encode() + b"\n"
        with clear_errors(path):
            if self._rows is None:
                self._rows = open(path, "ab", buffering=0)  # noqa: SIM115 (closed in `close`)
            written = self._rows.write(line)
            if written != len(line):
                raise OSError(28, "no space left on the device")
            if self._fsync:
                os.fsync(self._rows.fileno())
        self._note(plain)
        self._write_summary()
        self._write_events(plain)
        return plain

    def cut_back(self, iteration: int) -> int:
        """Drops the rows above `iteration`, and a torn one, so that a run can go on behind it.

        The file is replaced in one step. The summary follows, and TensorBoard is told to hide the
        later events.

        Returns:
          The number of rows kept.
        """
        self._close_files()
        self._purge_step = iteration + 1
        kept = self._reload(iteration)
        self._write_summary()
        return kept

    def sync(self) -> None:
        """Waits until the rows written so far are on the disk."""
        if self._rows is not None:
            with clear_errors(self._folder / METRICS):
                os.fsync(self._rows.fileno())

    def close(self) -> None:
        """Closes all files; the writer cannot be used afterwards."""
        try:
            self._close_files()
        finally:
            self.log.removeHandler(self._handler)
            with clear_errors(self._folder / LOG):
                self._handler.close()

    def _close_files(self) -> None:
        rows, self._rows = self._rows, None
        events, self._events = self._events, None
        if rows is not None:
            rows.close()
        if events is not None:
            with clear_errors(self._folder / TENSORBOARD):
                events.close()

    def _reload(self, up_to: int | None) -> int:
        """Repairs the metrics file, cuts it at an iteration and reads its state from it."""
        self._last_iteration = 0
        self._latest: dict[str, dict[str, Value]] = {}
        self._best: dict[str, dict[str, Value]] = {}
        path = self._folder / METRICS
        if not path.exists():
            return 0
        kept = 0
        data = b""
        for line, row in complete_lines(path):
            iteration = row["iteration"]
            assert isinstance(iteration, int)
            if up_to is None or iteration <= up_to:
                data += line + b"\n"
                self._note(row)
                kept += 1
        with clear_errors(path, "read"):
            changed = path.read_bytes() != data
        if changed:
            write_whole(path, data, kind=MetricsError)
        return kept

    def _note(self, row: Row) -> None:
        """Takes a row into the latest and best values."""
        iteration = row["iteration"]
        assert isinstance(iteration, int)
        self._last_iteration = iteration
        for key, value in row.items():
            if key == "iteration" or value is None:
                continue
            entry: dict[str, Value] = {"value": value, "iteration": iteration}
            self._latest[key] = entry
            direction = self._direction(key)
            if direction is None or isinstance(value, str):
                continue
            best = self._best.get(key)
            sign = 1 if direction == "max" else -1
            if best is None or sign * value > sign * float(best["value"] or 0):
                self._best[key] = entry

    def _direction(self, key: str) -> Direction | None:
        for pattern, direction in self._directions.items():
            if fnmatchcase(key, pattern):
                return direction
        return None

    def _write_summary(self) -> None:
        totals = {
            key.removeprefix("total/"): entry["value"]
            for key, entry in self._latest.items()
            if key.startswith("total/")
        }
        summary = {
            "iteration": self._last_iteration,
            "totals": _sorted(totals),
            "latest": _sorted(self._latest),
            "best": _sorted(self._best),
        }
        write_json(self._folder / SUMMARY, summary, sync=self._fsync, kind=MetricsError)

    def _write_events(self, row: Row) -> None:
        """Adds the numbers of a row to the event file, in this thread: a writer thread of its own
        would die of a full disk unseen and leave the run waiting for it."""
        if not self._tensorboard:
            return
        step = row["iteration"]
        numbers = {
            key: float(value)
            for key, value in row.items()
            if key != "iteration" and isinstance(value, int | float)
        }
        values = [Summary.Value(tag=key, simple_value=value) for key, value in numbers.items()]
        with clear_errors(self._folder / TENSORBOARD):
            events = self._events = self._events or self._open_events()
            events.write_event(
                Event(step=step, wall_time=time.time(), summary=Summary(value=values))
            )
            if time.monotonic() >= self._next_flush:
                self._next_flush = time.monotonic() + _EVENTS_FLUSH_SECONDS
                events.flush()

    def _open_events(self) -> EventsWriter:
        """A new event file; events of steps that were cut back are declared void."""
        folder = self._folder / TENSORBOARD
        folder.mkdir(exist_ok=True)
        # Names are to the second, and an existing file of the same name would be overwritten.
        number = next(n for n in itertools.count() if not list(folder.glob(f"*.{n:04d}")))
        events = EventsWriter(str(folder / "events"), filename_suffix=f".{number:04d}")
        if self._purge_step is not None:
            start = SessionLog(status=SessionLog.START)
            events.write_event(
                Event(step=self._purge_step, wall_time=time.time(), session_log=start)
            )
        return events


def _sorted(entries: Mapping[str, Any]) -> dict[str, Any]:
    return {key: entries[key] for key in sorted(entries, key=_order)}


class _LogHandler(logging.FileHandler):
    """A file handler whose failures reach the caller: logging prints them and goes on."""

    def handleError(self, record: logging.LogRecord) -> None:
        with clear_errors(Path(self.baseFilename)):
            raise


def _open_log(path: Path) -> tuple[logging.Logger, logging.Handler]:
    """A logger of its own for one training.log, so that runs in one process do not mix."""
    with clear_errors(path):
        handler = _LogHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger = logging.Logger("training", level=logging.INFO)
    logger.addHandler(handler)
    return logger, handler
