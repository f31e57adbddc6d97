"""What a searching player believes about its opponents, game by game.

`G` denotes seats at which the player sits, `B` positions, `H` = 495 slots of hands, `M` = 11
opponent models: the ten named opponents in the order of `OPPONENTS`, then the searching network.
"""

import warnings

import numpy as np

from bb_jax.networks.network import Params
from bb_jax.search.config import KNOWN, MODELS, UNKNOWN
from bb_jax.search.search import Search
from bb_sim.opponents.posterior import (
    NETWORK_MODEL,
    NUM_HANDS,
    NUM_MODELS,
    uniform_posterior,
    update_posterior,
)
from bb_sim.opponents.seen_move import mover_rows, rows_before_first_move
from bb_sim.rules.afterstates import afterstates_of
from bb_sim.rules.observation import OBSERVATION_SIZE, TURN_BYTE

# Moves whose hands the network judges at once, which bounds the memory.
_MOVES_AT_ONCE = 512


class Beliefs:
    """A player's beliefs in many games at once.

    The player asks for them before each decision (`at`), in the order of each game, and reports
    each decision (`played`). If the opponent is unknown, all models are equally probable at first.
    Every move of the opponent between two decisions is then evidence by Bayes' rule, about its
    model and its hand.
    """

    def __init__(self, search: Search, params: Params, opponents: np.ndarray):
        """Begins G games.

        Args:
          search: the player's search; its configuration says what is assumed about the opponent.
          params: the network's parameters.
          opponents: integers [G], the models of the opponents. They are used only if the
            configuration says that the opponent is known.
        """
        self._search, self._params = search, params
        assumed = search.config.opponent
        seats = len(opponents)
        shares = np.zeros((seats, NUM_MODELS))
        if assumed == UNKNOWN:
            shares[:] = 1.0 / NUM_MODELS
        else:
            shares[np.arange(seats), opponents if assumed == KNOWN else MODELS.index(assumed)] = 1.0
        self._first_shares = shares
        self._posterior = np.zeros((seats, NUM_HANDS, NUM_MODELS), np.float32)
        # The afterstate of each seat's last action.
        self._seen = np.zeros((seats, OBSERVATION_SIZE), np.uint8)

    def at(self, seats: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """What seats believe after the opponent's last move.

        A move that the rules do not explain tells nothing: the models keep their probabilities, and
        all hands become equally probable. A warning says so.

        Args:
          seats: integers [B], each at most once.
          rows: uint8 [B, 19], the positions in which they are about to decide.

        Returns:
          float32 [B, H, M], the posteriors; see `bb_sim.opponents.posterior`.
        """
        turns = rows[:, TURN_BYTE]
        before = self._seen[seats]
        before[turns == 1] = rows_before_first_move(rows[turns == 1])
        # At a game's first decision nothing from an earlier game at this seat is kept.
        fresh = turns < 2
        first = np.where((turns == 0)[:, None], rows, before)[fresh]
        self._posterior[seats[fresh]] = uniform_posterior(first, self._first_shares[seats[fresh]])
        moved = np.flatnonzero(turns > 0)
        for start in range(0, len(moved), _MOVES_AT_ONCE):
            part = moved[start : start + _MOVES_AT_ONCE]
            self._learn(seats[part], before[part], rows[part])
        return self._posterior[seats]

    def played(self, seats: np.ndarray, rows: np.ndarray, actions: np.ndarray) -> None:
        """Remembers the actions, uint8 [B], that seats played in rows uint8 [B, 19]."""
        self.saw(seats, afterstates_of(rows, actions))

    def saw(self, seats: np.ndarray, rows: np.ndarray) -> None:
        """Remembers what seats saw before the opponent's next move: rows uint8 [B, 19]."""
        self._seen[seats] = rows

    def join(self, seats: np.ndarray, rows: np.ndarray) -> None:
        """Begins games in the middle, in which no earlier move is known.

        Args:
          seats: integers [B].
          rows: uint8 [B, 19], what they see. If the opponent is to move, its move is evidence.
        """
        self._posterior[seats] = uniform_posterior(rows, self._first_shares[seats])
        self.saw(seats, rows)

    def now(self, seats: np.ndarray) -> np.ndarray:
        """What seats believe, float32 [B, H, M], without another move of the opponent."""
        return self._posterior[seats]

    def resume(self, seats: np.ndarray, posterior: np.ndarray) -> None:
        """Takes what `at` gave before, float32 [B, H, M], for what seats believe."""
        self._posterior[seats] = posterior

    def _learn(self, seats: np.ndarray, before: np.ndarray, after: np.ndarray) -> None:
        """Updates by the opponent's moves between rows uint8 [B, 19]."""
        network = None
        if (self._first_shares[seats, NETWORK_MODEL] > 0).any():
            rows, masks, _ = mover_rows(before, after)
            policies = self._search.policies(self._params, rows)
            bits = np.uint64(1) << np.arange(policies.shape[1], dtype=np.uint64)
            fits = (masks[:, None] & bits) != 0
            network = np.where(fits, policies, 0.0).sum(axis=1, dtype=np.float64)
        explained = update_posterior(self._posterior, seats, before, after, network)
        if not explained.all():
            warnings.warn(
                "a move of the opponent does not follow from the rules; what it may hold is "
                "forgotten there",
                stacklevel=3,
            )
