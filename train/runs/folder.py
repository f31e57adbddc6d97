"""The folder of a run in training: its lock, and what is added and removed there."""

from __future__ import annotations

import errno
import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import IO

from bb_jax.errors import CheckpointError
from bb_jax.files import copy_whole, named_errors
from eval.runs import layout
from eval.runs.locks import take_lock


class RunFolder:
    """A run's folder, whose files `eval.runs.layout` names."""

    def __init__(self, path: Path):
        self.path = path
        self.steps = path / layout.STEPS
        self.teacher = path / layout.TEACHER
        self.exploiter = path / layout.EXPLOITER
        self.final_evaluation = path / layout.FINAL_EVALUATION
        self.configuration = path / layout.CONFIGURATION

    def policy(self, step: int) -> Path:
        """The inference export of a step."""
        return layout.policy_path(self.path, step)

    def opponent(self, policy_hash: str) -> Path:
        """The inference export of a checkpoint opponent."""
        return self.path / layout.OPPONENTS / f"{policy_hash}{layout.POLICY_SUFFIX}"

    def exploiter_steps(self, iteration: int) -> Path:
        """The training states of an iteration's exploiter."""
        return self.exploiter / f"{iteration:06d}"

    def make(self) -> None:
        """Makes the folder and its sub-folders.

        Raises:
          CheckpointError: the file system refuses, or the run comes with the program.
        """
        layout.refuse_shipped(
            self.path,
            "give the run another experiment_name or checkpoint_dir, or start from there with "
            "resume_from",
        )
        for name in ("", layout.POLICIES, layout.OPPONENTS, layout.STEPS):
            folder = self.path / name
            with named_errors(folder, "write to", CheckpointError):
                folder.mkdir(parents=True, exist_ok=True)
                if not os.access(folder, os.W_OK | os.X_OK):
                    raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    def lock(self) -> IO[str]:
        """Keeps every other process from training in this folder, until the result is closed.

        Raises:
          CheckpointError: another process trains here, or the file cannot be written or locked.
        """
        path = self.path / layout.TRAINING_LOCK
        with named_errors(path, kind=CheckpointError):
            file = open(path, "a+")  # noqa: SIM115 - held open for the run's life
        try:
            if not take_lock(file, path, wait=False, kind=CheckpointError):
                file.seek(0)
                holder = file.read().strip()
                raise CheckpointError(
                    f"{self.path} is being trained by process {holder}; stop that one first"
                )
        except BaseException:
            file.close()
            raise
        # The number is for people. A full disk keeps it out, and stops the run soon enough.
        with suppress(OSError):
            file.truncate(0)
            file.write(f"{os.getpid()}\n")
            file.flush()
        return file

    def has_steps(self) -> bool:
        """Whether there are training states to resume from.

        Raises:
          CheckpointError: the folder may not be read.
        """
        with named_errors(self.steps, "read", CheckpointError):
            return bool(layout.saved_steps(self.path))

    def drop_exploiters_except(self, iterations: range) -> None:
        """Removes the exploiters' training states of all other iterations.

        Raises:
          CheckpointError: the file system refuses.
        """
        with named_errors(self.exploiter, "clear", CheckpointError):
            # What else lies there, such as a file manager's, stays.
            for session in self.exploiter.glob("[0-9]*"):
                named = session.name.isdecimal() and session.is_dir()
                if named and int(session.name) not in iterations:
                    shutil.rmtree(session)

    def drop_policies_except(self, steps: list[int]) -> None:
        """Removes the exports of all other steps.

        Raises:
          CheckpointError: the file system refuses.
        """
        kept = {self.policy(step) for step in steps}
        for export in layout.policy_files(self.path).values():
            if export not in kept:
                with named_errors(export, "remove", CheckpointError):
                    export.unlink(missing_ok=True)

    def adopt_opponent(self, source: Path, policy_hash: str) -> None:
        """Copies a checkpoint opponent from another run.

        Args:
          source: its policy file.
          policy_hash: the hash of its parameters.

        Raises:
          CheckpointError: it cannot be copied.
        """
        target = self.opponent(policy_hash)
        if not target.exists():
            copy_whole(source, target, kind=CheckpointError)

    def adopt_teacher(self, source: Path) -> None:
        """Copies the teacher's policy file, so that the run needs no other folder.

        Raises:
          CheckpointError: it cannot be copied.
        """
        copy_whole(source, self.teacher, kind=CheckpointError)
