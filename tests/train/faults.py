"""Trains and is struck by a signal at a chosen point.

    python -m tests.train.faults POINT SIGNAL COUNT TRAINING-ARGUMENTS...

sends itself SIGNAL when it reaches POINT for the COUNTth time.
"""

import os
import signal
import sys
from typing import Any

# Where each point lies: module, class or None, function, and whether the signal comes before or
# after the function has done its work.
POINTS = {
    "generation": ("train.acting", "Acting", "decide", "before"),
    "learning": ("train.learning", "Learning", "learn", "before"),
    "evaluation": ("train.trainer", None, "evaluate", "before"),
    "saving": ("train.checkpointing", "Checkpoints", "save", "after"),
    "between": ("train.metrics", "MetricsWriter", "write", "after"),
    "exploiting": ("train.exploit", "ExploitPatch", "_improve", "before"),
}


def strike_at(point: str, number: int, count: int) -> None:
    """Has the function of a point send the signal when it is called for the countth time."""
    module_name, class_name, name, moment = POINTS[point]
    owner: Any = __import__(module_name, fromlist=["_"])
    if class_name:
        owner = getattr(owner, class_name)
    original, calls = getattr(owner, name), 0

    def struck(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == count and moment == "before":
            os.kill(os.getpid(), number)
        result = original(*args, **kwargs)
        if calls == count and moment == "after":
            os.kill(os.getpid(), number)
        return result

    setattr(owner, name, struck)


if __name__ == "__main__":
    strike_at(sys.argv[1], getattr(signal, sys.argv[2]), int(sys.argv[3]))
    from train.main import main

    sys.exit(main(sys.argv[4:]))
