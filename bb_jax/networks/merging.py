"""Two networks as one: the second becomes a second tower, and heads say the mean of both."""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

_HEADS = ("policy", "value")
# A head that says the mean has half the kernel of each, so that a tower's gradient is half of what
# it was alone. By name: parameters, and Adam's means of gradients and of their squares.
_HEAD_SCALES = {"params": 0.5, "mu": 1.0, "nu": 1.0}
_TOWER_SCALES = {"params": 1.0, "mu": 0.5, "nu": 0.25}


def merge_learners(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """The learner of the merged network, as the nested dicts of arrays of `LearnerState`s.

    Policy logits and values are the mean of both networks'; Adam's moments are scaled as the
    gradients are; everything else is the first one's.

    Args:
      first: of a network without a second tower.
      second: of another one, which differs from it in widths alone.
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
    """A tree of a network's parameters, or of something beside each of them."""
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
