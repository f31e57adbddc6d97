"""A run's mirror: steps are put there and taken from there, each whole or not at all.

A step is put in this order: its files under their hashes, each read back; then one small record
that names them all, read back too. Only then are older steps removed, first their records and then
the files that no record names any more. So a kill at any moment leaves every step that was
finished before, and a step is finished when its record is there.
"""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from pathlib import Path

from bb_jax.files import named_errors, timestamp, write_whole
from eval.runs.layout import MIRROR, STEPS
from train.mirror.records import (
    CLAIMS,
    OBJECTS,
    REQUESTS,
    STOP_REQUEST,
    Claim,
    StepRecord,
    content_hash,
    step_of,
)
from train.mirror.records import STEPS as RECORDS
from train.mirror.storage import MirrorError, Storage

_IDENTITY = "run"
_RESTORING = "restoring"
# A connection may be cut in the middle of an object without an error.
_READS = 3

Say = Callable[[str], object]


class TakenOverError(MirrorError):
    """Another start of the run, or another run, copies to the mirror now."""


class Mirror:
    """A run's mirror. Every failure of its storage is a MirrorError."""

    def __init__(self, storage: Storage):
        self._storage = storage
        self._claim: Claim | None = None
        # Objects that this process has read back whole, and records by their names.
        self._sound: set[str] = set()
        self._records: dict[str, StepRecord] = {}
        #: Called after every object that is known to be whole.
        self.on_progress: Callable[[], None] = lambda: None

    @property
    def url(self) -> str:
        return self._storage.url

    # ---------------------------------------------------------------------------------------
    # Whose mirror it is
    # ---------------------------------------------------------------------------------------

    def check_run(self, run: Path) -> None:
        """Refuses a mirror that belongs to another run than the one with steps in this folder.

        Raises:
          TakenOverError: it does.
        """
        claim = self._claim_in_force()
        if claim is not None and claim.run != _identity(run) and self.steps():
            raise TakenOverError(
                f"the mirror {self.url} holds another run than {run}; give the run another "
                "experiment_name or mirror"
            )

    def claim(self, run: Path) -> None:
        """Makes this process the one that copies to the mirror, in place of any before.

        Args:
          run: the run's folder, where the run's identity is kept.

        Raises:
          TakenOverError: the mirror belongs to another run.
        """
        self.check_run(run)
        before = self._claim_in_force()
        identity = _identity(run)
        if identity is None:
            identity = uuid.uuid4().hex
            _note_identity(run, identity)
        number = 1 if before is None else before.number + 1
        claim = Claim(number, identity, uuid.uuid4().hex)
        said = {"host": os.uname().nodename, "process": os.getpid(), "date": timestamp()}
        self._storage.write(f"{CLAIMS}/{claim.name}", json.dumps(said).encode())
        self._claim = claim
        self._check_claim()
        # A request was meant for the start before.
        self._storage.remove(f"{REQUESTS}/{STOP_REQUEST}")
        for name in self._storage.sizes(CLAIMS):
            other = Claim.in_force([name])
            if other is not None and other < claim:
                self._storage.remove(f"{CLAIMS}/{name}")

    def _claim_in_force(self) -> Claim | None:
        return Claim.in_force(self._storage.sizes(CLAIMS))

    def _check_claim(self) -> Claim:
        claim = self._claim_in_force()
        if claim is None or claim != self._claim:
            raise TakenOverError(
                f"another start of the run copies to the mirror {self.url} now, so this one copies "
                "nothing more"
            )
        return claim

    # ---------------------------------------------------------------------------------------
    # Putting steps there
    # ---------------------------------------------------------------------------------------

    def steps(self) -> list[int]:
        """The finished steps, ascending."""
        return sorted(
            step
            for step, names in self._names().items()
            if any(self._record(name) is not None for name in names)
        )

    def put(self, step: int, files: Mapping[str, Path]) -> None:
        """Puts a step there, unless it is there with the same files. `claim` comes first.

        Args:
          step: completed iterations.
          files: all that a run needs to go on from there, by their paths in the run's folder.

        Raises:
          TakenOverError: another process copies there now.
          OSError: a file cannot be read.
        """
        run = self._check_claim().run
        hashes = {path: content_hash(source.read_bytes()) for path, source in files.items()}
        there = self._storage.sizes(OBJECTS)
        for path, source in files.items():
            self._put_object(hashes[path], source, there)
        name, content = StepRecord(step, run, hashes).encode()
        names = self._names().get(step, [])
        if name not in names or self._record(name) is None:
            self._check_claim()
            self._write_checked(f"{RECORDS}/{name}", content)
        for older in names:
            if older != name:
                self._storage.remove(f"{RECORDS}/{older}")

    def _put_object(self, digest: str, source: Path, there: Mapping[str, int]) -> None:
        if digest in self._sound and digest in there:
            return
        content, name = source.read_bytes(), f"{OBJECTS}/{digest}"
        # A process that was killed may have written a part of it.
        whole = there.get(digest) == len(content) and self._storage.read(name) == content
        if not whole:
            self._write_checked(name, content)
        else:
            self.on_progress()
        self._sound.add(digest)

    def _write_checked(self, name: str, content: bytes) -> None:
        self._storage.write(name, content)
        if self._storage.read(name) != content:
            raise MirrorError(f"the mirror {self.url} has not kept what was written to {name}")
        self.on_progress()

    def keep(self, steps: Collection[int]) -> None:
        """Removes the steps that the run does not keep, and files that no step needs.

        The newest step has to be one that this process has put there. Later ones, from a run that
        got further elsewhere, stay.

        Args:
          steps: the steps that the run's folder keeps.
        """
        self._check_claim()
        newest = max(steps, default=-1)
        self._remove(lambda step: step < newest and step not in steps)

    def remove_after(self, step: int) -> None:
        """Removes all later steps, before the run goes on from this one; nobody copies now."""
        self._remove(lambda other: other > step)

    def _remove(self, unwanted: Callable[[int], bool]) -> None:
        needed: set[str] = set()
        all_known = True
        for step, names in self._names().items():
            for name in names:
                if unwanted(step):
                    self._storage.remove(f"{RECORDS}/{name}")
                elif (record := self._record(name)) is not None:
                    needed |= set(record.files.values())
                else:
                    # Nobody knows what a damaged record needs. Put again, the step gets another.
                    all_known = False
        for digest in self._storage.sizes(OBJECTS) if all_known else ():
            if digest not in needed:
                self._sound.discard(digest)
                self._storage.remove(f"{OBJECTS}/{digest}")

    def _names(self) -> dict[int, list[str]]:
        """The names of the records, by step."""
        found: dict[int, list[str]] = {}
        for name in self._storage.sizes(RECORDS):
            step = step_of(name)
            if step is not None:
                found.setdefault(step, []).append(name)
        return found

    def _record(self, name: str) -> StepRecord | None:
        """A record; None where it is damaged, such as half written."""
        if name not in self._records:
            with suppress(ValueError):
                content = self._storage.read(f"{RECORDS}/{name}")
                self._records[name] = StepRecord.decode(name, content)
                self.on_progress()
        return self._records.get(name)

    # ---------------------------------------------------------------------------------------
    # Taking steps from there
    # ---------------------------------------------------------------------------------------

    def restore(self, run: Path, say: Say) -> list[int]:
        """Brings a run's folder to what the mirror holds. A kill meanwhile leaves it as it was.

        Args:
          run: the folder, in which nobody trains.
          say: called with a sentence for a step that is damaged there.

        Returns:
          The steps that were restored, ascending; none where the mirror is empty.

        Raises:
          MirrorError: the mirror holds steps, but none that is whole, or the folder cannot be
            written.
        """
        names, top = self._names(), run / MIRROR / _RESTORING
        restored: dict[int, StepRecord] = {}
        with named_errors(run, "write to", MirrorError):
            shutil.rmtree(top, ignore_errors=True)
            for step in sorted(names, reverse=True):
                for record in map(self._record, sorted(names[step])):
                    if record is None or step in restored:
                        continue
                    try:
                        self._fetch(record, top, first=not restored)
                    except ValueError as error:
                        say(f"step {step} in the mirror {self.url} is not restored: {error}")
                        gone = top if not restored else top / STEPS / str(step)
                        shutil.rmtree(gone, ignore_errors=True)
                    else:
                        restored[step] = record
            if restored:
                _note_identity(run, restored[max(restored)].run)
                _move(top, run, restored)
        if not restored and self.steps():
            raise MirrorError(f"the mirror {self.url} holds no step that is whole")
        return sorted(restored)

    def fetch(self, names: Collection[str], run: Path) -> None:
        """Fetches single files of the newest step, such as its metrics; old ones are replaced.

        Args:
          names: paths in the run's folder; what the step does not have is left out.
          run: the folder.
        """
        steps = self.steps()
        if not steps:
            return
        records = filter(None, map(self._record, self._names()[steps[-1]]))
        files = next(records).files
        for name in names:
            content = self._read_object(files[name]) if name in files else None
            if content is not None:
                write_whole(run / name, content, kind=MirrorError)

    def _fetch(self, record: StepRecord, top: Path, *, first: bool) -> None:
        """Fetches a step's files; all but the first step give only what others do not have.

        Raises:
          ValueError: a file is missing or damaged.
        """
        there = self._storage.sizes(OBJECTS)
        for path, digest in record.files.items():
            target = top / path
            if not first and (target.exists() or not _belongs_to_step(path, record.step)):
                continue
            if digest not in there:
                raise ValueError(f"{path} is missing")
            content = self._read_object(digest)
            if content is None:
                raise ValueError(f"{path} is damaged")
            self._sound.add(digest)
            target.parent.mkdir(parents=True, exist_ok=True)
            write_whole(target, content, kind=MirrorError)

    def _read_object(self, digest: str) -> bytes | None:
        """An object's content; None where it is not the one that was put there."""
        for _ in range(_READS):
            content = self._storage.read(f"{OBJECTS}/{digest}")
            self.on_progress()
            if content_hash(content) == digest:
                return content
        return None

    # ---------------------------------------------------------------------------------------
    # Requests to the training
    # ---------------------------------------------------------------------------------------

    def request_stop(self) -> None:
        """Asks the training that copies here, wherever it runs, to stop with a checkpoint."""
        self._storage.write(f"{REQUESTS}/{STOP_REQUEST}", timestamp().encode())

    def take_request(self) -> bool:
        """Whether the training was asked to stop; the request is removed. `claim` comes first."""
        self._check_claim()
        if STOP_REQUEST not in self._storage.sizes(REQUESTS):
            return False
        self._storage.remove(f"{REQUESTS}/{STOP_REQUEST}")
        return True


def _belongs_to_step(path: str, step: int) -> bool:
    return path.startswith(f"{STEPS}/{step}/") or not path.startswith(f"{STEPS}/")


def _move(top: Path, run: Path, steps: Collection[int]) -> None:
    """Moves what was fetched to its place, the newest step last: with it the run is there."""
    for source in sorted(top.rglob("*")):
        path = source.relative_to(top)
        if source.is_file() and path.parts[0] != STEPS:
            (run / path).parent.mkdir(parents=True, exist_ok=True)
            os.replace(source, run / path)
    (run / STEPS).mkdir(parents=True, exist_ok=True)
    for step in sorted(steps):
        target = run / STEPS / str(step)
        shutil.rmtree(target, ignore_errors=True)
        os.rename(top / STEPS / str(step), target)
    shutil.rmtree(top)


def _identity(run: Path) -> str | None:
    try:
        return (run / MIRROR / _IDENTITY).read_text().strip()
    except OSError:
        return None


def _note_identity(run: Path, identity: str) -> None:
    path = run / MIRROR / _IDENTITY
    with named_errors(path, kind=MirrorError):
        path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, identity.encode(), kind=MirrorError)
