"""The OpenSpiel game: OpenSpiel's own suite and algorithms, and game by game against `bb_sim`."""

import pickle
from random import Random

import numpy as np
import pytest

import bb_sim
from bb_sim import SPECIES, action_id
from tests.bb_sim.interfaces.openspiel_states import HISTORY, random_state

pytest.importorskip("pyspiel", reason="the extra `openspiel` is not installed")
import pyspiel
from open_spiel.python import rl_environment
from open_spiel.python.algorithms import ismcts, mcts, outcome_sampling_mccfr
from open_spiel.python.bots.uniform_random import UniformRandomBot

from bb_sim.interfaces.openspiel_game import GAME_NAME


@pytest.fixture(scope="module")
def game():
    return pyspiel.load_game(GAME_NAME)


# Conformance


@pytest.mark.parametrize("scoring", bb_sim.SCORINGS)
def test_random_simulations_with_serialisation(scoring):
    loaded = pyspiel.load_game(f"{GAME_NAME}(scoring={scoring})")
    pyspiel.random_sim_test(loaded, num_sims=10, serialize=True, verbose=False)


def test_what_the_game_says_of_itself(game):
    state = random_state(game, 0)
    assert state.is_terminal() and len(state.history()) == HISTORY == game.max_history_length()
    assert game.max_chance_nodes_in_history() == 24 == game.max_game_length()
    assert (game.min_utility(), game.max_utility(), game.utility_sum()) == (-1, 1, 0)
    assert game.information_state_tensor_shape() == [2 + 12 + 8 * 12 + 24 * 33]
    assert game.observation_tensor_shape() == [2 + 12 + 4 * 2 * 12 + 2 * 12 + 2 * 12 + 25]


def test_an_unknown_scoring_is_named():
    with pytest.raises(ValueError, match="goals"):
        pyspiel.load_game(f"{GAME_NAME}(scoring=goals)")


# Against bb_sim


@pytest.mark.parametrize("scoring", bb_sim.SCORINGS)
def test_games_are_those_of_bb_sim(scoring):
    game = pyspiel.load_game(f"{GAME_NAME}(scoring={scoring})")
    for seed in range(15):
        random, truth = Random(seed), bb_sim.new_game(seed)
        state = game.new_initial_state()
        for hand in truth.hands:
            for card in random.sample(hand, len(hand)):
                assert state.current_player() == pyspiel.PlayerId.CHANCE
                state.apply_action(SPECIES.index(card.species))
        while not bb_sim.is_terminal(truth):
            assert not state.is_terminal() and state.returns() == [0, 0]
            assert state.current_player() == truth.to_move
            assert_same_position(state.position(), truth)
            actions = bb_sim.legal_actions(truth)
            assert state.legal_actions() == [action_id(action) for action in actions]
            assert state.legal_actions(1 - truth.to_move) == []
            action = random.choice(actions)
            assert state.action_to_string(action_id(action)) == str(action)
            mover, deck = truth.to_move, truth.decks[truth.to_move]
            truth = bb_sim.step(truth, action)
            state.apply_action(action_id(action))
            if deck:
                assert state.current_player() == pyspiel.PlayerId.CHANCE
                assert len(state.position().hands[mover]) == 3
                state.apply_action(SPECIES.index(deck[0].species))
        winner = bb_sim.winner(truth, scoring)
        assert state.is_terminal()
        assert state.returns() == ([0, 0] if winner is None else [1 - 2 * winner, 2 * winner - 1])


def assert_same_position(shown: bb_sim.State, truth: bb_sim.State) -> None:
    for name in ("hands", "queue", "bar", "thats_it", "to_move", "turn"):
        assert getattr(shown, name) == getattr(truth, name)
    assert list(map(set, shown.decks)) == list(map(set, truth.decks))
    for player in range(2):
        row = bb_sim.observe(truth, player).tolist()
        assert bb_sim.observe(shown, player).tolist() == row


