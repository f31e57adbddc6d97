"""The search of one position in plain Python, to check the engine: worlds, halving, means."""

import math
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from bb_jax.networks.network import MARGIN_UNIT, values_or_results
from bb_sim import ACTIONS, State, is_decided, legal_actions, observe, scores, step, winner
from bb_sim.opponents.models import opponent_action_probabilities
from bb_sim.rules.actions import action_id
from bb_sim.search.worlds import sample_worlds

WEIGHT = 0.02


class Tied(Exception):
    """The opponent would draw lots between replies."""


class Found(NamedTuple):
    """What one action led to in its worlds, one number a world."""

    values: list[float]
    wins: list[float]
    margins: list[float]


def search(
    network: Any, params: Any, row: np.ndarray, seed: int, samples: int, opponent: str
) -> dict[int, Found]:
    """A search one move deep against a named opponent that has one best reply in all worlds.

    Args:
      network, params: judge the leaves.
      row: the mover's observation, uint8 [19], long before the end of the game.
      seed: the seed of the worlds.
      samples: worlds of the actions that last.
      opponent: its name.

    Raises:
      Tied: it has several best replies somewhere.
    """
    worlds = sample_worlds(row, seed, samples)
    alive = [action_id(action) for action in legal_actions(worlds[0])]
    found = {action: Found([], [], []) for action in alive}
    rounds = max(1, math.ceil(math.log2(len(alive))))
    begun = 0
    for number in range(1, rounds + 1):
        until = math.ceil(samples * number / rounds)
        for world in worlds[begun:until]:
            for action in alive:
                for numbers, part in zip(
                    found[action], _play(network, params, row, world, action, opponent), strict=True
                ):
                    numbers.append(part)
        begun = until
        alive.sort(key=lambda action: (-float(np.mean(found[action].values)), action))
        alive = sorted(alive[: -(-len(alive) // 2)])
    return found


def _play(
    network: Any, params: Any, row: np.ndarray, world: State, action: int, opponent: str
) -> tuple[float, float, float]:
    mover = world.to_move
    after = step(world, ACTIONS[action])
    chances = opponent_action_probabilities(after, opponent)
    # Replies that lead to the same position are no lots.
    ends = {step(after, reply) for reply, chance in chances.items() if chance > 0}
    if len(ends) > 1:
        raise Tied
    (after,) = ends
    assert not is_decided(after)
    leaf = observe(after, mover)
    # A world does not know what was in the bar before.
    leaf[10:13] = leaf[10:13] + row[10:13] - np.array([36, 12, 78], np.uint8)
    outcome, margin = np.asarray(values_or_results(network, params, jnp.asarray(leaf[None]), -1.0))[
        0
    ]
    margin *= MARGIN_UNIT
    return outcome + WEIGHT * margin, float(np.clip((outcome + 1) / 2, 0, 1)), margin


def final_parts(state: State, seat: int) -> tuple[float, float]:
    """Win and margin of a game that is over, for a seat."""
    own, other = scores(state)[seat], scores(state)[1 - seat]
    return float(winner(state) == seat), float(own - other)
