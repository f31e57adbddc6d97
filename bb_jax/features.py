"""The inputs of the networks, made from observation rows on the device.

An observation row, uint8 [19], is a position from the point of view of one player. Its layout is
said in `bb_sim/rules/observation.pxd`. Species s = 0..11 stand in order of strength. `B` denotes
the batch dimension.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from bb_sim.rules.actions import check_scoring
from bb_sim.rules.engine import (
    HAND_SIZE,
    NUM_ACTIONS,
    NUM_PLIES,
    NUM_SPECIES,
    QUEUE_LIMIT,
    QUEUE_SIZE,
)
from bb_sim.rules.observation import (
    ANIMALS_BYTE,
    ANIMALS_ZERO,
    DECK_BYTE,
    HAND_BYTE,
    LEGAL_BYTE,
    OBSERVATION_SIZE,
    OWN_CARD,
    POINTS_BYTE,
    POINTS_ZERO,
    QUEUE_BYTE,
    STRENGTH_BYTE,
    STRENGTH_ZERO,
    TURN_BYTE,
    UNSEEN_BYTE,
)

# Margins of points and of strength are clipped to this, in either direction.
_MARGIN_CLIP = 20
# The bytes at which the sets of cards begin: the observer's hand and deck, the opponent's unseen
# cards.
SET_BYTES = (HAND_BYTE, DECK_BYTE, UNSEEN_BYTE)
_QUEUE = slice(QUEUE_BYTE, QUEUE_BYTE + QUEUE_SIZE)
_LEGAL = slice(LEGAL_BYTE, OBSERVATION_SIZE)


class Column(NamedTuple):
    """Where rows hold a feature that takes one of `size` values.

    Attributes:
      byte: the byte's place in a row.
      first: what the byte holds for value 0; value v is `first + v`.
      size: the number of values.
      clipped: whether a byte outside the values stands for the nearest one; otherwise it stands for
        no value.
    """

    byte: int
    first: int
    size: int
    clipped: bool = False


class Category(NamedTuple):
    """A feature that takes one of `size` values, read from rows.

    Attributes:
      value: uint8 [B]; `size` or more stands for no value.
      size: the number of values.
    """

    value: jax.Array
    size: int


def _bits(low_bytes: jax.Array, count: int) -> jax.Array:
    """The lowest bits of little-endian bytes: uint8 [B, K] -> uint8 [B, count], zeros and ones."""
    spread = (low_bytes[:, :, None] >> jnp.arange(8, dtype=jnp.uint8)) & 1
    return spread.reshape(low_bytes.shape[0], -1)[:, :count]


def _species_set(observations: jax.Array, first_byte: int) -> jax.Array:
    """The set of species that begins at a byte of the rows: uint8 [B, 12] of zeros and ones."""
    return _bits(observations[:, first_byte : first_byte + 2], NUM_SPECIES)


def legal_mask(observations: jax.Array) -> jax.Array:
    """Legal actions: uint8 [B, 19] -> bool [B, 33]; all false where the observer does not move."""
    return _bits(observations[:, _LEGAL], NUM_ACTIONS).astype(bool)


def turns(observations: Any) -> Any:
    """Number of plies played: uint8 [B, 19] -> int32 [B], for JAX and for numpy arrays."""
    return observations[:, TURN_BYTE].astype(jnp.int32)


def decided(observations: Any) -> Any:
    """Whether the result is certain: uint8 [B, 19] -> bool [B], for JAX and for numpy arrays.

    The gate opens at five cards. It cannot open any more once the queue, the hands and the decks
    hold fewer cards together.
    """
    queued = (observations[:, _QUEUE] > 0).sum(axis=-1)
    return NUM_PLIES - turns(observations) + queued < QUEUE_LIMIT


def result(
    observations: jax.Array, scoring: str, draw_reward: float = 0.0
) -> tuple[jax.Array, jax.Array]:
    """The result if the game ended here.

    Args:
      observations: uint8 [B, 19].
      scoring: "points" or "animals".
      draw_reward: the outcome of a draw.

    Returns:
      The outcome, float32 [B] (1 for a win, -1 for a loss), and the margin, float32 [B], in points
      or animals.

    Raises:
      ValueError: the scoring is unknown.
    """
    check_scoring(scoring)

    def margin(column: int, zero: int) -> jax.Array:
        return observations[:, column].astype(jnp.float32) - zero

    if scoring == "points":
        points = margin(POINTS_BYTE, POINTS_ZERO)
        return jnp.where(points == 0, draw_reward, jnp.sign(points)), points
    animals = margin(ANIMALS_BYTE, ANIMALS_ZERO)
    # A tie goes to the lower total strength.
    strength = -margin(STRENGTH_BYTE, STRENGTH_ZERO)
    difference = jnp.where(animals == 0, strength, animals)
    return jnp.where(difference == 0, draw_reward, jnp.sign(difference)), animals


def queue_one_hot(observations: jax.Array) -> jax.Array:
    """Cards in the queue: uint8 [B, 19] -> bool [B, 4, 24].

    The first 12 entries are the observer's species, the others the opponent's. An empty position is
    all false.
    """
    hot = one_hot(_read(observations, queue_columns()))
    return hot.reshape(-1, QUEUE_SIZE, 2 * NUM_SPECIES)


def own_hand(observations: jax.Array) -> jax.Array:
    """The observer's hand as a set: uint8 [B, 19] -> bool [B, 12]."""
    return _species_set(observations, HAND_BYTE).astype(bool)


