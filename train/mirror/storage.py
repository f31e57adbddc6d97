"""Objects below a URL, read and written whole, by fsspec."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from bb_jax.errors import UserError, one_line

# Here folders need not be made, and making one would make a bucket.
_BUCKETS = {"s3", "s3a", "gs", "gcs", "abfs", "az", "oci", "ocilake", "oss"}

T = TypeVar("T")


class MirrorError(UserError):
    """The mirror of a run cannot be read, written or used."""


class Storage:
    """The objects below a URL; every failure is a MirrorError.

    Nothing is expected of the storage but that an object, once written, can be read, listed and
    removed. Writing need not be atomic.

    Attributes:
      url: the URL, for messages.
    """

    def __init__(self, url: str, name: str = ""):
        """Reads and writes nothing yet.

        Args:
          url: a URL that fsspec knows, such as s3://BUCKET/FOLDER or file:///FOLDER.
          name: a folder below it; any text without "/".

        Raises:
          MirrorError: fsspec, or its part for this kind of URL, is missing, or there is no such
            kind.
        """
        self.url = f"{url.rstrip('/')}/{name}" if name else url.rstrip("/")
        try:
            from fsspec.core import url_to_fs
        except ModuleNotFoundError:
            raise MirrorError(
                f"the mirror {self.url} needs fsspec; pip install 'beasty-bar-trainer[cloud]' "
                "installs it"
            ) from None
        try:
            # Nobody else uses this one, or its cache of listings.
            self._files, root = url_to_fs(url, skip_instance_cache=True)
        except Exception as error:
            raise MirrorError(f"cannot use the mirror {self.url}: {one_line(error)}") from error
        self._root = f"{root.rstrip('/')}/{name}" if name else root.rstrip("/")
        protocol = self._files.protocol
        self._protocols = {protocol} if isinstance(protocol, str) else set(protocol)

    def read(self, name: str) -> bytes:
        """The content of an object."""
        return self._try(f"read {name} in", lambda: self._files.cat_file(self._path(name)))

    def write(self, name: str, content: bytes) -> None:
        """Writes an object, in place of an old one."""
        self._try(f"write {name} to", lambda: self._write(self._path(name), content))

    def _write(self, path: str, content: bytes) -> None:
        try:
            self._files.pipe_file(path, content)
        except FileNotFoundError:
            if self._protocols & _BUCKETS:
                raise
            self._files.makedirs(posixpath.dirname(path), exist_ok=True)
            self._files.pipe_file(path, content)
        if "file" in self._protocols:
            _sync(path)

    def sizes(self, folder: str) -> dict[str, int]:
        """The objects directly in a folder, as they are now: their names and sizes in bytes."""
        return self._try("list", lambda: self._sizes(self._path(folder)))

    def _sizes(self, path: str) -> dict[str, int]:
        self._files.invalidate_cache()
        try:
            entries: list[dict[str, Any]] = self._files.ls(path, detail=True)
        except FileNotFoundError:
            return {}
        # Some storages list the folder itself as an object.
        return {
            posixpath.basename(entry["name"]): entry["size"]
            for entry in entries
            if entry["type"] == "file" and not entry["name"].endswith("/")
        }

    def remove(self, name: str) -> None:
        """Removes an object, if it is there."""

        def remove() -> None:
            with suppress(FileNotFoundError):
                self._files.rm_file(self._path(name))

        self._try(f"remove {name} from", remove)

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"

    def _try(self, verb: str, operation: Callable[[], T]) -> T:
        try:
            return operation()
        # The kinds of storage raise errors of their own.
        except Exception as error:
            raise MirrorError(f"cannot {verb} the mirror {self.url}: {one_line(error)}") from error


def _sync(path: str) -> None:
    """Waits until a local file is on the disk, so that what is written later never comes first."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
