"""Kills commands at chosen moments: started again they end as if nobody had killed them."""

from __future__ import annotations

import os
import random
import select
import shutil
import signal
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from attack.points import COUNT, HOLD, POINT
from attack.scenes import SCENES, FoundError, Moment, Scene
from attack.small_runs import (
    ITERATIONS,
    PATIENCE,
    Command,
    end_processes,
    marked_processes,
    shared_memory,
    wait_until_gone,
)
from attack.tally import Tally
from eval.runs.layout import FINAL_EVALUATION, saved_steps

DEFAULT_COUNT = 40
_MOST_STARTS = 8
_POLL_SECONDS = 0.002
# Who is killed: the command, all of its processes at once, one of its helpers.
_MAIN, _ALL, _HELPER = "", " (with all its processes)", " (a helper)"
_ENDED = "it had ended"


@dataclass(frozen=True)
class _Strike:
    """One kill.

    Attributes:
      moment: when it is due.
      count: the moment is the time that its point is reached for the countth time.
      hold: whether the command stands still there.
      seconds: how much later it strikes; None for a part of the command's time.
      part: that part; it also chooses among several helpers.
      victim: who is killed.
    """

    moment: Moment
    count: int
    hold: bool
    seconds: float | None
    part: float
    victim: str

    def __str__(self) -> str:
        return f"{self.moment.name}{self.victim}"


def _strikes(scene: Scene, rng: random.Random) -> list[_Strike]:
    """One to three kills in a row, each after a new start."""
    strikes = []
    for _ in range(rng.choice((1, 2, 2, 3))):
        moment, part = rng.choice(scene.moments), rng.random()
        strikes.append(
            _Strike(
                moment,
                count=rng.randint(1, moment.count),
                hold=bool(moment.point) and rng.random() < 0.3,
                seconds=None if moment.seconds is None else part * moment.seconds,
                part=part,
                victim=rng.choice((_MAIN, _MAIN, _MAIN, _ALL, _ALL, _HELPER)),
            )
        )
    return strikes


def attack_kills(count: int, seed: int, only: int | None = None) -> Tally:
    """Kills commands, and starts each again until it ends by itself.

    Args:
      count: number of kills; a few more where the last case has several.
      seed: case i, with one to three kills, is a function of the seed and i.
      only: the number of the one case to try.
    """
    tally = Tally()
    with tempfile.TemporaryDirectory(prefix="attack") as name:
        matrix = _Matrix(Path(name), seed, tally)
        number, killed = only or 0, 0
        while killed < count:
            killed += matrix.try_case(number)
            number += 1
            if only is not None:
                break
    return tally


class _Matrix:
    """The cases of a seed."""

    def __init__(self, top: Path, seed: int, tally: Tally):
        self._top, self._seed, self._tally = top, seed, tally
        # For each scene the seconds that it takes when nobody disturbs it, and its result.
        self._expected: dict[str, tuple[float, Any]] = {}

    def try_case(self, number: int) -> int:
        """Tries a case; returns the number of its kills."""
        scene = SCENES[(number + self._seed) % len(SCENES)]
        strikes = _strikes(scene, random.Random(f"{self._seed}:{number}"))
        tried = f"kill: {scene.name}"
        # Its path is part of a result: it names players, and so chooses deals.
        folder = self._top / scene.name.replace(" ", "_")
        done: list[str] = []
        outcome = "as if nobody had killed it"
        try:
            if scene.name not in self._expected:
                self._expected[scene.name] = _undisturbed(scene, folder)
            seconds, result = self._expected[scene.name]
            _try(scene, folder, strikes, seconds, result, done)
        except FoundError as error:
            repeat = f"kills --seed {self._seed} --only {number}"
            outcome = f"FOUND {error} (python -m attack {repeat})"
            self._tally.find(tried, repeat, f"{', '.join(done)}: {error}")
        finally:
            _end(folder)
        for kill in done[1 if outcome.startswith("FOUND") else 0 :]:
            self._tally.count(tried, kill)
        print(f"case {number}, {tried}: {', '.join(done)}: {outcome}", flush=True)
        return sum(kill != _ENDED for kill in done)


def _undisturbed(scene: Scene, folder: Path) -> tuple[float, Any]:
    """Seconds that a command takes, and its result."""
    folder.mkdir()
    scene.prepare(folder)
    started = time.monotonic()
    _complete(scene, folder, None)
    seconds = time.monotonic() - started
    result = scene.result(folder)
    shutil.rmtree(folder)
    return seconds, result


def _try(
    scene: Scene,
    folder: Path,
    strikes: Sequence[_Strike],
    seconds: float,
    expected: Any,
    done: list[str],
) -> None:
    """Tries the kills of a case; adds each to `done`."""
    folder.mkdir()
    scene.prepare(folder)
    newest = 0
    for strike in strikes:
        done.append(str(strike))
        newest = max(newest, _strike(scene, folder, strike, seconds, newest, done))
    _complete(scene, folder, newest if scene.trains and not scene.detached else None)
    _gone(str(folder), set())
    if scene.result(folder) != expected:
        raise FoundError("it ends with another result")
    litter = [
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.name.startswith(".") and path.suffix in (".partial", ".probe")
    ]
    litter += [str(p.relative_to(folder)) for p in folder.rglob("*orbax-checkpoint-tmp*")]
    if litter:
        raise FoundError(f"it leaves {', '.join(litter)}")


