"""What a searching player remembers of its games between two moves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from bb_sim.arena import EXTERNAL
from bb_sim.opponents.posterior import NETWORK_MODEL
from bb_sim.rules.observation import TURN_BYTE
from eval.matches.streams import mixed_seeds

if TYPE_CHECKING:
    from bb_jax.search import Search, SearchResult


class SearchSession:
    """A searching player's part in a list of games.

    G denotes games, B positions. The moves depend on the seeds of the games and on what the player
    has seen of each.
    """

    def __init__(self, search: Search, params: Any, seeds: np.ndarray, controllers: np.ndarray):
        """Begins the games.

        Args:
          search: the player's search.
          params: the network's parameters.
          seeds: uint64 [G], seeds of the games.
          controllers: uint8 [G, 2], who plays each seat, as in `bb_sim.Arena`.
        """
        from bb_jax.search import Beliefs

        self._search, self._params = search, params
        self._seeds = seeds
        # Entry 2 g + s is the opponent of seat s of game g.
        others = controllers[:, ::-1].reshape(-1)
        models = np.where(others < EXTERNAL, others, NETWORK_MODEL)
        self._beliefs = Beliefs(search, params, models)

    def look(self, games: np.ndarray, rows: np.ndarray) -> SearchResult:
        """Searches rows uint8 [B, 19] of games, integers [B]. The caller decides what is played.

        A game's decisions come in order; a game that begins again is a new game.
        """
        beliefs = self._beliefs.at(_seats(games, rows), rows)
        seeds = mixed_seeds(self._seeds[games], rows[:, TURN_BYTE])
        return self._search(self._params, rows, beliefs, seeds)

    def played(self, games: np.ndarray, rows: np.ndarray, actions: np.ndarray) -> None:
        """Remembers the actions, uint8 [B], that were played in rows of `look`."""
        self._beliefs.played(_seats(games, rows), rows, actions)

    def decide(self, games: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Action ids uint8 [B] for rows uint8 [B, 19] of games, integers [B]."""
        actions = self.look(games, rows).actions
        self.played(games, rows, actions)
        return actions


def _seats(games: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """int64 [B]: seat s of game g is 2 g + s."""
    return 2 * games.astype(np.int64) + (rows[:, TURN_BYTE] & 1)
