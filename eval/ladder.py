"""The ladder of a run: Elo of its checkpoints, each against its predecessors.

`ladder.json` in the run's folder keeps every match, and no match is played twice. A new checkpoint
meets the checkpoints before it and the named opponents, whose fixed ratings put all ladders on one
scale. Games against these that the manifest has already are taken from there. A checkpoint that the
run no longer keeps stays on the ladder, with its matches and its rating.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bb_jax.errors import EvaluationError
from bb_jax.files import read_object, timestamp, write_json
from bb_sim import OPPONENTS
from eval.console import games_bar, note
from eval.matches.match import MatchResult
from eval.matches.players import NamedPlayer, Player, network_player
from eval.matches.resumable import PartialResults, play_in_parts
from eval.matches.streams import pair_stream
from eval.runs.layout import LADDER, policy_files, refuse_shipped
from eval.runs.references import find_run
from eval.statistics.manifest import (
    COMPLETE,
    Entry,
    missing_entry,
    policy_name,
    read_manifest,
    update_manifest,
)
from eval.statistics.ratings import Ratings, fit_ratings
from eval.statistics.reference import named_ratings
from eval.text_table import plain_text, text_table

# Each checkpoint meets so many of those before it.
PREDECESSORS = 3

_VERSION = 1
_PARTIAL = ".ladder.partial"


@dataclass
class Ladder:
    """What is known about the checkpoints of a run.

    Attributes:
      scoring: the scoring of all games.
      hashes: the hash of each checkpoint's parameters, by step.
      matches: results; `policy_name` names the checkpoints in them.
    """

    scoring: str
    hashes: dict[int, str]
    matches: list[MatchResult]

    @property
    def steps(self) -> list[int]:
        """The checkpoints on the ladder, ascending."""
        return sorted(self.hashes)

    def opponents_of(self, step: int) -> set[str]:
        """Names of those whom a checkpoint has met as the later of the two."""
        return {match.opponent for match in self.matches if match.player == policy_name(step)}

    def forget(self, step: int) -> None:
        """Removes a checkpoint and its matches."""
        name = policy_name(step)
        del self.hashes[step]
        self.matches = [m for m in self.matches if name not in (m.player, m.opponent)]

    def ratings(self) -> Ratings:
        """Elo of all checkpoints, with the named opponents as anchors."""
        return fit_ratings(self.matches, named_ratings(self.scoring))


def complete_ladder(reference: str, games: int, seed: int) -> tuple[dict[str, Any], str]:
    """Plays what a run's ladder lacks, and stores the ladder in the run's folder.

    Args:
      reference: RUN as on a command line.
      games: games of each new match, even.
      seed: the seed of the deals.

    Returns:
      What is stored, and a text that shows it.

    Raises:
      EvaluationError: the run keeps no policies, or its ladder cannot be read or written.
      bb_jax.CheckpointError: there is no such run, or a policy is damaged.
    """
    run = find_run(reference)
    files = policy_files(run)
    if not files:
        raise EvaluationError(f"run {run} keeps no policies")
    refuse_shipped(run)
    ladder, played = climb(run, games, seed)
    content = _store(run, ladder)
    on_ladder = sum(match.games for match in ladder.matches)
    text = f"{render(ladder, files)}\n{played} games played, {on_ladder} on the ladder"
    return content, text


def climb(run: Path, games: int, seed: int) -> tuple[Ladder, int]:
    """Plays the matches that a run's ladder lacks, and stores them checkpoint by checkpoint.

    Returns:
      The ladder and the number of games played.

    Raises:
      bb_jax.CheckpointError: a policy is damaged.
      EvaluationError: the ladder cannot be read or written.
    """
    from bb_jax import Policy, load_policy, policy_hash

    policies: dict[int, Policy] = {step: load_policy(p) for step, p in policy_files(run).items()}
    scoring = next(iter(policies.values())).scoring
    ladder = read_ladder(run) or Ladder(scoring, {}, [])
    entries = read_manifest(run)
    players: dict[int, Player] = {}

    def player(step: int) -> Player:
        if step not in players:
            players[step] = network_player(policy_name(step), policies[step])
        return players[step]

    played = 0
    for step, policy in policies.items():
        name = policy_hash(policy.params)
        if ladder.hashes.get(step, name) != name:
            ladder.forget(step)
        ladder.hashes[step] = name
        ladder.matches += _known_results(entries.get(step), name, ladder.opponents_of(step))
        missing = _missing_opponents(ladder, step, list(policies))
        if not missing:
            continue
        opponents = [NamedPlayer(o) if isinstance(o, str) else player(o) for o in missing]
        pairings = [(player(step), opponent) for opponent in opponents]
        partial = PartialResults(run / _PARTIAL, note)
        with games_bar() as on_progress:
            ladder.matches += play_in_parts(
                pairings,
                games,
                seed,
                ladder.scoring,
                streams=[_stream(a.name, b.name) for a, b in pairings],
                partial=partial,
                on_progress=on_progress,
            )
        played += games * len(pairings)
        _store(run, ladder)
        partial.remove()
    return ladder, played


def _known_results(entry: Entry | None, policy_hash: str, met: set[str]) -> list[MatchResult]:
    """The manifest's results against named opponents, for a checkpoint that has met none yet."""
    if entry is None or entry.status != COMPLETE or entry.hash != policy_hash:
        return []
    if met & set(OPPONENTS):
        return []
    return [result for result in entry.results if result.opponent in OPPONENTS]


