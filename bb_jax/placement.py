"""Values and functions on the devices that work together."""

import functools
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import jax
import numpy as np
from jax.flatten_util import ravel_pytree

# Name of the device axis in every mapped function.
AXIS = "d"


@functools.cache
def _copier(devices: tuple[jax.Device, ...]) -> Callable[[Any, np.ndarray], Any]:
    # Mapped like updates and policy steps, so that results have the type and the placement that
    # those return and take.
    return jax.pmap(
        lambda tree, _: jax.tree.map(lambda leaf: leaf.copy(), tree),
        axis_name=AXIS,
        in_axes=(None, 0),
        out_axes=None,
        devices=devices,
    )


def local(devices: Sequence[jax.Device]) -> list[jax.Device]:
    """The devices that belong to this process."""
    return [device for device in devices if device.process_index == jax.process_index()]


def replicate(tree: Any, devices: Sequence[jax.Device] | None = None) -> Any:
    """Copies a tree of arrays to every device, without a device axis.

    Updates and policy steps take trees in this form without a transfer or another compilation, and
    updates return them. The copies share no memory with `tree`: numpy arrays may be written to
    afterwards, and buffers may be donated.

    Args:
      tree: numpy or JAX arrays.
      devices: all devices of all processes by default.
    """
    devices = tuple(devices) if devices is not None else tuple(jax.devices())
    with uploads():
        copies = _copier(devices)(tree, np.zeros(len(local(devices)), np.int8))
    # Until then the computation may still read numpy memory.
    return jax.block_until_ready(copies)


def ensure_replicated(tree: Any, devices: Sequence[jax.Device]) -> Any:
    """`tree` itself if its arrays are placed as `replicate` places them, otherwise its copies."""
    wanted = _sharding(tuple(devices))
    if all(getattr(leaf, "sharding", None) == wanted for leaf in jax.tree.leaves(tree)):
        return tree
    return replicate(tree, devices)


@functools.cache
def _sharding(devices: tuple[jax.Device, ...]) -> Any:
    return jax.tree.leaves(replicate(np.int8(0), devices))[0].sharding


def map_update(
    update_on_device: Callable[..., tuple[Any, Any]], devices: Sequence[jax.Device]
) -> Callable[..., tuple[Any, Any]]:
    """Compiles an update that all devices run together.

    Args:
      update_on_device: (state, parts, *others) -> (state, metrics), the same on every device. The
        axis of the devices is `AXIS`. There are two others.
      devices: all devices of all processes.

    Returns:
      The same function for the host. It replicates the state where necessary and donates it. The
      arrays of `parts` have a leading axis for this process's devices; the others are the same for
      every device. It returns before the results are there.
    """
    compiled = jax.pmap(
        update_on_device,
        axis_name=AXIS,
        in_axes=(None, 0, None, None),
        out_axes=(None, None),
        donate_argnums=0,
        devices=devices,
    )

    def update(state: Any, parts: Any, *others: Any) -> tuple[Any, Any]:
        state = ensure_replicated(state, devices)
        with uploads():
            new_state, metrics = compiled(state, parts, *others)
        return new_state, metrics

    return update


def in_equal_parts(observations: np.ndarray, num_devices: int) -> np.ndarray:
    """A batch divided among devices: [S, K] -> [D, S / D, K].

    Raises:
      ValueError: S is not a multiple of D.
    """
    size = len(observations)
    if size % num_devices:
        raise ValueError(
            f"a batch of {size} observations cannot be spread over {num_devices} devices"
        )
    return observations.reshape(num_devices, size // num_devices, -1)


def own_uniforms(key: jax.Array, rows: int) -> jax.Array:
    """This device's uniforms in [0, 1), in a mapped function: float32 [rows].

    Every device draws those of the whole batch and keeps its part. One number a row is cheap, and
    the numbers do not depend on the number of devices.
    """
    uniforms = jax.random.uniform(key, (jax.lax.axis_size(AXIS) * rows,))
    return jax.lax.dynamic_slice(uniforms, (jax.lax.axis_index(AXIS) * rows,), (rows,))


def sum_over_devices(tree: Any) -> Any:
    """The sums over the devices of a tree of float32 arrays, in a mapped function.

    The whole tree is exchanged at once, because each exchange makes all devices wait for the
    slowest one.
    """
    flat, unravel = ravel_pytree(tree)
    return unravel(jax.lax.psum(flat, AXIS))


def uploads() -> AbstractContextManager[None]:
    """Allows arrays of the host as arguments of a compiled function.

    JAX counts that as an implicit transfer. With its transfer guard set to "disallow" elsewhere, an
    iteration transfers only here and where it says `jax.device_get`.
    """
    return jax.transfer_guard_host_to_device("allow")
