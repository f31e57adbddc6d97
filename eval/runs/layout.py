"""Finds the folder of a run and reads what lies in it beside the checkpoints themselves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bb_jax.errors import EvaluationError
from bb_jax.packed_state import is_packed
from eval.runs.metrics_file import METRICS_FILE

RUNS_ROOT = Path("checkpoints")
CONFIGURATION = "config.json"
FINAL_EVALUATION = "final_evaluation.json"
MANIFEST = "manifest.json"
STEPS = "steps"
NEVER_WRITTEN = "holds a checkpoint that comes with the program, and is never written to"


def is_run(folder: Path) -> bool:
    """Whether a training run has left its traces in a folder."""
    return any((folder / name).exists() for name in (METRICS_FILE, CONFIGURATION, STEPS))


def find_run(reference: str, root: Path = RUNS_ROOT) -> Path:
    """The folder that RUN names on a command line.

    Args:
      reference: a path, or a name under `root`; the name comes first where both exist.
      root: where runs live.

    Raises:
      EvaluationError: there is no such folder.
    """
    path = Path(reference)
    candidates = [path] if "/" in reference else [root / reference, path]
    for candidate in candidates:
        if candidate.is_dir():
            return candidate
    raise EvaluationError(f"there is no run {reference} ({candidates[0]} is not a folder)")


def saved_steps(run: Path) -> list[int]:
    """The steps of a run's complete training states, ascending."""
    folder = run / STEPS
    if not folder.is_dir():
        return []
    return sorted(int(entry.name) for entry in folder.iterdir() if entry.name.isdigit())


def is_shipped(run: Path) -> bool:
    """Whether a run's folder came with the program: a packed state in it, and no steps of its own.

    Nothing writes to such a folder.
    """
    try:
        return not saved_steps(run) and any(map(is_packed, (run / "policies").glob("*.policy")))
    except OSError:
        # A folder that may not be read: whatever is done with it next says why.
        return False


def refuse_shipped(run: Path) -> None:
    """Raises EvaluationError where a run's folder came with the program."""
    if is_shipped(run):
        raise EvaluationError(f"{run} {NEVER_WRITTEN}")


def read_object(path: Path) -> dict[str, Any] | None:
    """A JSON object from a file; None where there is no such file.

    Raises:
      EvaluationError: the file cannot be read or holds something else.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise EvaluationError(f"cannot read {path}: {error}") from error
    if not isinstance(content, dict):
        raise EvaluationError(f"cannot read {path}: it does not hold a JSON object")
    return content
