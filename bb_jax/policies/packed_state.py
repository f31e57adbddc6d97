"""Recognises policy files that hold a whole training state; imports nothing heavy.

Such a file (`train.runs.packing` writes it) is a policy file of another format name that also holds
what training needs. It can be played, evaluated and started from.
"""

import os

#: Value of a packed file's key "format"; before it stands at most a checksum.
PACKED_FORMAT = "beasty-bar-training-state"


def is_packed(path: str | os.PathLike[str]) -> bool:
    """Whether a file begins as a packed training state does; False where it cannot be read."""
    try:
        with open(path, "rb") as file:
            return PACKED_FORMAT.encode() in file.read(256)
    except OSError:
        return False
