"""Measures how long a search takes: `python -m benchmarks.search [--checkpoint RUN[@STEP]]`.

The positions are choices of a first mover that plays at random against the ten named opponents. The
network is the checkpoint's, or an untrained one of the quickstart's size. On a single core:

    XLA_FLAGS=--xla_cpu_multi_thread_eigen=false taskset -c 0 python -m benchmarks.search
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

import jax
import numpy as np
from rich.console import Console
from rich.table import Table

from bb_jax import NetworkConfig, build_network, init_params, load_policy
from bb_jax.networks.network import Network, Params
from bb_jax.search import Search, parse_search
from bb_jax.search.evaluator import RowEvaluator
from bb_sim import EXTERNAL, OPPONENTS, Arena
from bb_sim.arena import NO_ACTION
from bb_sim.opponents.posterior import NUM_MODELS, uniform_posterior
from bb_sim.rules.observation import legal_mask_of
from eval.runs.references import find_policy

SEARCHES = (
    "samples=0",
    "samples=50,opponent=heuristic",
    "samples=200,opponent=heuristic",
    "samples=200,opponent=noisy",
    "samples=200,opponent=network",
    "samples=200,opponent=unknown",
    "samples=2000,opponent=heuristic",
    "milliseconds=20,opponent=heuristic",
)


@dataclass(frozen=True)
class Timing:
    """Milliseconds of processor time a move.

    Attributes:
      batch: with all positions in one batch.
      network: the network's part of `batch`.
      alone: with one position a call.
      slowest: the slowest of these calls.
    """

    batch: float
    network: float
    alone: float
    slowest: float


class _TimedEvaluator(RowEvaluator):
    """Sums up the processor time that the network takes."""

    seconds = 0.0

    def values(self, params: Params, rows: np.ndarray) -> np.ndarray:
        begun = time.process_time()
        result = super().values(params, rows)
        self.seconds += time.process_time() - begun
        return result

    def policies(self, params: Params, rows: np.ndarray) -> np.ndarray:
        begun = time.process_time()
        result = super().policies(params, rows)
        self.seconds += time.process_time() - begun
        return result


def positions(games: int) -> np.ndarray:
    """Decisions uint8 [B, 19] between several actions, in random order."""
    arena = Arena(games)
    controllers = np.full((games, 2), EXTERNAL, np.uint8)
    controllers[:, 1] = np.arange(games) % len(OPPONENTS)
    arena.start(np.arange(games, dtype=np.uint64), controllers)
    random = np.random.default_rng(0)
    rows = []
    while arena.pending:
        waiting = arena.games >= 0
        legal = legal_mask_of(arena.observations)
        rows.append(arena.observations[waiting & (legal.sum(axis=1) > 1)])
        chosen = np.where(legal, random.random(legal.shape), -1.0).argmax(axis=1)
        arena.step(np.where(waiting, chosen, NO_ACTION).astype(np.uint8))
    return random.permutation(np.concatenate(rows))


def measure(network: Network, params: Params, text: str, rows: np.ndarray, singles: int) -> Timing:
    """Times a search of rows uint8 [B, 19] in a batch, and of the first `singles` rows alone."""
    config = parse_search(text)
    search = Search(network, config, threads=1, evaluator_type=_TimedEvaluator)
    shares = np.full((len(rows), NUM_MODELS), 1 / NUM_MODELS)
    if config.opponent != "unknown":
        model = (*OPPONENTS, "network").index(config.opponent)
        shares[:] = np.eye(NUM_MODELS)[model]
    beliefs = uniform_posterior(rows, shares)
    seeds = np.arange(len(rows), dtype=np.uint64)

    def play(part: slice) -> float:
        """Seconds of processor time."""
        begun = time.process_time()
        search(params, rows[part], beliefs[part], seeds[part])
        return time.process_time() - begun

    evaluator = search.evaluator
    assert isinstance(evaluator, _TimedEvaluator)
    evaluator.warm_up(params)
    evaluator.seconds = 0.0
    batch = play(slice(None))
    in_network = evaluator.seconds
    alone = [play(slice(index, index + 1)) for index in range(singles)]
    return Timing(
        batch=1000 * batch / len(rows),
        network=1000 * in_network / len(rows),
        alone=1000 * sum(alone) / singles,
        slowest=1000 * max(alone),
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.search")
    parser.add_argument("--checkpoint", metavar="RUN[@STEP]", help="default: untrained, 256-64")
    parser.add_argument("--games", type=int, default=200, metavar="N", help="default: 200")
    parser.add_argument(
        "--search", action="append", metavar="TEXT", help="default: several; can be given again"
    )
    options = parser.parse_args(arguments)
    if options.checkpoint:
        policy = load_policy(find_policy(options.checkpoint))
        network, params = policy.network, policy.params
    else:
        network = build_network(NetworkConfig(kind="mlp", hidden_layers=(256, 64), dropout=0.0))
        params = init_params(network, 0)
    params = jax.tree.map(jax.numpy.asarray, params)
    rows = positions(options.games)
    singles = min(100, len(rows))
    table = Table(title=f"ms a move, {len(rows)} positions in a batch and {singles} alone")
    table.add_column("search", no_wrap=True)
    for name in ("batch", "of which network", "alone", "slowest alone"):
        table.add_column(name, justify="right")
    for text in options.search or SEARCHES:
        timing = measure(network, params, text, rows, singles)
        cells = (timing.batch, timing.network, timing.alone, timing.slowest)
        table.add_row(text, *(f"{cell:.2f}" for cell in cells))
    Console().print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
