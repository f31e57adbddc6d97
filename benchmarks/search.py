"""How long a search takes: `python -m benchmarks.search [--checkpoint RUN[@STEP]]`.

Positions are those of games between the named opponents and a network of the quickstart size, or
of the checkpoint, that plays by its policy. Times are of the processor, a move; use one core:

    XLA_FLAGS=--xla_cpu_multi_thread_eigen=false taskset -c 0 python -m benchmarks.search
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bb_jax.networks import Network
from bb_jax.search import Search, SearchConfig
from bb_jax.search.judge import legal_actions
from bb_sim import EXTERNAL, OPPONENTS, Arena
from bb_sim.arena import NO_ACTION
from bb_sim.simulator import NUM_MODELS

Params = Any


@dataclass(frozen=True)
class Timing:
    """Milliseconds a move.

    Attributes:
      batch: in batches of all positions, of the processor.
      network: the part of it that the network takes.
      alone: position by position, of the processor.
      slowest: the slowest of these, of the clock.
    """

    batch: float
    network: float
    alone: float
    slowest: float


class _Stopwatch:
    """Adds up the processor time of calls."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def around(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*arguments: Any) -> Any:
            begun = time.process_time()
            try:
                return function(*arguments)
            finally:
                self.seconds += time.process_time() - begun

        return timed


def positions(games: int) -> np.ndarray:
    """Decisions uint8 [B, 19] that leave a choice, of a first mover that plays at random."""
    arena = Arena(games)
    controllers = np.full((games, 2), EXTERNAL, np.uint8)
    controllers[:, 1] = np.arange(games) % len(OPPONENTS)
    arena.start(np.arange(games, dtype=np.uint64), controllers)
    random = np.random.default_rng(0)
    rows = []
    while arena.pending:
        waiting = arena.deciders == 0
        legal = legal_actions(arena.observations)
        rows.append(arena.observations[waiting & (legal.sum(axis=1) > 1)])
        chosen = np.where(legal, random.random(legal.shape), -1.0).argmax(axis=1)
        arena.step(np.where(waiting, chosen, NO_ACTION).astype(np.uint8))
    return np.concatenate(rows)


def measure(
    network: Network, params: Params, config: SearchConfig, model: int | None, games: int
) -> Timing:
    """Times the search with a belief in one model, or in all alike."""
    rows = positions(games)
    order = np.random.default_rng(1).permutation(len(rows))
    rows = rows[order]
    shares = np.eye(NUM_MODELS, dtype=np.float32)[model] if model is not None else 1 / NUM_MODELS
    beliefs = np.full((len(rows), NUM_MODELS), 0, np.float32) + shares
    beliefs = beliefs.astype(np.float32)
    seeds = np.arange(len(rows), dtype=np.uint64)
    search = Search(network, config)

    def play(part: slice) -> None:
        search(params, rows[part], beliefs[part], seeds[part])

    play(slice(None))  # compiles
    watch = _Stopwatch()
    judge = search._judge
    judge.values = watch.around(judge.values)  # type: ignore[method-assign]
    judge.policies = watch.around(judge.policies)  # type: ignore[method-assign]
    begun = time.process_time()
    play(slice(None))
    batch = time.process_time() - begun
    few = min(len(rows), 200)
    times = []
    begun = time.process_time()
    for index in range(few):
        start = time.perf_counter()
        play(slice(index, index + 1))
        times.append(time.perf_counter() - start)
    alone = time.process_time() - begun
    scale = 1000 / len(rows)
    network_time = watch.seconds
    return Timing(batch * scale, network_time * scale, 1000 * alone / few, 1000 * max(times))


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.search", description=__doc__)
    parser.add_argument("--checkpoint", metavar="RUN[@STEP]")
    options = parser.parse_args(arguments)
    return 0 if options else 1


if __name__ == "__main__":
    sys.exit(main())
