"""Positions and games of random players, for calls of the simulator."""

from __future__ import annotations

from random import Random
from typing import Any

import numpy as np

import bb_sim
from bb_sim.arena import NO_ACTION


def bits_of(mask: int | np.uint64) -> list[int]:
    """The actions of a legal mask."""
    return [action for action in range(33) if int(mask) >> action & 1]


def random_state(rng: Random, num_players: int, turns: int | None = None) -> bb_sim.State:
    """The state after some random turns."""
    state = bb_sim.new_game(rng.getrandbits(64), rng.randrange(num_players), num_players)
    if num_players == 2 and turns is not None:
        state = bb_sim.new_game(rng.getrandbits(64))
    for _ in range(rng.randrange(12 * num_players) if turns is None else turns):
        state = bb_sim.step(state, rng.choice(bb_sim.legal_actions(state)))
    return state


def made_state(rng: Random) -> bb_sim.State:
    """A position of two players that lacks cards, as a person may make it."""
    while True:
        cards = [bb_sim.Card(owner, name) for owner in range(2) for name in bb_sim.SPECIES]
        rng.shuffle(cards)
        cards = cards[: rng.randint(1, 24)]
        piles: list[list[Any]] = [[] for _ in range(7)]
        for card in cards:
            piles[rng.choice((card.owner, card.owner, 2 + card.owner, 4, 4, 5, 6))].append(card)
        try:
            hands, decks = (tuple(map(tuple, part)) for part in (piles[:2], piles[2:4]))
            queue, bar, thats_it = map(tuple, piles[4:])
            return bb_sim.State(
                hands, decks, queue, bar, thats_it, rng.randrange(2), rng.randint(0, 24)
            )
        except ValueError:
            continue


def whole_games(rng: Random, seeds: np.ndarray) -> dict[str, np.ndarray]:
    """Games of a random player against named opponents, as `chance_events` takes them.

    Args:
      rng: chooses the seats, the opponents and the player's actions.
      seeds: of the games, uint64 [G].
    """
    games = len(seeds)
    seats = np.array([rng.randrange(2) for _ in range(games)], np.uint8)
    opponents = np.array([rng.randrange(len(bb_sim.OPPONENTS)) for _ in range(games)], np.uint8)
    actions = np.full((games, 12), NO_ACTION, np.uint8)
    for game in range(games):
        batch = bb_sim.GameBatch(1)
        batch.reset(seeds[game : game + 1])
        while not batch.decided[0]:
            if batch.to_move[0] == seats[game]:
                action = rng.choice(bits_of(batch.legal_masks()[0]))
                actions[game, batch.turns[0] // 2] = action
            else:
                name = bb_sim.OPPONENTS[opponents[game]]
                action = bb_sim.action_id(bb_sim.select_opponent_action_from(batch, 0, name))
            batch.step([action])
    return {"seeds": seeds, "seats": seats, "opponents": opponents, "actions": actions}
