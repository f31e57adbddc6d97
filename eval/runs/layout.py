"""The layout of a run's folder: the name of every file in it, spelt here and nowhere else."""

from __future__ import annotations

import os
import re
from pathlib import Path

from bb_jax.errors import CheckpointError
from bb_jax.paths import SHIPPED
from bb_jax.policies.packed_state import is_packed

#: Where runs live that are given by a name.
RUNS_ROOT = Path("checkpoints")
#: Runs of an installed package.
SHIPPED_RUNS = SHIPPED / "checkpoints"

#: Full training states, one folder a step (orbax).
STEPS = "steps"
#: Exports for inference, one file for each step that is kept. A run that comes with the program
#: holds packed training states here instead, and no steps.
POLICIES = "policies"
#: Checkpoint opponents, by the hash of their parameters.
OPPONENTS = "opponents"
#: The training state of the exploiter in work.
EXPLOITER = "exploiter"
#: The network that plays as the expert, where another one learns.
TEACHER = "teacher.policy"
#: The configuration of the run's last start.
CONFIGURATION = "config.json"
#: One row of metrics an iteration.
METRICS = "training_metrics.jsonl"
#: Lines of the metrics that are no rows, moved there by the next start.
DAMAGED_METRICS = "training_metrics.damaged.jsonl"
#: Latest and best values of the metrics, and totals.
SUMMARY = "summary.json"
#: What happened, in words.
LOG = "training.log"
#: Event files, one for every start of the run.
TENSORBOARD = "tensorboard"
#: Traces of `--profile`.
PROFILE = "profile"
#: The table at the end of the run.
FINAL_EVALUATION = "final_evaluation.json"
#: How strong each policy of the run is.
MANIFEST = "manifest.json"
#: A manifest that could not be read, kept beside its successor.
DAMAGED_MANIFEST = "manifest.damaged.json"
#: Elo of the run's checkpoints, with every match.
LADDER = "ladder.json"
#: Curves and their page.
REPORT = "report"
#: What a run with a mirror keeps here: its identity there, and files while they are copied.
MIRROR = ".mirror"
#: Locked by the process that trains in the folder; its content is that process's number.
TRAINING_LOCK = ".lock"
#: The run's newest job, the output of the job and its supervisor, and the lock of the record.
JOB_RECORD = "job.json"
JOB_LOG = "job.log"
JOB_LOCK = ".job.lock"

POLICY_SUFFIX = ".policy"

_STEP_FOLDER = re.compile(r"0|[1-9][0-9]*")
_POLICY_FILE = re.compile(rf"([0-9]+){re.escape(POLICY_SUFFIX)}")


def is_run(folder: Path) -> bool:
    """Whether a training run, or a job that will begin one, has left traces in a folder."""
    traces = (STEPS, POLICIES, CONFIGURATION, METRICS, JOB_RECORD)
    # Unlike Path.exists it takes any text, however long, and folders that may not be read.
    return any(os.path.exists(folder / name) for name in traces)


def policy_path(run: Path, step: int) -> Path:
    """The export of a step."""
    return run / POLICIES / f"{step:06d}{POLICY_SUFFIX}"


def policy_files(run: Path) -> dict[int, Path]:
    """The policies that a run keeps, by step, ascending."""
    found = {}
    for path in (run / POLICIES).glob(f"*{POLICY_SUFFIX}"):
        match = _POLICY_FILE.fullmatch(path.name)
        if match:
            found[int(match[1])] = path
    return dict(sorted(found.items()))


def packed_states(run: Path) -> dict[int, Path]:
    """The packed training states among a run's policies, by step, ascending."""
    return {step: path for step, path in policy_files(run).items() if is_packed(path)}


def saved_steps(run: Path) -> list[int]:
    """The steps of a run's complete training states, ascending."""
    return sorted(step for step, path in step_folders(run / STEPS).items() if _holds_anything(path))


def empty_steps(folder: Path) -> dict[int, Path]:
    """The folders in a folder of training states that have a step's name and hold nothing.

    What a file manager leaves there, such as `.DS_Store`, counts as nothing.
    """
    found = step_folders(folder)
    return {step: path for step, path in found.items() if not _holds_anything(path)}


def step_folders(folder: Path) -> dict[int, Path]:
    """The folders named as steps in a folder of training states, by step."""
    entries = folder.iterdir() if folder.is_dir() else ()
    return {int(e.name): e for e in entries if _STEP_FOLDER.fullmatch(e.name) and e.is_dir()}


def _holds_anything(folder: Path) -> bool:
    return any(not entry.name.startswith(".") for entry in folder.iterdir())


def is_shipped(run: Path) -> bool:
    """Whether a run's folder came with the program; nothing writes to such a folder.

    It holds a packed state and no steps.
    """
    try:
        return not saved_steps(run) and bool(packed_states(run))
    except OSError:
        # The folder may not be read. Whatever is done with it next says so.
        return False


def refuse_shipped(run: Path, advice: str = "") -> None:
    """Raises CheckpointError where a run's folder came with the program.

    Args:
      run: the run's folder.
      advice: what to do instead.
    """
    if is_shipped(run):
        refused = f"{run} holds a checkpoint that comes with the program, and is never written to"
        raise CheckpointError(f"{refused}; {advice}" if advice else refused)
