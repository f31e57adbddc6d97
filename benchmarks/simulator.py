"""How fast the simulator is on this machine: `python -m benchmarks.simulator`.

Games have two players. They run to their end, all 24 turns, except in the row that says otherwise.
Rates are of one thread, except in the rows that say otherwise.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from random import Random
from statistics import median

import numpy as np

from bb_sim import OBSERVATION_SIZE, OPPONENTS, GameBatch
from bb_sim.opponents import play_opponents

TURNS = 24
THREADED_BATCHES = 16
PYTHON_GAMES = 20
GAMES_TO_WEIGH = 1 << 20


@dataclass(frozen=True)
class Row:
    """One line of the table: the median and the range over the repeats."""

    name: str
    unit: str
    median: float
    lowest: float
    highest: float


@dataclass(frozen=True)
class Benchmark:
    """The measurements, each of `games` games and `repeats` times."""

    games: int
    repeats: int

    def rows(self) -> Iterator[Row]:
        weight = bytes_a_game()  # before anything else has raised the peak
        yield from self.random_games()
        yield from self.opponents()
        yield from self.python_engine()
        yield Row("memory", "bytes a game", weight, weight, weight)

    def random_games(self) -> Iterator[Row]:
        """Legal actions, uniform choice, turn and end check; the deal is not timed."""
        small = GameBatch(self.games)
        # A small batch is over before a second thread has started.
        large = GameBatch(THREADED_BATCHES * self.games)
        observations = np.empty((self.games, OBSERVATION_SIZE), np.uint8)

        def row(name: str, batch: GameBatch, play: Callable[[], int]) -> Row:
            rates = []
            for _ in range(self.repeats):
                batch.reset(np.arange(len(batch), dtype=np.uint64))
                steps, seconds = timed(play)
                rates.append(steps / seconds)
            return summary(f"random games{name}", "steps/s", rates)

        yield row("", small, small.play_random)
        yield row(", observations", small, lambda: small.play_random(observations=observations))
        yield row(", stop_when_decided", small, lambda: small.play_random(stop_when_decided=True))
        for threads in (1, 2):
            yield row(
                f", {THREADED_BATCHES} batches, threads: {threads}",
                large,
                partial(large.play_random, threads),
            )

    def opponents(self) -> Iterator[Row]:
        """Each opponent against itself: its choice and the turn, the deal included."""
        seeds = np.arange(self.games, dtype=np.uint64)

        def seconds_of(name: str, num_threads: int = 1) -> list[float]:
            return [
                timed(lambda: play_opponents(seeds, name, name, num_threads))[1]
                for _ in range(self.repeats)
            ]

        for name in OPPONENTS:
            times = [1e6 * seconds / (TURNS * self.games) for seconds in seconds_of(name)]
            yield summary(f"opponent {name}", "µs/move", times)
        for threads in (1, 2):
            rates = [self.games / seconds for seconds in seconds_of("heuristic", threads)]
            yield summary(f"heuristic games, threads: {threads}", "games/s", rates)

    def python_engine(self) -> Iterator[Row]:
        """The tests' plain-Python rules at the same work, where the tests are at hand."""
        try:
            from tests.reference import rules
        except ImportError:
            return
        random = Random(0)

        def play(positions: list[rules.Position]) -> int:
            for position in positions:
                while moves := rules.legal_moves(position):
                    position = rules.play(position, random.choice(moves))
            return TURNS * len(positions)

        rates = []
        for _ in range(self.repeats):
            positions = [rules.deal(random) for _ in range(PYTHON_GAMES)]
            steps, seconds = timed(lambda dealt=positions: play(dealt))
            rates.append(steps / seconds)
        yield summary("random games, plain-Python reference", "steps/s", rates)


def timed(work: Callable) -> tuple:
    """What the work returns, and the seconds it took."""
    start = time.perf_counter()
    result = work()
    return result, time.perf_counter() - start


def summary(name: str, unit: str, values: list[float]) -> Row:
    """The row of repeated measurements."""
    return Row(name, unit, median(values), min(values), max(values))


def bytes_a_game() -> float:
    """Growth of the peak memory of this process while it holds very many games."""
    unit = 1 if sys.platform == "darwin" else 1024
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    batch = GameBatch(GAMES_TO_WEIGH)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round((after - before) * unit / len(batch))


def print_table(rows: list[Row]) -> None:
    """Rows in columns that stay apart without a terminal, too."""
    print(f"{'':38}{'median':>13}{'lowest':>13}{'highest':>13}")
    for row in rows:
        values = (row.median, row.lowest, row.highest)
        columns = "".join(
            f"{value:13,.3f}" if value < 10 else f"{value:13,.0f}" for value in values
        )
        print(f"{row.name:38}{columns}  {row.unit}")


def at_least_one(text: str) -> int:
    """A command-line number of 1 or more."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 1, not {text}")
    return int(text)


def main() -> None:
    """Prints the table and writes the JSON file."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.simulator", description=__doc__)
    parser.add_argument("--games", type=at_least_one, default=8192, help="games of a repeat")
    parser.add_argument("--repeats", type=at_least_one, default=7)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    options = parser.parse_args()
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    rows = list(Benchmark(options.games, options.repeats).rows())
    print(f"{options.games:,} games, {options.repeats} repeats; {machine}")
    print("Games run to the end (24 turns) where stop_when_decided is not named.")
    print_table(rows)
    if options.json:
        figures = {
            "date": time.strftime("%Y-%m-%d"),
            "machine": machine,
            "games": options.games,
            "repeats": options.repeats,
            "rows": [asdict(row) for row in rows],
        }
        try:
            options.json.write_text(json.dumps(figures, indent=1) + "\n")
        except OSError as error:
            sys.exit(f"cannot write {options.json}: {error.strerror}")


if __name__ == "__main__":
    main()
