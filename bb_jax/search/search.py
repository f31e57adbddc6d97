"""Search by determinization and sequential halving, for thousands of positions at once.

`B` denotes positions, `A` the 33 actions, `H` = 495 slots of hands, `M` = 11 opponent models: the
ten named opponents in the order of `OPPONENTS`, then the searching network itself.
"""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from bb_jax.devices import usable_cores
from bb_jax.networks.network import Network, Params
from bb_jax.search.config import SearchConfig
from bb_jax.search.evaluator import BATCH_SIZES, RowEvaluator
from bb_jax.search.sampler import Positions, Sampler, SearchResult
from bb_sim.rules.observation import TURN_BYTE, checked_rows, legal_mask_of
from bb_sim.search.endgame import are_endgames, endgame_values
from bb_sim.search.simulator import EXACT_FROM

# The number of simulations of one call of the simulator; those of a few hundred positions.
DEFAULT_CAPACITY = 8 * BATCH_SIZES[0]
# Each thread takes at least so many positions. Python's own part of the work is not shared, which
# makes more threads worth little.
_POSITIONS_OF_THREAD = 64
_MAX_THREADS = 8


class Search:
    """A search with a network.

    The result for a position depends on the network, the row, the belief and the seed alone, unless
    the budget is time. With a budget of time one thread searches a batch.

    Attributes:
      config: see `__init__`.
      evaluator: evaluates rows with the network.
    """

    def __init__(
        self,
        network: Network,
        config: SearchConfig,
        capacity: int = DEFAULT_CAPACITY,
        *,
        policy_temperature: float | None = None,
        threads: int | None = None,
        evaluator_type: Callable[..., RowEvaluator] = RowEvaluator,
    ):
        """Prepares buffers; compiles on first use.

        Args:
          network: from `build_network`.
          config: the budget and the objective; `Beliefs` uses its `opponent`.
          capacity: the number of simulations at once, on each thread.
          policy_temperature: temperature of the softmax over objectives that the network's policy
            was trained to be, from `Policy.metadata`; None if it was trained otherwise. A search
            without samples averages such a policy with the values.
          threads: the number of threads that share a batch; by default one for each core that this
            process may use, up to 8.
          evaluator_type: makes the evaluator of rows from the arguments of `RowEvaluator`.
        """
        self.config = config
        self._scoring = network.scoring
        self.evaluator = evaluator_type(
            network, config.margin_weight, config.draw_reward, policy_temperature
        )
        self._is_warm = config.milliseconds is None
        if threads is None:
            threads = min(usable_cores(), _MAX_THREADS)
        if config.milliseconds is not None:
            threads = 1
        self._samplers = [
            Sampler(self.evaluator, config, network.scoring, capacity) for _ in range(threads)
        ]
        self._pool = ThreadPoolExecutor(threads, "search") if threads > 1 else None

    def __call__(
        self,
        params: Params,
        rows: np.ndarray,
        beliefs: np.ndarray,
        seeds: np.ndarray,
        *,
        evaluate_forced: bool = False,
    ) -> SearchResult:
        """Searches positions.

        Args:
          params: the network's parameters; on the device, if many calls use them.
          rows: uint8 [B, 19], the movers' observations; rows without a legal action are padding.
          beliefs: float32 [B, H, M], what each mover believes about the opponent's model and hand;
            see `bb_sim.opponents.posterior`. Rows of padding may have any.
          seeds: uint64 [B], seeds of the worlds.
          evaluate_forced: whether positions with a single legal action are evaluated too.

        Raises:
          ValueError: an array has another shape or dtype.
        """
        legal = legal_mask_of(checked_rows("rows", rows))
        values = np.where(legal, np.float32(0), np.float32(-np.inf))
        samples = np.zeros(legal.shape, np.int32)
        worth = legal.sum(axis=1) >= (1 if evaluate_forced else 2)
        if self.config.samples == 0:
            values[worth] = self.evaluator.action_values(params, rows[worth])
            return SearchResult(values, samples, values.argmax(axis=1).astype(np.uint8))
        exact = np.flatnonzero(worth & are_endgames(rows))
        config = self.config

        def solve(_: Sampler, part: np.ndarray) -> None:
            values[part] = endgame_values(
                rows[part], beliefs[part], config.margin_weight, self._scoring, config.draw_reward
            )

        self._share_out(solve, exact)
        actions = values.argmax(axis=1).astype(np.uint8)
        left = np.setdiff1d(np.flatnonzero(worth), exact, assume_unique=True)
        depths = simulation_depths(config.depth, rows[left, TURN_BYTE].astype(int))
        if not self._is_warm:
            self.evaluator.warm_up(params)
            self._is_warm = True
        deadline = time.perf_counter()
        for depth in np.unique(depths):
            of_depth = left[depths == depth]
            if config.milliseconds is not None:
                deadline += config.milliseconds / 1000 * len(of_depth)

            def sample(
                sampler: Sampler,
                part: np.ndarray,
                depth: int = int(depth),
                deadline: float = deadline,
            ) -> None:
                worlds = np.zeros(len(part), np.int32)
                positions = Positions(
                    rows[part], beliefs[part], seeds[part], legal[part], worlds, depth
                )
                found = sampler.halve(params, positions, deadline)
                values[part], samples[part], actions[part] = found

            self._share_out(sample, of_depth)
        return SearchResult(values, samples, actions)

    def _share_out(
        self, work: Callable[[Sampler, np.ndarray], None], positions: np.ndarray
    ) -> None:
        """Divides positions, integers [B], among the threads, which do the work."""
        threads = min(len(self._samplers), len(positions) // _POSITIONS_OF_THREAD)
        if threads < 2 or self._pool is None:
            if positions.size:
                work(self._samplers[0], positions)
            return
        # Strided, because neighbours in the batch tend to cost alike.
        parts = [positions[start::threads] for start in range(threads)]
        for _ in self._pool.map(work, self._samplers, parts):
            pass

    def policies(self, params: Params, rows: np.ndarray) -> np.ndarray:
        """float32 [B, A]: the network's probabilities of the actions in rows uint8 [B, 19]."""
        return self.evaluator.policies(params, rows)


def simulation_depths(depth: int, turns: np.ndarray) -> np.ndarray:
    """The mover's moves in simulations from these turns: int [B] -> int [B].

    One more than `depth` where that reaches turns whose results are exact.
    """
    needed = -(-(EXACT_FROM - turns) // 2)
    return np.where(needed == depth + 1, depth + 1, depth)
