"""Many browsers at one server, each playing: `python -m benchmarks.web --browsers 50`.

Starts a server and plays games over its own protocol, with a pause before every move. Prints how
long the opponent's answers took, how often the server was busy, and its memory.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import random
import subprocess
import sys
import time
from pathlib import Path
from statistics import quantiles

from websockets.asyncio.client import ClientConnection, connect


class Browser:
    """One person at a page.

    Attributes:
        answers: seconds from each move to the opponent's, as the page sees them.
        busy: answers that said that the server was busy.
        games: games played to their end.
    """

    def __init__(self, port: int, opponent: str, pause: float) -> None:
        self._port, self._opponent, self._pause = port, opponent, pause
        self._ids = itertools.count(1)
        self.answers: list[float] = []
        self.busy = self.games = 0

    async def play(self, until: float) -> None:
        """Plays games until a time of `time.monotonic`."""
        host = f"127.0.0.1:{self._port}"
        async with connect(f"ws://{host}/socket", origin=f"http://{host}") as socket:  # type: ignore[arg-type]
            await self._ask(socket, "hello")
            while time.monotonic() < until:
                view = await self._ask(
                    socket, "new", opponent=self._opponent, seat=random.randrange(2)
                )
                await self._play_game(socket, view, until)

    async def _play_game(self, socket: ClientConnection, view: dict, until: float) -> None:
        begun = time.monotonic()
        while not view["position"]["over"]:
            while view["position"]["toMove"] != view["seat"] and not view["position"]["over"]:
                message = json.loads(await socket.recv())
                if message.get("push") == "busy":
                    self.busy += 1
                    view = await self._ask(socket, "resume", game=view["game"])
                elif message.get("push") == "turn" and message["turn"]["mover"] != view["seat"]:
                    view = message["view"]
                    self.answers.append(time.monotonic() - begun)
            if view["position"]["over"] or time.monotonic() > until:
                break
            await asyncio.sleep(self._pause * random.uniform(0.5, 1.5))
            action = random.choice(view["position"]["legal"])["id"]
            turn = view["position"]["turn"]
            begun = time.monotonic()
            await self._ask(socket, "play", game=view["game"], turn=turn, action=action)
            view["position"] |= {"toMove": 1 - view["seat"], "over": turn == 23}
        self.games += view["position"]["over"]

    async def _ask(self, socket: ClientConnection, do: str, **fields: object) -> dict:
        number = next(self._ids)
        await socket.send(json.dumps({"id": number, "do": do, **fields}))
        while True:
            message = json.loads(await socket.recv())
            if message.get("id") == number:
                return message["result"]


def _resident(process: int) -> float:
    """The memory of a process in MiB."""
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return 0.0


async def _measure(options: argparse.Namespace, port: int, process: int) -> None:
    # Loads and compiles first.
    await Browser(port, options.opponent, 0).play(time.monotonic() + 20)
    before = _resident(process)
    browsers = [Browser(port, options.opponent, options.pause) for _ in range(options.browsers)]
    until = time.monotonic() + options.seconds
    await asyncio.gather(*(browser.play(until) for browser in browsers))
    answers = sorted(itertools.chain.from_iterable(browser.answers for browser in browsers))
    parts = quantiles(answers, n=100)
    print(
        f"{options.browsers} browsers, {options.seconds:g} s, against {options.opponent}: "
        f"{len(answers)} answers, {sum(browser.games for browser in browsers)} games, "
        f"{sum(browser.busy for browser in browsers)} times busy"
    )
    print(
        f"answers in ms: median {1000 * parts[49]:.0f}, 95 % {1000 * parts[94]:.0f}, "
        f"99 % {1000 * parts[98]:.0f}, slowest {1000 * answers[-1]:.0f}"
    )
    print(f"memory in MiB: {before:.0f} before, {_resident(process):.0f} after")


def main() -> int:
    """Runs the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.web", description=__doc__)
    parser.add_argument("--browsers", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--pause", type=float, default=3.0, help="mean seconds before a move")
    parser.add_argument("--opponent", default="champion", help="as the page names it")
    parser.add_argument("--checkpoint", default="champion")
    options = parser.parse_args()
    server = subprocess.Popen(
        [sys.executable, "-m", "eval.web", "--checkpoint", options.checkpoint, "--port", "0",
         "--no-browser"],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert server.stdout is not None
    try:
        line = server.stdout.readline()
        port = int(line.rpartition(":")[2].partition("/")[0])
        asyncio.run(_measure(options, port, server.pid))
    finally:
        server.terminate()
        server.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
