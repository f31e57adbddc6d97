"""Runs a command that tells when it reaches a point: python -m attack.points FILE MODULE ARGUMENTS.

FILE is a descriptor. A byte is written to it when the point is reached, which `POINT`, `COUNT` and
`HOLD` in the environment choose: the function of that point is called for the COUNTth time. With
HOLD the function's thread then waits for ever, so that a kill strikes exactly there.
"""

from __future__ import annotations

import importlib
import os
import sys
import threading
from functools import wraps
from typing import Any

POINT, COUNT, HOLD = "ATTACK_POINT", "ATTACK_COUNT", "ATTACK_HOLD"

BEFORE, AFTER = "before", "after"
#: Where each point lies: module, class or None, function, and whether it is before or after it.
POINTS: dict[str, tuple[str, str | None, str, str]] = {
    "opening": ("train.runs.steps", "TrainingSteps", "__init__", BEFORE),
    "resuming": ("train.runs.store", "RunStore", "resume", BEFORE),
    "deleting steps": ("train.runs.steps", "TrainingSteps", "delete_after", BEFORE),
    "steps deleted": ("train.runs.steps", "TrainingSteps", "delete_after", AFTER),
    "adopting": ("train.runs.folder", "RunFolder", "adopt_opponent", BEFORE),
    "cutting back": ("train.runs.metrics", "MetricsWriter", "cut_back", BEFORE),
    "generation": ("train.games.deciders", "NetworkDecider", "decide", BEFORE),
    "learning": ("train.learning.ppo_learner", "PPOLearner", "learn", BEFORE),
    "expert learning": ("train.learning.expert_learner", "ExpertLearner", "learn", BEFORE),
    "evaluation": ("train.trainer", None, "evaluate", BEFORE),
    "exploiting": ("train.exploit", "ExploitPatch", "_improve", BEFORE),
    "judging the exploiter": ("train.exploit", "ExploitPatch", "_judge", BEFORE),
    "row written": ("train.runs.metrics", "MetricsWriter", "write", AFTER),
    "export": ("train.runs.store", None, "save_policy", BEFORE),
    "replay written": ("train.learning.replay", "Replay", "to_arrays", AFTER),
    "saving": ("train.runs.steps", "TrainingSteps", "save", AFTER),
    "manifest": ("train.runs.store", "RunStore", "note_in_manifest", BEFORE),
    "final table": ("train.runs.store", "RunStore", "note_final_evaluation", BEFORE),
    "ending": ("train.games.generator", "Generator", "close", BEFORE),
    "part played": ("eval.matches.resumable", None, "play_pairings", AFTER),
    "playing": ("eval.matches.resumable", None, "play_pairings", BEFORE),
    "part kept": ("eval.matches.resumable", "PartialResults", "write", AFTER),
    "renaming": ("os", None, "replace", BEFORE),
    "renamed": ("os", None, "replace", AFTER),
    "moving": ("os", None, "rename", BEFORE),
    "moved": ("os", None, "rename", AFTER),
    "state read": ("train.runs.start", None, "read_state", AFTER),
}  # fmt: skip


def watch(point: str, count: int, hold: bool, file: int) -> None:
    """Writes a byte to a descriptor when a point is reached for the countth time."""
    module, class_name, name, moment = POINTS[point]
    owner: Any = importlib.import_module(module)
    if class_name is not None:
        owner = getattr(owner, class_name)
    original, calls = getattr(owner, name), 0

    def reached() -> None:
        nonlocal calls
        calls += 1
        if calls == count:
            os.write(file, b"!")
            if hold:
                threading.Event().wait()

    @wraps(original)
    def watched(*args: Any, **kwargs: Any) -> Any:
        if moment == BEFORE:
            reached()
        result = original(*args, **kwargs)
        if moment == AFTER:
            reached()
        return result

    setattr(owner, name, watched)


if __name__ == "__main__":
    watch(
        os.environ[POINT],
        int(os.environ[COUNT]),
        os.environ[HOLD] == "True",
        int(sys.argv[1]),
    )
    command = importlib.import_module(sys.argv[2])
    if hasattr(command, "__path__"):
        command = importlib.import_module(f"{sys.argv[2]}.__main__")
    sys.exit(command.main(sys.argv[3:]))
