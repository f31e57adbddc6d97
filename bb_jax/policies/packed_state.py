"""Recognises policy files that hold a whole training state; imports nothing heavy.

Such a file (`train.runs.packing` writes it) is a policy file with another format name. It also
holds what training needs. It can be played, evaluated and started from.
"""

import os

# The value of a packed file's key "format". At most a checksum stands before it.
PACKED_FORMAT = "beasty-bar-training-state"


def is_packed(path: str | os.PathLike[str]) -> bool:
    """Whether a file begins like a packed training state; False if it cannot be read."""
    try:
        with open(path, "rb") as file:
            return PACKED_FORMAT.encode() in file.read(256)
    except OSError:
        return False
