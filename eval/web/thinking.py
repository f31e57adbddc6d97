"""Who is thought for next: a bounded queue with fair shares for everybody who waits.

People's games come before analyses. Within each of the two, the players take turns, whatever the
length of their queues, so nobody can slow the others down by asking a lot.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from bb_jax.errors import UserError

MOST_WAITING = 200
MOST_OF_ONE = 30

T = TypeVar("T")


class BusyError(UserError):
    """The server has as much to think about as it takes on."""


@dataclass
class _Work:
    run: Callable[[], Any]
    future: asyncio.Future[Any]


class Thinker:
    """A thread that works through the queue.

    To be used inside one event loop. One thread, because the network and the search keep buffers
    that only one call at a time may use.
    """

    def __init__(self, name: str, most_waiting: int = MOST_WAITING, most_of_one: int = MOST_OF_ONE):
        self._executor = ThreadPoolExecutor(1, name)
        self._most_waiting, self._most_of_one = most_waiting, most_of_one
        # By urgency, then by player, in the order of their next turns.
        self._queues: tuple[OrderedDict[Hashable, deque[_Work]], ...] = (
            OrderedDict(),
            OrderedDict(),
        )
        self._waiting = 0
        self._task: asyncio.Task[None] | None = None

    @property
    def waiting(self) -> int:
        """The number of pieces of work that have not begun."""
        return self._waiting

    async def run(self, player: Hashable, work: Callable[[], T], *, urgent: bool = False) -> T:
        """What a piece of work returns, once it has had its turn.

        Args:
          player: who it is for.
          work: called in the thread.
          urgent: whether somebody waits for it to go on with a game.

        Raises:
          BusyError: too much is waiting already, of this player or of all.
        """
        queue = self._queues[0 if urgent else 1]
        own = sum(len(every.get(player, ())) for every in self._queues)
        if own >= self._most_of_one:
            raise BusyError("busy: you have asked for more than can be answered; wait a moment")
        if self._waiting >= self._most_waiting:
            raise BusyError(
                f"busy: {self._waiting} answers are waited for already; try again in a moment"
            )
        work_of_player = _Work(work, asyncio.get_running_loop().create_future())
        queue.setdefault(player, deque()).append(work_of_player)
        self._waiting += 1
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._work())
        return await work_of_player.future

    def close(self) -> None:
        """Begins nothing more."""
        if self._task is not None:
            self._task.cancel()
        self._executor.shutdown(wait=False, cancel_futures=True)

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        while (work := self._next()) is not None:
            if work.future.cancelled():
                continue
            try:
                result = await loop.run_in_executor(self._executor, work.run)
            except asyncio.CancelledError:
                work.future.cancel()
                raise
            except BaseException as error:
                if not work.future.cancelled():
                    work.future.set_exception(error)
            else:
                if not work.future.cancelled():
                    work.future.set_result(result)

    def _next(self) -> _Work | None:
        for queue in self._queues:
            if not queue:
                continue
            player, works = queue.popitem(last=False)
            work = works.popleft()
            if works:
                queue[player] = works
            self._waiting -= 1
            return work
        return None
