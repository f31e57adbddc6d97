"""Policies over afterstates: a legal action's score is that of the state it leads to.

Afterstates (`bb_sim.rules.afterstates`) are made on the host. Those of a position follow each other
in the order of its legal action ids, and the positions follow each other. `B` denotes positions,
`E` rows of afterstates, `D` parts of a batch.
"""

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from bb_jax import features
from bb_jax.networks.network import Network, Params, evaluate
from bb_sim.rules.afterstates import expand_afterstates
from bb_sim.rules.observation import OBSERVATION_SIZE

# A position has 4.3 afterstates on average in random play, 15 at most. An inference batch has room
# for _MEAN_ROOM of them a position, and for the spread of small batches.
_MEAN_ROOM = 5.5
_SPREAD_ROOM = 18
MAX_AFTERSTATES = 15


class Afterstates(NamedTuple):
    """The afterstates of positions.

    Attributes:
      rows: uint8 [E, 19].
      first: int32 [B], the row at which the afterstates of each position begin.
    """

    rows: Any
    first: Any


def room_for(positions: int) -> int:
    """The number of rows, E, that hardly any batch of so many positions exceeds."""
    room = math.ceil(_MEAN_ROOM * positions + _SPREAD_ROOM * math.sqrt(positions))
    return min(room, MAX_AFTERSTATES * positions)


def make_afterstates(network: Network, parts: np.ndarray) -> Afterstates | None:
    """The afterstates of each part of a batch, on the host, if the network needs them.

    Args:
      network: from `build_network`.
      parts: uint8 [D, B, 19].

    Returns:
      Rows uint8 [D, E, 19] and first int32 [D, B], or None if the network's policy does not score
      afterstates. E is the usual room; if that is not enough, the most that B positions can have.
    """
    return expand_parts(parts) if network.config.afterstates else None


def expand_parts(parts: np.ndarray) -> Afterstates:
    """The afterstates of each part of a batch; see `make_afterstates`."""
    num_parts, positions = parts.shape[:2]
    expanded = [expand_afterstates(part) for part in parts]
    room = room_for(positions)
    if any(len(rows) > room for rows, _ in expanded):
        room = MAX_AFTERSTATES * positions
    padded = np.zeros((num_parts, room, OBSERVATION_SIZE), np.uint8)
    for part, (rows, _) in zip(padded, expanded, strict=True):
        part[: len(rows)] = rows
    return Afterstates(padded, np.stack([starts[:-1] for _, starts in expanded]))


def logits_of_scores(scores: jax.Array, first: jax.Array, legal: jax.Array) -> jax.Array:
    """The scores of afterstates as the logits of actions.

    Args:
      scores: float32 [E].
      first: int32 [B], the row at which the afterstates of each position begin.
      legal: bool [B, 33].

    Returns:
      float32 [B, 33], 0 where an action is illegal.
    """
    chosen = jnp.take(scores, first_and_rank(first, legal), mode="clip")
    return jnp.where(legal, chosen, 0.0)


def first_and_rank(first: jax.Array, legal: jax.Array) -> jax.Array:
    """The row of each action's afterstate: int32 [B], bool [B, 33] -> int32 [B, 33].

    The entries of illegal actions are arbitrary, and may lie outside of the rows.
    """
    return first[:, None] + jnp.cumsum(legal, axis=-1, dtype=jnp.int32) - 1


def evaluate_positions(
    network: Network,
    params: Params,
    observations: jax.Array,
    afterstates: Afterstates | None,
    dropout_key: jax.Array | None = None,
) -> tuple[jax.Array, jax.Array]:
    """Evaluates positions.

    Args:
      network: from `build_network`.
      params: the network's parameters.
      observations: uint8 [B, 19], the positions.
      afterstates: the positions' afterstates, for a network that scores them; otherwise None.
      dropout_key: uint32 [2]; without it there is no dropout.

    Returns:
      Logits float32 [B, 33] and values float32 [B, 2].
    """
    if afterstates is None:
        return evaluate(network, params, observations, dropout_key)
    rows = jnp.concatenate([observations, afterstates.rows])
    scores, values = evaluate(network, params, rows, dropout_key)
    count = len(observations)
    legal = features.legal_mask(observations)
    return logits_of_scores(scores[count:, 0], afterstates.first, legal), values[:count]
