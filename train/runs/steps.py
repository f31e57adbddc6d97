"""Full training states on disk, by orbax: saved in the background, restored exactly."""

from __future__ import annotations

import logging
import math
import os
import shutil
import stat
import sys
import zlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp
from orbax.checkpoint import checkpoint_managers
from orbax.checkpoint.options import MultiprocessingOptions

from bb_jax.arrays import flat_arrays
from bb_jax.errors import CheckpointError, UserError, one_line
from bb_jax.files import named_errors, read_object
from eval.runs.layout import empty_steps, step_folders

_LOG = logging.getLogger("train")
_METRIC = "mean_win_rate"
_METRICS_ITEM = "metrics"
_CHECKSUM = "checksum"


@dataclass(frozen=True)
class SavedState:
    """The content of one step.

    Attributes:
      arrays: nested dict of numpy arrays: the flax state dict of everything on the device.
      host: JSON-able values: everything else.
    """

    arrays: dict[str, Any]
    host: dict[str, Any]


class TrainingSteps:
    """The training states in one folder, of which the newest ones and the best one are kept.

    A step is complete or not there: a kill in the middle of a save leaves the earlier steps.
    """

    def __init__(self, folder: Path, keep: int | None, *, keep_best: bool = True):
        """Opens or makes the folder, and removes the remains of an interrupted save.

        Args:
          folder: the folder, with one sub-folder a step.
          keep: number of newest steps to keep; None opens the folder to read alone, since it may be
            another run's.
          keep_best: whether to keep the best step too; without it, win rates are not stored.

        Raises:
          CheckpointError: the folder cannot be made or read.
        """
        self._folder = folder.resolve()
        self._keep_best = keep_best
        try:
            options = _options(keep, keep_best)
            if keep is not None:
                self._folder.mkdir(parents=True, exist_ok=True)
                _remove_empty_steps(self._folder)
            _check_files(self._folder)
            self._empty = empty_steps(self._folder)
            if options.best_fn is not None:
                _drop_damaged_win_rates(folder)
            self._manager = ocp.CheckpointManager(
                self._folder,
                options=options,
                item_handlers={
                    "arrays": ocp.StandardCheckpointHandler(multiprocessing_options=_alone()),
                    "host": ocp.JsonCheckpointHandler(multiprocessing_options=_alone()),
                },
            )
        except UserError:
            raise
        except Exception as error:
            raise CheckpointError(
                f"cannot use the checkpoint folder {folder}: {one_line(error)}"
            ) from error

    @property
    def steps(self) -> list[int]:
        """The complete steps, ascending."""
        return sorted(set(self._manager.all_steps()) - self._empty.keys())

    @property
    def newest(self) -> int:
        """The newest complete step.

        Raises:
          CheckpointError: there is none.
        """
        if not self.steps:
            raise CheckpointError(f"{self._folder} has no complete checkpoint")
        return self.steps[-1]

    def save(self, step: int, state: SavedState, mean_win_rate: float | None) -> None:
        """Begins to save a step; `wait` ends it. A step that exists already stays as it is.

        Args:
          step: completed iterations.
          state: the content; its arrays must not change until the save has ended.
          mean_win_rate: chooses the best step; None where none was measured.

        Raises:
          CheckpointError: this save, or the one before it, cannot be written.
        """
        if step in self._manager.all_steps():
            return
        known = self._keep_best and mean_win_rate is not None
        host = state.host | {_CHECKSUM: _checksum(state.arrays)}
        try:
            self._manager.save(
                step,
                args=ocp.args.Composite(
                    arrays=ocp.args.StandardSave(state.arrays), host=ocp.args.JsonSave(host)
                ),
                metrics={_METRIC: mean_win_rate} if known else None,
            )
        except Exception as error:
            raise CheckpointError(self._cannot_write(step, error)) from error

    def wait(self) -> None:
        """Waits until the pending save is complete on disk.

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
            arrays, host = jax.tree.map(np.asarray, restored.arrays), dict(restored.host)
            if host.pop(_CHECKSUM, None) not in (None, _checksum(arrays)):
                raise ValueError("the arrays do not have their checksum")
        except Exception as error:
            others = ", ".join(str(other) for other in steps if other != step) or "none"
            raise CheckpointError(
                f"checkpoint {step} in {self._folder} is damaged ({one_line(error)}); "
                f"other checkpoints there: {others}"
            ) from error
        return SavedState(arrays, host)

    def delete_after(self, step: int) -> None:
        """Removes all later steps, before a run goes on from this one."""
        for later in [other for other in self.steps if other > step]:
            self._manager.delete(later)

    def close(self) -> None:
        """Finishes the pending save and closes the folder; errors as in `wait`."""
        try:
            self.wait()
        finally:
            # It waits once more, and would repeat the error of `wait`.
            with suppress(Exception):
                self._manager.close()


def _options(keep: int | None, keep_best: bool) -> ocp.CheckpointManagerOptions:
    if keep is None:
        return ocp.CheckpointManagerOptions(read_only=True, multiprocessing_options=_alone())
    latest = checkpoint_managers.LatestN(keep)
    if not keep_best:
        return ocp.CheckpointManagerOptions(
            preservation_policy=latest,
            cleanup_tmp_directories=True,
            create=False,
            multiprocessing_options=_alone(),
        )
    best = checkpoint_managers.BestN(
        get_metric_fn=lambda metrics: metrics[_METRIC],
        n=1,
        # The default keeps every step that was never evaluated, for ever.
        keep_checkpoints_without_metrics=False,
    )
    return ocp.CheckpointManagerOptions(
        preservation_policy=checkpoint_managers.AnyPreservationPolicy([latest, best]),
        best_fn=lambda metrics: metrics[_METRIC],
        cleanup_tmp_directories=True,
        create=False,
        multiprocessing_options=_alone(),
    )


def _alone() -> MultiprocessingOptions:
    """Options under which orbax neither waits for other processes nor lets one of them write."""
    if jax.process_count() == 1:
        return MultiprocessingOptions()
    index = jax.process_index()
    return MultiprocessingOptions(
        primary_host=index, active_processes={index}, barrier_sync_key_prefix=f"host{index}"
    )


def _drop_damaged_win_rates(folder: Path) -> None:
    """Lets steps with an unreadable win rate count as never evaluated.

    Orbax reads all win rates when it opens a folder; a single bad one would make it refuse the
    whole folder.
    """
    for item in folder.glob(f"[0-9]*/{_METRICS_ITEM}"):
        try:
            content = read_object(item / _METRICS_ITEM)
            if content is None or not math.isfinite(content[_METRIC]):
                raise ValueError("no win rate")
        except (UserError, ValueError, KeyError, TypeError, OverflowError):
            _LOG.warning("the win rate of checkpoint %s cannot be read", item.parent.name)
            shutil.rmtree(item, ignore_errors=True)


def _check_files(folder: Path) -> None:
    """Raises CheckpointError where a step holds a file that orbax must not open.

    It would wait for a pipe or a device, and abort the process at a file beyond all memory.
    """
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for step in step_folders(folder).values():
        for parent, _, names in os.walk(step):
            for path in (Path(parent, name) for name in names):
                with named_errors(path, "read", CheckpointError):
                    found = path.stat()
                    if not stat.S_ISREG(found.st_mode):
                        raise OSError("it is no regular file")
                    if found.st_size > memory:
                        raise OSError("it does not fit into memory")


def _remove_empty_steps(folder: Path) -> None:
    """Makes room for steps to be saved; orbax would take an empty folder for the newest state."""
    for step, path in empty_steps(folder).items():
        _LOG.warning("checkpoint %d held nothing, and is removed", step)
        shutil.rmtree(path)


def _checksum(arrays: dict[str, Any]) -> int:
    """CRC-32 of all arrays in the order of their names."""
    value = 0
    for name, leaf in sorted(flat_arrays(arrays).items()):
        value = zlib.crc32(np.ascontiguousarray(leaf).data, zlib.crc32(name.encode(), value))
    return value


def quiet_libraries() -> None:
    """Keeps orbax and tensorstore from printing the errors that they also raise.

    Orbax logs each error with a traceback, and asyncio those of further reads beside the first that
    failed. After a failed save, tensorstore reports the remaining writes to an event loop that is
    gone by then, where nobody can catch them.
    """
    for name in ("absl", "asyncio"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    show = sys.unraisablehook

    def show_others(unraisable: Any) -> None:
        if str(unraisable.exc_value) != "Event loop is closed":
            show(unraisable)

    sys.unraisablehook = show_others
