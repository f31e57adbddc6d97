"""What a run reports about itself: one row an iteration, a summary, a log, TensorBoard events.

Files of a run folder:
  training_metrics.jsonl  one JSON object an iteration, `iteration` first, then the keys in
                          alphabetical order, `time/` keys last; NaN and infinities are null.
  summary.json            latest value of every key, best value and its iteration where one end is
                          the better one, and the totals; rewritten after every row.
  training_metrics.damaged.jsonl  lines of the metrics that were no rows, if there were any.
  training.log            what happened, in words.
  tensorboard/            event files, one for every start of the run.

A repeated or resumed run writes the same outside `time/`.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any, Protocol, Self

from bb_jax.files import write_json
from eval.console import note
from eval.runs.layout import LOG, METRICS, SUMMARY, TENSORBOARD
from eval.runs.metrics_file import MetricsError, Row, clear_errors
from train.runs.events import EventFiles
from train.runs.log import close_log, open_log
from train.runs.rows import RowsFile
from train.runs.summary import Summary


class Metrics(Protocol):
    """What the training loop reports; where several hosts train, host 0 alone writes it.

    Attributes:
      log: a logger for what happens, in words.
    """

    log: logging.Logger

    def __enter__(self) -> Self: ...

    def __exit__(self, *exception: Any) -> None: ...

    def cut_back(self, iteration: int) -> None:
        """Drops the rows above an iteration, so that the run goes on from there.

        Raises:
          MetricsError: a file cannot be written.
        """
        ...

    def write(self, row: Mapping[str, Any]) -> Row:
        """Adds the row of one iteration.

        Args:
          row: flat; "iteration" is an integer above that of the row before. Values are numbers
            (numpy and device scalars too), texts or None.

        Returns:
          The row as it was written.

        Raises:
          MetricsError: a full disk or the like; the message names the file.
          TypeError, ValueError: the row does not have that form; nothing is written.
        """
        ...


class MetricsWriter:
    """The `Metrics` on disk. Opened on a folder with metrics, it goes on behind them.

    Every failure to write is a MetricsError.
    """

    def __init__(self, folder: Path) -> None:
        """Opens the log and repairs the metrics file.

        Args:
          folder: the run folder; made if it is missing.
        """
        with clear_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
        self._summary_path = folder / SUMMARY
        self._events = EventFiles(folder / TENSORBOARD)
        self.log = open_log(folder / LOG)
        self._rows = RowsFile(folder / METRICS, self._tell)
        try:
            self._summary = Summary(self._rows.restore())
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        # An error in progress tells more than what it leads to here.
        with suppress(MetricsError) if kind is not None else nullcontext():
            self.close()

    def cut_back(self, iteration: int) -> None:
        self._summary = Summary(self._rows.restore(up_to=iteration))
        self._events.cut_back(iteration)
        self._write_summary()

    def write(self, row: Mapping[str, Any]) -> Row:
        plain = self._rows.append(row)
        self._summary.add(plain)
        self._write_summary()
        self._events.write(plain)
        return plain

    def close(self) -> None:
        """Closes all files; the writer cannot be used afterwards."""
        self._rows.close()
        try:
            self._events.close()
        finally:
            close_log(self.log)

    def _tell(self, sentence: str) -> None:
        self.log.warning("%s", sentence)
        note(sentence)

    def _write_summary(self) -> None:
        # It can be made again from the rows, so nothing waits for the disk.
        write_json(self._summary_path, self._summary.as_json(), sync=False, kind=MetricsError)
