"""The queue of the thinking thread: bounded, fair, and people's games first."""

import asyncio
import threading
from functools import partial

import pytest

from eval.web.thinking import BusyError, Thinker


def run(test):
    asyncio.run(asyncio.wait_for(test, 30))


def test_players_take_turns_and_games_come_first():
    async def test():
        thinker, gate = Thinker("test"), threading.Event()
        order: list[tuple[str, object]] = []
        first = asyncio.create_task(thinker.run("gate", gate.wait))
        await asyncio.sleep(0.05)
        wanted = [("a", 1), ("a", 2), ("a", 3), ("b", 1), ("b", 2), ("c", 1)]
        works = [
            asyncio.create_task(thinker.run(player, partial(order.append, (player, n))))
            for player, n in wanted
        ]
        urgent = asyncio.create_task(
            thinker.run("d", lambda: order.append(("d", "move")), urgent=True)
        )
        await asyncio.sleep(0)
        gate.set()
        await asyncio.gather(first, urgent, *works)
        assert order == [
            ("d", "move"), ("a", 1), ("b", 1), ("c", 1), ("a", 2), ("b", 2), ("a", 3),
        ]  # fmt: skip
        thinker.close()

    run(test())


def test_too_much_is_refused_of_one_and_of_all():
    async def test():
        thinker, gate = Thinker("test", most_waiting=5, most_of_one=3), threading.Event()
        running = asyncio.create_task(thinker.run("gate", gate.wait))
        await asyncio.sleep(0.05)
        tasks = [asyncio.create_task(thinker.run("a", int)) for _ in range(3)]
        await asyncio.sleep(0)
        with pytest.raises(BusyError, match="you have asked for more"):
            await thinker.run("a", int)
        tasks += [asyncio.create_task(thinker.run("b", int)) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(BusyError, match="5 answers are waited for"):
            await thinker.run("c", int)
        gate.set()
        assert await asyncio.gather(running, *tasks) == [True, 0, 0, 0, 0, 0]
        assert await thinker.run("c", int) == 0
        thinker.close()

    run(test())


def test_an_error_goes_to_who_asked_and_the_next_is_answered():
    async def test():
        thinker = Thinker("test")
        with pytest.raises(ZeroDivisionError):
            await thinker.run("a", lambda: 1 // 0)
        assert await thinker.run("a", lambda: 7) == 7
        thinker.close()

    run(test())


def test_work_that_nobody_waits_for_any_more_is_not_done():
    async def test():
        thinker, done, gate = Thinker("test"), [], threading.Event()
        running = asyncio.create_task(thinker.run("gate", gate.wait))
        await asyncio.sleep(0.05)
        given_up = asyncio.create_task(thinker.run("a", lambda: done.append("given up")))
        await asyncio.sleep(0)
        given_up.cancel()
        await asyncio.sleep(0)
        gate.set()
        await running
        await thinker.run("a", partial(done.append, "kept"))
        assert done == ["kept"]
        thinker.close()

    run(test())
