"""Sequential halving over the candidate actions of many positions, on one thread.

`B` denotes positions, `A` the 33 actions.
"""

import time
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from bb_jax.networks.afterstates import MAX_AFTERSTATES
from bb_jax.networks.network import Params
from bb_jax.search import halving
from bb_jax.search.config import SearchConfig
from bb_jax.search.evaluator import RowEvaluator
from bb_sim.rules.engine import NUM_ACTIONS
from bb_sim.search.simulator import Simulator

# The number of simulations between two looks at the clock.
_TIMED_SIMULATIONS = 2048


class SearchResult(NamedTuple):
    """The result of a search.

    Attributes:
      values: float32 [B, A], the mover's expected outcome + margin_weight * margin for each action;
        -inf where it is illegal. 0 where the only legal action was not evaluated.
      samples: int32 [B, A], the number of worlds behind each estimate; 0 where it comes from one
        forward pass or is exact.
      actions: uint8 [B], the actions chosen; 0 in rows without a legal action.
    """

    values: np.ndarray
    samples: np.ndarray
    actions: np.ndarray


@dataclass
class Positions:
    """Positions that are searched together.

    Attributes:
      rows, beliefs, seeds: the arguments of the search.
      alive: bool [B, A], the candidates that are left.
      worlds: int32 [B], the number of worlds played so far.
      depth: the mover's moves in a simulation.
      sums: float64 [B, A], the summed results of the worlds played since these positions were put
        together.
      counts: int64 [B], the number of candidates.
      candidates: uint64 [B], the candidates as bit masks.
    """

    rows: np.ndarray
    beliefs: np.ndarray
    seeds: np.ndarray
    alive: np.ndarray
    worlds: np.ndarray
    depth: int

    def __post_init__(self) -> None:
        self.sums = np.zeros(self.alive.shape)
        self.counts = self.alive.sum(axis=1)
        bits = np.uint64(1) << np.arange(NUM_ACTIONS, dtype=np.uint64)
        self.candidates = np.where(self.alive, bits, np.uint64(0)).sum(axis=1, dtype=np.uint64)

    def take(self, chosen: np.ndarray) -> "Positions":
        return Positions(
            self.rows[chosen],
            self.beliefs[chosen],
            self.seeds[chosen],
            self.alive[chosen],
            self.worlds[chosen],
            self.depth,
        )


class Sampler:
    """Plays worlds of positions; owns the simulator and its memory."""

    def __init__(self, evaluator: RowEvaluator, config: SearchConfig, scoring: str, capacity: int):
        """Prepares buffers.

        Args:
          evaluator: evaluates the leaves.
          config: the budget and the objective.
          scoring: "points" or "animals".
          capacity: the number of simulations at once.
        """
        self._config = config
        self._evaluator = evaluator
        self._simulator = Simulator(capacity, scoring, config.margin_weight, config.draw_reward)

    def halve(self, params: Params, positions: Positions, deadline: float) -> SearchResult:
        """Halves the candidates until one is left.

        Args:
          params: the network's parameters.
          positions: the positions; they are changed.
          deadline: a time of `time.perf_counter`; used if the budget is time.
        """
        legal = positions.alive
        rounds = halving.num_rounds(legal.sum(axis=1))
        last = int(rounds.max())
        alive, worlds = legal.copy(), positions.worlds.copy()
        sums, samples = np.zeros(legal.shape), np.zeros(legal.shape, np.int32)
        for number in range(1, last + 1):
            playing = np.flatnonzero(rounds >= number)
            positions.alive, positions.worlds = alive, worlds
            part = positions.take(playing)
            if self._config.samples is None:
                now = time.perf_counter()
                self._play_until(params, part, now + (deadline - now) / (last + 1 - number))
            else:
                until = halving.worlds_until(self._config.samples, number, rounds[playing])
                self._play(params, part, until - part.worlds)
            sums[playing] += part.sums
            samples[playing] += part.alive * (part.worlds - worlds[playing])[:, None]
            worlds[playing] = part.worlds
            means = sums[playing] / np.maximum(samples[playing], 1)
            alive[playing] = halving.keep_better_half(means, part.alive)
        values = np.where(legal, sums / np.maximum(samples, 1), -np.inf).astype(np.float32)
        return SearchResult(values, samples, alive.argmax(axis=1).astype(np.uint8))

    def _play_until(self, params: Params, positions: Positions, deadline: float) -> None:
        """Plays blocks of worlds until the deadline, at least one block."""
        block = max(1, _TIMED_SIMULATIONS // int(positions.counts.sum()))
        worlds = np.full(len(positions.counts), block, np.int32)
        while True:
            begun = time.perf_counter()
            self._play(params, positions, worlds)
            now = time.perf_counter()
            if now + (now - begun) > deadline:
                return

    def _play(self, params: Params, positions: Positions, worlds: np.ndarray) -> None:
        """Plays more worlds of each position, `worlds` (int32 [B]) of them."""
        capacity = self._simulator.capacity
        while worlds.any():
            part = np.minimum(worlds, capacity // MAX_AFTERSTATES)
            ends = np.cumsum(positions.counts * part.astype(np.int64))
            start = 0
            while start < len(part):
                played = ends[start - 1] if start else 0
                stop = int(np.searchsorted(ends, played + capacity, side="right"))
                self._simulate(params, positions, slice(start, stop), part[start:stop])
                start = stop
            positions.worlds = positions.worlds + part
            worlds = worlds - part

    def _simulate(
        self, params: Params, positions: Positions, part: slice, worlds: np.ndarray
    ) -> None:
        simulator, evaluator = self._simulator, self._evaluator
        simulator.begin(
            positions.rows[part],
            positions.candidates[part],
            positions.seeds[part],
            positions.worlds[part],
            worlds,
            positions.beliefs[part],
        )
        rows = self._reply(params)
        for _ in range(positions.depth - 1):
            simulator.advance(evaluator.policies(params, rows).argmax(axis=1).astype(np.uint8))
            rows = self._reply(params)
        positions.sums[part] += simulator.sums(evaluator.values(params, rows))

    def _reply(self, params: Params) -> np.ndarray:
        """Plays the opponents' replies.

        Args:
          params: the network's parameters.

        Returns:
          uint8 [U, 19], the movers' next decisions.
        """
        simulator = self._simulator
        policies = None
        if simulator.asks_network:
            asked = simulator.opponent_rows()
            policies = self._evaluator.policies(params, simulator.rows[:asked])
        return simulator.rows[: simulator.reply(policies)]
