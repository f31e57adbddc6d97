"""TensorBoard's event files: one for every start of a run."""

from __future__ import annotations

import itertools
import time
from pathlib import Path

from tensorboardX.event_file_writer import EventsWriter
from tensorboardX.proto.event_pb2 import Event, SessionLog
from tensorboardX.proto.summary_pb2 import Summary

from eval.runs.metrics_file import Row, clear_errors

# A flush of an event file waits for the disk.
_FLUSH_SECONDS = 5.0


class EventFiles:
    """Writes the numbers of rows as events, in the caller's thread.

    A writer thread would die of a full disk unseen and leave the run waiting for it. Every failure
    to write is a MetricsError.
    """

    def __init__(self, folder: Path):
        """Makes nothing before the first row.

        Args:
          folder: the folder of event files.
        """
        self._folder = folder
        self._writer: EventsWriter | None = None
        self._next_flush = 0.0
        self._purge_step: int | None = None

    def write(self, row: Row) -> None:
        """Adds the numbers of a row."""
        values = [
            Summary.Value(tag=key, simple_value=float(value))
            for key, value in row.items()
            if key != "iteration" and isinstance(value, int | float)
        ]
        event = Event(step=row["iteration"], wall_time=time.time(), summary=Summary(value=values))
        with clear_errors(self._folder):
            writer = self._writer = self._writer or self._open()
            writer.write_event(event)
            if time.monotonic() >= self._next_flush:
                self._next_flush = time.monotonic() + _FLUSH_SECONDS
                writer.flush()

    def cut_back(self, iteration: int) -> None:
        """Has TensorBoard hide the events above an iteration, once the next row is written."""
        self.close()
        self._purge_step = iteration + 1

    def close(self) -> None:
        """Closes the event file; another row opens a new one."""
        writer, self._writer = self._writer, None
        if writer is not None:
            with clear_errors(self._folder):
                writer.close()

    def _open(self) -> EventsWriter:
        self._folder.mkdir(exist_ok=True)
        # Names are to the second, and an existing file of the same name would be overwritten.
        number = next(n for n in itertools.count() if not list(self._folder.glob(f"*.{n:04d}")))
        # Otherwise the library takes what stands before a colon for a protocol, such as gs:.
        path = self._folder.absolute() / "events"
        writer = EventsWriter(str(path), filename_suffix=f".{number:04d}")
        if self._purge_step is not None:
            start = SessionLog(status=SessionLog.START)
            writer.write_event(
                Event(step=self._purge_step, wall_time=time.time(), session_log=start)
            )
        return writer
