"""An fsspec file system in memory that fails, stalls and writes by halves as a test wants it."""

import uuid
from collections.abc import Callable
from typing import Any, ClassVar

import fsspec
from fsspec.implementations.memory import MemoryFileSystem

#: Called before each operation with its name (read, write, list, remove) and the path. It may
#: raise, wait, or return the part of the content to write or to read.
Fault = Callable[[str, str], float | None]


class FaultyFileSystem(MemoryFileSystem):
    """Files in memory below `faulty://`."""

    protocol = "faulty"
    root_marker = ""
    cachable = False
    store: ClassVar[dict[str, Any]] = {}
    pseudo_dirs: ClassVar[list[str]] = [""]
    fault: ClassVar[Fault] = staticmethod(lambda operation, path: None)

    @classmethod
    def _strip_protocol(cls, path):
        return super()._strip_protocol(path.removeprefix("faulty://"))

    def pipe_file(self, path, value, *args, **kwargs):
        part = self._meet("write", path)
        return super().pipe_file(path, value[: round(part * len(value))], *args, **kwargs)

    def cat_file(self, path, *args, **kwargs):
        part = self._meet("read", path)
        content = super().cat_file(path, *args, **kwargs)
        return content[: round(part * len(content))]

    def ls(self, path, *args, **kwargs):
        self._meet("list", path)
        return super().ls(path, *args, **kwargs)

    def rm_file(self, path):
        self._meet("remove", path)
        super().rm_file(path)

    def _meet(self, operation: str, path: str) -> float:
        part = type(self).fault(operation, path)
        return 1.0 if part is None else part


fsspec.register_implementation("faulty", FaultyFileSystem, clobber=True)


def new_url() -> str:
    """A URL of this file system where nothing is."""
    return f"faulty://{uuid.uuid4().hex}/runs"
