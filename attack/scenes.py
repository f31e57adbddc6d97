"""The commands that are killed, and the moments at which they are."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from attack.small_runs import Command, metrics, write_config
from eval.runs.layout import JOB_RECORD, LADDER, LOG, MANIFEST, METRICS, STEPS, saved_steps


@dataclass(frozen=True)
class Moment:
    """A moment in a command's life.

    Attributes:
      name: its name in the table.
      point: the point of `attack.points` that the command reaches; "" for none.
      seen: what the command's folder shows at that moment; None for nothing.
      count: the moment is one of the first `count` times that the point is reached.
      seconds: the kill strikes at most so long after the moment; None for the time of the command.
    """

    name: str
    point: str = ""
    seen: Callable[[Path], bool] | None = None
    count: int = 1
    seconds: float | None = 0.3


@dataclass(frozen=True)
class Scene:
    """A command to be killed.

    Attributes:
      name: its name in the table.
      prepare: makes what the command needs in a folder.
      arguments: the module and its arguments, given the folder.
      result: what must be equal, read from the folder when the command has ended.
      moments: when it is killed.
      trains: whether the command continues the checkpoints of the folder's run.
      detached: whether its processes go on without it.
    """

    name: str
    prepare: Callable[[Path], object]
    arguments: Callable[[Path], list[str]]
    result: Callable[[Path], Any]
    moments: tuple[Moment, ...]
    trains: bool = True
    detached: bool = False


class FoundError(Exception):
    """Something that must not happen."""


# ---------------------------------------------------------------------------------------------
# Moments
# ---------------------------------------------------------------------------------------------


def _at(point: str, count: int = 1, seconds: float = 0.3, name: str | None = None) -> Moment:
    return Moment(name or point, point, count=count, seconds=seconds)


_ANY_TIME = Moment("any time", seconds=None)
# A fresh command takes most of its first seconds to import, and so does one that resumes.
_EARLY = Moment("start", seconds=3.0)
_FILES = (_at("renaming", 12, 0.02), _at("renamed", 12, 0.02), _at("moving", 4, 0.02),
          _at("moved", 4, 0.02))  # fmt: skip


def _step_is_being_written(folder: Path) -> bool:
    return any((folder / "run" / STEPS).glob("*tmp*"))


_TRAINING = (
    _ANY_TIME,
    _EARLY,
    _at("opening", 2, 0.1),
    _at("generation", 40, 0.05),
    _at("evaluation", 3, 0.2),
    _at("row written", 4, 0.1),
    _at("export", 8, 0.05),
    _at("saving", 8),
    Moment("a step half written", seen=_step_is_being_written, seconds=0.05),
    _at("manifest", 5, 0.05),
    _at("final table", 1, 0.05),
    _at("ending", 1, 0.3),
    *_FILES,
)
_PPO = (
    *_TRAINING,
    _at("learning", 4, 0.2),
    _at("exploiting", 6, 0.2),
    _at("judging the exploiter", 1, 0.2),
)
_RESUMING = (_at("resuming", 1, 0.2), _at("cutting back", 1, 0.05))
_PLAYING = (_ANY_TIME, _at("playing", 2, 0.5), _at("part played", 2, 0.02),
            _at("part kept", 2, 0.02), *_FILES[:2])  # fmt: skip


def _exists(name: str) -> Callable[[Path], bool]:
    return lambda folder: (folder / "run" / name).exists()


def _recorded(process: str) -> Callable[[Path], bool]:
    def recorded(folder: Path) -> bool:
        try:
            record = json.loads((folder / "run" / JOB_RECORD).read_text())
        except (OSError, ValueError):
            return False
        return record.get(process) is not None

    return recorded


_JOB = (
    Moment("start", seconds=1.0),
    Moment("the record written", seen=_exists(JOB_RECORD), seconds=0.1),
    Moment("the supervisor recorded", seen=_recorded("supervisor"), seconds=0.1),
    Moment("the training recorded", seen=_recorded("training"), seconds=1.0),
    Moment("the log begun", seen=_exists(LOG), seconds=0.5),
    Moment("the first row", seen=_exists(METRICS), seconds=2.0),
    Moment("a step half written", seen=_step_is_being_written, seconds=0.05),
    Moment("a step written", seen=lambda f: bool(saved_steps(f / "run")), seconds=2.0),
)


# ---------------------------------------------------------------------------------------------
# Commands
# ---------------------------------------------------------------------------------------------


def _train(folder: Path) -> list[str]:
    return ["train.main", "--config", str(folder / "config.yaml")]


def _go_back(folder: Path) -> list[str]:
    return [*_train(folder), "--resume", "2"]


def _start_job(folder: Path) -> list[str]:
    return ["train.jobs", "start", "--config", str(folder / "config.yaml")]


def _run_metrics(folder: Path) -> Any:
    return metrics(folder / "run")


_ORIGIN: dict[str, Any] = {"use_exploit_patch": False, "keep_checkpoints": 4}


def _origin(top: Path) -> Path:
    """The folder of a run that has ended, trained once for all that need one."""
    origin = top / "origin"
    if not origin.exists():
        write_config(origin, **_ORIGIN)
        command = Command(str(origin), ["-m", *_train(origin)], top / "origin.log")
        code, output = command.wait()
        if code:
            raise FoundError(f"an undisturbed training ended with {code}: {output[-300:]}")
    return origin


def _finished_run(folder: Path) -> None:
    shutil.copytree(_origin(folder.parent), folder, dirs_exist_ok=True)
    # The configuration names the folder.
    write_config(folder, **_ORIGIN)


def _continued_run(folder: Path) -> None:
    start = f"{_origin(folder.parent) / 'run'}@2"
    write_config(folder, resume_from=start, use_exploit_patch=False)


def _without_manifest(folder: Path) -> None:
    _finished_run(folder)
    (folder / "run" / MANIFEST).unlink()


def _manifest(folder: Path) -> Any:
    entries = json.loads((folder / "run" / MANIFEST).read_text())["entries"]
    return [{k: v for k, v in entry.items() if k != "date"} for entry in entries]


def _player(folder: Path) -> str:
    return str(folder / "run")


def _tournament(folder: Path) -> list[str]:
    players = [_player(folder), "random", "heuristic", "online"]
    command = ["eval.tournament", *players, "--games", "4000", "--device", "cpu"]
    return [*command, "--json", str(folder / "result.json")]


def _evaluate(folder: Path) -> list[str]:
    command = ["eval.main", "--checkpoint", _player(folder), "--opponents", "random,online"]
    command += ["--games", "8000", "--device", "cpu"]
    return [*command, "--json", str(folder / "result.json")]


def _results(folder: Path) -> Any:
    return json.loads((folder / "result.json").read_text())["results"]


def _backfill(folder: Path) -> list[str]:
    return ["eval.backfill", str(folder / "run"), "--games", "1000", "--device", "cpu"]


def _climb(folder: Path) -> list[str]:
    run = str(folder / "run")
    return ["eval.tournament", "--ladder", run, "--games", "400", "--device", "cpu"]


def _ladder(folder: Path) -> Any:
    content = json.loads((folder / "run" / LADDER).read_text())
    return content["matches"], content["checkpoints"], _manifest(folder)


def _pack(folder: Path) -> list[str]:
    # A packed file is not overwritten, so the result of a killed command may be there already.
    return ["train.checkpoints", "pack", f"{_player(folder)}@2", str(folder / "packed.policy")]


def _packed(folder: Path) -> Any:
    return (folder / "packed.policy").read_bytes()


def _report(folder: Path) -> list[str]:
    return ["eval.report", str(folder / "run")]


def _report_files(folder: Path) -> Any:
    return sorted(path.name for path in (folder / "run" / "report").iterdir())


SCENES = (
    Scene("training", lambda folder: write_config(folder, async_game_generation=False), _train,
          _run_metrics, (*_PPO, *_RESUMING)),
    Scene("asynchronous training", write_config, _train, _run_metrics, (*_PPO, *_RESUMING)),
    Scene("expert iteration",
          lambda folder: write_config(
              folder, algorithm="expert_iteration", expert_config={"minibatch_size": 64},
              use_exploit_patch=False),
          _train, _run_metrics,
          (*_TRAINING, *_RESUMING, _at("expert learning", 4, 0.2), _at("replay written", 8, 0.3))),
    Scene("continued run", _continued_run, _train, _run_metrics,
          (*_TRAINING, *_RESUMING, _at("learning", 2, 0.2), _at("adopting", 2, 0.05))),
    Scene("going back", _finished_run, _go_back, _run_metrics,
          (_EARLY, *_RESUMING, _at("deleting steps", 1, 0.05), _at("steps deleted", 1, 0.1),
           _at("manifest", 1, 0.05), *_FILES), trains=False),
    Scene("job", write_config, _start_job, _run_metrics, _JOB, detached=True),
    Scene("backfill", _without_manifest, _backfill, _manifest, (*_PLAYING, _EARLY), trains=False),
    Scene("tournament", _finished_run, _tournament, _results, _PLAYING, trains=False),
    Scene("evaluation", _finished_run, _evaluate, _results, _PLAYING, trains=False),
    Scene("ladder", _finished_run, _climb, _ladder, (*_PLAYING, _EARLY), trains=False),
    Scene("packing", _finished_run, _pack, _packed,
          (_ANY_TIME, _at("state read", 1, 0.05), *_FILES[:2]), trains=False),
    Scene("report", _finished_run, _report, _report_files, (_ANY_TIME, *_FILES[:2]), trains=False),
)  # fmt: skip
