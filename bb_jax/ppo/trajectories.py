"""An iteration's trajectories: their layout on the host, and their positions on the device.

`N` denotes trajectories, `T` decisions of a trajectory, `D` devices, `M` = N T position slots,
n = ceil(capacity / D) trajectories of one device's part, `E` rows of afterstates of a part (0 for
networks that do not score them).
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from bb_jax.networks.afterstates import MAX_AFTERSTATES
from bb_sim.rules.afterstates import expand_afterstates
from bb_sim.rules.engine import NUM_ACTIONS
from bb_sim.rules.observation import OBSERVATION_SIZE


class Trajectories(NamedTuple):
    """Trajectories. Each holds the decisions of one seat of one game that the learner played.

    Attributes:
      observations: uint8 [N, T, 19].
      actions: uint8 [N, T].
      log_probs: float32 [N, T], the actions' log-probabilities under the policy that acted.
      lengths: int32 [N], the number of decisions; 0 for padding.
      rewards: float32 [N, 2], the rewards at the last decision: the outcome and the margin.
    """

    observations: Any
    actions: Any
    log_probs: Any
    lengths: Any
    rewards: Any


class PaddedTrajectories(NamedTuple):
    """Trajectories in arrays of one fixed size, in equal parts for each device.

    Attributes:
      observations, actions, log_probs, lengths, rewards: see `Trajectories`; [D, n, ...].
      afterstates: uint8 [D, E, 19].
      first_afterstate: int32 [D, n, T], the row of its part at which a position's afterstates
        begin.
    """

    observations: Any
    actions: Any
    log_probs: Any
    lengths: Any
    rewards: Any
    afterstates: Any
    first_afterstate: Any


_DTYPES = Trajectories(np.uint8, np.uint8, np.float32, np.int32, np.float32)


def pad_trajectories(
    trajectories: Trajectories, capacity: int, num_devices: int, *, afterstates: bool = False
) -> PaddedTrajectories:
    """Copies trajectories into fresh arrays of one fixed size, in equal parts for each device.

    Args:
      trajectories: N <= `capacity` trajectories, as numpy arrays.
      capacity: the number of trajectories after padding, rounded up to a multiple of `num_devices`.
      num_devices: the number of parts.
      afterstates: whether to add the afterstates of all positions.

    Returns:
      Fresh arrays. JAX may read them while it computes, so they must not change. The arrays of
      `trajectories` may.

    Raises:
      ValueError: there are more trajectories than the capacity, the shapes do not fit each other, a
        length is not 0 to T, an action is not 0 to 32, or the positions have more legal actions
        than there is room for.
    """
    observations = np.asarray(trajectories.observations)
    if observations.ndim != 3 or observations.shape[2] != OBSERVATION_SIZE:
        raise ValueError(f"observations must have shape [N, T, 19], not {observations.shape}")
    count, steps = observations.shape[:2]
    shapes: dict[str, tuple[int, ...]] = {"actions": (count, steps), "log_probs": (count, steps)}
    shapes |= {"lengths": (count,), "rewards": (count, 2)}
    for name, shape in shapes.items():
        actual = np.shape(getattr(trajectories, name))
        if actual != shape:
            raise ValueError(f"{name} must have shape {shape}, not {actual}")
    if count > capacity:
        raise ValueError(f"a rollout of {count} trajectories exceeds the capacity of {capacity}")
    lengths = np.asarray(trajectories.lengths)
    if count and not 0 <= lengths.min() <= lengths.max() <= steps:
        raise ValueError(f"lengths must lie between 0 and {steps}")
    inside = np.arange(steps) < lengths[:, None]
    if np.any(np.asarray(trajectories.actions)[inside] >= NUM_ACTIONS):
        raise ValueError(f"actions must lie between 0 and {NUM_ACTIONS - 1}")

    part = -(-capacity // num_devices)

    def padded(array: Any, dtype: Any) -> np.ndarray:
        array = np.asarray(array)
        result = np.zeros((num_devices * part, *array.shape[1:]), dtype)
        result[:count] = array
        return result.reshape(num_devices, part, *array.shape[1:])

    arrays = Trajectories(
        *(padded(array, dtype) for array, dtype in zip(trajectories, _DTYPES, strict=True))
    )
    room = MAX_AFTERSTATES * part * steps if afterstates else 0
    rows = np.zeros((num_devices, room, OBSERVATION_SIZE), np.uint8)
    first = np.zeros((num_devices, part, steps), np.int32)
    for device in range(num_devices if afterstates else 0):
        positions = np.arange(steps) < arrays.lengths[device][:, None]
        rows[device], starts = expand_afterstates(
            arrays.observations[device][positions], capacity=room
        )
        first[device][positions] = starts[:-1]
    return PaddedTrajectories(*arrays, rows, first)


class Packing(NamedTuple):
    """The slots [N, T] of positions, which are counted trajectory by trajectory without gaps.

    Attributes:
      slot_of_position: int32 [M], the slot of trajectory i and decision t is i T + t; 0 beyond the
        last position.
      position_of_slot: int32 [N, T]; 0 outside of trajectories.
      inside: bool [N, T], whether the slot holds a position.
      size: int32 [], the number of positions.
    """

    slot_of_position: jax.Array
    position_of_slot: jax.Array
    inside: jax.Array
    size: jax.Array


def pack_positions(lengths: jax.Array, steps: int) -> Packing:
    """Packs trajectories of given lengths (int32 [N]) that have `steps` slots each."""
    ends = jnp.cumsum(lengths)
    starts = ends - lengths
    inside = jnp.arange(steps) < lengths[:, None]
    position = starts[:, None] + jnp.arange(steps)
    slots = inside.size
    slot_of_position = (
        jnp.zeros(slots, jnp.int32)
        .at[jnp.where(inside, position, slots).reshape(-1)]
        .set(jnp.arange(slots), mode="drop", unique_indices=False)
    )
    return Packing(slot_of_position, jnp.where(inside, position, 0), inside, ends[-1])
