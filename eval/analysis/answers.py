"""From what a search found to an analysis."""

from __future__ import annotations

import time
from typing import NamedTuple

import numpy as np

from bb_jax.search.config import MODELS, SearchConfig
from bb_sim import ACTIONS, SPECIES
from bb_sim.opponents.posterior import hand_probabilities
from bb_sim.rules.observation import TURN_BYTE, UNSEEN_BYTE, legal_mask_of
from eval.analysis.notation import move_text
from eval.analysis.results import (
    ActionAnalysis,
    Analysis,
    Estimate,
    OpponentAnalysis,
    Perspective,
)
from eval.analysis.sampling import Tally


class Question(NamedTuple):
    """A position as the search takes it.

    Attributes:
      row: uint8 [19], the seat's observation.
      posterior: float32 [H, M], the weights of the opponent's hands and models; see
        `bb_sim.opponents.posterior`.
      decks: uint8 [2, 8] where the hidden cards may be seen, else None.
      seat: the seat that is to move.
      config: the budget and the objective.
      perspective: whether the hidden cards may be seen.
      policy: the network's own probabilities of the actions, float32 [33].
      begun: when the analysis began, by `time.perf_counter`.
    """

    row: np.ndarray
    posterior: np.ndarray
    decks: np.ndarray | None
    seat: int
    config: SearchConfig
    perspective: Perspective
    policy: np.ndarray
    begun: float


def from_tally(question: Question, tally: Tally, best: int | None, *, partial: bool) -> Analysis:
    """The analysis from sums over worlds; without a best action, it is the best one so far."""
    legal = np.flatnonzero(legal_mask_of(question.row[None])[0])
    worth = {action: tally.mean(0, action)[0] for action in legal.tolist()}
    order = sorted(worth, key=lambda action: (-tally.samples(action), -worth[action], action))
    if best is None:
        best = order[0]
    order.sort(key=lambda action: action != best)
    entries = []
    for action in order:
        value, win, margin = (_estimate(*tally.mean(part, action)) for part in range(3))
        entries.append(
            ActionAnalysis(
                action=move_text(ACTIONS[action]),
                action_id=action,
                value=value,
                win=win,
                draw=None,
                loss=None,
                margin=margin,
                behind=_estimate(*tally.difference(1, best, action)),
                samples=tally.samples(action),
                exact=False,
                policy=float(question.policy[action]),
                line=[move_text(ACTIONS[step]) for step in tally.line(action)],
            )
        )
    return _analysis(question, entries, partial=partial)


def from_parts(
    question: Question,
    legal: np.ndarray,
    parts: np.ndarray,
    draws: np.ndarray | None,
) -> Analysis:
    """The analysis from parts float [K, 3] of the legal actions, exact with draws float [K]."""
    error = None if draws is None else 0.0
    best = int(parts[:, 0].argmax())
    entries = []
    for place in sorted(range(len(legal)), key=lambda i: (i != best, -parts[i, 0], i)):
        action = int(legal[place])
        value, win, margin = (float(part) for part in parts[place])
        draw = None if draws is None else float(draws[place])
        entries.append(
            ActionAnalysis(
                action=move_text(ACTIONS[action]),
                action_id=action,
                value=Estimate(mean=value, error=error),
                win=Estimate(mean=win, error=error),
                draw=draw,
                loss=None if draw is None else max(0.0, 1 - win - draw),
                margin=Estimate(mean=margin, error=error),
                behind=Estimate(mean=float(parts[best, 1]) - win, error=error),
                samples=0,
                exact=draws is not None,
                policy=float(question.policy[action]),
                line=[move_text(ACTIONS[action])],
            )
        )
    return _analysis(question, entries, partial=False)


def _analysis(question: Question, entries: list[ActionAnalysis], *, partial: bool) -> Analysis:
    best = entries[0]
    return Analysis(
        turn=int(question.row[TURN_BYTE]),
        seat=question.seat,
        perspective=question.perspective,
        best=best.action,
        win=best.win,
        draw=best.draw,
        loss=best.loss,
        margin=best.margin,
        value=best.value,
        actions=entries,
        opponent=_opponent(question),
        samples=max(entry.samples for entry in entries),
        exact=best.exact,
        milliseconds=round((time.perf_counter() - question.begun) * 1000, 3),
        partial=partial,
    )


def _estimate(mean: float, error: float | None) -> Estimate:
    return Estimate(mean=float(mean), error=error)


def _opponent(question: Question) -> OpponentAnalysis:
    row, posterior = question.row, question.posterior
    unseen = int.from_bytes(row[UNSEEN_BYTE : UNSEEN_BYTE + 2].tobytes(), "little")
    held = hand_probabilities(row[None], posterior[None])[0]
    shares = posterior.sum(axis=0, dtype=np.float64)
    shares /= shares.sum()
    return OpponentAnalysis(
        hand={name: min(1.0, float(held[s])) for s, name in enumerate(SPECIES) if unseen >> s & 1},
        models=dict(zip(MODELS, shares.tolist(), strict=True)),
    )
