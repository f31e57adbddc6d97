"""Merges two networks: the second becomes a second tower, and the heads give the mean of both."""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

_HEADS = ("policy", "value")
# A head that gives the mean has half the kernel of each network, so a tower's gradient is half of
# what it was. The names are those of the parameters and of Adam's means of gradients and squares.
_HEAD_SCALES = {"params": 0.5, "mu": 1.0, "nu": 1.0}
_TOWER_SCALES = {"params": 1.0, "mu": 0.5, "nu": 0.25}


def merge_learners(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """The learner of the merged network; learners are nested dicts of a `LearnerState`'s arrays.

    Policy logits and values are the means of both networks'. Adam's moments are scaled like the
    gradients. Everything else is the first learner's.

    Args:
      first: the learner of a network without a second tower.
      second: the learner of another network, which differs from the first in its widths alone.
    """
    merged: dict[str, Any] = {}
    for name, part in first.items():
        if name in _HEAD_SCALES:
            scales = _HEAD_SCALES[name], _TOWER_SCALES[name]
            merged[name] = _merged_tree(part, second[name], *scales)
        else:
            inner = isinstance(part, Mapping)
            merged[name] = merge_learners(part, second[name]) if inner else part
    return merged


def _merged_tree(
    first: Mapping[str, Any], second: Mapping[str, Any], head_scale: float, tower_scale: float
) -> dict[str, Any]:
    """Merges two trees of a network's parameters, or of moments beside them."""
    tree: dict[str, Any] = {}
    for head in _HEADS:
        kernels = [head_scale * one[head]["kernel"] for one in (first, second)]
        tree[head] = {
            "kernel": np.concatenate(kernels),
            "bias": (first[head]["bias"] + second[head]["bias"]) / 2,
        }
    for name in (name for name in first if name not in _HEADS):
        for tower, one in ((name, first), (f"second_{name}", second)):
            tree[tower] = jax.tree.map(lambda leaf: tower_scale * leaf, one[name])
    return tree
