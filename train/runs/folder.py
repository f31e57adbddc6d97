"""The files of a run, and the question where a run begins: anew, resumed, or from another run."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from bb_jax import CheckpointError
from bb_jax.packed_state import is_packed
from eval.runs.layout import (
    CONFIGURATION,
    FINAL_EVALUATION,
    NEVER_WRITTEN,
    STEPS,
    is_shipped,
    saved_steps,
)

POLICIES = "policies"
OPPONENTS = "opponents"
TEACHER = "teacher.policy"
EXPLOITER = "exploiter"
_LOCK = ".lock"


class RunFolder:
    """Names the files of one run.

    steps/             full training states (orbax), one folder a step
    policies/          inference exports, one file for every step that is kept; in a folder that
                       comes with the program packed training states, and there are no steps/
    opponents/         checkpoint opponents, by the hash of their parameters
    teacher.policy     who plays as the expert, if that is another network than the one that learns
    exploiter/         the training state of the exploiter in work, if any
    config.json        the configuration that the run was last started with
    final_evaluation.json   the table at the end
    and the files of `train.runs.metrics`.
    """

    def __init__(self, path: Path):
        self.path = path
        self.steps = path / STEPS
        self.teacher = path / TEACHER
        self.exploiter = path / EXPLOITER
        self.final_evaluation = path / FINAL_EVALUATION
        self.configuration = path / CONFIGURATION

    def policy(self, step: int) -> Path:
        """The inference export of a step."""
        return self.path / POLICIES / f"{step:06d}.policy"

    def opponent(self, policy_hash: str) -> Path:
        """The inference export of a checkpoint opponent."""
        return self.path / OPPONENTS / f"{policy_hash}.policy"

    def make(self) -> None:
        """Makes the folders.

        Raises:
          CheckpointError: the file system refuses, or the folder comes with the program.
        """
        if is_shipped(self.path):
            raise CheckpointError(
                f"{self.path} {NEVER_WRITTEN}; give the run another experiment_name or "
                "checkpoint_dir, or start from there with resume_from"
            )
        try:
            for folder in (self.path, self.path / POLICIES, self.path / OPPONENTS, self.steps):
                folder.mkdir(parents=True, exist_ok=True)
                if not os.access(folder, os.W_OK | os.X_OK):
                    raise CheckpointError(f"cannot write to {folder}: {os.strerror(errno.EACCES)}")
        except OSError as error:
            raise CheckpointError(f"cannot write to {self.path}: {error.strerror}") from error

    def lock(self) -> IO[str]:
        """Keeps every other process from training in this folder until the result is closed.

        Raises:
          CheckpointError: another process holds the lock, or the file cannot be written.
        """
        try:
            file = open(self.path / _LOCK, "a+")  # noqa: SIM115 - held open for the run's life
        except OSError as error:
            raise CheckpointError(f"cannot write to {self.path}: {error.strerror}") from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.seek(0)
            holder = file.read().strip()
            file.close()
            raise CheckpointError(
                f"{self.path} is being trained by process {holder}; stop that one first"
            ) from error
        # The lock is what counts: a full disk, which keeps the number from being written, shows
        # soon enough.
        with suppress(OSError):
            file.truncate(0)
            file.write(f"{os.getpid()}\n")
            file.flush()
        return file

    def has_steps(self) -> bool:
        """Whether a run has left checkpoints here.

        Raises:
          CheckpointError: the folder may not be read.
        """
        try:
            return bool(saved_steps(self.path))
        except OSError as error:
            raise CheckpointError(f"cannot read {self.steps}: {error.strerror}") from error

    def packed_states(self) -> dict[int, Path]:
        """The packed training states among the policies, by step, ascending."""
        found = sorted(
            path for path in (self.path / POLICIES).glob("*.policy") if path.stem.isdigit()
        )
        return {int(path.stem): path for path in found if is_packed(path)}

    def drop_exploiters_except(self, iterations: range) -> None:
        """Removes the training states of the exploiters of other iterations.

        Raises:
          CheckpointError: the file system refuses.
        """
        try:
            for session in self.exploiter.iterdir() if self.exploiter.is_dir() else ():
                if not session.name.isdigit() or int(session.name) not in iterations:
                    shutil.rmtree(session)
        except OSError as error:
            raise CheckpointError(f"cannot clear {self.exploiter}: {error.strerror}") from error

    def drop_policies_except(self, steps: list[int]) -> None:
        """Removes the exports of steps that are not kept any more."""
        kept = {self.policy(step) for step in steps}
        for export in (self.path / POLICIES).glob("*.policy"):
            if export not in kept:
                export.unlink(missing_ok=True)

    def adopt_opponent(self, source: Path, policy_hash: str) -> None:
        """Copies the policy file of a checkpoint opponent, whose hash is given, from another run.

        Raises:
          CheckpointError: it cannot be copied.
        """
        target = self.opponent(policy_hash)
        if not target.exists():
            _copy_policy(source, target)

    def adopt_teacher(self, source: Path) -> None:
        """Copies the teacher's policy file, so that the run needs no other folder from then on.

        Raises:
          CheckpointError: it cannot be copied.
        """
        _copy_policy(source, self.teacher)


def _copy_policy(source: Path, target: Path) -> None:
    temporary = target.with_suffix(".tmp")
    try:
        shutil.copyfile(source, temporary)
        temporary.replace(target)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise CheckpointError(f"cannot copy policy {source}: {error.strerror}") from error


def read_json(path: Path) -> Any:
    """The content of a JSON file.

    Raises:
      CheckpointError: it is missing or damaged.
    """
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise CheckpointError(f"cannot read {path}: {error}") from error


def parse_reference(reference: str, root: Path) -> tuple[RunFolder, int | None]:
    """The run folder and step that `RUN` or `RUN@STEP` names.

    Args:
      reference: RUN is a path, or a name under `root`.
      root: where runs live.

    Raises:
      CheckpointError: there is no such run with checkpoints.
    """
    name, _, step = reference.partition("@")
    candidates = [Path(name)] if "/" in name else [root / name, Path(name)]
    for path in candidates:
        folder = RunFolder(path)
        if folder.has_steps() or folder.packed_states():
            return folder, int(step) if step else None
    raise CheckpointError(f"there is no run {name} with checkpoints ({candidates[0]} has none)")
