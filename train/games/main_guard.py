"""Programs that train need `if __name__ == "__main__":`, because workers import them."""

from __future__ import annotations

import multiprocessing
import os

#: The exit code of a worker whose import of the main program began to train.
UNGUARDED = 95
UNGUARDED_MESSAGE = (
    "workers import the program that starts them, and this one trains as soon as it is imported: "
    'put what it does under `if __name__ == "__main__":`'
)


def refuse_in_workers() -> None:
    """Ends a worker that is about to train while it still imports the main program.

    Without it, every worker would start a training and workers of its own.
    """
    # The flag by which `multiprocessing` itself finds this mistake.
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        os._exit(UNGUARDED)
