"""What a searching player believes about its opponents, game by game.

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

# The network's probability of a move is averaged over so many hands of the opponent.
_HANDS = 16
# The least likelihood of a move: an opponent like none of the models must not rule out all.
_FLOOR = 1e-3


class Beliefs:
    """A player's beliefs in many games at once.

    The player asks for them before each decision (`at`), in the order of each game, and reports
    each decision (`played`). If the opponent is unknown, all models are equally probable at first.
    Every move of the opponent between two decisions is then evidence by Bayes' rule.
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
        shares = np.zeros((seats, NUM_MODELS), np.float32)
        if assumed == UNKNOWN:
            shares[:] = 1.0 / NUM_MODELS
        else:
            shares[np.arange(seats), opponents if assumed == KNOWN else MODELS.index(assumed)] = 1.0
        self._shares = shares
        self._infers = assumed == UNKNOWN
        # The afterstate of each seat's last action.
        self._seen = np.zeros((seats if self._infers else 0, OBSERVATION_SIZE), np.uint8)

    def at(self, seats: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """What seats believe after the opponent's last move.

        Args:
          seats: integers [B], each at most once.
          rows: uint8 [B, 19], the positions in which they are about to decide.

        Returns:
          float32 [B, M], the probabilities of the models.
        """
        if self._infers:
            # At a game's first decision nothing from an earlier game at this seat is kept.
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
        """Remembers the actions, uint8 [B], that seats played in rows uint8 [B, 19]."""
        if self._infers:
            self._seen[seats] = afterstates_of(rows, actions)

    def _likelihoods(self, before: np.ndarray, after: np.ndarray) -> np.ndarray:
        """float64 [B, M]: the likelihoods of the opponent's moves between rows uint8 [B, 19]."""
        likelihoods = np.empty((len(before), NUM_MODELS))
        likelihoods[:, :NETWORK_MODEL] = move_likelihoods(before, after)
        # The sampled hands depend on the position alone.
        seeds = after[:, :UNSEEN_BYTE].copy().view(np.uint64)[:, 0] + after[:, TURN_BYTE]
        rows, masks = opponent_rows(before, after, _HANDS, seeds)
        policies = self._search.policies(self._params, rows.reshape(-1, OBSERVATION_SIZE))
        bits = np.uint64(1) << np.arange(policies.shape[1], dtype=np.uint64)
        fits = (masks[:, :, None] & bits) != 0
        probabilities = np.where(fits, policies.reshape(fits.shape), 0.0).sum(axis=2)
        likelihoods[:, NETWORK_MODEL] = probabilities.mean(axis=1)
        return likelihoods
