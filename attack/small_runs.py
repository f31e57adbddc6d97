"""Small commands of the program in processes of their own, to be struck while they run."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from eval.runs.layout import METRICS

REPOSITORY = Path(__file__).parents[1]
ITERATIONS = 4
# Seconds after which a command hangs.
PATIENCE = 600.0
# Seconds that what a killed process leaves behind may live.
_GRACE = 10.0

# In the environment of every process that a struck command starts.
_MARK = "ATTACKED_COMMAND"
_COMPILED = REPOSITORY / "build" / "compiled-for-attacks"

_SMALL = f"""
experiment_name: small
total_iterations: {ITERATIONS}
network_config: {{kind: mlp, hidden_layers: [16], dropout: 0.0}}
ppo_config: {{learning_rate: 1e-3, minibatch_size: 128, ppo_epochs: 2}}
games_per_iteration: 24
num_groups: 2
games_per_group: 12
async_num_workers: 1
buffer_size: 2000
opponent_config: {{current_weight: 0.4, checkpoint_weight: 0.2, random_weight: 0.1, \
heuristic_weight: 0.3, max_checkpoints: 2}}
eval_opponents: [random, online]
eval_frequency: 2
eval_games: 8
final_eval_games: 8
checkpoint_frequency: 1
use_exploit_patch: true
exploit_patch_interval: 2
exploit_patch_iterations: 6
exploit_patch_games: 8
exploit_patch_threshold: 0.0
device: cpu
"""


def write_config(folder: Path, **changes: object) -> Path:
    """A configuration file whose run lies in `folder`/run, some of its keys changed."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [line for line in _SMALL.splitlines() if line.partition(":")[0] not in changes]
    lines += [f"{key}: {json.dumps(value)}" for key, value in changes.items()]
    lines.append(f"checkpoint_dir: {json.dumps(str(folder / 'run'))}")
    path = folder / "config.yaml"
    path.write_text("\n".join(lines) + "\n")
    return path


class Command:
    """A command in the background; it and all processes that it starts carry a mark."""

    def __init__(
        self,
        mark: str,
        arguments: Sequence[str],
        output: Path,
        *,
        descriptors: Sequence[int] = (),
        **variables: str,
    ):
        """Starts `python ARGUMENTS`.

        Args:
          mark: a text that no other command has, such as the path of its folder.
          arguments: the interpreter's arguments.
          output: a file for standard output and standard error.
          descriptors: files that stay open in the process.
          variables: environment variables to set.
        """
        environment = os.environ | {
            _MARK: mark,
            "PYTHONUNBUFFERED": "1",
            "JAX_COMPILATION_CACHE_DIR": str(_COMPILED),
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
            "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
            "XLA_FLAGS": "--xla_backend_optimization_level=0 "
            "--xla_force_host_platform_device_count=1",
            **variables,
        }
        with output.open("wb") as file:
            self.process = subprocess.Popen(
                [sys.executable, *arguments],
                cwd=REPOSITORY,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=tuple(descriptors),
            )
        self._output = output

    def wait(self, patience: float = PATIENCE) -> tuple[int, str]:
        """Waits so many seconds for the end, then kills it; the exit code and the output."""
        try:
            self.process.wait(patience)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        return self.process.returncode, self._output.read_text(errors="replace")


def marked_processes(mark: str) -> list[int]:
    """The living processes that carry a mark."""
    found = []
    wanted = f"{_MARK}={mark}".encode()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                # A process that nobody has waited for has no environment any more.
                if wanted in (entry / "environ").read_bytes().split(b"\0"):
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


def end_processes(mark: str) -> None:
    """Kills the processes that carry a mark."""
    for process in marked_processes(mark):
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)


def wait_until_gone(mark: str, blocks: set[Path]) -> str | None:
    """Waits until no process and no shared memory is left; says what is left after some seconds."""
    ends = time.monotonic() + _GRACE
    while True:
        processes, left = marked_processes(mark), [b for b in blocks if b.exists()]
        if not processes and not left:
            return None
        if time.monotonic() > ends:
            return f"after {_GRACE:.0f} s there are still {processes} and {left}"
        time.sleep(0.1)


def shared_memory(processes: Sequence[int]) -> set[Path]:
    """The blocks of shared memory that processes have mapped."""
    blocks = set()
    for process in processes:
        try:
            maps = Path(f"/proc/{process}/maps").read_text()
        except OSError:
            continue
        blocks |= {Path(path) for path in re.findall(r"/dev/shm/.+", maps)}
    return blocks


def metrics(run: Path) -> list[dict[str, Any]]:
    """All rows of a run's metrics, without what cannot be reproduced."""
    rows = [json.loads(line) for line in (run / METRICS).read_text().splitlines()]
    return [{k: v for k, v in row.items() if not k.startswith("time/")} for row in rows]
