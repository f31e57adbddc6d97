"""Full training states on disk, by orbax: saved asynchronously, restored exactly."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp
from flax import serialization, traverse_util
from orbax.checkpoint import checkpoint_managers

from bb_jax import CheckpointError

_LOG = logging.getLogger("train")
_METRIC = "mean_win_rate"


@dataclass(frozen=True)
class SavedState:
    """What one step holds.

    Attributes:
      arrays: nested dict of numpy arrays (flax state dict of everything that lives on a device).
      host: everything else, JSON-able.
    """

    arrays: dict[str, Any]
    host: dict[str, Any]


class Checkpoints:
    """The steps under one folder: the newest ones and the best one are kept.

    A step is complete or not there: a kill in the middle of a save leaves the steps before it.
    """

    def __init__(self, folder: Path, keep: int):
        """Opens or makes the folder.

        Args:
          folder: holds one sub-folder a step.
          keep: how many of the newest steps are kept; the best one stays besides.

        Raises:
          CheckpointError: the folder cannot be made or read.
        """
        self._folder = folder.resolve()
        latest = checkpoint_managers.LatestN(keep)
        best = checkpoint_managers.BestN(
            get_metric_fn=lambda metrics: metrics[_METRIC],
            n=1,
            # The default keeps every step that was never evaluated, for ever.
            keep_checkpoints_without_metrics=False,
        )
        try:
            self._manager = ocp.CheckpointManager(
                self._folder,
                options=ocp.CheckpointManagerOptions(
                    preservation_policy=checkpoint_managers.AnyPreservationPolicy([latest, best]),
                    best_fn=lambda metrics: metrics[_METRIC],
                    cleanup_tmp_directories=True,
                ),
                item_handlers={
                    "arrays": ocp.StandardCheckpointHandler(),
                    "host": ocp.JsonCheckpointHandler(),
                },
            )
        except (OSError, ValueError) as error:
            raise CheckpointError(f"cannot use the checkpoint folder {folder}: {error}") from error

    @property
    def steps(self) -> list[int]:
        """The complete steps, ascending."""
        return sorted(self._manager.all_steps())

    def save(self, step: int, state: SavedState, mean_win_rate: float | None) -> None:
        """Begins to save a step; `wait` ends it. A step that is there already stays as it is.

        Args:
          step: completed iterations.
          state: its arrays must not change until the save has ended.
          mean_win_rate: decides which step is the best; None where none was measured.

        Raises:
          CheckpointError: this save, or the one before it, cannot be written.
        """
        if step in self._manager.all_steps():
            return
        metrics = None if mean_win_rate is None else {_METRIC: mean_win_rate}
        try:
            self._manager.save(
                step,
                args=ocp.args.Composite(
                    arrays=ocp.args.StandardSave(state.arrays), host=ocp.args.JsonSave(state.host)
                ),
                metrics=metrics,
            )
        except Exception as error:
            raise CheckpointError(self._cannot_write(step, error)) from error

    def wait(self) -> None:
        """Waits until what was saved is complete on disk.

        Raises:
          CheckpointError: it could not be written.
        """
        try:
            self._manager.wait_until_finished()
            self._manager.check_for_errors()
        except Exception as error:
            raise CheckpointError(self._cannot_write(None, error)) from error

    def _cannot_write(self, step: int | None, error: Exception) -> str:
        what = "a checkpoint" if step is None else f"checkpoint {step}"
        return f"cannot write {what} to {self._folder}: {one_line(error)}"

    def restore(self, step: int) -> SavedState:
        """Reads a complete step, its arrays as numpy arrays.

        Raises:
          CheckpointError: the step is not there or cannot be read.
        """
        steps = self.steps
        if step not in steps:
            there = ", ".join(map(str, steps)) or "none"
            raise CheckpointError(f"{self._folder} has no checkpoint {step}; there are: {there}")
        try:
            restored = self._manager.restore(
                step,
                args=ocp.args.Composite(
                    arrays=ocp.args.StandardRestore(), host=ocp.args.JsonRestore()
                ),
            )
        except Exception as error:
            others = ", ".join(str(other) for other in steps if other != step) or "none"
            raise CheckpointError(
                f"checkpoint {step} in {self._folder} is damaged ({one_line(error)}); "
                f"other checkpoints there: {others}"
            ) from error
        return SavedState(jax.tree.map(np.asarray, restored.arrays), restored.host)

    def delete_after(self, step: int) -> None:
        """Removes the steps after one from which a run goes on."""
        for later in [other for other in self.steps if other > step]:
            self._manager.delete(later)

    def close(self) -> None:
        """Ends what is being saved, and lets go of the folder."""
        try:
            self.wait()
        finally:
            self._manager.close()


def one_line(error: BaseException) -> str:
    """The first sentence or so of a library's error."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 200 else text[:197] + "..."


def to_arrays(tree: Any) -> dict[str, Any]:
    """A tree of device or host arrays as a nested dict of numpy arrays of their own.

    The copy matters: on a CPU an array fetched from the device may be its very buffer, which the
    next update overwrites.
    """
    state = serialization.to_state_dict(tree)
    return jax.tree.map(lambda leaf: np.array(leaf, copy=True), state)


def from_arrays(template: Any, arrays: Mapping[str, Any], what: str) -> Any:
    """Arrays in the structure of a template.

    Args:
      template: tree of arrays or ShapeDtypeStructs.
      arrays: what `to_arrays` made of a tree of that structure.
      what: named in the error.

    Raises:
      CheckpointError: names, shapes or dtypes differ; the first difference is named.
    """
    expected = _flat(serialization.to_state_dict(template))
    found = _flat(arrays)
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


def _flat(state: Mapping[str, Any]) -> dict[str, Any]:
    flat = traverse_util.flatten_dict(dict(state), sep="/")
    return {name: leaf for name, leaf in flat.items() if leaf is not None}


def _kind(leaf: Any) -> str:
    return f"{np.dtype(leaf.dtype).name}{list(leaf.shape)}"


def write_json(path: Path, value: Any) -> None:
    """Writes JSON so that the file is always whole: the old one or the new one."""
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_text(json.dumps(value, indent=1) + "\n")
    temporary.replace(path)
