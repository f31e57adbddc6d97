"""Random games of other engines, and of this one through its interfaces for single games.

An engine plays whole games one after the other and counts steps. A step of OpenSpiel is an action
or a chance outcome, which favours it: a step of `bb_sim` is a whole turn with its draw.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from random import Random

import bb_sim

OPENSPIEL_GAMES = ("leduc_poker", "goofspiel", "euchre", "hearts", "backgammon")
SIMULTANEOUS = ("goofspiel",)


@dataclass(frozen=True)
class Engine:
    """An engine that plays random games.

    Attributes:
        name: the name in the table, at most 42 characters.
        play: plays one game and returns its number of steps.
    """

    name: str
    play: Callable[[], int]

    def rate(self, seconds: float) -> float:
        """Steps per second of processor time, over the games that fit into it, at least one."""
        steps = 0
        start = time.process_time()
        while steps == 0 or time.process_time() < start + seconds:
            steps += self.play()
        return steps / (time.process_time() - start)


def engines() -> Iterator[Engine]:
    """The engines that are installed here."""
    yield from plain_python()
    yield Engine("bb_sim, a game of States", play_states)
    yield from pettingzoo()
    yield from openspiel()


def plain_python() -> Iterator[Engine]:
    """The tests' second implementation of the rules, if the tests are there."""
    try:
        from tests.reference import rules
    except ImportError:
        return
    random = Random(0)

    def play() -> int:
        position = rules.deal(random)
        while moves := rules.legal_moves(position):
            position = rules.play(position, random.choice(moves))
        return position.turn

    yield Engine("plain Python, the tests' reference", play)


_random = Random(0)


def play_states() -> int:
    """Plays a game with the functions on immutable States."""
    state = bb_sim.new_game(_random.getrandbits(64))
    while actions := bb_sim.legal_actions(state):
        state = bb_sim.step(state, _random.choice(actions))
    return state.turn


def pettingzoo() -> Iterator[Engine]:
    """The PettingZoo environment, with observations."""
    try:
        from bb_sim.interfaces.pettingzoo_env import env
    except ImportError:
        return
    environment = env()

    def play() -> int:
        steps = 0
        environment.reset(seed=_random.getrandbits(64))
        for agent in environment.agent_iter():
            observation, _, done, _, _ = environment.last()
            if done:
                environment.step(None)
            else:
                mask = observation["action_mask"]
                environment.step(environment.action_space(agent).sample(mask))
                steps += 1
        return steps

    yield Engine("bb_sim, PettingZoo environment", play)


def openspiel() -> Iterator[Engine]:
    """OpenSpiel's own games in C++ and the game of `bb_sim.interfaces.openspiel_game`.

    `C++ loop` is one call of `pyspiel.evaluate_bots` with uniform bots for each game. `Python loop`
    calls `legal_actions` and `apply_action` from Python.
    """
    try:
        import pyspiel

        from bb_sim.interfaces.openspiel_game import GAME_NAME
    except ImportError:
        return

    def in_cpp(game: pyspiel.Game, bots: list[pyspiel.Bot]) -> int:
        state = game.new_initial_state()
        pyspiel.evaluate_bots(state, bots, _random.getrandbits(31))
        return state.move_number()

    def in_python(game: pyspiel.Game) -> int:
        state = game.new_initial_state()
        while not state.is_terminal():
            if state.is_chance_node():
                outcomes, weights = zip(*state.chance_outcomes(), strict=True)
                state.apply_action(_random.choices(outcomes, weights)[0])
            else:
                state.apply_action(_random.choice(state.legal_actions()))
        return state.move_number()

    for name in (GAME_NAME, *OPENSPIEL_GAMES):
        load = pyspiel.load_game_as_turn_based if name in SIMULTANEOUS else pyspiel.load_game
        game = load(name)
        bots = [pyspiel.make_uniform_random_bot(player, 1) for player in range(game.num_players())]
        yield Engine(f"OpenSpiel {name}, C++ loop", partial(in_cpp, game, bots))
        yield Engine(f"OpenSpiel {name}, Python loop", partial(in_python, game))
