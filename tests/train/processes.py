"""A training run to be disturbed while it goes on, and what it leaves behind."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.waiting import PATIENCE, wait_until
from tests.warm_python import start_module


def tree(*folders: Path) -> dict[str, bytes | None]:
    """Every path below the folders, with the content of files."""
    return {
        str(path): path.read_bytes() if path.is_file() else None
        for folder in folders
        for path in [folder, *folder.rglob("*")]
        if path.exists()
    }


class Training:
    """`python -m train.main` in the background; a context manager that leaves no process."""

    def __init__(self, config: Path, *, ignored: Sequence[int] = (), **variables: str):
        self._run_folder = config.parent / "run"
        # A session of its own: it can get a terminal's Ctrl-C, which strikes all its processes.
        self.process = start_module(
            "train.main",
            ["--config", str(config)],
            os.environ | {"PYTHONUNBUFFERED": "1"} | variables,
            ignored,
        )

    def __enter__(self) -> Training:
        return self

    def __exit__(self, *exception: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The rows of metrics so far."""
        path = self._run_folder / "training_metrics.jsonl"
        lines = path.read_text().split("\n")[:-1] if path.exists() else []
        return [json.loads(line) for line in lines]

    def wait_for_row(self, iteration: int) -> None:
        """Waits until an iteration has been completed."""
        wait_until(
            lambda: self.process.poll() is not None or len(self.rows) >= iteration,
            f"iteration {iteration}",
        )
        assert self.process.poll() is None, self.process.communicate()[1]

    def end(self, seconds: float = PATIENCE) -> tuple[int, str]:
        """Waits for the end, at most some seconds; the exit code and standard error."""
        _, errors = self.process.communicate(timeout=seconds)
        code = self.process.returncode
        assert code is not None
        return code, errors

    def interrupt_everything(self, number: int = signal.SIGINT) -> None:
        """A terminal's Ctrl-C: the signal reaches the workers too."""
        subprocess.run(["kill", f"-{number}", "--", f"-{self.process.pid}"], check=True)

    def children(self) -> list[int]:
        """Process ids of its workers and helpers."""
        while True:
            found = Path(f"/proc/{self.process.pid}/task").glob("*/children")
            try:
                return [int(pid) for path in found for pid in path.read_text().split()]
            except (FileNotFoundError, ProcessLookupError):
                # A thread has ended, and its children are another one's now.
                continue

    def shared_memory(self) -> list[Path]:
        """The blocks of shared memory that it has mapped."""
        maps = Path(f"/proc/{self.process.pid}/maps").read_text()
        return sorted({Path(path) for path in re.findall(r"/dev/shm/.+", maps)})


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that merely waits to be buried does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"