def _missing_opponents(ladder: Ladder, step: int, kept: Sequence[int]) -> list[str | int]:
    """Names of opponents, and steps of checkpoints, that a checkpoint has still to meet."""
    met = ladder.opponents_of(step)
    missing: list[str | int] = [] if met & set(OPPONENTS) else list(OPPONENTS)
    before = [other for other in ladder.steps if other < step and policy_name(other) in met]
    new = [other for other in kept if other < step and other not in before]
    wanted = max(0, PREDECESSORS - len(before))
    missing += sorted(new, reverse=True)[:wanted]
    return missing


def _stream(player: str, opponent: str) -> str:
    """The stream of a match: every evaluation's against named opponents, else the pair's own."""
    return opponent if opponent in OPPONENTS else pair_stream(player, opponent)


def read_ladder(run: Path) -> Ladder | None:
    """The ladder of a run; None if it has none.

    Raises:
      EvaluationError: the file cannot be read, or it is not a ladder.
    """
    path = run / LADDER
    content = read_object(path, EvaluationError)
    if content is None:
        return None
    try:
        if content["version"] != _VERSION:
            raise EvaluationError(f"{path} is not a ladder of version {_VERSION}")
        return Ladder(
            scoring=content["scoring"],
            hashes={row["step"]: row["hash"] for row in content["checkpoints"]},
            matches=[
                MatchResult.from_json(row, policy_name(row["step"])) for row in content["matches"]
            ],
        )
    except (KeyError, TypeError) as error:
        raise EvaluationError(f"{path} is damaged ({error!r})") from error


def _store(run: Path, ladder: Ladder) -> dict[str, Any]:
    """Writes the ladder, and enters each checkpoint's place on it in the manifest."""
    ratings = ladder.ratings()
    steps = {policy_name(step): step for step in ladder.steps}
    content = {
        "version": _VERSION,
        "run": run.resolve().name,
        "scoring": ladder.scoring,
        "date": timestamp(),
        "anchors": dict(ratings.anchors),
        "draw_parameter": ratings.draw_parameter,
        "dispersion": ratings.dispersion,
        "checkpoints": [
            {"step": step, "hash": ladder.hashes[step], **_place(ladder, ratings, step)}
            for step in ladder.steps
        ],
        "matches": [{"step": steps[match.player], **match.as_json()} for match in ladder.matches],
    }
    write_json(run / LADDER, content)

    def change(entries: dict[int, Entry]) -> None:
        for step, name in ladder.hashes.items():
            entry = entries.get(step) or missing_entry(step)
            if entry.hash in (None, name):
                place = _place(ladder, ratings, step)
                met = [m for m in _matches_of(ladder, step) if m.opponent in steps]
                place["win_rates"] = {match.opponent: match.as_json() for match in met}
                entries[step] = dataclasses.replace(entry, ladder=place)

    update_manifest(run, change)
    return content


def _matches_of(ladder: Ladder, step: int) -> list[MatchResult]:
    return [match for match in ladder.matches if match.player == policy_name(step)]


def _place(ladder: Ladder, ratings: Ratings, step: int) -> dict[str, Any]:
    """A checkpoint's rating, and the likelihood that it is stronger than the one before it."""
    name = policy_name(step)
    before = [other for other in ladder.steps if other < step]
    return {
        "elo": {"rating": ratings.rating(name), "error": ratings.standard_error(name)},
        "above_predecessor": (
            ratings.superiority(name, policy_name(before[-1])) if before else None
        ),
    }


def render(ladder: Ladder, kept: Mapping[int, Path]) -> str:
    """The ladder as a table, the newest checkpoint last."""
    ratings = ladder.ratings()
    table = text_table()
    for header in ("step", "Elo", "±95 %", "above the one before", "wins % against it", "kept"):
        table.add_column(header, justify="right", no_wrap=True)
    for index, step in enumerate(ladder.steps):
        place = _place(ladder, ratings, step)
        sure = place["above_predecessor"]
        before = policy_name(ladder.steps[index - 1]) if index else None
        rates = [m.win_rate for m in _matches_of(ladder, step) if m.opponent == before]
        table.add_row(
            str(step),
            f"{place['elo']['rating']:.0f}",
            f"{1.96 * place['elo']['error']:.0f}",
            "" if sure is None else f"{100 * sure:.1f} %",
            f"{100 * rates[0]:.1f}" if rates else "",
            "yes" if step in kept else "no",
        )
    return plain_text(table)
