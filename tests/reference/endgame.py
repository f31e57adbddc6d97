"""Expectimax to the end of the game against a belief about the opponent, in plain Python.

Every line of play is followed, nothing is pruned and nothing remembered.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtr

from tests.reference import opponents, rules
from tests.reference.rules import Move, Position

NOISE = 0.15
BEST_REPLY = "best_reply"

Belief = Mapping[str, float]


@dataclass(frozen=True)
class Objective:
    """outcome + margin_weight * margin of the viewer."""

    viewer: int
    margin_weight: float
    scoring: str = "points"

    def of(self, position: Position) -> float:
        count = rules.bar_points if self.scoring == "points" else rules.bar_animals
        margin = count(position, self.viewer) - count(position, 1 - self.viewer)
        outcome = rules.outcome(position, self.viewer, self.scoring)
        return outcome + self.margin_weight * margin


def looks(position: Position) -> tuple[Any, ...]:
    """What the viewer sees after a turn."""
    return (
        tuple(position.queue),
        tuple(tuple(sorted(hand)) for hand in position.hands),
        tuple(sorted(position.bar)),
    )


def minimax(position: Position, objective: Objective) -> float:
    if rules.is_decided(position):
        return objective.of(position)
    values = [
        minimax(rules.play(position, move), objective) for move in rules.legal_moves(position)
    ]
    return max(values) if position.to_move == objective.viewer else min(values)


def shares(moves: set[Move]) -> dict[Move, float]:
    return {move: 1 / len(moves) for move in moves}


def noisy_chances(scores: Mapping[Move, float]) -> dict[Move, float]:
    """The chance of each score to be the largest once noise is added, on a fine grid."""
    heights = np.array(list(scores.values())) / NOISE
    grid = np.linspace(heights.max() - 9, heights.max() + 9, 4001)
    from_each = grid - heights[:, None]
    below = ndtr(from_each)
    chances = {}
    for index, move in enumerate(scores):
        others = np.delete(below, index, axis=0).prod(axis=0)
        density = np.exp(-(from_each[index] ** 2) / 2) / np.sqrt(2 * np.pi)
        chances[move] = float(np.trapezoid(density * others, grid))
    return chances


def chances_of(position: Position, model: str, objective: Objective) -> dict[Move, float]:
    """How a model of the opponent, who is to move, plays."""
    if model == BEST_REPLY:
        values = {
            move: minimax(rules.play(position, move), objective)
            for move in rules.legal_moves(position)
        }
        lowest = min(values.values())
        return shares({move for move, value in values.items() if value <= lowest + 1e-9})
    scores = opponents.opponent_scores(position, model)
    return noisy_chances(scores) if model == "noisy" else shares(opponents.tied_best(scores))


def learned(belief: Belief, chances: Mapping[str, float], negligible: float) -> dict[str, float]:
    """The belief after something that had these chances under the models."""
    joint = {model: weight * chances[model] for model, weight in belief.items()}
    least = negligible * sum(joint.values())
    kept = {model: weight for model, weight in joint.items() if weight > least}
    return {model: weight / sum(kept.values()) for model, weight in kept.items()}


def value_of(
    position: Position, belief: Belief, objective: Objective, negligible: float = 0.0
) -> float:
    """The viewer's expectation; weights at or below `negligible` are dropped after a turn."""
    if rules.is_decided(position):
        return objective.of(position)
    moves = rules.legal_moves(position)
    if position.to_move == objective.viewer:
        return max(
            value_of(rules.play(position, move), belief, objective, negligible) for move in moves
        )
    if len(moves) == 1:
        return value_of(rules.play(position, moves[0]), belief, objective, negligible)
    chances = {model: chances_of(position, model, objective) for model in belief}
    seen: dict[tuple[Any, ...], tuple[Position, list[Move]]] = {}
    for move in moves:
        after = rules.play(position, move)
        seen.setdefault(looks(after), (after, []))[1].append(move)
    value = 0.0
    for after, leading in seen.values():
        likelihoods = {
            model: sum(of_move.get(move, 0.0) for move in leading)
            for model, of_move in chances.items()
        }
        chance = sum(weight * likelihoods[model] for model, weight in belief.items())
        if chance > 0:
            later = learned(belief, likelihoods, negligible)
            value += chance * value_of(after, later, objective, negligible)
    return value
