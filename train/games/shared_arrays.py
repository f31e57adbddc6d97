"""Named numpy arrays in one block of shared memory."""

from __future__ import annotations

import mmap
import os
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from multiprocessing import reduction
from pathlib import Path
from typing import Any

import numpy as np

# Every array starts on its own cache line, so that two processes never write to the same line.
_ALIGNMENT = 64
# Where Linux has files in memory; elsewhere the block is a temporary file.
_MEMORY = Path("/dev/shm")


class SharedBlock:
    """Memory that processes share. It has no name, so it ends with the last of them.

    A name would stay, and the memory with it, where all processes are killed at once.
    """

    def __init__(self, descriptor: int, size: int):
        """Maps a file.

        Args:
          descriptor: the open file; the block closes it.
          size: its size in bytes.
        """
        self.descriptor, self.size = descriptor, size
        self.memory = mmap.mmap(descriptor, size)

    @classmethod
    def create(cls, size: int) -> SharedBlock:
        """Creates a block of zeros.

        Args:
          size: in bytes.

        Raises:
          OSError: it does not fit.
        """
        with tempfile.TemporaryFile(dir=_MEMORY if _MEMORY.is_dir() else None) as file:
            # Allocates all of it now. Otherwise a write without memory left kills the process.
            reserve = getattr(os, "posix_fallocate", None)
            if reserve is None:
                os.ftruncate(file.fileno(), size)
            else:
                reserve(file.fileno(), 0, size)
            return cls(os.dup(file.fileno()), size)

    def close(self) -> None:
        """Unmaps the block, now or with the last array over it."""
        os.close(self.descriptor)
        with suppress(BufferError):
            self.memory.close()

    def __reduce__(self) -> tuple[Callable[..., SharedBlock], tuple[Any, ...]]:
        """Pickles it for a process that is being started, which gets a descriptor of its own."""
        return _inherited, (reduction.DupFd(self.descriptor), self.size)


def _inherited(descriptor: Any, size: int) -> SharedBlock:
    return SharedBlock(descriptor.detach(), size)


class SharedArrays:
    """The arrays of one block. A worker gets them as an argument of its process."""

    def __init__(self, block: SharedBlock, layout: Mapping[str, tuple[int, tuple[int, ...], str]]):
        """Lays arrays over a block.

        Args:
          block: the memory.
          layout: for each array its offset in bytes, shape and dtype.
        """
        self._block, self._layout = block, layout
        # An array over the map itself would not keep it mapped: numpy lets its buffer go at once.
        whole = np.asarray(memoryview(block.memory))
        self._arrays: dict[str, np.ndarray] = {
            name: np.ndarray(shape, dtype, buffer=whole, offset=offset)
            for name, (offset, shape, dtype) in layout.items()
        }

    @classmethod
    def create(cls, specification: Mapping[str, tuple[tuple[int, ...], type]]) -> SharedArrays:
        """Creates a block of zeros.

        Args:
          specification: the shape and dtype of each array, by name.

        Raises:
          OSError: the block does not fit in shared memory; the text says how much it needs.
        """
        layout = {}
        size = 0
        for name, (shape, scalar) in specification.items():
            dtype = np.dtype(scalar)
            layout[name] = (size, tuple(shape), dtype.str)
            length = int(np.prod(shape)) * dtype.itemsize
            size += -(-length // _ALIGNMENT) * _ALIGNMENT
        size = max(size, 1)
        try:
            return cls(SharedBlock.create(size), layout)
        except OSError as error:
            reason = f"{error.strerror}, where {size} bytes are needed"
            raise OSError(error.errno, reason) from error

    def __getitem__(self, name: str) -> np.ndarray:
        return self._arrays[name]

    def close(self) -> None:
        """Detaches from the block, which stays mapped while views of its arrays are alive."""
        self._arrays.clear()
        self._block.close()

    def __reduce__(self) -> tuple[type[SharedArrays], tuple[Any, ...]]:
        """Pickles them for a process that is being started."""
        return SharedArrays, (self._block, self._layout)
