"""Kills trainings with a mirror, copies and restorations at random moments.

After each kill the machine is lost: the run is restored from its mirror alone. No step that was
finished there may be missing, and the training has to end as if nobody had killed it.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from attack.small_runs import Command, marked_processes, metrics, write_config
from attack.tally import Tally
from bb_jax.errors import UserError
from eval.runs.layout import saved_steps
from train.mirror.mirror import Mirror
from train.mirror.records import OBJECTS, STEPS
from train.mirror.storage import Storage

DEFAULT_COUNT = 48
_NAME = "small"
_RUN = "run"
_BUCKET = "bucket"


class _FoundError(Exception):
    """Something that must not happen."""


@dataclass(frozen=True)
class Scene:
    """A command that copies to a mirror or from it, to be killed.

    Attributes:
      name: its name in the table.
      arguments: the interpreter's arguments, given the folder that holds run and mirror.
      copying: whether the kill strikes when a number of objects has come to the mirror, and so
        while a step is copied; otherwise at a time.
      begins: "nothing", a finished "run" or a finished "mirror".
      changes: keys of the training's configuration.
    """

    name: str
    arguments: Callable[[Path], list[str]]
    copying: bool
    begins: str = "nothing"
    changes: tuple[tuple[str, object], ...] = ()

    @property
    def trains(self) -> bool:
        return self.begins == "nothing"


def _train(folder: Path) -> list[str]:
    return ["-m", "train.main", "--config", str(folder / "config.yaml")]


def _copy(folder: Path) -> list[str]:
    return ["-m", "train.mirror", "copy", str(folder / _RUN)]


def _restore(folder: Path) -> list[str]:
    return ["-m", "train.mirror", "restore", _url(folder), str(folder / _RUN)]


_SCENES = (
    Scene("training, while it copies", _train, True),
    Scene("copy, while it copies", _copy, True, "run"),
    Scene("restore, at any time", _restore, False, "mirror"),
    Scene(
        "training, at any time",
        _train,
        False,
        changes=(("async_game_generation", False), ("use_exploit_patch", False)),
    ),
    Scene("copy, at any time", _copy, False, "run"),
)


@dataclass(frozen=True)
class _Undisturbed:
    """What a command does when nobody disturbs it: seconds, objects in the end, metrics."""

    seconds: float
    objects: int
    metrics: Any


def attack_mirror(count: int, seed: int, only: int | None = None) -> Tally:
    """Kills commands, loses the machine, and restores the run from its mirror.

    Args:
      count: number of kills.
      seed: when kill i strikes is a function of the seed and i, in parts of the time that the
        command takes or of the objects that it copies when nobody disturbs it.
      only: the number of the one kill to try.
    """
    tally = Tally()
    known: dict[str, _Undisturbed] = {}
    with tempfile.TemporaryDirectory(prefix="attack") as name:
        top = Path(name)
        for number in range(count) if only is None else (only,):
            scene = _SCENES[number % len(_SCENES)]
            tried, folder = f"mirror: {scene.name}", top / "struck"
            try:
                if scene.name not in known:
                    known[scene.name] = _undisturbed(scene, folder, top)
                moment = random.Random(f"{seed}:{number}").random()
                outcome = _strike(scene, folder, top, moment, known[scene.name])
            except (_FoundError, UserError) as error:
                tally.find(tried, f"mirror --seed {seed} --only {number}", str(error))
            else:
                tally.count(tried, outcome)
            finally:
                _end(folder)
    return tally


def _undisturbed(scene: Scene, folder: Path, top: Path) -> _Undisturbed:
    # The very first training compiles, which later ones need not.
    for _ in range(2 if scene is _SCENES[0] else 1):
        _end(folder)
        _prepare(scene, folder, top)
        began = time.monotonic()
        _complete(scene, folder)
        seconds = time.monotonic() - began
    # Those of older steps are gone by the end; a strike that comes too late finds nothing to kill.
    return _Undisturbed(seconds, len(_objects(folder)), metrics(folder / _RUN))


def _prepare(scene: Scene, folder: Path, top: Path) -> None:
    write_config(folder, mirror=(folder / _BUCKET).as_uri(), **dict(scene.changes))
    if scene.trains:
        return
    # Trained once for all that begin with a run. Its path is no part of what is compared.
    origin = top / "origin"
    if not origin.exists():
        write_config(origin, mirror=(origin / _BUCKET).as_uri())
        _complete(_SCENES[0], origin)
    shutil.copytree(origin / _RUN, folder / _RUN)
    _point_to(folder)
    if scene.begins == "mirror":
        shutil.copytree(origin / _BUCKET, folder / _BUCKET)
        shutil.rmtree(folder / _RUN)
        return
    # The mirror holds the oldest step already, and a kill must not lose it.
    for step in saved_steps(folder / _RUN)[1:]:
        os.rename(folder / _RUN / "steps" / str(step), folder / f"later-{step}")
    _complete(scene, folder)
    for later in folder.glob("later-*"):
        os.rename(later, folder / _RUN / "steps" / later.name.removeprefix("later-"))


def _point_to(folder: Path) -> None:
    """Lets a copied run name the mirror beside it."""
    path = folder / _RUN / "config.json"
    configuration = json.loads(path.read_text())
    path.write_text(json.dumps(configuration | {"mirror": (folder / _BUCKET).as_uri()}))


def _strike(scene: Scene, folder: Path, top: Path, moment: float, usual: _Undisturbed) -> str:
    _end(folder)
    _prepare(scene, folder, top)
    before = len(_objects(folder))
    command = Command(str(folder), scene.arguments(folder), folder / "killed.log")
    began = time.monotonic()
    limit = before + max(1, round(moment * (usual.objects - before)))
    while command.process.poll() is None:
        if scene.copying and len(_objects(folder)) >= limit:
            break
        if not scene.copying and time.monotonic() - began >= moment * usual.seconds:
            break
        time.sleep(0.0005)
    alive = marked_processes(str(folder))
    outcome = "killed" if command.process.pid in alive else "it had ended"
    for process in alive:
        _signal(process, signal.SIGKILL)
    command.process.wait()
    while marked_processes(str(folder)):
        time.sleep(0.05)

    finished, halves = _mirror(folder).steps(), _halves(folder)
    if outcome == "killed" and (halves or scene.copying):
        outcome = "killed while copying"
    _check_restored(scene, folder, top, finished)
    # The machine is lost: the same command, on another one.
    if scene.trains:
        shutil.rmtree(folder / _RUN, ignore_errors=True)
    output = _complete(scene, folder)
    begins = f"begins with checkpoint {finished[-1]} of" if finished else "a fresh network"
    if scene.trains and begins not in output and "is finished" not in output:
        raise _FoundError(f"it does not say {begins!r}: {output[:300]!r}")
    if metrics(folder / _RUN) != usual.metrics:
        raise _FoundError(f"killed at {moment:.4f} it ends with other metrics")
    if _mirror(folder).steps() != saved_steps(folder / _RUN):
        raise _FoundError("in the end the mirror does not hold the steps of the folder")
    return outcome


def _check_restored(scene: Scene, folder: Path, top: Path, finished: list[int]) -> None:
    """Restores the run into an empty folder; what is there is whole."""
    empty = folder / "empty"
    empty.mkdir()
    said: list[str] = []
    restored = _mirror(folder).restore(empty, said.append)
    if restored != finished or said:
        raise _FoundError(f"of the finished steps {finished}, {restored} were restored: {said}")
    if scene.begins == "run" and not finished:
        raise _FoundError("the step that was there before is lost")
    if scene.begins != "nothing":
        for step in restored:
            for path in (top / "origin" / _RUN / "steps" / str(step)).rglob("*"):
                copied = empty / path.relative_to(top / "origin" / _RUN)
                if path.is_file() and copied.read_bytes() != path.read_bytes():
                    raise _FoundError(f"{copied} is not what was copied")
    elif finished:
        rows = metrics(empty)
        if len(rows) < finished[-1]:
            raise _FoundError(f"step {finished[-1]} came back with {len(rows)} rows of metrics")
    shutil.rmtree(empty)


def _complete(scene: Scene, folder: Path) -> str:
    """Runs the command to its end; its output."""
    code, output = Command(str(folder), scene.arguments(folder), folder / "started.log").wait()
    if "Traceback" in output:
        raise _FoundError(f"it shows a traceback: {output[-300:]!r}")
    if code:
        raise _FoundError(f"it ends with {code}: {output[-300:]!r}")
    return output


def _url(folder: Path) -> str:
    return f"{(folder / _BUCKET).as_uri()}/{_NAME}"


def _mirror(folder: Path) -> Mirror:
    return Mirror(Storage(_url(folder)))


def _objects(folder: Path) -> list[str]:
    try:
        return os.listdir(folder / _BUCKET / _NAME / OBJECTS)
    except FileNotFoundError:
        return []


def _halves(folder: Path) -> bool:
    """Whether objects lie there that no finished step needs: a step was on its way."""
    needed = set()
    for record in (folder / _BUCKET / _NAME / STEPS).glob("*.json"):
        with suppress(ValueError):
            needed |= set(json.loads(record.read_text())["files"].values())
    return bool(set(_objects(folder)) - needed)


def _end(folder: Path) -> None:
    """Ends what is left of a command, and removes its folder."""
    for process in marked_processes(str(folder)):
        _signal(process, signal.SIGKILL)
    shutil.rmtree(folder, ignore_errors=True)


def _signal(process: int, number: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(process, number)
