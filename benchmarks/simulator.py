"""The speed of the simulator on this machine: `python -m benchmarks.simulator`.

Unless a row says otherwise, games have two players and run to their end, 24 turns. Rates are per
second of processor time, which other work on the machine hardly disturbs. In the rows that name a
number of threads they are per second of the clock.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import partial
from statistics import median

import numpy as np

from bb_sim import OBSERVATION_SIZE, OPPONENTS, GameBatch, play_opponents
from benchmarks.other_engines import engines
from eval.command_line import path_argument

TURNS = 24
THREADED_BATCHES = 16

TABLE_NOTE = """\
Two players and games to the end (24 turns), unless a row says otherwise. Rates are per second of
processor time, or of the clock if threads are named. Ratio: random games / row."""

Clock = Callable[[], float]


@dataclass(frozen=True)
class Row:
    """One line of the table: the median and the range over the repeats.

    Attributes:
        ratio: the median of `random games` divided by this one, for another engine.
    """

    name: str
    unit: str
    median: float
    lowest: float
    highest: float
    ratio: float | None = None


@dataclass(frozen=True)
class Benchmark:
    """The measurements.

    Attributes:
        games: the number of games in a repeat.
        repeats: the number of repeats of each measurement.
        seconds: the duration of a repeat of another engine.
    """

    games: int
    repeats: int
    seconds: float

    def rows(self) -> Iterator[Row]:
        weight = GameBatch(1).nbytes
        random_games = list(self.random_games())
        yield from random_games
        yield from self.opponents()
        yield Row("memory", "bytes a game", weight, weight, weight)
        yield from self.other_engines(random_games[0].median)

    def random_games(self) -> Iterator[Row]:
        """Random games: legal actions, uniform choice, turn and end check, without the deal."""
        small = GameBatch(self.games)
        # A small batch is over before a second thread has started.
        large = GameBatch(THREADED_BATCHES * self.games)
        observations = np.empty((self.games, OBSERVATION_SIZE), np.uint8)

        def row(
            name: str, batch: GameBatch, play: Callable[[], int], clock: Clock = time.process_time
        ) -> Row:
            rates = []
            for _ in range(self.repeats):
                batch.reset(np.arange(len(batch), dtype=np.uint64))
                steps, seconds = timed(play, clock)
                rates.append(steps / seconds)
            return summary(f"random games{name}", "steps/s", rates)

        yield row("", small, small.play_random)
        yield row(", observations", small, lambda: small.play_random(observations=observations))
        yield row(", stop_when_decided", small, lambda: small.play_random(stop_when_decided=True))
        for players in (3, 4):
            more = GameBatch(self.games, players)
            yield row(f", {players} players", more, more.play_random)
        for threads in (1, 2):
            yield row(
                f", {THREADED_BATCHES} batches, threads: {threads}",
                large,
                partial(large.play_random, threads),
                time.perf_counter,
            )

    def opponents(self) -> Iterator[Row]:
        """Each opponent against itself: the deal, its choices and the turns."""
        seeds = np.arange(self.games, dtype=np.uint64)

        def seconds_of(
            name: str, num_threads: int = 1, clock: Clock = time.process_time
        ) -> list[float]:
            return [
                timed(lambda: play_opponents(seeds, name, name, num_threads), clock)[1]
                for _ in range(self.repeats)
            ]

        for name in OPPONENTS:
            times = [1e6 * seconds / (TURNS * self.games) for seconds in seconds_of(name)]
            yield summary(f"opponent {name}", "µs/move", times)
        rates = [self.games / seconds for seconds in seconds_of("heuristic")]
        yield summary("heuristic games", "games/s", rates)
        for threads in (1, 2):
            times = seconds_of("heuristic", threads, time.perf_counter)
            rates = [self.games / seconds for seconds in times]
            yield summary(f"heuristic games, threads: {threads}", "games/s", rates)

    def other_engines(self, steps_a_second: float) -> Iterator[Row]:
        """Random games of other engines, as many as fit into the time."""
        for engine in engines():
            rates = [engine.rate(self.seconds) for _ in range(self.repeats)]
            row = summary(engine.name, "steps/s", rates)
            yield replace(row, ratio=steps_a_second / row.median)


def timed(work: Callable, clock: Clock) -> tuple:
    """The result of the work, and its duration in seconds."""
    start = clock()
    result = work()
    return result, clock() - start


def summary(name: str, unit: str, values: list[float]) -> Row:
    """The row of repeated measurements."""
    return Row(name, unit, median(values), min(values), max(values))


def print_table(rows: list[Row]) -> None:
    """Prints rows in columns, at most 100 characters wide."""
    print(f"{'':42}{'median':>12}{'lowest':>12}{'highest':>12}  {'unit':12}{'ratio':>8}")
    for row in rows:
        values = (row.median, row.lowest, row.highest)
        columns = "".join(
            f"{value:12,.3f}" if value < 10 else f"{value:12,.0f}" for value in values
        )
        ratio = "" if row.ratio is None else f"{row.ratio:8,.0f}"
        print(f"{row.name:42}{columns}  {row.unit:12}{ratio}".rstrip())


def at_least_one(text: str) -> int:
    """A command-line number of 1 or more."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 1, not {text}")
    return int(text)


def positive(text: str) -> float:
    """A command-line number above 0."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"must be a number above 0, not {text}")
    return number


def main() -> None:
    """Prints the table and writes the JSON file."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.simulator", description=__doc__)
    parser.add_argument("--games", type=at_least_one, default=8192, help="games of a repeat")
    parser.add_argument("--repeats", type=at_least_one, default=7)
    parser.add_argument(
        "--seconds", type=positive, default=0.1, help="of a repeat of another engine"
    )
    parser.add_argument(
        "--json", type=path_argument, metavar="FILE", help="write the figures there too"
    )
    options = parser.parse_args()
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    rows = list(Benchmark(options.games, options.repeats, options.seconds).rows())
    print(f"{options.games:,} games, {options.repeats} repeats; {machine}")
    print(TABLE_NOTE)
    print_table(rows)
    if options.json:
        figures = {
            "date": time.strftime("%Y-%m-%d"),
            "machine": machine,
            "games": options.games,
            "repeats": options.repeats,
            "seconds": options.seconds,
            "rows": [asdict(row) for row in rows],
        }
        try:
            options.json.write_text(json.dumps(figures, indent=1) + "\n")
        except OSError as error:
            sys.exit(f"cannot write {options.json}: {error.strerror}")


if __name__ == "__main__":
    main()
