"""Slices of a batch: as many positions as there is room for in the rows of one forward pass.

A position takes one row of a forward pass. In networks over afterstates it takes one more for each
of its legal actions. `B` denotes positions of a batch, `P` positions of a slice, `R` rows of a
slice, `E` rows of the table of afterstates.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from bb_jax import features
from bb_jax.networks.afterstates import logits_of_scores
from bb_jax.networks.network import Network, Params, evaluate
from bb_sim.rules.engine import NUM_ACTIONS


class Room(NamedTuple):
    """The room of a slice.

    Attributes:
      rows: R, the rows of a forward pass.
      positions: P, the most positions.
    """

    rows: int
    positions: int


class Slice(NamedTuple):
    """Consecutive positions of a batch, followed by padding.

    Attributes:
      indices: int32 [P], indices into the batch; padding entries are arbitrary.
      inside: bool [P], which entries are positions.
      end: int32 [], the first position of the next slice.
    """

    indices: jax.Array
    inside: jax.Array
    end: jax.Array


def room_of(network: Network, rows: int) -> Room:
    """The room of slices of about so many rows; there is enough for any position."""
    if not network.config.afterstates:
        return Room(rows, rows)
    rows = max(rows, 1 + NUM_ACTIONS)
    # A decision and at least one afterstate.
    return Room(rows, rows // 2)


def count_rows(network: Network, observations: jax.Array) -> jax.Array:
    """The number of rows that each position takes: uint8 [B, 19] -> int32 [B]."""
    if not network.config.afterstates:
        return jnp.ones(len(observations), jnp.int32)
    return 1 + jnp.sum(features.legal_mask(observations), axis=-1, dtype=jnp.int32)


def take_slice(row_ends: jax.Array, begin: jax.Array, stop: jax.Array, room: Room) -> Slice:
    """The longest slice of the positions begin, ..., stop - 1 that there is room for.

    Args:
      row_ends: int32 [B], the cumulative sum of the positions' rows.
      begin: int32 [], below `stop`.
      stop: int32 [], at most B.
      room: the room of the slice; every position fits.
    """
    rows_before = jnp.where(begin > 0, row_ends[begin - 1], 0)
    # Counting takes one kernel; a binary search would be a loop of many.
    end = jnp.sum(row_ends <= rows_before + room.rows, dtype=jnp.int32)
    end = jnp.minimum(jnp.minimum(end, begin + room.positions), stop)
    indices = begin + jnp.arange(room.positions, dtype=jnp.int32)
    inside = indices < end
    return Slice(jnp.where(inside, indices, 0), inside, end)


def evaluate_slice(
    network: Network,
    params: Params,
    observations: jax.Array,
    first_afterstate: jax.Array,
    inside: jax.Array,
    table: jax.Array,
    room: Room,
    dropout_key: jax.Array | None = None,
) -> tuple[jax.Array, jax.Array]:
    """Evaluates the positions of a slice.

    Args:
      network: from `build_network`.
      params: the network's parameters.
      observations: uint8 [P, 19].
      first_afterstate: int32 [P], the row of the table at which each position's afterstates begin.
      inside: bool [P], which entries are positions.
      table: uint8 [E, 19], the afterstates; used only by networks that score them.
      room: the room of the slice.
      dropout_key: uint32 [2]; without it there is no dropout.

    Returns:
      Logits float32 [P, 33] and values float32 [P, 2], arbitrary for padding entries.
    """
    if not network.config.afterstates:
        return evaluate(network, params, observations, dropout_key)
    counts = jnp.where(inside, count_rows(network, observations), 0)
    ends = jnp.cumsum(counts)
    starts = ends - counts
    owners = jnp.repeat(jnp.arange(room.positions), counts, total_repeat_length=room.rows)
    ranks = jnp.arange(room.rows) - starts[owners]
    afterstates = jnp.take(table, first_afterstate[owners] + ranks - 1, axis=0, mode="clip")
    rows = jnp.where((ranks == 0)[:, None], observations[owners], afterstates)
    rows = jnp.where((jnp.arange(room.rows) < ends[-1])[:, None], rows, jnp.uint8(0))
    scores, values = evaluate(network, params, rows, dropout_key)
    logits = logits_of_scores(scores[:, 0], starts + 1, features.legal_mask(observations))
    if network.config.separate_policy:
        # The layers of the values do not have to see the afterstates.
        _, values = evaluate(network, params, observations, dropout_key)
        return logits, values
    return logits, jnp.take(values, starts, axis=0, mode="clip")
