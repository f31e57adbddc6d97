"""Named numpy arrays in one block of shared memory."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import shared_memory
from pathlib import Path

import numpy as np

# Arrays start on cache lines of their own, so that two processes never write to one line.
_ALIGNMENT = 64


@dataclass(frozen=True)
class SharedLayout:
    """The block's name and, for each array, its offset in bytes, shape and dtype."""

    block: str
    arrays: Mapping[str, tuple[int, tuple[int, ...], str]]


class SharedArrays:
    """The arrays of one block; made by its owner, attached to by workers."""

    def __init__(self, memory: shared_memory.SharedMemory, layout: SharedLayout, owner: bool):
        self.layout = layout
        self._memory = memory
        self._owner = owner
        self._arrays: dict[str, np.ndarray] = {
            name: np.ndarray(shape, dtype, buffer=memory.buf, offset=offset)
            for name, (offset, shape, dtype) in layout.arrays.items()
        }

    @classmethod
    def create(cls, specification: Mapping[str, tuple[tuple[int, ...], type]]) -> SharedArrays:
        """Makes a zeroed block with an array of each name, shape and dtype.

        Raises:
          OSError: shared memory cannot hold them; its text says how much they need.
        """
        arrays = {}
        size = 0
        for name, (shape, scalar) in specification.items():
            dtype = np.dtype(scalar)
            arrays[name] = (size, tuple(shape), dtype.str)
            length = int(np.prod(shape)) * dtype.itemsize
            size += -(-length // _ALIGNMENT) * _ALIGNMENT
        memory = shared_memory.SharedMemory(create=True, size=max(size, 1))
        try:
            _reserve(memory)
        except OSError as error:
            memory.close()
            memory.unlink()
            reason = f"{error.strerror}, where {memory.size} bytes are needed"
            raise OSError(error.errno, reason) from error
        return cls(memory, SharedLayout(memory.name, arrays), owner=True)

    @classmethod
    def attach(cls, layout: SharedLayout) -> SharedArrays:
        """The block that another process made."""
        return cls(shared_memory.SharedMemory(name=layout.block), layout, owner=False)

    def __getitem__(self, name: str) -> np.ndarray:
        return self._arrays[name]

    def close(self) -> None:
        """Lets go of the block; its owner also removes it. Views handed out become invalid."""
        self._arrays.clear()
        if self._owner:
            self._memory.unlink()
        # Where a view is still alive the mapping goes with it; the name is gone already.
        with suppress(BufferError):
            self._memory.close()


def _reserve(memory: shared_memory.SharedMemory) -> None:
    """Takes the whole block at once: where memory is short, a later write would kill its process.

    Raises:
      OSError: there is not enough.
    """
    path = Path("/dev/shm", memory.name)
    if path.exists():  # as it does on Linux
        with open(path, "r+b") as file:
            os.posix_fallocate(file.fileno(), 0, memory.size)
