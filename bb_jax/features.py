"""From observation rows to the inputs of the networks, on the device.

An observation is a row of 19 bytes from the point of view of one player:

  0..3    queue from the gate: 0 empty, 1 + s an own card, 13 + s an opponent's card
  4, 5    own hand, a set of species as a bit mask, little endian
  6, 7    own deck as a set
  8, 9    the opponent's unseen cards, hand and deck together, as a set
  10      margin in points + 36
  11      margin in animals + 12
  12      margin in total strength + 78
  13      turn, the number of plies played
  14..18  legal mask, 33 bits little endian

Species s = 0..11 stand in order of strength. Throughout, `B` denotes the batch dimension.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from bb_jax.config import check_scoring

OBSERVATION_SIZE = 19
NUM_ACTIONS = 33
NUM_SPECIES = 12
HAND_SIZE = 4
QUEUE_SIZE = 4
NUM_PLIES = 24
_GATE_SIZE = 5

_MARGIN_CLIP = 20
_POINTS, _ANIMALS, _STRENGTH, _TURN = 10, 11, 12, 13
_LEGAL = slice(14, 19)
_POINTS_ZERO, _ANIMALS_ZERO, _STRENGTH_ZERO = 36, 12, 78


class Category(NamedTuple):
    """A feature that takes one of `size` values.

    Attributes:
      value: uint8 [B]; none of them where it is `size` or more.
      size: number of values.
    """

    value: jax.Array
    size: int


def _bits(low_bytes: jax.Array, count: int) -> jax.Array:
    """Bits of little-endian bytes: uint8 [B, K] -> uint8 [B, count] of zeros and ones."""
    spread = (low_bytes[:, :, None] >> jnp.arange(8, dtype=jnp.uint8)) & 1
    return spread.reshape(low_bytes.shape[0], -1)[:, :count]


def legal_mask(observations: jax.Array) -> jax.Array:
    """Legal actions: uint8 [B, 19] -> bool [B, 33]; all false where the viewer does not move."""
    return _bits(observations[:, _LEGAL], NUM_ACTIONS).astype(bool)


def turns(observations: Any) -> Any:
    """Plies played: uint8 [B, 19] -> int32 [B], on the device or, of numpy arrays, on the host."""
    return observations[:, _TURN].astype(jnp.int32)


def decided(observations: Any) -> Any:
    """Whether the result is certain: uint8 [B, 19] -> bool [B], on the host as on the device.

    No gate can open once fewer than five cards are left in the queue, hands and decks together.
    """
    queued = (observations[:, :QUEUE_SIZE] > 0).sum(axis=-1)
    return NUM_PLIES - turns(observations) + queued < _GATE_SIZE


def result(
    observations: jax.Array, scoring: str, draw_reward: float = 0.0
) -> tuple[jax.Array, jax.Array]:
    """Outcome and margin if the game ended here: uint8 [B, 19] -> 2 x float32 [B].

    The outcome is 1, -1, or what a draw is worth.

    Raises:
      ValueError: on another scoring.
    """
    check_scoring(scoring)

    def margin(column: int, zero: int) -> jax.Array:
        return observations[:, column].astype(jnp.float32) - zero

    if scoring == "points":
        points = margin(_POINTS, _POINTS_ZERO)
        return jnp.where(points == 0, draw_reward, jnp.sign(points)), points
    animals = margin(_ANIMALS, _ANIMALS_ZERO)
    # A tie goes to the lower total strength.
    strength = -margin(_STRENGTH, _STRENGTH_ZERO)
    difference = jnp.where(animals == 0, strength, animals)
    return jnp.where(difference == 0, draw_reward, jnp.sign(difference)), animals


def queue_one_hot(observations: jax.Array) -> jax.Array:
    """Queue cards: uint8 [B, 19] -> bool [B, 4, 24], own species first, then the opponent's.

    An empty position is all false.
    """
    hot = one_hot(_queue_categories(observations))
    return hot.reshape(-1, QUEUE_SIZE, 2 * NUM_SPECIES)


def own_hand(observations: jax.Array) -> jax.Array:
    """Own hand as a set: uint8 [B, 19] -> bool [B, 12]."""
    return _bits(observations[:, 4:6], NUM_SPECIES).astype(bool)


def hand_one_hot(observations: jax.Array) -> jax.Array:
    """Hand cards one by one: uint8 [B, 19] -> bool [B, 4, 12], weakest first.

    A position beyond the number of cards is all false.
    """
    held = own_hand(observations)
    # The rank of a card is the number of weaker cards held: a product with a triangle, since
    # neither sorting nor a cumulative sum is cheap on every backend.
    weaker = jnp.tri(NUM_SPECIES, k=-1, dtype=jnp.float32)
    rank = held.astype(jnp.float32) @ weaker.T
    return held[:, None, :] & (rank[:, None, :] == jnp.arange(HAND_SIZE)[None, :, None])


def _queue_categories(observations: jax.Array) -> list[Category]:
    # An empty position's code, 0, wraps around to 255, which is outside the category.
    return [Category(observations[:, i] - 1, 2 * NUM_SPECIES) for i in range(QUEUE_SIZE)]


def _context_categories(observations: jax.Array, scoring: str) -> list[Category]:
    def margin(column: int, zero: int, clip: int) -> Category:
        return Category(
            jnp.clip(observations[:, column], zero - clip, zero + clip) - (zero - clip),
            2 * clip + 1,
        )

    check_scoring(scoring)
    turn = Category(observations[:, _TURN], NUM_PLIES)
    if scoring == "points":
        return [margin(_POINTS, _POINTS_ZERO, _MARGIN_CLIP), turn]
    return [
        margin(_ANIMALS, _ANIMALS_ZERO, NUM_SPECIES),
        margin(_STRENGTH, _STRENGTH_ZERO, _MARGIN_CLIP),
        turn,
    ]


def bits(observations: jax.Array) -> jax.Array:
    """Own hand, own deck, the opponent's unseen cards, and whether the viewer moves.

    uint8 [B, 19] -> bool [B, 37]. The last one tells a decision from an afterstate.
    """
    sets = [_bits(observations[:, start : start + 2], NUM_SPECIES) for start in (4, 6, 8)]
    moves = jnp.any(observations[:, _LEGAL] > 0, axis=1, keepdims=True)
    return jnp.concatenate([*sets, moves], axis=1).astype(bool)


def categories(observations: jax.Array, scoring: str) -> list[Category]:
    """What takes one of several values: the queue positions, the margins and the turn.

    A queue position takes one of 24 values, own species first; the turn one of 24. Under points
    scoring the margin is that of points, clipped to +-20 (41 values); under animals scoring the
    margins are those of animals (25) and of total strength, clipped to +-20 (41).
    """
    return _queue_categories(observations) + _context_categories(observations, scoring)


def one_hot(categories: list[Category]) -> jax.Array:
    """One-hot codes one after the other: bool [B, sum of sizes]."""
    codes = [value[:, None] == jnp.arange(size, dtype=jnp.uint8) for value, size in categories]
    return jnp.concatenate(codes, axis=1)


def flat_size(scoring: str) -> int:
    """Number of `flat_features`."""
    row = jax.ShapeDtypeStruct((1, OBSERVATION_SIZE), jnp.uint8)
    return int(jax.eval_shape(lambda row: flat_features(row, scoring), row).shape[1])


def context(observations: jax.Array, scoring: str) -> jax.Array:
    """What is no card in the queue: bits, margins and turn: uint8 [B, 19] -> bool [B, C].

    C is 102 under points scoring and 127 under animals scoring.
    """
    return jnp.concatenate(
        [bits(observations), one_hot(_context_categories(observations, scoring))], axis=1
    )


def flat_features(observations: jax.Array, scoring: str) -> jax.Array:
    """All features: the `categories` one-hot and the `bits`: uint8 [B, 19] -> bool [B, F].

    F is 198 under points scoring and 223 under animals scoring.
    """
    return jnp.concatenate([one_hot(categories(observations, scoring)), bits(observations)], axis=1)
