"""Batches taken slice by slice, each with as many positions as its rows have room for.

A position takes one row of a forward pass, and in networks over afterstates one more for each of
its legal actions. `B` denotes positions of a batch, `P` positions of a slice, `R` its rows.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from bb_jax import features
from bb_jax.networks.afterstates import logits_of_scores
from bb_jax.networks.network import Network, Params, evaluate
from bb_sim.rules.engine import NUM_ACTIONS


class Room(NamedTuple):
    """What a slice has room for.

    Attributes:
      rows: R, of a forward pass.
      positions: P.
    """

    rows: int
    positions: int


class Slice(NamedTuple):
    """The positions of a slice, one after the other.

    Attributes:
      indices: int32 [P], into the batch; what is no position points anywhere in it.
      inside: bool [P], which are positions.
      end: int32 [], the first position of the next slice.
    """

    indices: jax.Array
    inside: jax.Array
    end: jax.Array


def room_of(network: Network, rows: int) -> Room:
    """The room of slices of about so many rows: enough for any position."""
    if not network.config.afterstates:
        return Room(rows, rows)
    rows = max(rows, 1 + NUM_ACTIONS)
    # A decision and at least one afterstate.
    return Room(rows, rows // 2)


def count_rows(network: Network, observations: jax.Array) -> jax.Array:
    """Rows that each position takes: uint8 [B, 19] -> int32 [B]."""
    if not network.config.afterstates:
        return jnp.ones(len(observations), jnp.int32)
    return 1 + jnp.sum(features.legal_mask(observations), axis=-1, dtype=jnp.int32)


def take_slice(row_ends: jax.Array, begin: jax.Array, stop: jax.Array, room: Room) -> Slice:
    """The longest slice of the positions begin, begin + 1, ... below `stop` that has room.

    Args:
      row_ends: int32 [B], cumulative sum of the positions' rows.
      begin: int32 [], below `stop`.
      stop: int32 [], at most B.
      room: what the slice has room for; each position fits in.
    """
    rows_before = jnp.where(begin > 0, row_ends[begin - 1], 0)
    end = jnp.searchsorted(row_ends, rows_before + room.rows, side="right").astype(jnp.int32)
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
    """Logits float32 [P, 33] and values float32 [P, 2] of the positions of a slice.

    Args:
      network: from `build_network`.
      params: its parameters.
      observations: uint8 [P, 19].
      first_afterstate: int32 [P], where the afterstates of each position begin in the table.
      inside: bool [P]; the results of the others mean nothing.
      table: uint8 [E, 19], afterstates; not used by networks that score none.
      room: of the slice.
      dropout_key: uint32 [2]; dropout acts where it is given.
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
        # Layers that no score needs are spared the afterstates.
        _, values = evaluate(network, params, observations, dropout_key)
        return logits, values
    return logits, jnp.take(values, starts, axis=0, mode="clip")
