"""Divergence: an update that leaves a network with which nothing can go on."""

from __future__ import annotations

import math
from collections.abc import Mapping

from bb_jax.errors import UserError


class DivergedError(UserError):
    """Training has diverged; the message says in which iteration, and what to try."""


def why_diverged(update: Mapping[str, float], outputs_are_finite: bool) -> str | None:
    """Says how an update diverged; None for any other update.

    An update that `target_kl` stops has not diverged, nor has one that skips a few minibatches.
    Where most are skipped, the parameters at the end are those that failed.

    Args:
      update: the metrics of the update.
      outputs_are_finite: whether the new network's policy is finite.
    """
    if not math.isfinite(update["train/param_norm"]):
        return "the network's parameters are no longer finite numbers"
    if not outputs_are_finite:
        return "the network's outputs are no longer finite numbers"
    skipped, minibatches = update["train/skipped_updates"], update["train/minibatches"]
    if 2 * skipped > minibatches:
        return (
            f"{skipped:.0f} of {minibatches:.0f} minibatches had a loss or a gradient that is not "
            "finite"
        )
    return None