@pytest.mark.parametrize("seed", range(5))
def test_chance_deals_each_card_left_with_equal_probability(game, seed):
    random, state = Random(seed), game.new_initial_state()
    left = [set(range(12)), set(range(12))]
    while not state.is_terminal():
        if state.is_chance_node():
            turn = sum(not past.player < 0 for past in state.full_history())
            player = (turn - 1) % 2 if turn else len(state.history()) // 4
            outcomes = dict(state.chance_outcomes())
            assert set(outcomes) == left[player]
            assert set(outcomes.values()) == {1 / len(outcomes)}
            left[player].discard(outcome := random.choice(list(outcomes)))
            state.apply_action(outcome)
        else:
            assert state.chance_outcomes() == []
            state.apply_action(random.choice(state.legal_actions()))
    assert left == [set(), set()]


@pytest.mark.parametrize("steps", [0, 3, 8, 9, 27, HISTORY])
def test_what_cannot_be_played_is_an_error_and_changes_nothing(game, steps):
    state = random_state(game, 1, steps)
    history, text = state.history(), str(state)
    for action in {-2, *range(40), 2**40} - set(state.legal_actions()):
        with pytest.raises(ValueError):
            state.apply_action(action)
    assert (state.history(), str(state)) == (history, text)


def test_there_is_no_position_before_the_deal(game):
    with pytest.raises(ValueError, match="dealt"):
        random_state(game, 0, 7).position()
    assert random_state(game, 0, 8).position().turn == 0


def test_copies_are_independent(game):
    state = random_state(game, 2, 20)
    history, text = state.history(), str(state)
    copies = [state.clone(), game.deserialize_state(state.serialize())]
    copies.append(pickle.loads(pickle.dumps(state)))
    for copied in copies:
        assert (copied.history(), str(copied)) == (history, text)
        copied.apply_action(copied.legal_actions()[0])
        assert (state.history(), str(state)) == (history, text)
    assert len({str(copied) for copied in copies}) == 1


# OpenSpiel's algorithms


@pytest.mark.parametrize("use_observation_string", [False, True])
def test_information_set_tree_search_plays_to_the_end(game, use_observation_string):
    generator = np.random.RandomState(0)
    evaluator = mcts.RandomRolloutEvaluator(1, generator)
    search = ismcts.ISMCTSBot(
        game,
        evaluator,
        uct_c=2.0,
        max_simulations=8,
        random_state=generator,
        use_observation_string=use_observation_string,
    )
    bots = [search, UniformRandomBot(1, generator)]
    state = game.new_initial_state()
    while not state.is_terminal():
        if state.is_chance_node():
            state.apply_action(generator.choice(state.legal_actions()))
        else:
            state.apply_action(bots[state.current_player()].step(state))
    assert len(state.history()) == HISTORY
    assert sum(state.returns()) == 0


def test_search_that_wins_at_once_finds_the_winning_card(game):
    """With one card left each the search is exact, and agrees with trying out each action."""
    generator = np.random.RandomState(0)
    search = ismcts.ISMCTSBot(
        game, mcts.RandomRolloutEvaluator(1, generator), 2.0, 50, random_state=generator
    )
    for seed in range(10):
        state = random_state(game, seed, HISTORY - 1)
        values = {action: state.child(action).returns()[1] for action in state.legal_actions()}
        assert values[search.step(state)] == max(values.values())


def test_random_bots_play_in_cpp(game):
    state = game.new_initial_state()
    bots = [pyspiel.make_uniform_random_bot(player, player) for player in (0, 1)]
    assert pyspiel.evaluate_bots(state, bots, 3) == state.returns()
    assert len(state.history()) == HISTORY


def test_regret_minimisation_and_the_learning_environment_run(game):
    solver = outcome_sampling_mccfr.OutcomeSamplingSolver(game)
    solver.iteration()
    environment = rl_environment.Environment(game, include_full_state=False, seed=0)
    step = environment.reset()
    while not step.last():
        player = step.observations["current_player"]
        assert len(step.observations["info_state"][player]) == 902
        step = environment.step([step.observations["legal_actions"][player][0]])
    assert sum(step.rewards) == 0


def test_the_named_opponents_can_play_it(game):
    state = random_state(game, 0, 8)
    while not state.is_terminal():
        if state.is_chance_node():
            state.apply_action(state.legal_actions()[0])
        else:
            best = bb_sim.best_actions(state.position(), "heuristic")
            state.apply_action(action_id(best[0]))
    assert len(state.history()) == HISTORY
