"""Trains and is struck by a fault at a chosen point.

    python -m tests.train.faults POINT FAULT COUNT TRAINING-ARGUMENTS...

suffers FAULT when it reaches POINT for the COUNTth time.
"""

import errno
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

# Where each point lies: module, class or None, function, and whether the fault comes before or
# after the function has done its work.
POINTS = {
    "generation": ("train.games.deciders", "NetworkDecider", "decide", "before"),
    "learning": ("train.learning.ppo_learner", "PPOLearner", "learn", "before"),
    "evaluation": ("train.trainer", None, "evaluate", "before"),
    "before saving": ("train.runs.steps", "TrainingSteps", "save", "before"),
    "saving": ("train.runs.steps", "TrainingSteps", "save", "after"),
    "between": ("train.runs.metrics", "MetricsWriter", "write", "after"),
    "exploiting": ("train.exploit", "ExploitPatch", "_improve", "before"),
}
# Names the file that FILL_DISK makes.
BALLAST_VARIABLE = "TEST_BALLAST"


def fault(name: str) -> Callable[[], None]:
    """What happens: a signal by its name to this process, or one of the other faults."""
    others = {
        "SIGINT_TWICE": _interrupt_twice,
        "KILL_WORKER": _kill_worker,
        "FILL_DISK": _fill_disk,
        "DEVICE_FAILS": _fail_as_a_device,
    }
    return others.get(name) or (lambda: os.kill(os.getpid(), getattr(signal, name)))


def _interrupt_twice() -> None:
    # A signal that is still pending swallows the next one of its kind.
    os.kill(os.getpid(), signal.SIGINT)
    os.kill(os.getpid(), signal.SIGTERM)


def _kill_worker() -> None:
    worker = multiprocessing.active_children()[0]
    assert worker.pid is not None
    os.kill(worker.pid, signal.SIGKILL)


def _fill_disk() -> None:
    """Leaves not a byte on the file system of the ballast."""
    with open(Path(os.environ[BALLAST_VARIABLE]), "wb", buffering=0) as ballast:
        size = 1 << 20
        while size:
            try:
                ballast.write(bytes(size))
            except OSError as error:
                assert error.errno == errno.ENOSPC
                size //= 2


def _fail_as_a_device() -> None:
    from jax.errors import JaxRuntimeError

    raise JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 9 bytes.\n\tDetails.")


def strike_at(point: str, happen: Callable[[], None], count: int) -> None:
    """Has a fault happen when the function of a point is called for the countth time."""
    module_name, class_name, name, moment = POINTS[point]
    owner: Any = __import__(module_name, fromlist=["_"])
    if class_name:
        owner = getattr(owner, class_name)
    original, calls = getattr(owner, name), 0

    def struck(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == count and moment == "before":
            happen()
        result = original(*args, **kwargs)
        if calls == count and moment == "after":
            happen()
        return result

    setattr(owner, name, struck)


if __name__ == "__main__":
    strike_at(sys.argv[1], fault(sys.argv[2]), int(sys.argv[3]))
    from train.main import main

    sys.exit(main(sys.argv[4:]))
