"""Requests of the protocol, answered by threads in the order of their priority."""

from __future__ import annotations

import heapq
import itertools
import threading
from collections.abc import Callable

from bb_jax.errors import UserError, one_line
from eval.analysis.engine import Engine
from eval.analysis.errors import CANCELLED, AnalysisError
from eval.analysis.protocol import (
    AnalysisAnswer,
    AnalysisRequest,
    Answer,
    CancelAnswer,
    CancelRequest,
    ErrorAnswer,
    RequestError,
    parse_request,
)
from eval.analysis.results import Analysis

MAX_WAITING = 10_000


class _Task:
    """A request that is waiting or in progress."""

    def __init__(self, request: AnalysisRequest) -> None:
        self.request = request
        self.cancelled = threading.Event()


class Scheduler:
    """Answers requests, several at once and in any order; a context manager.

    Every line that is submitted gets one final answer, or one error. On leaving, it waits for those
    that are left; if an error ends the work inside, it cancels them.
    """

    def __init__(self, engine: Engine, answer: Callable[[Answer], object], threads: int = 1):
        """Starts the threads.

        Args:
          engine: analyses.
          answer: called with each answer, by one thread at a time.
          threads: the number of requests in progress at once.
        """
        self._engine, self._answer = engine, answer
        self._answering = threading.Lock()
        # Guards what follows.
        self._changed = threading.Condition()
        self._tasks: dict[str, _Task] = {}
        self._waiting: list[tuple[int, int, _Task]] = []
        self._numbers = itertools.count()
        self._closed = False
        self._threads = [
            threading.Thread(target=self._work, name=f"analysis {i}", daemon=True)
            for i in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def __enter__(self) -> Scheduler:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        with self._changed:
            self._closed = True
            tasks = list(self._tasks.values()) if kind is not None else []
            self._changed.notify_all()
        for task in tasks:
            task.cancelled.set()
        for thread in self._threads:
            thread.join()

    def submit(self, line: str | bytes) -> None:
        """Takes a line; what is wrong with it is answered at once."""
        try:
            request = parse_request(line)
            if isinstance(request, CancelRequest):
                self._cancel(request)
            else:
                self._add(request)
        except RequestError as error:
            self._say(error.answer())

    def _add(self, request: AnalysisRequest) -> None:
        task = _Task(request)
        with self._changed:
            if request.id in self._tasks:
                raise RequestError(
                    "a request of this id is waiting or in progress", "id", request.id
                )
            if len(self._waiting) >= MAX_WAITING:
                raise RequestError(
                    f"busy: {MAX_WAITING} requests are waiting already", None, request.id
                )
            self._tasks[request.id] = task
            heapq.heappush(self._waiting, (-request.priority, next(self._numbers), task))
            self._changed.notify()

    def _cancel(self, request: CancelRequest) -> None:
        waited = False
        with self._changed:
            task = self._tasks.get(request.cancel)
            if task is not None:
                task.cancelled.set()
                left = [entry for entry in self._waiting if entry[2] is not task]
                waited = len(left) < len(self._waiting)
                if waited:
                    self._waiting = left
                    heapq.heapify(left)
                    del self._tasks[request.cancel]
        self._say(CancelAnswer(id=request.id, cancel=request.cancel, found=task is not None))
        if waited:
            self._say(ErrorAnswer(id=request.cancel, error=CANCELLED, field=None))

    def _say(self, answer: Answer) -> None:
        with self._answering:
            self._answer(answer)

    def _work(self) -> None:
        while (task := self._next()) is not None:
            try:
                answer: Answer = self._answer_of(task)
            except Exception as error:
                field = error.field if isinstance(error, AnalysisError) else None
                text = str(error) if isinstance(error, UserError) else _failure(error)
                answer = ErrorAnswer(id=task.request.id, error=text, field=field)
            with self._changed:
                del self._tasks[task.request.id]
            self._say(answer)

    def _next(self) -> _Task | None:
        with self._changed:
            while not self._waiting:
                if self._closed:
                    return None
                self._changed.wait()
            return heapq.heappop(self._waiting)[2]

    def _answer_of(self, task: _Task) -> AnalysisAnswer:
        request = task.request
        record = request.record(self._engine.scoring)
        found: list[Analysis] = []

        def report(analysis: Analysis) -> None:
            self._say(AnalysisAnswer(id=request.id, positions=[*found, analysis], partial=True))

        for turn in request.turns(record):
            found.append(
                self._engine.analyse(
                    record,
                    turn=turn,
                    seat=request.seat,
                    samples=request.samples,
                    milliseconds=request.milliseconds,
                    opponent=request.opponent,
                    perspective=request.perspective,
                    seed=request.seed,
                    cancelled=task.cancelled.is_set,
                    report=None if request.report_every is None else report,
                    report_every=request.report_every or 0.0,
                )
            )
        return AnalysisAnswer(id=request.id, positions=found, partial=False)


def _failure(error: Exception) -> str:
    return f"the analysis failed ({type(error).__name__}: {one_line(error)})"
