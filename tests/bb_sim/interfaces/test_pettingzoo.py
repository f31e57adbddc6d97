"""The PettingZoo environment: PettingZoo's own suites, and game by game against `bb_sim`."""

import copy
import pickle
import warnings
from functools import partial
from random import Random

import numpy as np
import pytest

import bb_sim
from bb_sim import ACTIONS, NUM_ACTIONS, action_id, decode_observation
from tests.bb_sim.bad_input import NO_INTEGERS

pytest.importorskip("pettingzoo", reason="the extra `pettingzoo` is not installed")
from pettingzoo.test import api_test, seed_test

from bb_sim.interfaces.pettingzoo_env import AGENTS, env, raw_env

# PettingZoo says so of every environment with an action mask beside the observation.
EXPECTED_WARNINGS = {
    "Observation is not a NumPy array",
    "Observation space for each agent probably should be gymnasium.spaces.box or "
    "gymnasium.spaces.discrete",
}
VARIANTS = {
    "env": env,
    "raw_env": raw_env,
    "illegal_reward": partial(env, illegal_reward=-1),
    "all options": partial(
        env, scoring="animals", margin_weight=0.5, stop_when_decided=True, render_mode="ansi"
    ),
}


def legal_ids(environment) -> list[int]:
    return np.flatnonzero(environment.last()[0]["action_mask"]).tolist()


def reset_env(seed: int = 0, turns: int = 0, **options):
    environment = raw_env(**options)
    environment.reset(seed=seed)
    random = Random(seed)
    for _ in range(turns):
        environment.step(random.choice(legal_ids(environment)))
    return environment


@pytest.mark.parametrize("make", VARIANTS.values(), ids=VARIANTS)
def test_conformance(make):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        api_test(make(), num_cycles=100)
        seed_test(make, num_cycles=100)
    assert {str(warning.message) for warning in caught} <= EXPECTED_WARNINGS


@pytest.mark.parametrize("seed", range(20))
def test_a_game_is_that_of_bb_sim(seed):
    environment = env()
    environment.reset(seed=seed)
    state = bb_sim.new_game(seed)
    random = Random(seed)
    while not bb_sim.is_terminal(state):
        mover = AGENTS[state.to_move]
        assert environment.agent_selection == mover
        actions = bb_sim.legal_actions(state)
        for player, agent in enumerate(AGENTS):
            seen = environment.observe(agent)
            assert environment.observation_space(agent).contains(seen)
            # Only what the player sees goes into the row.
            row = bb_sim.observe(state.seen_by(player), player)
            assert seen["observation"].tolist() == row.tolist()
            legal = [action_id(action) for action in actions] if agent == mover else []
            assert np.flatnonzero(seen["action_mask"]).tolist() == legal
            names = {number: str(ACTIONS[number]) for number in legal}
            assert environment.infos[agent]["action_names"] == names
        assert environment.rewards == dict.fromkeys(AGENTS, 0)
        assert not any(environment.terminations.values())
        action = random.choice(actions)
        environment.step(action_id(action))
        state = bb_sim.step(state, action)
        assert environment.position == state
    assert all(environment.terminations.values()) and not any(environment.truncations.values())
    winner = bb_sim.winner(state)
    rewards = [0, 0] if winner is None else [1 - 2 * winner, 2 * winner - 1]
    for agent in environment.agent_iter():
        observation, reward, done, truncated, info = environment.last()
        assert (done, truncated, info) == (True, False, {"action_names": {}})
        assert reward == rewards[AGENTS.index(agent)]
        assert not observation["action_mask"].any()
        assert decode_observation(observation["observation"]).turn == 24
        environment.step(None)
    assert environment.agents == []


@pytest.mark.parametrize("scoring", bb_sim.SCORINGS)
def test_rewards_follow_scoring_and_margin(scoring):
    for seed in range(10):
        environment = reset_env(seed, 24, scoring=scoring, margin_weight=0.25)
        final = environment.position
        own, other = bb_sim.scores(final, scoring)
        winner = bb_sim.winner(final, scoring)
        outcome = 0 if winner is None else (1, -1)[winner]
        reward = outcome + 0.25 * (own - other)
        assert environment.rewards == {"player_0": reward, "player_1": -reward}


