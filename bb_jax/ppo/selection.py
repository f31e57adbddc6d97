"""The positions that a pass of an update learns from, where it does not learn from all.

The policy learns where the advantage is among the largest in size. There the values learn, too, and
at a random part of the other positions, drawn anew for each pass. `M` denotes position slots.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from bb_jax.ppo.permutation import permutation


class Partition(NamedTuple):
    """All positions, in two parts.

    Attributes:
      positions: int32 [M], those that are chosen, then the others, both in ascending order;
        arbitrary beyond the last position.
      chosen: int32 [], the number of those that are chosen.
      others: int32 [], the number of the others.
    """

    positions: jax.Array
    chosen: jax.Array
    others: jax.Array


def largest(sizes: jax.Array, mask: jax.Array, fraction: float) -> jax.Array:
    """Chooses the largest values, which takes no sorting.

    The bits of floating-point numbers that are not negative are ordered as the numbers are. So the
    smallest value that is chosen is found bit by bit.

    Args:
      sizes: float32 [M], not negative. NaN is larger than any number: an error among the sizes must
        not vanish.
      mask: bool [M], the values to choose from.
      fraction: the share to choose, 0 to 1.

    Returns:
      bool [M]: round(fraction x values) of the values. Of equal ones, the first are chosen.
    """
    ranks = jax.lax.bitcast_convert_type(sizes, jnp.uint32) + 1
    ranks = jnp.where(mask, ranks, jnp.uint32(0))
    wanted = _share(fraction, jnp.sum(mask, dtype=jnp.int32))

    def with_bit(index: jax.Array, threshold: jax.Array) -> jax.Array:
        candidate = threshold | (jnp.uint32(1) << (31 - index).astype(jnp.uint32))
        enough = jnp.sum(ranks >= candidate, dtype=jnp.int32) >= wanted
        return jnp.where(enough, candidate, threshold)

    threshold = jax.lax.fori_loop(0, 32, with_bit, jnp.uint32(0))
    above = ranks > threshold
    equal = mask & (ranks == threshold)
    missing = wanted - jnp.sum(above, dtype=jnp.int32)
    return above | (equal & (jnp.cumsum(equal) <= missing))


def partition(chosen: jax.Array, valid: jax.Array) -> Partition:
    """Divides positions.

    Args:
      chosen: bool [M], the positions that are chosen; all of them are valid.
      valid: bool [M], which slots hold a position.
    """
    others = valid & ~chosen
    count = jnp.sum(chosen, dtype=jnp.int32)
    slots = len(chosen)
    places = jnp.where(chosen, jnp.cumsum(chosen) - 1, count + jnp.cumsum(others) - 1)
    positions = jnp.zeros(slots, jnp.int32)
    positions = positions.at[jnp.where(valid, places, slots)].set(jnp.arange(slots), mode="drop")
    return Partition(positions, count, jnp.sum(others, dtype=jnp.int32))


def draw_order(
    key: jax.Array, parts: Partition, other_fraction: float
) -> tuple[jax.Array, jax.Array]:
    """The positions of one pass, in random order.

    Args:
      key: uint32 [2].
      parts: the positions.
      other_fraction: the share of the others that is drawn.

    Returns:
      int32 [M], all that are chosen and round(other_fraction x others) of the others, arbitrary
      beyond them; and their number, int32 [].
    """
    draw_key, order_key = jax.random.split(key)
    slots = len(parts.positions)
    drawn = permutation(draw_key, parts.others, slots)
    count = parts.chosen + _share(other_fraction, parts.others)
    order = permutation(order_key, count, slots)
    other = parts.chosen + drawn[jnp.maximum(order - parts.chosen, 0)]
    places = jnp.where(order < parts.chosen, order, other)
    return jnp.take(parts.positions, places, mode="clip"), count


def _share(fraction: float, count: jax.Array) -> jax.Array:
    """round(fraction x count), int32 []."""
    return jnp.round(jnp.float32(fraction) * count).astype(jnp.int32)
