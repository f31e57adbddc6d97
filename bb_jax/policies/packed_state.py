"""Recognises policy files that hold a whole training state; imports nothing heavy.

Such a file (`train.runs.packing` writes it) is a policy file with another format name. It also
holds what training needs. It can be played, evaluated and started from.
"""

import os
from pathlib import Path

from bb_jax.files import read_whole

# The value of a packed file's key "format". At most a checksum stands before it.
PACKED_FORMAT = "beasty-bar-training-state"


def is_packed(path: str | os.PathLike[str]) -> bool:
    """Whether a file begins like a packed training state; False if it cannot be read."""
    try:
        return PACKED_FORMAT.encode() in read_whole(Path(path), 256)
    except OSError:
        return False
