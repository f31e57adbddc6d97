"""A search's sampling of one position that keeps what the search itself adds up.

`W` denotes worlds, `K` candidates, `A` the 33 actions. Every world plays all candidates that are
left, and sequential halving takes candidates away, so two candidates share the worlds of the one
that left first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np

from bb_jax.networks.network import Params
from bb_jax.search.config import SearchConfig
from bb_jax.search.sampler import Positions, Sampler
from bb_sim.rules.engine import NUM_ACTIONS
from eval.analysis.endgames import exact_parts, judge_endgames
from eval.analysis.evaluator import PartsEvaluator

PARTS = ("value", "win", "margin")
_NONE = 255
# Own action, reply, own action, reply: each below 256.
_LINE_SHIFTS = (24, 16, 8, 0)


class Tally:
    """Sums over worlds, from which means, errors and differences come.

    Attributes:
      worlds: the number of worlds in which each pair of actions was played, int64 [A, A].
      sums: sums[p, a, b] is the sum of part p of action a over the worlds of the pair (a, b).
      squares, products: the same of its square, and of its product with that of b.
      lines: how often each line came about, by its code.
    """

    def __init__(self) -> None:
        pairs = (len(PARTS), NUM_ACTIONS, NUM_ACTIONS)
        self.worlds = np.zeros(pairs[1:], np.int64)
        self.sums, self.squares, self.products = (np.zeros(pairs) for _ in range(3))
        self.lines: Counter[int] = Counter()

    def add(self, actions: np.ndarray, parts: np.ndarray, steps: list[np.ndarray]) -> None:
        """Adds worlds.

        Args:
          actions: the candidates' ids, integers [K].
          parts: float64 [3, W, K].
          steps: the actions played after the candidate, the opponent's first: uint8 [W, K] each;
            255 where the game was over.
        """
        block = np.ix_(actions, actions)
        self.worlds[block] += parts.shape[1]
        for part, values in enumerate(parts):
            self.sums[part][block] += values.sum(axis=0)[:, None]
            self.squares[part][block] += (values**2).sum(axis=0)[:, None]
            self.products[part][block] += values.T @ values
        codes = np.zeros(parts.shape[1:], np.int64)
        columns = [np.broadcast_to(actions, codes.shape), *steps[:3]]
        columns += [np.full(codes.shape, _NONE)] * (len(_LINE_SHIFTS) - len(columns))
        for shift, column in zip(_LINE_SHIFTS, columns, strict=True):
            codes |= column.astype(np.int64) << shift
        values_, counts = np.unique(codes, return_counts=True)
        self.lines.update(dict(zip(values_.tolist(), counts.tolist(), strict=True)))

    def samples(self, action: int) -> int:
        """The number of worlds that an action was played in."""
        return int(self.worlds[action, action])

    def mean(self, part: int, action: int) -> tuple[float, float | None]:
        """The mean of a part of an action, and its standard error; None for a single world."""
        n = self.samples(action)
        total = self.sums[part, action, action]
        return total / n, _error(total, self.squares[part, action, action], n)

    def difference(self, part: int, one: int, other: int) -> tuple[float, float | None]:
        """The mean of one action minus that of another in their common worlds, and its error."""
        n = int(self.worlds[one, other])
        total = self.sums[part, one, other] - self.sums[part, other, one]
        squares = (
            self.squares[part, one, other]
            + self.squares[part, other, one]
            - 2 * self.products[part, one, other]
        )
        return total / n, _error(total, squares, n)

    def line(self, action: int) -> list[int]:
        """The most frequent continuation of an action, step by step: action ids."""
        line = [action]
        left = {code: n for code, n in self.lines.items() if code >> _LINE_SHIFTS[0] == action}
        for shift in _LINE_SHIFTS[1:]:
            counts: Counter[int] = Counter()
            for code, n in left.items():
                counts[code >> shift & _NONE] += n
            best = max(counts, key=lambda step: (counts[step], -step), default=_NONE)
            if best == _NONE:
                break
            line.append(best)
            left = {code: n for code, n in left.items() if code >> shift & _NONE == best}
        return line


def _error(total: float, squares: float, n: int) -> float | None:
    """The standard error of a mean of n numbers with this sum and sum of squares."""
    if n < 2:
        return None
    spread = max(squares - total**2 / n, 0.0)
    return float(np.sqrt(spread / (n - 1) / n))


def _at(values: np.ndarray, places: np.ndarray, otherwise: np.ndarray) -> np.ndarray:
    """`values` at `places`, integers [S]; `otherwise`, [S, ...], where a place is negative."""
    found = otherwise.astype(np.result_type(values, otherwise))
    is_place = places >= 0
    found[is_place] = values[places[is_place]]
    return found


class TallyingSampler(Sampler):
    """Plays the worlds of one position as a search does, and tallies them.

    Attributes:
      tally: what has been played so far.
    """

    def __init__(
        self,
        evaluator: PartsEvaluator,
        config: SearchConfig,
        scoring: str,
        capacity: int,
        decks: np.ndarray | None = None,
        watch: Callable[[Tally], None] | None = None,
    ):
        """Prepares buffers.

        Args:
          evaluator: evaluates the leaves.
          config: the budget and the objective.
          scoring: "points" or "animals".
          capacity: the number of simulations at once.
          decks: uint8 [2, 8], the decks where they are known, as in `Simulator.begin`.
          watch: called between blocks of worlds; what it raises ends the sampling.
        """
        super().__init__(evaluator, config, scoring, capacity)
        self._parts_evaluator = evaluator
        self._scoring = scoring
        self._decks = decks
        self._watch = watch
        self.tally = Tally()

    def _simulate(
        self, params: Params, positions: Positions, part: slice, worlds: np.ndarray
    ) -> None:
        simulator, evaluator = self._simulator, self._parts_evaluator
        beliefs = positions.beliefs[part]
        shares = beliefs[0].sum(axis=0, dtype=np.float64)
        simulator.begin(
            positions.rows[part],
            positions.candidates[part],
            positions.seeds[part],
            positions.worlds[part],
            worlds,
            beliefs,
            None if self._decks is None else self._decks[None],
        )
        rows = self._reply(params)
        steps = []
        for _ in range(positions.depth - 1):
            places, replies, _, _ = simulator.simulations()
            actions = evaluator.policies(params, rows).argmax(axis=1).astype(np.uint8)
            steps += [replies, _at(actions, places, np.full_like(replies, _NONE))]
            simulator.advance(actions)
            rows = self._reply(params)
        leaves = evaluator.parts(params, rows)
        judge_endgames(leaves, rows, shares, self._config, self._scoring)
        positions.sums[part] += simulator.sums(np.ascontiguousarray(leaves[:, 0]))
        places, replies, outcomes, margins = simulator.simulations()
        steps.append(replies)
        final = exact_parts(outcomes, margins, self._config)
        found = _at(leaves, places, final)
        candidates = np.flatnonzero(positions.alive[part][0])
        shape = (int(worlds[0]), len(candidates))
        self.tally.add(
            candidates,
            found.T.reshape(len(PARTS), *shape).astype(np.float64),
            [step.reshape(shape) for step in steps],
        )
        if self._watch is not None:
            self._watch(self.tally)
