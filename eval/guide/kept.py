"""Finished parts of a measurement, kept in a folder so that a stopped one can be resumed."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar, get_type_hints
from zipfile import BadZipFile

import numpy as np
from pydantic import TypeAdapter

from bb_jax.errors import EvaluationError
from bb_jax.files import named_errors, read_whole, write_whole

_IDENTITY = "identity"

T = TypeVar("T")


class Kept:
    """The folder. A part is made once and then read from it.

    Attributes:
      found: whether parts of the same measurement were there.
    """

    def __init__(self, folder: Path, identity: str, note: Callable[[str], object]):
        """Opens the folder; parts of another measurement are removed.

        Args:
          folder: it is made if it is missing.
          identity: equal for measurements whose parts are equal.
          note: is told what becomes of the parts.

        Raises:
          EvaluationError: the folder cannot be read or written.
        """
        self._folder = folder
        self._note = note
        with named_errors(folder, "use", EvaluationError):
            known = folder / _IDENTITY
            self.found = known.exists() and read_whole(known).decode(errors="replace") == identity
            if known.exists() and not self.found:
                note(f"{folder} belongs to another guide; this one begins anew")
                self.remove()
            folder.mkdir(parents=True, exist_ok=True)
            write_whole(known, identity.encode())
        if self.found:
            note(f"finished parts are taken from {folder}")

    def model(self, name: str, kind: type[T], make: Callable[[], T]) -> T:
        """A part that is a model, or a list of models, with its type."""
        adapter: TypeAdapter[T] = TypeAdapter(kind)
        return self._part(f"{name}.json", adapter.validate_json, adapter.dump_json, make)

    def arrays(self, name: str, kind: type[T], make: Callable[[], T]) -> T:
        """A part that is a dataclass of arrays and of such dataclasses, with its type."""

        def read(content: bytes) -> T:
            with np.load(io.BytesIO(content)) as arrays:
                return _built(kind, dict(arrays), "")

        def written(part: T) -> bytes:
            file = io.BytesIO()
            arrays: dict[str, Any] = dict(_arrays_of(part, ""))
            np.savez(file, **arrays)
            return file.getvalue()

        return self._part(f"{name}.npz", read, written, make)

    def remove(self) -> None:
        """Removes the folder."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _part(
        self,
        name: str,
        read: Callable[[bytes], T],
        written: Callable[[T], bytes],
        make: Callable[[], T],
    ) -> T:
        path = self._folder / name
        if path.exists():
            try:
                with named_errors(path, "read", EvaluationError):
                    return read(read_whole(path))
            except (BadZipFile, EOFError, KeyError, ValueError):
                self._note(f"{path} is damaged and made anew")
        part = make()
        write_whole(path, written(part))
        return part


def _arrays_of(part: Any, prefix: str) -> dict[str, np.ndarray]:
    found: dict[str, np.ndarray] = {}
    for field in fields(part):
        value = getattr(part, field.name)
        if is_dataclass(value):
            found |= _arrays_of(value, f"{prefix}{field.name}.")
        else:
            found[prefix + field.name] = value
    return found


def _built(kind: Any, arrays: dict[str, np.ndarray], prefix: str) -> Any:
    hints = get_type_hints(kind)
    return kind(
        **{
            field.name: _built(hints[field.name], arrays, f"{prefix}{field.name}.")
            if is_dataclass(hints[field.name])
            else arrays[prefix + field.name]
            for field in fields(kind)
        }
    )