def test_a_decided_game_can_end_there_with_the_same_rewards():
    for seed in range(10):
        played_out, stopped = reset_env(seed), reset_env(seed, stop_when_decided=True)
        random = Random(seed)
        while not all(stopped.terminations.values()):
            assert not bb_sim.is_decided(stopped.position)
            action = random.choice(legal_ids(stopped))
            stopped.step(action)
            played_out.step(action)
        assert bb_sim.is_decided(stopped.position)
        assert not any(stopped.observe(agent)["action_mask"].any() for agent in AGENTS)
        while not all(played_out.terminations.values()):
            played_out.step(legal_ids(played_out)[0])
        assert stopped.rewards == played_out.rewards


def test_a_seed_fixes_the_games_that_follow_too():
    def deals(environment, seed: int | None) -> list[bb_sim.State]:
        environment.reset(seed=seed)
        states = [environment.position]
        for _ in range(5):
            environment.reset()
            states.append(environment.position)
        return states

    environment = env()
    for seed in (0, 7, 2**64 - 1):
        first = deals(environment, seed)
        assert first[0] == bb_sim.new_game(seed)
        assert len(set(first)) == len(first)
        assert deals(environment, seed) == deals(env(), seed) == first
    assert deals(environment, None) != deals(env(), None)


@pytest.mark.parametrize("turns", [0, 9])
def test_an_illegal_action_is_an_error_and_changes_nothing(turns):
    environment, twin = reset_env(3, turns), reset_env(3, turns)
    legal = legal_ids(environment)
    for action in range(NUM_ACTIONS):
        if action not in legal:
            with pytest.raises(ValueError, match=f"action {action} "):
                environment.step(action)
    for no_action in (*NO_INTEGERS, -1, NUM_ACTIONS, 2**64):
        with pytest.raises((ValueError, TypeError), match=f"the action of player_{turns % 2}"):
            environment.step(no_action)
    for given in (environment, twin):
        given.step(legal[0])
    assert environment.position == twin.position
    assert environment.agent_selection == twin.agent_selection


def test_an_illegal_action_can_lose_the_game_instead():
    environment = env(illegal_reward=-3)
    environment.reset(seed=0)
    legal = legal_ids(environment)
    environment.step(next(action for action in range(NUM_ACTIONS) if action not in legal))
    rewards = {}
    for agent in environment.agent_iter():
        _, rewards[agent], _, truncated, _ = environment.last()
        assert truncated
        environment.step(None)
    assert rewards == {"player_0": -3, "player_1": 0}
    environment.reset()
    assert not any(environment.terminations.values())


def test_order_of_calls():
    environment = raw_env(render_mode="ansi")
    for call in (environment.render, partial(environment.step, 0)):
        with pytest.raises(ValueError, match="must be reset"):
            call()
    environment = reset_env(0, 24)
    with pytest.raises(ValueError, match="None"):
        environment.step(0)
    for _ in AGENTS:
        environment.step(None)
    with pytest.raises(ValueError, match="over"):
        environment.step(None)


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"scoring": "goals"}, "goals"),
        ({"margin_weight": float("nan")}, "margin_weight"),
        ({"margin_weight": "1"}, "margin_weight"),
        ({"illegal_reward": float("inf")}, "illegal_reward"),
        ({"render_mode": "rgb_array"}, "rgb_array"),
    ],
)
def test_bad_options_are_named(options, part):
    with pytest.raises(ValueError, match=part):
        env(**options)


def test_bad_seeds_and_agents_change_nothing():
    environment, twin = reset_env(0, 3), reset_env(0, 3)
    for seed in (-1, 2**64, *(value for value in NO_INTEGERS if value is not None)):
        with pytest.raises((ValueError, TypeError), match="seed"):
            environment.reset(seed=seed)
    with pytest.raises(ValueError, match="player_2"):
        environment.observe("player_2")
    assert environment.position == twin.position
    environment.reset()
    twin.reset()
    assert environment.position == twin.position


def test_rendering(capsys):
    environment = reset_env(0, 2, render_mode="ansi")
    assert environment.render() == bb_sim.render(environment.position)
    assert capsys.readouterr().out == ""
    environment = reset_env(0, 2, render_mode="human")
    printed = capsys.readouterr().out
    assert printed.count("to move") == 3
    assert printed.endswith(bb_sim.render(environment.position) + "\n")
    assert reset_env(0).render() is None


def test_copies_go_on_by_themselves():
    environment = reset_env(1, 5)
    before = environment.position
    for clone in (copy.deepcopy(environment), pickle.loads(pickle.dumps(environment))):
        clone.step(legal_ids(clone)[-1])
        assert environment.position == before != clone.position
    environment.step(legal_ids(environment)[-1])
    assert environment.position == clone.position
