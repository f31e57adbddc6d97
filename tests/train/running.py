"""Small training runs in processes of their own."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.waiting import PATIENCE
from tests.warm_python import run_module

REPOSITORY = Path(__file__).parents[2]

SMALL = """
experiment_name: small
total_iterations: 6
network_config: {kind: mlp, hidden_layers: [16], dropout: 0.0}
ppo_config: {learning_rate: 1e-3, minibatch_size: 128, ppo_epochs: 2}
games_per_iteration: 40
num_groups: 2
games_per_group: 16
async_num_workers: 2
buffer_size: 2000
opponent_config: {current_weight: 0.4, checkpoint_weight: 0.2, random_weight: 0.1, \
heuristic_weight: 0.3, max_checkpoints: 2}
entropy_schedule: linear
temperature_schedule: cosine
eval_opponents: [random, online]
eval_frequency: 2
eval_games: 20
final_eval_games: 20
checkpoint_frequency: 2
use_exploit_patch: true
exploit_patch_interval: 4
exploit_patch_iterations: 7
exploit_patch_games: 20
exploit_patch_threshold: 0.0
device: cpu
"""


def write_config(folder: Path, text: str = SMALL, **changes: object) -> Path:
    """A configuration file whose run lies in `folder`/run, some of its keys changed."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "config.yaml"
    lines = [line for line in text.splitlines() if line.partition(":")[0] not in changes]
    lines += [f"{key}: {json.dumps(value)}" for key, value in changes.items()]
    path.write_text("\n".join([*lines, f"checkpoint_dir: {folder / 'run'}"]) + "\n")
    return path


def run_python(
    *arguments: object,
    prefix: Sequence[str] = (),
    interpreter: str = sys.executable,
    **variables: str,
) -> subprocess.CompletedProcess[str]:
    """Runs `python ARGUMENTS` in the repository, with compiled functions kept between runs.

    `python -m MODULE` has its libraries imported already, where nothing speaks against it; see
    `tests.warm_python`.

    Args:
      arguments: the interpreter's arguments.
      prefix: a command that runs the command.
      interpreter: another one than this process's.
      variables: environment variables to set.
    """
    environment = os.environ | {"PYTHONUNBUFFERED": "1"} | variables
    first, *others = map(str, arguments)
    if first == "-m" and not prefix and interpreter == sys.executable:
        return run_module(others[0], others[1:], environment, PATIENCE)
    return subprocess.run(
        [*prefix, interpreter, first, *others],
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        stdin=subprocess.DEVNULL,
    )


def train(config: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Runs the main job."""
    return run_python("-m", "train.main", "--config", config, *arguments)


def train_struck(
    config: Path, point: str, signal_name: str, count: int, *arguments: object
) -> subprocess.CompletedProcess[str]:
    """Runs the main job with a signal at a point; see `tests.train.faults`."""
    strike = (point, signal_name, count)
    return run_python("-m", "tests.train.faults", *strike, "--config", config, *arguments)


def metrics(folder: Path) -> list[dict[str, Any]]:
    """All rows of a run's metrics, without what cannot be reproduced."""
    lines = (folder / "run" / "training_metrics.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    return [{k: v for k, v in row.items() if not k.startswith("time/")} for row in rows]


def assert_alike(found: list[dict[str, Any]], expected: list[dict[str, Any]]) -> None:
    """Rows of metrics that are equal to rounding.

    Members of the pool are named by a hash of their parameters, which rounding changes: their games
    against them are counted.
    """
    assert len(found) == len(expected)
    for row, other in zip(found, expected, strict=True):
        counts = [
            sorted(value for key, value in each.items() if "checkpoint:" in key and "/games" in key)
            for each in (row, other)
        ]
        assert counts[0] == counts[1]
        for key in {key for each in (row, other) for key in each if "checkpoint:" not in key}:
            value = other[key]
            if isinstance(value, float) and key.startswith("train/"):
                assert row[key] == pytest.approx(value, rel=1e-3, abs=1e-5), key
            elif key != "exploit/joined":
                assert row[key] == value, key
