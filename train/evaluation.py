"""Evaluations that all hosts of a run share: each plays a part of the deals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from eval.matches.match import MatchResult, OnProgress, play_pairings
from eval.matches.players import as_player
from train.hosts.base import Hosts
from train.interrupt import StopSignals, Task


def evaluate(
    hosts: Hosts,
    policy: Any,
    opponents: Sequence[Any],
    games: int,
    seed: int,
    scoring: str,
    stop: StopSignals,
    on_progress: OnProgress | None = None,
) -> list[MatchResult]:
    """Plays an evaluation on all hosts; the results are those of `eval.matches.match.evaluate`.

    Args:
      hosts: all hosts make this call, with equal arguments.
      policy, opponents, games, seed, scoring: as in `eval.matches.match.evaluate`.
      stop: signals that end the evaluation.
      on_progress: called with this host's finished games and games in all.

    Returns:
      One result an opponent, in their order, the same on every host.

    Raises:
      EvaluationError: an opponent failed.
      HostError: a host is lost or has failed.
      Interrupted: a host was told to stop.
    """
    part = Task(lambda: _play_part(hosts, policy, opponents, games, seed, scoring, on_progress))
    parts = hosts.gather(part.result(stop))
    return [_joined(results) for results in zip(*parts, strict=True)]


def _play_part(
    hosts: Hosts,
    policy: Any,
    opponents: Sequence[Any],
    games: int,
    seed: int,
    scoring: str,
    on_progress: OnProgress | None,
) -> list[MatchResult]:
    """This host's part; without a deal where there are fewer deals than hosts."""
    deals = games // 2
    first, last = (deals * (hosts.index + offset) // hosts.count for offset in (0, 1))
    player = as_player(policy, "policy")
    pairings = [(player, as_player(opponent, "opponent")) for opponent in opponents]
    if last > first:
        own = 2 * (last - first)
        return play_pairings(
            pairings, own, seed, scoring, first_deal=first, on_progress=on_progress
        )
    nothing = np.zeros((0, 2), np.int8)
    return [
        MatchResult(a.name, b.name, 0, 0, 0, 0, 0.0, (0.0, 1.0), 0.0, nothing, nothing)
        for a, b in pairings
    ]


def _joined(parts: Sequence[MatchResult]) -> MatchResult:
    """The result of all deals against one opponent, from the parts by host."""
    return MatchResult.from_deals(
        parts[0].player,
        parts[0].opponent,
        np.concatenate([part.margins for part in parts]),
        np.concatenate([part.outcomes for part in parts]),
    )
