"""Placing values on the devices that work together."""

import functools
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import jax
import numpy as np
from jax.flatten_util import ravel_pytree


@functools.cache
def _copier(devices: tuple[jax.Device, ...]) -> Callable[[Any, np.ndarray], Any]:
    # Mapped as updates and policy steps are, so that results have the type and the placement that
    # those give and take.
    return jax.pmap(
        lambda tree, _: jax.tree.map(lambda leaf: leaf.copy(), tree),
        axis_name="d",
        in_axes=(None, 0),
        out_axes=None,
        devices=devices,
    )


def local(devices: Sequence[jax.Device]) -> list[jax.Device]:
    """Those devices that belong to this process."""
    return [device for device in devices if device.process_index == jax.process_index()]


def replicate(tree: Any, devices: Sequence[jax.Device] | None = None) -> Any:
    """Copies a tree of arrays to every device, without a device axis.

    Updates return and, with policy steps, take trees in this form without a transfer or another
    compilation. It shares no memory with `tree`: numpy arrays may be written to afterwards, and
    buffers given away.

    Args:
      tree: of numpy or JAX arrays.
      devices: all devices of all processes by default.
    """
    devices = tuple(devices) if devices is not None else tuple(jax.devices())
    with uploads():
        copies = _copier(devices)(tree, np.zeros(len(local(devices)), np.int8))
    # Until then the computation may still read numpy memory.
    return jax.block_until_ready(copies)


def ensure_replicated(tree: Any, devices: Sequence[jax.Device]) -> Any:
    """`tree` itself where its arrays lie as `replicate` lays them, and else its copies there."""
    wanted = _sharding(tuple(devices))
    if all(getattr(leaf, "sharding", None) == wanted for leaf in jax.tree.leaves(tree)):
        return tree
    return replicate(tree, devices)


@functools.cache
def _sharding(devices: tuple[jax.Device, ...]) -> Any:
    return jax.tree.leaves(replicate(np.int8(0), devices))[0].sharding


def sum_over_devices(tree: Any, axis_name: str) -> Any:
    """The sums of a tree of float32 arrays over the devices of an axis, in a mapped function.

    One exchange for the whole tree: each makes all devices wait for the slowest one.
    """
    flat, unravel = ravel_pytree(tree)
    return unravel(jax.lax.psum(flat, axis_name))


def uploads() -> AbstractContextManager[None]:
    """Where arrays of the host become arguments of a compiled function.

    JAX counts that as an implicit transfer. With its transfer guard set to "disallow" everywhere
    else, an iteration transfers at the places marked so and at those that say `jax.device_get`.
    """
    return jax.transfer_guard_host_to_device("allow")
