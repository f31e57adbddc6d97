"""The network as a judge of many decisions at once, and searches as the judge of a few.

`B` denotes rows, `A` the 33 actions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import jax
import numpy as np

from bb_jax.networks.network import build_network
from bb_jax.policies.policy_file import Policy
from bb_jax.search.config import SearchConfig
from bb_sim import SPECIES
from bb_sim.rules.actions import Scoring
from bb_sim.rules.afterstates import expand_afterstates
from bb_sim.rules.engine import NUM_ACTIONS
from bb_sim.rules.observation import legal_mask_of
from eval.analysis.engine import Engine
from eval.analysis.evaluator import PartsEvaluator
from eval.guide.decisions import SPECIES_OF

# Rows that are judged between two looks at the progress.
_AT_ONCE = 20_000

Tick = Callable[[int, int], None]


class Judge:
    """Says what actions are worth.

    Attributes:
      engine: the analysis engine, for positions that are searched.
      scoring: "points" or "animals".
    """

    def __init__(self, policy: Policy):
        config = SearchConfig()
        temperature = policy.metadata.get("policy_temperature")
        network = build_network(policy.network_config, policy.scoring)
        self._evaluator = PartsEvaluator(
            network, config.margin_weight, config.draw_reward, temperature
        )
        self._params = jax.tree.map(jax.numpy.array, policy.params)
        self.engine = Engine(policy)
        self.scoring: Scoring = self.engine.scoring

    def win_probabilities(self, rows: np.ndarray, tick: Tick | None = None) -> np.ndarray:
        """float32 [B, A]: those after each action by one forward pass, -inf where illegal."""
        found = np.full((len(rows), NUM_ACTIONS), -np.inf, np.float32)
        for part in _parts(len(rows), tick):
            afterstates, _ = expand_afterstates(rows[part])
            legal = legal_mask_of(rows[part])
            found[part][legal] = self._evaluator.parts(self._params, afterstates)[:, 1]
        return found

    def expected_wins(self, rows: np.ndarray, tick: Tick | None = None) -> np.ndarray:
        """float32 [B]: the win probability of whoever is to move, by one forward pass."""
        found = np.zeros(len(rows), np.float32)
        for part in _parts(len(rows), tick):
            found[part] = self._evaluator.parts(self._params, rows[part])[:, 1]
        return found

    def best_with_each(
        self, rows: np.ndarray, tick: Tick | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """The best way to play each animal, by one forward pass.

        Args:
          rows: uint8 [B, 19].
          tick: called with (rows judged, rows in all).

        Returns:
          Action ids uint8 [B, 12], and their values float32 [B, 12] as a search without samples
          has them; -inf for animals that are not in the hand.
        """
        actions = np.zeros((len(rows), len(SPECIES)), np.uint8)
        values = np.full(actions.shape, -np.inf, np.float32)
        for part in _parts(len(rows), tick):
            found = self._evaluator.action_values(self._params, rows[part])
            for species in range(len(SPECIES)):
                own = np.where(species == SPECIES_OF, found, -np.inf)
                actions[part, species] = own.argmax(axis=1)
                values[part, species] = own.max(axis=1)
        return actions, values


def _parts(total: int, tick: Tick | None) -> Iterator[slice]:
    for first in range(0, total, _AT_ONCE):
        if tick is not None:
            tick(first, total)
        yield slice(first, min(first + _AT_ONCE, total))
