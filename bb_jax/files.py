"""Files that are read and written whole or not at all, and JSON objects in them."""

import errno
import fcntl
import glob
import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from bb_jax.errors import FileError, UserError


@contextmanager
def named_errors(
    path: Path, verb: str = "write", kind: type[UserError] = FileError
) -> Iterator[None]:
    """Turns an operating system's error into a sentence that names the file.

    Args:
      path: the file or folder.
      verb: what the code inside does to it.
      kind: the error to raise.

    Raises:
      UserError: an error of that kind, for every OSError inside.
    """
    try:
        yield
    except OSError as error:
        raise kind(f"cannot {verb} {path}: {_reason(path, error)}") from error


def _reason(path: Path, error: OSError) -> str:
    """What the operating system means by an error, where its own words mislead."""
    if error.errno == errno.ENAMETOOLONG:
        longest = max(path.parts, key=lambda part: len(os.fsencode(part)), default="")
        return f"a name of {len(os.fsencode(longest))} bytes is too long for the file system"
    if error.errno in (errno.EEXIST, errno.ENOENT, errno.ENOTDIR):
        for part in (*reversed(path.parents), path):
            if os.path.islink(part) and not os.path.exists(part):
                return f"{part} is a symbolic link to {os.readlink(part)}, where nothing is"
            if os.path.isfile(part) and (part != path or error.errno == errno.EEXIST):
                return f"{part} is a file, not a folder"
    return error.strerror or str(error)


def open_regular(path: Path) -> BinaryIO:
    """Opens a regular file to read. A pipe, a device or a terminal is never waited for.

    Args:
      path: the file; a symbolic link is followed.

    Raises:
      OSError: the operating system refuses, or the file is not a regular one.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not stat.S_ISREG(mode):
            raise OSError("it is no regular file")
        return open(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def read_whole(path: Path, most: int = -1) -> bytes:
    """The content of a regular file.

    Args:
      path: the file.
      most: the number of bytes at its beginning to read; all of them by default.

    Raises:
      OSError: as in `open_regular`, or the file does not fit into memory.
    """
    with open_regular(path) as file:
        try:
            return file.read(most)
        except MemoryError:
            raise OSError("it does not fit into memory") from None


def write_whole(
    path: Path, content: bytes, *, sync: bool = True, kind: type[UserError] = FileError
) -> None:
    """Writes a file in one step: readers and crashes see the old content or the new.

    Args:
      path: the file; a symbolic link is followed.
      content: all of it.
      sync: whether to wait until it is on the disk, so that it survives a power failure too.
      kind: the error to raise.

    Raises:
      UserError: an error of that kind, where the operating system refuses. An old file is kept.
    """
    with named_errors(path, kind=kind):
        path = path.resolve()
        if path.exists() and not path.is_file():
            raise OSError("it is no regular file")
        temporary = path.with_name(f".{path.name}.{os.getpid()}.partial")
        try:
            with open(temporary, "wb") as file:
                _lock(file.fileno())
                file.write(content)
                if sync:
                    file.flush()
                    os.fsync(file.fileno())
                os.replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        _remove_remains(path)


def _lock(descriptor: int) -> bool:
    """Locks a file that is being written; False where somebody else does, or no lock is there."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _remove_remains(path: Path) -> None:
    """Removes what killed processes have left of their attempts to write a file."""
    for remains in path.parent.glob(f".{glob.escape(path.name)}.*.partial"):
        with suppress(OSError), open_regular(remains) as file:
            # A process on another machine may be writing it now.
            if _lock(file.fileno()):
                remains.unlink()


def write_json(
    path: Path, data: Any, *, sync: bool = True, kind: type[UserError] = FileError
) -> None:
    """Writes JSON in one step; arguments and errors are those of `write_whole`."""
    content = json.dumps(data, indent=1, allow_nan=False) + "\n"
    write_whole(path, content.encode(), sync=sync, kind=kind)


def copy_whole(source: Path, target: Path, *, kind: type[UserError] = FileError) -> None:
    """Copies a file in one step; errors as in `write_whole`."""
    with named_errors(source, "read", kind):
        content = read_whole(source)
    write_whole(target, content, kind=kind)


def read_object(path: Path, kind: type[UserError] = FileError) -> dict[str, Any] | None:
    """A JSON object from a file; None where there is no such file.

    Raises:
      UserError: an error of that kind, where the file cannot be read or holds something else.
    """
    try:
        with named_errors(path, "read", kind):
            content = json.loads(read_whole(path).decode())
    except (ValueError, RecursionError) as error:
        raise kind(f"cannot read {path}: {error}") from error
    except UserError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            return None
        raise
    if not isinstance(content, dict):
        raise kind(f"cannot read {path}: it does not hold a JSON object")
    return content


def check_writable(path: Path) -> None:
    """Checks that a file can be written, before hours of work whose result goes there.

    A file that exists stays untouched.

    Raises:
      FileError: a folder or device of that name, a missing folder, no permission.
    """
    path = path.resolve()
    with named_errors(path):
        if path.is_dir():
            raise OSError("it is a folder")
        if path.exists() and not path.is_file():
            raise OSError("it is not a regular file")
        probe = path.with_name(f".{path.name}.{os.getpid()}.probe")
        try:
            probe.write_bytes(b"{}")
        finally:
            probe.unlink(missing_ok=True)


def timestamp() -> str:
    """The time in UTC, to the second, in ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")
