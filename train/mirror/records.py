"""The small objects of a mirror that say what its other objects are.

Below the mirror's URL lie:

    objects/SHA256          the content of a file, under its hash
    steps/STEP.HASH.json    a finished step: the run's files and their hashes (`StepRecord`)
    claims/NUMBER.RUN.TOKEN who copies there (`Claim`); the highest number is in force
    requests/stop           asks the training to stop

No object is ever written over with another content, so whatever a kill leaves half written belongs
to nothing that is finished.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Self

from pydantic import TypeAdapter

from train.mirror.storage import MirrorError

OBJECTS, STEPS, CLAIMS, REQUESTS = "objects", "steps", "claims", "requests"
STOP_REQUEST = "stop"

_FORMAT = 1
_HASH = re.compile(r"[0-9a-f]{64}")
_RECORD_NAME = re.compile(r"([0-9]{8,})\.([0-9a-f]{16})\.json")
_CLAIM_NAME = re.compile(r"([0-9]{8,})\.([0-9a-f]{32})\.([0-9a-f]{32})")


def content_hash(content: bytes) -> str:
    """SHA-256 in hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


@dataclass(frozen=True)
class StepRecord:
    """A finished step: everything that a run needs to go on from there.

    Attributes:
      step: completed iterations.
      run: the identity of the run.
      files: SHA-256 of each file, by its path in the run's folder.
    """

    step: int
    run: str
    files: Mapping[str, str]

    def encode(self) -> tuple[str, bytes]:
        """The name and the content of the object. The name holds the content's hash."""
        values = {"format": _FORMAT, "step": self.step, "run": self.run, "files": self.files}
        content = json.dumps(values, indent=1, sort_keys=True).encode()
        return f"{self.step:08d}.{content_hash(content)[:16]}.json", content

    @classmethod
    def decode(cls, name: str, content: bytes) -> Self:
        """The inverse of `encode`.

        Raises:
          ValueError: the content is incomplete or damaged.
          MirrorError: it was written by another version of this program.
        """
        match = _RECORD_NAME.fullmatch(name)
        if match is None or content_hash(content)[:16] != match[2]:
            raise ValueError("it is incomplete or damaged")
        values = json.loads(content)
        if not isinstance(values, dict) or values.pop("format", None) != _FORMAT:
            raise MirrorError(f"{name} was written by another version of this program")
        record = TypeAdapter(cls).validate_python(values)
        for path, digest in record.files.items():
            parts = PurePosixPath(path).parts
            if not _HASH.fullmatch(digest) or not parts or {"..", "/"} & set(parts):
                raise ValueError(f"it names an impossible file, {path!r}")
        return record


def step_of(name: str) -> int | None:
    """The step that the object of this name records; None for any other object."""
    match = _RECORD_NAME.fullmatch(name)
    return None if match is None else int(match[1])


@dataclass(frozen=True, order=True)
class Claim:
    """Says which start of which run copies to the mirror.

    Attributes:
      number: higher than that of all claims before.
      run: the identity of the run.
      token: the identity of the start.
    """

    number: int
    run: str
    token: str

    @property
    def name(self) -> str:
        return f"{self.number:08d}.{self.run}.{self.token}"

    @classmethod
    def in_force(cls, names: Iterable[str]) -> Self | None:
        """The last of the claims of these names, or None."""
        matches = (_CLAIM_NAME.fullmatch(name) for name in names)
        return max((cls(int(m[1]), m[2], m[3]) for m in matches if m), default=None)
