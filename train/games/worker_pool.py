"""The pool of worker processes: starts, commands, replaces and stops them."""

from __future__ import annotations

import logging
import multiprocessing
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import connection as mp_connection
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

from bb_jax.errors import UserError
from train.games.main_guard import UNGUARDED, UNGUARDED_MESSAGE, refuse_in_workers
from train.games.worker import (
    COMMAND,
    FAILED,
    QUIT,
    REPLY,
    START,
    STEP,
    THINKING,
    WorkerSpec,
    run_worker,
)
from train.interrupt import stop_signals_blocked

_LOG = logging.getLogger("train")
# A worker that is silent for this long counts as dead. A step takes milliseconds, and a worker
# sends messages while Python agents think.
_SILENCE_SECONDS = 120.0
# More replacements than this within one iteration stop the run.
_MAX_REPLACEMENTS = 5
_STOP_SECONDS = 3.0


class GenerationError(UserError):
    """Games cannot be generated; the message says why."""


@dataclass
class _Worker:
    process: BaseProcess
    connection: Connection


class WorkerPool:
    """A fixed number of worker processes, each of which owns the groups `index % num_workers`."""

    def __init__(self, num_workers: int, spec: WorkerSpec):
        refuse_in_workers()
        self._spec = spec
        self._context = multiprocessing.get_context("spawn")
        self._busy: dict[int, float] = {}  # group: when its last command went out
        #: Groups with unfinished games.
        self.in_progress: set[int] = set()
        #: Workers replaced since the start.
        self.replaced = 0
        self._replaced_before = 0
        self._closed = False
        # Held while a worker is replaced, so that no worker starts after `close`.
        self._replacing = threading.Lock()
        self._workers = [self._start_worker() for _ in range(num_workers)]

    def _start_worker(self) -> _Worker:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(
            target=run_worker, args=(theirs, list(sys.path), self._spec), daemon=True
        )
        # Its start, which would otherwise be a part of the worker's, unblocks signals.
        resource_tracker.ensure_running()
        # The worker ignores the signals itself, but only once it has started.
        with stop_signals_blocked():
            process.start()
        theirs.close()
        return _Worker(process, ours)

    @property
    def num_workers(self) -> int:
        """The number of worker processes."""
        return len(self._workers)

    def start(self, group: int) -> None:
        """Tells a group to begin its games from the start; see `replies` for its answer."""
        self.in_progress.add(group)
        self._command(START, group)

    def step(self, group: int) -> None:
        """Tells a group to play the actions in its shared arrays."""
        self._command(STEP, group)

    def _command(self, command: int, group: int) -> None:
        self._busy[group] = time.monotonic()
        # A dead worker's connection is broken; `replies` notices that and replaces the worker.
        with suppress(OSError):
            self._owner(group).connection.send_bytes(COMMAND.pack(command, group))

    def _owner(self, group: int) -> _Worker:
        return self._workers[group % len(self._workers)]

    def begin_iteration(self) -> None:
        """Resets the count of replacements that limits them within an iteration."""
        self._replaced_before = self.replaced

    def replies(self, block: bool) -> Iterator[tuple[int, int, bool]]:
        """Yields the replies that have arrived: group, pending decisions, whether it restarted.

        The groups of a worker that died start again from their seeds. Each yields (group, -1, True)
        first, from which the caller counts the group's steps from zero again.

        Args:
          block: whether to wait until at least one reply has arrived.

        Raises:
          GenerationError: a worker failed with an exception, too many workers died, or the pool was
            closed.
        """
        while True:
            connections = {worker.connection: worker for worker in self._workers}
            for ready in mp_connection.wait(list(connections), timeout=0.5 if block else 0):
                yield from self._receive(connections[ready])  # type: ignore[index]
                block = False
            yield from self._replace_silent()
            if not block:
                return

    def _receive(self, worker: _Worker) -> Iterator[tuple[int, int, bool]]:
        try:
            message = worker.connection.recv_bytes()
        except (EOFError, OSError):
            yield from self._replace(worker, "died")
            return
        if message[:1] == FAILED:
            summary, _, details = message[1:].decode().partition("\n")
            _LOG.error("a worker failed: %s\n%s", summary, details)
            raise GenerationError(f"a worker failed: {summary}")
        if message[:1] == THINKING:
            # The worker's other groups wait, too.
            index = self._workers.index(worker)
            for group in [g for g in self._busy if g % len(self._workers) == index]:
                self._busy[group] = time.monotonic()
            return
        group, pending = REPLY.unpack(message[1:])
        self._busy.pop(group, None)
        if pending == 0:
            self.in_progress.discard(group)
        yield group, pending, False

    def _replace_silent(self) -> Iterator[tuple[int, int, bool]]:
        now = time.monotonic()
        for group, since in list(self._busy.items()):
            if now - since > _SILENCE_SECONDS and group in self._busy:
                yield from self._replace(self._owner(group), "does not answer")

    def _replace(self, worker: _Worker, what: str) -> Iterator[tuple[int, int, bool]]:
        with self._replacing:
            if self._closed:
                raise GenerationError("the workers were stopped")
            index = self._workers.index(worker)
            self._replace_at(index, what)
        for group in [g for g in self.in_progress if g % len(self._workers) == index]:
            yield group, -1, True
            self.start(group)

    def _replace_at(self, index: int, what: str) -> None:
        worker = self._workers[index]
        worker.process.kill()
        worker.process.join()
        worker.connection.close()
        if worker.process.exitcode == UNGUARDED:
            raise GenerationError(UNGUARDED_MESSAGE)
        self.replaced += 1
        _LOG.warning(
            "worker %d (process %s) %s with exit code %s; its games are played again",
            index, worker.process.pid, what, worker.process.exitcode,
        )  # fmt: skip
        if self.replaced - self._replaced_before > _MAX_REPLACEMENTS:
            raise GenerationError(
                f"workers died {_MAX_REPLACEMENTS + 1} times within one iteration; "
                f"the last one with exit code {worker.process.exitcode}"
            )
        self._workers[index] = self._start_worker()

    def close(self) -> int:
        """Stops all workers within seconds; returns how many ended without being killed."""
        with self._replacing:
            self._closed = True
        for worker in self._workers:
            with suppress(OSError):
                worker.connection.send_bytes(COMMAND.pack(QUIT, 0))
        deadline = time.monotonic() + _STOP_SECONDS
        finished = 0
        for worker in self._workers:
            worker.process.join(max(0.0, deadline - time.monotonic()))
            if worker.process.exitcode == 0:
                finished += 1
            else:
                worker.process.kill()
                worker.process.join()
            worker.connection.close()
        self._workers = []
        return finished
