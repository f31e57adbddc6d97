"""Named numpy arrays in one block of shared memory."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import shared_memory
from pathlib import Path

import numpy as np

from train.interrupt import stop_signals_blocked

# Every array starts on its own cache line, so that two processes never write to the same line.
_ALIGNMENT = 64


@dataclass(frozen=True)
class SharedLayout:
    """The block's name and, for each array, its offset in bytes, shape and dtype."""

    block: str
    arrays: Mapping[str, tuple[int, tuple[int, ...], str]]


class SharedArrays:
    """The arrays of one block, which its owner creates and workers attach to."""

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
        """Creates a block of zeros.

        Args:
          specification: the shape and dtype of each array, by name.

        Raises:
          OSError: the block does not fit in shared memory; the text says how much it needs.
        """
        arrays = {}
        size = 0
        for name, (shape, scalar) in specification.items():
            dtype = np.dtype(scalar)
            arrays[name] = (size, tuple(shape), dtype.str)
            length = int(np.prod(shape)) * dtype.itemsize
            size += -(-length // _ALIGNMENT) * _ALIGNMENT
        # The first block starts Python's tracker, which would end at a SIGHUP and lose the block.
        with stop_signals_blocked():
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
        """Attaches to the block that another process created."""
        return cls(shared_memory.SharedMemory(name=layout.block), layout, owner=False)

    def __getitem__(self, name: str) -> np.ndarray:
        return self._arrays[name]

    def close(self) -> None:
        """Detaches from the block, which invalidates all views; the owner also removes it."""
        self._arrays.clear()
        if self._owner:
            self._memory.unlink()
        # A view that is still alive keeps the mapping; the block's name is removed already.
        with suppress(BufferError):
            self._memory.close()


def _reserve(memory: shared_memory.SharedMemory) -> None:
    """Allocates the whole block now. Otherwise a write without memory left kills the process.

    Raises:
      OSError: there is not enough memory.
    """
    path = Path("/dev/shm", memory.name)
    if path.exists():  # on Linux
        with open(path, "r+b") as file:
            os.posix_fallocate(file.fileno(), 0, memory.size)
