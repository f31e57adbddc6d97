"""Trials: games played again with one move changed, which measure what an animal is worth.

A trial repeats a game up to one of the player's moves, plays another animal there, and lets both
sides go on as they like. Everything else is equal, the deal and the opponent's random numbers too.
So the results of the game and of the trial differ by what the move was worth.

`N` denotes trials.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bb_sim.rules.engine import NUM_PLIES
from eval.guide.decisions import Decisions, decisions_of_player
from eval.guide.games import FREE, Games, play_games
from eval.guide.judge import Judge
from eval.matches.match import OnProgress
from eval.matches.players import PolicyPlayer

#: The two kinds of trials: the best other animal instead of the one played, or any other one.
INSTEAD, ANYWAY = "instead", "anyway"


@dataclass(frozen=True)
class Trials:
    """Trials of one kind.

    Attributes:
      decisions: the decisions that were changed; `actions` holds what was played at first.
      animals: int8 [N], the species played in the trial.
      gains: int8 [N], the game's wins minus the trial's, from the side of the decider: -1, 0, 1.
    """

    decisions: Decisions
    animals: np.ndarray
    gains: np.ndarray


def run_trials(
    player: PolicyPlayer,
    judge: Judge,
    games: Games,
    kind: str,
    number: int,
    seed: int,
    on_progress: OnProgress | None = None,
) -> Trials:
    """Runs trials.

    Args:
      player: whose games they are.
      judge: finds the best way to play an animal.
      games: the games, with their rows.
      kind: `INSTEAD` plays the best other animal, `ANYWAY` one of the others in the hand, each
        with the same probability.
      number: trials; each changes a decision drawn from all with two animals in the hand.
      seed: the seed of the draws.
      on_progress: called with (trials finished, trials in all).
    """
    generator = np.random.default_rng([seed, *kind.encode()])
    decisions = decisions_of_player(games)
    possible = np.flatnonzero(decisions.hands.sum(axis=1) > 1)
    chosen = decisions.take(np.sort(generator.choice(possible, number, replace=True)))
    actions, values = judge.best_with_each(chosen.rows)
    each = np.arange(number)
    values[each, chosen.species] = -np.inf
    if kind == INSTEAD:
        animals = values.argmax(axis=1)
    else:
        draws = np.where(np.isfinite(values), generator.random(values.shape), -1.0)
        animals = draws.argmax(axis=1)
    script = np.full((NUM_PLIES, number), FREE, np.uint8)
    for turn in range(NUM_PLIES):
        before = chosen.turns > turn
        script[turn, before] = games.actions[turn, chosen.games[before]]
    script[chosen.turns, each] = actions[each, animals]
    played = play_games(
        player,
        games.plan.take(chosen.games),
        judge.scoring,
        script=script,
        keep=False,
        on_progress=on_progress,
    )
    # In games against itself the decider may sit in the other seat.
    side = np.where(chosen.turns % 2 == games.plan.seats[chosen.games], 1, -1)
    won = games.outcomes[chosen.games] * side > 0
    won_again = played.outcomes * side > 0
    return Trials(chosen, animals.astype(np.int8), won.astype(np.int8) - won_again.astype(np.int8))
