"""Trees of arrays as nested dicts of numpy arrays, and back with every shape checked."""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from flax import serialization, traverse_util

from bb_jax.errors import CheckpointError


def to_arrays(tree: Any) -> dict[str, Any]:
    """Copies a tree of device or host arrays into a nested dict of numpy arrays.

    The copy matters: on a CPU, an array fetched from the device may share the device's buffer,
    which the next update overwrites.
    """
    state = jax.device_get(serialization.to_state_dict(tree))
    return jax.tree.map(lambda leaf: np.array(leaf, copy=True), state)


def from_arrays(template: Any, arrays: Mapping[str, Any], what: str) -> Any:
    """Puts arrays into the structure of a template.

    Args:
      template: tree of arrays or ShapeDtypeStructs.
      arrays: the result of `to_arrays` for a tree of that structure.
      what: a name for the arrays in the error.

    Raises:
      CheckpointError: names, shapes or dtypes differ; the first difference is named.
    """
    expected = flat_arrays(serialization.to_state_dict(template))
    found = flat_arrays(arrays)
    for name in sorted(expected.keys() | found.keys()):
        if name not in found:
            raise CheckpointError(f"{what} lacks {name}: it belongs to another architecture")
        if name not in expected:
            raise CheckpointError(f"{what} has an extra {name}: it belongs to another architecture")
        here, there = _kind(expected[name]), _kind(found[name])
        if here != there:
            raise CheckpointError(
                f"{what} holds {name} as {there}, this configuration needs {here}"
            )
    return serialization.from_state_dict(template, dict(arrays))


def flat_arrays(state: Mapping[str, Any]) -> dict[str, Any]:
    """The leaves of a nested dict by their paths, such as "params/Dense_0/kernel", without None."""
    flat = traverse_util.flatten_dict(dict(state), sep="/")
    return {name: leaf for name, leaf in flat.items() if leaf is not None}


def all_finite(tree: Any) -> bool:
    """Whether a tree of host arrays holds neither infinities nor NaN."""
    return all(bool(np.isfinite(leaf).all()) for leaf in jax.tree.leaves(tree))


def _kind(leaf: Any) -> str:
    return f"{np.dtype(leaf.dtype).name}{list(leaf.shape)}"
