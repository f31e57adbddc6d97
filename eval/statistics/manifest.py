"""The manifest of a run: what is known about the strength of each policy that it keeps.

`manifest.json` has one entry for each file in the run's `policies/`, and no others. An entry is
"complete", or "failed" (an evaluation was tried) or "missing" (none was) and then says why. Every
change rewrites the file in one step under a lock, so the trainer and commands may work on it at
once. The file lies in a run, but its entries are match results and strengths, which `eval.runs`
may not import; so its module is here.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bb_jax.errors import EvaluationError
from bb_jax.files import read_object, timestamp, write_json
from eval.matches.match import MatchResult
from eval.runs.layout import DAMAGED_MANIFEST, MANIFEST, policy_files, policy_path
from eval.runs.locks import take_lock
from eval.statistics.strength import strength_of

COMPLETE, FAILED, MISSING = "complete", "failed", "missing"
NEVER_EVALUATED = "no evaluation fell on this step; python -m eval.backfill makes up for it"

_VERSION = 1


@dataclass(frozen=True)
class Entry:
    """One policy of a run.

    Attributes:
      step: completed iterations.
      file: the policy's path, relative to the run's folder.
      status: "complete", "failed" or "missing".
      why: what is wrong with an entry that is not complete.
      hash: the hash of the parameters that were evaluated.
      scoring: "points" or "animals".
      results: the policy's results against each opponent, playing its best action.
      seed: the seed of the deals.
      source: who evaluated: "training", "final evaluation" or "backfill".
      date: when, in UTC.
      strength: mean win rate, Elo and label as in `eval.statistics.strength.Strength.as_json`.
      ladder: its place on the ladder, as `eval.ladder` stored it; None if it has none.
    """

    step: int
    file: str
    status: str
    why: str | None = None
    hash: str | None = None
    scoring: str | None = None
    results: tuple[MatchResult, ...] = ()
    seed: int | None = None
    source: str | None = None
    date: str | None = None
    strength: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    ladder: Mapping[str, Any] | None = None

    def as_json(self) -> dict[str, Any]:
        """The entry as the file holds it."""
        return {
            "step": self.step,
            "file": self.file,
            "status": self.status,
            "why": self.why,
            "label": self.strength.get("label"),
            "mean_win_rate": self.strength.get("mean_win_rate"),
            "elo": self.strength.get("elo"),
            "opponents": [result.opponent for result in self.results],
            "games": min((result.games for result in self.results), default=0),
            "temperature": None,
            "seed": self.seed,
            "scoring": self.scoring,
            "hash": self.hash,
            "source": self.source,
            "date": self.date,
            "win_rates": {result.opponent: result.as_json() for result in self.results},
            "ladder": self.ladder,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Entry:
        """The entry whose `as_json` is `data`.

        Raises:
          EvaluationError: a value is missing or of another type.
        """
        try:
            if not isinstance(data["step"], int):
                raise TypeError(f"{data['step']!r} is no step")
            player = policy_name(data["step"])
            return cls(
                step=data["step"],
                file=data["file"],
                status=data["status"],
                why=data["why"],
                hash=data["hash"],
                scoring=data["scoring"],
                results=tuple(
                    MatchResult.from_json(row, player) for row in data["win_rates"].values()
                ),
                seed=data["seed"],
                source=data["source"],
                date=data["date"],
                strength={key: data[key] for key in ("label", "mean_win_rate", "elo")},
                ladder=data["ladder"],
            )
        except (AttributeError, KeyError, TypeError) as error:
            raise EvaluationError(f"not an entry of a manifest ({error!r})") from error


def policy_name(step: int) -> str:
    """The name that results give the policy of a step."""
    return f"@{step}"


def read_manifest(run: Path) -> dict[int, Entry]:
    """The entries of a run by step; empty if there is no manifest.

    Raises:
      EvaluationError: the file cannot be read, or it is not a manifest.
    """
    path = run / MANIFEST
    content = read_object(path, EvaluationError)
    if content is None:
        return {}
    if content.get("version") != _VERSION or not isinstance(content.get("entries"), list):
        raise EvaluationError(f"{path} is not a manifest of version {_VERSION}")
    try:
        entries = [Entry.from_json(data) for data in content["entries"]]
    except EvaluationError as error:
        raise EvaluationError(f"{path} is damaged: {error}") from error
    return {entry.step: entry for entry in entries}


def update_manifest(
    run: Path, change: Callable[[dict[int, Entry]], None] = lambda entries: None
) -> list[int]:
    """Changes a run's manifest and makes it fit the policies that the run keeps.

    A policy without an entry gets one that is "missing". An entry whose policy is gone is dropped.
    A manifest that cannot be read is put aside as `manifest.damaged.json`. Without changes nothing
    is written.

    Args:
      run: the run's folder.
      change: adds, replaces or removes entries.

    Returns:
      The steps whose entries were dropped.

    Raises:
      EvaluationError: the file cannot be written.
    """
    with _locked(run):
        path = run / MANIFEST
        try:
            before = read_manifest(run)
        except EvaluationError:
            path.replace(path.with_name(DAMAGED_MANIFEST))
            before = {}
        entries = dict(before)
        change(entries)
        files = policy_files(run)
        dropped = sorted(entries.keys() - files.keys())
        kept = {step: entries.get(step) or missing_entry(step) for step in files}
        # Without changes the folder may be one that must not be written to.
        if kept != before or not path.exists():
            content = {
                "version": _VERSION,
                "run": run.resolve().name,
                "updated": timestamp(),
                "entries": [entry.as_json() for entry in kept.values()],
            }
            write_json(path, content, kind=EvaluationError)
    return dropped


def record_evaluation(
    run: Path,
    step: int,
    results: Sequence[MatchResult],
    *,
    policy_hash: str,
    scoring: str,
    seed: int,
    source: str,
) -> Entry:
    """Enters an evaluation of a step's policy.

    Args:
      run: the run's folder.
      step: completed iterations.
      results: at least one result of the policy, playing its best action.
      policy_hash, scoring, seed, source: as in `Entry`.

    Raises:
      EvaluationError: the manifest cannot be written.
    """
    named = tuple(dataclasses.replace(r, player=policy_name(step)) for r in results)
    entry = Entry(
        step=step,
        file=_file_of(step),
        status=COMPLETE,
        hash=policy_hash,
        scoring=scoring,
        results=named,
        seed=seed,
        source=source,
        date=timestamp(),
        strength=strength_of(named, scoring).as_json(),
    )

    def change(entries: dict[int, Entry]) -> None:
        before = entries.get(step)
        same = before is not None and before.hash == policy_hash
        ladder = before.ladder if before is not None and same else None
        entries[step] = dataclasses.replace(entry, ladder=ladder)

    update_manifest(run, change)
    return entry


def record_failure(run: Path, step: int, why: str, source: str) -> None:
    """Enters that an evaluation of a step failed, unless the entry is complete.

    Raises:
      EvaluationError: the manifest cannot be written.
    """
    failed = dataclasses.replace(
        missing_entry(step), status=FAILED, why=why, source=source, date=timestamp()
    )

    def change(entries: dict[int, Entry]) -> None:
        if step not in entries or entries[step].status != COMPLETE:
            entries[step] = failed

    update_manifest(run, change)


def missing_entry(step: int) -> Entry:
    """The entry of a policy that was never evaluated."""
    return Entry(step, _file_of(step), MISSING, NEVER_EVALUATED)


def _file_of(step: int) -> str:
    return policy_path(Path(), step).as_posix()


@contextmanager
def _locked(run: Path) -> Iterator[None]:
    """Keeps other processes from changing the manifest; the lock ends with its process."""
    try:
        folder = os.open(run, os.O_RDONLY)
        try:
            take_lock(folder, run, wait=True, kind=EvaluationError)
            yield
        finally:
            os.close(folder)
    except OSError as error:
        raise EvaluationError(f"cannot write to {run}: {error.strerror or error}") from error
