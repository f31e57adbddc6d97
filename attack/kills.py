"""Kills commands at random moments: started again they end as if nobody had killed them."""

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

from attack.small_runs import (
    ITERATIONS,
    Command,
    end_processes,
    marked_processes,
    metrics,
    shared_memory,
    wait_until_gone,
    write_config,
)
from attack.tally import Tally
from eval.runs.layout import FINAL_EVALUATION, MANIFEST, saved_steps

DEFAULT_COUNT = 40
_MOST_STARTS = 8


class _FoundError(Exception):
    """Something that must not happen."""


@dataclass(frozen=True)
class Scene:
    """A command to be killed.

    Attributes:
      name: its name in the table.
      prepare: makes what the command needs in a folder.
      arguments: the interpreter's arguments, given the folder.
      result: what must be equal, read from the folder when the command has ended.
      trains: whether the command continues the checkpoints of the folder's run.
      detached: whether its processes go on without it.
    """

    name: str
    prepare: Callable[[Path], object]
    arguments: Callable[[Path], list[str]]
    result: Callable[[Path], Any]
    trains: bool = True
    detached: bool = False


def _train(folder: Path) -> list[str]:
    return ["-m", "train.main", "--config", str(folder / "config.yaml")]


def _start_job(folder: Path) -> list[str]:
    return ["-m", "train.jobs", "start", "--config", str(folder / "config.yaml")]


def _run_metrics(folder: Path) -> Any:
    return metrics(folder / "run")


def _finished_run(folder: Path) -> None:
    """A run without a manifest, trained once for all that need one."""
    origin = folder.parent / "origin"
    if not origin.exists():
        write_config(origin, use_exploit_patch=False)
        code, output = Command(str(origin), _train(origin), folder.parent / "origin.log").wait()
        if code:
            raise _FoundError(f"an undisturbed training ended with {code}: {output[-300:]}")
        (origin / "run" / MANIFEST).unlink()
    shutil.copytree(origin, folder, dirs_exist_ok=True)


def _manifest(folder: Path) -> Any:
    entries = json.loads((folder / "run" / MANIFEST).read_text())["entries"]
    return [{k: v for k, v in entry.items() if k != "date"} for entry in entries]


def _tournament(folder: Path) -> list[str]:
    players = [str(folder / "run"), "random", "heuristic", "online"]
    command = ["-m", "eval.tournament", *players, "--games", "20000", "--device", "cpu"]
    return [*command, "--json", str(folder / "result.json")]


def _results(folder: Path) -> Any:
    content = json.loads((folder / "result.json").read_text())
    return content["results"]


_SCENES = (
    Scene(
        "training",
        lambda folder: write_config(folder, async_game_generation=False),
        _train,
        _run_metrics,
    ),
    Scene("backfill", _finished_run, lambda folder: [
        "-m", "eval.backfill", str(folder / "run"), "--games", "4000", "--device", "cpu",
    ], _manifest, trains=False),
    Scene("asynchronous training", write_config, _train, _run_metrics),
    Scene("tournament", _finished_run, _tournament, _results, trains=False),
    Scene(
        "expert iteration",
        lambda folder: write_config(folder, algorithm="expert_iteration", use_exploit_patch=False),
        _train,
        _run_metrics,
    ),
    Scene("job", write_config, _start_job, _run_metrics, detached=True),
)  # fmt: skip


def attack_kills(count: int, seed: int, only: int | None = None) -> Tally:
    """Kills commands, and starts each again until it ends by itself.

    Args:
      count: number of kills.
      seed: when kill i strikes is a function of the seed and i, in parts of the time that the
        command takes when nobody disturbs it.
      only: the number of the one kill to try.
    """
    tally = Tally()
    expected: dict[str, tuple[float, Any]] = {}
    with tempfile.TemporaryDirectory(prefix="attack") as name:
        top = Path(name)
        for number in range(count) if only is None else (only,):
            scene = _SCENES[number % len(_SCENES)]
            tried = f"kill: {scene.name}"
            # Its path is part of a result: it names players, and so chooses deals.
            folder = top / scene.name
            try:
                if scene.name not in expected:
                    expected[scene.name] = _undisturbed(scene, folder)
                seconds, result = expected[scene.name]
                moment = random.Random(f"{seed}:{number}").random()
                outcome = _kill(scene, folder, moment * seconds, result)
            except _FoundError as error:
                repeat = f"kills --seed {seed} --only {number}"
                tally.find(tried, repeat, str(error))
            else:
                tally.count(tried, outcome)
            finally:
                _end(folder)
    return tally


def _undisturbed(scene: Scene, folder: Path) -> tuple[float, Any]:
    """Seconds that a command takes, and its result."""
    results = []
    # The first one compiles, which later ones need not.
    for _ in range(2):
        folder.mkdir()
        scene.prepare(folder)
        started = time.monotonic()
        _complete(scene, folder, None)
        seconds = time.monotonic() - started
        results.append(scene.result(folder))
        shutil.rmtree(folder)
    if results[0] != results[1]:
        raise _FoundError("undisturbed it does not end twice with the same result")
    return seconds, results[0]


def _kill(scene: Scene, folder: Path, seconds: float, expected: Any) -> str:
    folder.mkdir()
    scene.prepare(folder)
    mark, run = str(folder), folder / "run"
    command = Command(mark, scene.arguments(folder), folder / "killed.log")
    time.sleep(seconds)
    alive = marked_processes(mark)
    victim = command.process.pid
    if scene.detached and alive:
        victim = alive[int(1000 * seconds) % len(alive)]
    if victim not in alive:
        outcome = "it had ended"
    else:
        outcome = "resumed"
        # It stands still while it is written down what it holds.
        _signal(victim, signal.SIGSTOP)
        blocks = shared_memory(alive)
        _signal(victim, signal.SIGKILL)
        if not scene.detached:
            command.process.wait()
            _gone(mark, blocks)
    newest = max(saved_steps(run), default=0) if scene.trains and not scene.detached else 0
    _complete(scene, folder, newest)
    _gone(mark, set())
    if scene.result(folder) != expected:
        raise _FoundError(f"killed after {seconds:.2f} s it ends with another result")
    return outcome


def _complete(scene: Scene, folder: Path, newest: int | None) -> None:
    """Starts a command until it has ended by itself; it has to begin with the newest checkpoint."""
    for _ in range(_MOST_STARTS):
        command = Command(str(folder), scene.arguments(folder), folder / "started.log")
        code, output = command.wait()
        if "Traceback" in output:
            raise _FoundError(f"started again it shows a traceback: {output[-300:]!r}")
        if not scene.detached:
            if code:
                raise _FoundError(f"started again it ends with {code}: {output[-300:]!r}")
            begins = f"begins with checkpoint {newest} of"
            if newest and newest < ITERATIONS and begins not in output:
                raise _FoundError(f"it does not begin with checkpoint {newest}: {output[:200]!r}")
            return
        while marked_processes(str(folder)):
            time.sleep(0.1)
        if (folder / "run" / FINAL_EVALUATION).exists():
            return
    raise _FoundError(f"started {_MOST_STARTS} times it has not finished: {output[-300:]!r}")


def _gone(mark: str, blocks: set[Path]) -> None:
    left = wait_until_gone(mark, blocks)
    if left:
        raise _FoundError(left)


def _end(folder: Path) -> None:
    """Ends what is left of a command, and removes its folder."""
    end_processes(str(folder))
    shutil.rmtree(folder, ignore_errors=True)


def _signal(process: int, number: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(process, number)