def hand_one_hot(observations: jax.Array) -> jax.Array:
    """Cards in the observer's hand, the weakest first: uint8 [B, 19] -> bool [B, 4, 12].

    Places beyond the number of cards are all false.
    """
    held = own_hand(observations)
    # The rank of a card is the number of weaker cards in the hand. It is a product with a triangle
    # because neither sorting nor a cumulative sum is cheap on every backend.
    weaker = jnp.tri(NUM_SPECIES, k=-1, dtype=jnp.float32)
    rank = held.astype(jnp.float32) @ weaker.T
    return held[:, None, :] & (rank[:, None, :] == jnp.arange(HAND_SIZE)[None, :, None])


def queue_columns() -> list[Column]:
    """The places of the queue from the gate on; the observer's species come first."""
    places = range(QUEUE_BYTE, QUEUE_BYTE + QUEUE_SIZE)
    return [Column(byte, OWN_CARD, 2 * NUM_SPECIES) for byte in places]


def context_columns(scoring: str) -> list[Column]:
    """The margins that matter under a scoring, and the turn.

    Raises:
      ValueError: the scoring is unknown.
    """

    def margin(byte: int, zero: int, clip: int) -> Column:
        return Column(byte, zero - clip, 2 * clip + 1, clipped=True)

    check_scoring(scoring)
    turn = Column(TURN_BYTE, 0, NUM_PLIES)
    if scoring == "points":
        return [margin(POINTS_BYTE, POINTS_ZERO, _MARGIN_CLIP), turn]
    return [
        margin(ANIMALS_BYTE, ANIMALS_ZERO, NUM_SPECIES),
        margin(STRENGTH_BYTE, STRENGTH_ZERO, _MARGIN_CLIP),
        turn,
    ]


def _read(observations: jax.Array, columns: list[Column]) -> list[Category]:
    def value(column: Column) -> jax.Array:
        held = observations[:, column.byte]
        if column.clipped:
            held = jnp.clip(held, column.first, column.first + column.size - 1)
        # A byte below the first value wraps around, to a number that is outside the category.
        return held - column.first

    return [Category(value(column), column.size) for column in columns]


def bits(observations: jax.Array) -> jax.Array:
    """The three sets of cards and whether the observer moves: uint8 [B, 19] -> bool [B, 37].

    The sets are the observer's hand and deck and the opponent's unseen cards. The last bit tells a
    decision from an afterstate.
    """
    sets = [_species_set(observations, first) for first in SET_BYTES]
    moves = jnp.any(observations[:, _LEGAL] > 0, axis=1, keepdims=True)
    return jnp.concatenate([*sets, moves], axis=1).astype(bool)


def categories(observations: jax.Array, scoring: str) -> list[Category]:
    """The features with several values: the queue positions, the margins and the turn.

    A queue position has 24 values, the observer's species first. The turn has 24. Scoring by points
    adds the margin in points, clipped to +-20 (41 values). Scoring by animals adds the margin in
    animals (25 values) and in total strength, clipped to +-20 (41 values).
    """
    return _read(observations, [*queue_columns(), *context_columns(scoring)])


def one_hot(categories: list[Category]) -> jax.Array:
    """The concatenated one-hot codes of categories: bool [B, sum of sizes]."""
    codes = [value[:, None] == jnp.arange(size, dtype=jnp.uint8) for value, size in categories]
    return jnp.concatenate(codes, axis=1)


def flat_size(scoring: str) -> int:
    """The number of `flat_features`."""
    row = jax.ShapeDtypeStruct((1, OBSERVATION_SIZE), jnp.uint8)
    return int(jax.eval_shape(lambda row: flat_features(row, scoring), row).shape[1])


def context(observations: jax.Array, scoring: str) -> jax.Array:
    """Everything but the queue (bits, margins and turn): uint8 [B, 19] -> bool [B, C].

    C is 102 under scoring by points and 127 under scoring by animals.
    """
    return jnp.concatenate(
        [bits(observations), one_hot(_read(observations, context_columns(scoring)))], axis=1
    )


def flat_features(observations: jax.Array, scoring: str) -> jax.Array:
    """All features, one-hot `categories` and `bits`: uint8 [B, 19] -> bool [B, F].

    F is 198 under scoring by points and 223 under scoring by animals.
    """
    return jnp.concatenate([one_hot(categories(observations, scoring)), bits(observations)], axis=1)
