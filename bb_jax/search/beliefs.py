"""What a searching player believes of its opponents, game by game.

`G` denotes seats at which the player sits, `B` positions, `M` = 11 opponent models: the ten named
opponents in the order of `OPPONENTS`, then the searching network itself.
"""

import numpy as np

from bb_jax.networks.network import Params
from bb_jax.search.config import KNOWN, MODELS, UNKNOWN
from bb_jax.search.search import Search
from bb_sim.opponents.inference import move_likelihoods, opponent_rows, rows_before_first_move
from bb_sim.rules.afterstates import afterstates_of
from bb_sim.rules.observation import OBSERVATION_SIZE, TURN_BYTE, UNSEEN_BYTE
from bb_sim.search.simulator import NETWORK_MODEL, NUM_MODELS

# Hands of the opponent over which the network's probability of a move is averaged.
_HANDS = 16
# Least likelihood of a move, so that an opponent that is none of the models leaves some possible.
_FLOOR = 1e-3


class Beliefs:
    """The memory of a player over many games at once.

    It is asked before each decision (`at`), in the order of each game, and told each decision
    (`played`). Where the opponent is unknown, all models are equally probable at first, and every
    move of the opponent that lies between two decisions is evidence by Bayes' rule.
    """

    def __init__(self, search: Search, params: Params, opponents: np.ndarray):
        """Begins G games.

        Args:
          search: the player's; its configuration says what is assumed of the opponent.
          params: of its network.
          opponents: integers [G], the model of whoever sits at the other side of each table. They
            are looked at only where the configuration says that the opponent is known.
        """
        self._search, self._params = search, params
        assumed = search.config.opponent
        seats = len(opponents)
        shares = np.zeros((seats, NUM_MODELS), np.float32)
        if assumed == UNKNOWN:
            shares[:] = 1.0 / NUM_MODELS
        else:
            shares[np.arange(seats), opponents if assumed == KNOWN else MODELS.index(assumed)] = 1.0
        self._shares = shares
        self._infers = assumed == UNKNOWN
        # What each seat saw after its last action; no game has an afterstate of turn 0.
        self._seen = np.zeros((seats if self._infers else 0, OBSERVATION_SIZE), np.uint8)

    def at(self, seats: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """What seats believe now, after the opponent's last move.

        Args:
          seats: integers [B], each at most once.
          rows: uint8 [B, 19], the decisions that they are about to take.

        Returns:
          float32 [B, M], shares of the models.
        """
        if self._infers:
            # A game's first decision: nothing of an earlier playing of it is remembered.
            self._shares[seats[rows[:, TURN_BYTE] < 2]] = 1.0 / NUM_MODELS
            before = self._seen[seats]
            opening = rows[:, TURN_BYTE] == 1
            before[opening] = rows_before_first_move(rows[opening])
            moved = np.flatnonzero(rows[:, TURN_BYTE] > 0)
            likelihoods = self._likelihoods(before[moved], rows[moved])
            shares = self._shares[seats[moved]] * np.maximum(likelihoods, _FLOOR)
            self._shares[seats[moved]] = shares / shares.sum(axis=1, keepdims=True)
        return self._shares[seats]

    def played(self, seats: np.ndarray, rows: np.ndarray, actions: np.ndarray) -> None:
        """Remembers the actions, uint8 [B], that seats chose in their rows uint8 [B, 19]."""
        if self._infers:
            self._seen[seats] = afterstates_of(rows, actions)

    def _likelihoods(self, before: np.ndarray, after: np.ndarray) -> np.ndarray:
        """float64 [B, M]: of the opponent's moves between rows uint8 [B, 19]."""
        likelihoods = np.empty((len(before), NUM_MODELS))
        likelihoods[:, :NETWORK_MODEL] = move_likelihoods(before, after)
        # The hands of a move are a function of what was seen of it.
        seeds = after[:, :UNSEEN_BYTE].copy().view(np.uint64)[:, 0] + after[:, TURN_BYTE]
        rows, masks = opponent_rows(before, after, _HANDS, seeds)
        policies = self._search.policies(self._params, rows.reshape(-1, OBSERVATION_SIZE))
        bits = np.uint64(1) << np.arange(policies.shape[1], dtype=np.uint64)
        fits = (masks[:, :, None] & bits) != 0
        probabilities = np.where(fits, policies.reshape(fits.shape), 0.0).sum(axis=2)
        likelihoods[:, NETWORK_MODEL] = probabilities.mean(axis=1)
        return likelihoods