def _strike(
    scene: Scene, folder: Path, strike: _Strike, seconds: float, newest: int, done: list[str]
) -> int:
    """Starts the command and kills it; returns its newest checkpoint."""
    mark, output = str(folder), folder / "killed.log"
    reading, writing = os.pipe()
    try:
        arguments, variables = ["-m", *scene.arguments(folder)], {}
        if strike.moment.point:
            arguments = ["-m", "attack.points", str(writing), *scene.arguments(folder)]
            variables = {
                POINT: strike.moment.point, COUNT: str(strike.count), HOLD: str(strike.hold),
            }  # fmt: skip
        command = Command(mark, arguments, output, descriptors=(writing,), **variables)
    finally:
        os.close(writing)
    try:
        _wait_for_moment(scene, folder, strike, command, reading)
    finally:
        os.close(reading)
    if not strike.hold:
        time.sleep(strike.part * seconds if strike.seconds is None else strike.seconds)
    alive = marked_processes(mark)
    victims = _victims(scene, strike, command.process.pid, alive)
    if not victims:
        done[-1] = _ENDED
    elif victims == [command.process.pid]:
        done[-1] = strike.moment.name
    # They stand still while it is written down what they hold.
    for victim in victims:
        _signal(victim, signal.SIGSTOP)
    blocks = shared_memory(alive)
    reached = max(saved_steps(folder / "run"), default=0) if scene.trains else 0
    for victim in victims:
        _signal(victim, signal.SIGKILL)
    if scene.detached:
        if strike.victim == _ALL:
            _gone(mark, blocks)
        return 0
    if strike.hold and command.process.pid not in victims:
        # It would stand still for ever.
        _signal(command.process.pid, signal.SIGKILL)
    code, text = command.wait()
    _gone(mark, blocks)
    survived = command.process.pid not in victims and not strike.hold
    failed = code and not _is_done_already(scene, text)
    if survived and (failed or "Traceback" in text):
        raise FoundError(f"without its helper it ends with {code}: {text[-300:]!r}")
    _check_beginning(text, newest)
    return reached


def _wait_for_moment(
    scene: Scene, folder: Path, strike: _Strike, command: Command, reading: int
) -> None:
    """Returns when the moment has come or the command has ended."""
    moment = strike.moment
    if moment.point:
        # At the command's end there is nothing to read, which also counts as ready.
        ready, _, _ = select.select([reading], [], [], PATIENCE)
        if not ready:
            raise FoundError(f"it hangs for {PATIENCE:.0f} s")
    elif moment.seen is not None:
        ends = time.monotonic() + PATIENCE
        while not moment.seen(folder):
            if time.monotonic() > ends:
                raise FoundError(f"it hangs for {PATIENCE:.0f} s")
            ended = command.process.poll() is not None
            if ended and not (scene.detached and marked_processes(str(folder))):
                return
            time.sleep(_POLL_SECONDS)


def _victims(scene: Scene, strike: _Strike, main: int, alive: list[int]) -> list[int]:
    if strike.victim == _ALL:
        return alive
    helpers = sorted(set(alive) - {main})
    if helpers and (strike.victim == _HELPER or scene.detached):
        return [helpers[int(strike.part * len(helpers))]]
    return [main] if main in alive else []


def _check_beginning(output: str, newest: int) -> None:
    """Checks that a training that got so far has begun with the newest checkpoint."""
    begins = f"begins with checkpoint {newest} of"
    if newest and " begins with " in output and begins not in output:
        raise FoundError(f"it does not begin with checkpoint {newest}: {output[:200]!r}")


def _complete(scene: Scene, folder: Path, newest: int | None) -> None:
    """Starts a command until it has ended by itself; it has to begin with the newest checkpoint."""
    for _ in range(_MOST_STARTS):
        arguments = ["-m", *scene.arguments(folder)]
        command = Command(str(folder), arguments, folder / "started.log")
        code, output = command.wait()
        if "Traceback" in output:
            raise FoundError(f"started again it shows a traceback: {output[-300:]!r}")
        if not scene.detached:
            if code and not _is_done_already(scene, output):
                raise FoundError(f"started again it ends with {code}: {output[-300:]!r}")
            if newest is not None and newest < ITERATIONS:
                _check_beginning(output, newest)
            return
        while marked_processes(str(folder)):
            time.sleep(0.1)
        if (folder / "run" / FINAL_EVALUATION).exists():
            return
    raise FoundError(f"started {_MOST_STARTS} times it has not finished: {output[-300:]!r}")


def _is_done_already(scene: Scene, output: str) -> bool:
    """Whether the command refuses because its result is there from before it was killed."""
    return scene.name == "packing" and "exists already, and is not overwritten" in output


def _gone(mark: str, blocks: set[Path]) -> None:
    left = wait_until_gone(mark, blocks)
    if left:
        raise FoundError(left)


def _end(folder: Path) -> None:
    """Ends what is left of a command, and removes its folder."""
    end_processes(str(folder))
    shutil.rmtree(folder, ignore_errors=True)


def _signal(process: int, number: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(process, number)
