"""The simulator and the plain reference, turn by turn: through States, and through batches."""

from random import Random

import pytest

import bb_sim
from attack.lockstep import attack_lockstep
from bb_sim import SCORINGS, GameBatch, State, c_state_to_python, python_to_c_state
from tests.reference import assert_shows, from_state, id_of, rules, to_action, to_state

PLAYERS = (2, 3, 4)


def mask_of(moves: list[rules.Move]) -> int:
    return sum(1 << id_of(move) for move in moves)


def assert_same_results(state: State, position: rules.Position) -> None:
    assert bb_sim.is_terminal(state) == rules.is_terminal(position)
    assert bb_sim.is_decided(state) == rules.is_decided(position)
    players = range(position.num_players)
    assert bb_sim.scores(state, "points") == tuple(rules.bar_points(position, p) for p in players)
    assert bb_sim.scores(state, "animals") == tuple(rules.bar_animals(position, p) for p in players)
    for scoring in SCORINGS:
        places = tuple(rules.place(position, p, scoring) for p in players)
        assert bb_sim.ranking(state, scoring) == places
        first = [p for p in players if places[p] == 1]
        assert bb_sim.winner(state, scoring) == (first[0] if len(first) == 1 else None)


def assert_same_batch(batch: GameBatch, positions: list[rules.Position]) -> None:
    """The whole-batch views agree with the positions."""
    players = range(batch.num_players)
    assert batch.to_move.tolist() == [position.to_move for position in positions]
    assert batch.turns.tolist() == [position.turn for position in positions]
    assert batch.terminal.tolist() == [rules.is_terminal(position) for position in positions]
    assert batch.decided.tolist() == [rules.is_decided(position) for position in positions]
    for scoring, count in (("points", rules.bar_points), ("animals", rules.bar_animals)):
        counted = [[count(position, player) for player in players] for position in positions]
        assert batch.scores(scoring).tolist() == counted


def play_states_in_lock_step(num_games: int, num_players: int, first_seed: int) -> int:
    """Plays games on States and positions; returns the number of turns."""
    turns = 0
    for seed in range(first_seed, first_seed + num_games):
        random = Random(seed)
        state = bb_sim.new_game(seed, random.randrange(num_players), num_players)
        position = from_state(state)
        while True:
            moves = rules.legal_moves(position)
            assert bb_sim.legal_actions(state) == [to_action(move) for move in moves]
            assert_same_results(state, position)
            if not moves:
                break
            move = random.choice(moves)
            position = rules.play(position, move)
            state = bb_sim.step(state, to_action(move))
            assert_shows(state, position)
            turns += 1
    return turns


def play_batch_in_lock_step(num_games: int, num_players: int, first_seed: int) -> int:
    """Plays a batch of games and positions; returns the number of turns."""
    random = Random(first_seed)
    batch = GameBatch(num_games, num_players)
    batch.reset(range(first_seed, first_seed + num_games), random.randrange(num_players))
    positions = [from_state(c_state_to_python(batch, index)) for index in range(num_games)]
    turns = 0
    while True:
        legal = [rules.legal_moves(position) for position in positions]
        assert batch.legal_masks().tolist() == [mask_of(moves) for moves in legal]
        assert_same_batch(batch, positions)
        if not any(legal):
            return turns
        chosen = [random.choice(moves) for moves in legal]
        batch.step([id_of(move) for move in chosen])
        for index, move in enumerate(chosen):
            positions[index] = rules.play(positions[index], move)
            assert_shows(c_state_to_python(batch, index), positions[index])
            turns += 1


def play_every_move_of_made_positions(num_positions: int, num_players: int, seed: int) -> int:
    """Positions that random play need not reach, every legal move of each; returns the turns."""
    random = Random(seed)
    batch = GameBatch(1, num_players)
    turns = 0
    for _ in range(num_positions):
        position = rules.random_position(random, num_players)
        state = to_state(position)
        moves = rules.legal_moves(position)
        assert bb_sim.legal_actions(state) == [to_action(move) for move in moves]
        assert_same_results(state, position)
        for move in moves:
            after = rules.play(position, move)
            assert_shows(bb_sim.step(state, to_action(move)), after)
            python_to_c_state(state, batch, 0)
            assert c_state_to_python(batch, 0) == state
            batch.step([id_of(move)])
            assert_shows(c_state_to_python(batch, 0), after)
            assert_same_batch(batch, [after])
            turns += 1
    return turns


def test_the_actions_are_the_33_moves():
    assert tuple(to_action(move) for move in rules.MOVES) == bb_sim.ACTIONS
    assert bb_sim.NUM_ACTIONS == 33
    assert tuple(rules.ANIMALS) == bb_sim.SPECIES
    assert tuple(rules.points(species) for species in rules.ANIMALS) == bb_sim.POINTS


@pytest.mark.parametrize("num_players", PLAYERS)
def test_games_on_states(num_players):
    assert play_states_in_lock_step(100, num_players, first_seed=0) == 100 * 12 * num_players


@pytest.mark.parametrize("num_players", PLAYERS)
def test_games_in_a_batch(num_players):
    assert play_batch_in_lock_step(100, num_players, first_seed=1000) == 100 * 12 * num_players


@pytest.mark.parametrize("num_players", PLAYERS)
def test_made_positions(num_players):
    assert play_every_move_of_made_positions(500, num_players, seed=num_players) > 500


def test_rewards_and_rows_in_an_arena():
    tally = attack_lockstep(300, seed=1)
    assert tally.outcomes == {"lock step": {"games equal": 300}}


def test_the_lock_step_finds_a_rule_that_is_wrong(monkeypatch):
    monkeypatch.setattr(rules, "giraffe", lambda position, me, params: None)
    monkeypatch.setitem(rules.ACTIONS, "giraffe", lambda position, me, params: None)
    assert attack_lockstep(50, seed=1).findings


# The slow tests together pass a million turns.


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_many_two_player_games():
    assert play_states_in_lock_step(5_000, 2, first_seed=10_000) == 120_000
    played = sum(play_batch_in_lock_step(500, 2, first_seed=500 * i) for i in range(40, 70))
    assert played == 360_000


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("num_players", (3, 4))
def test_many_games_of_more_players(num_players):
    turns = play_states_in_lock_step(1_000, num_players, first_seed=10_000)
    for i in range(10):
        turns += play_batch_in_lock_step(500, num_players, first_seed=20_000 + 500 * i)
    assert turns == 6_000 * 12 * num_players


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("num_players", PLAYERS)
def test_many_made_positions(num_players):
    assert play_every_move_of_made_positions(20_000, num_players, seed=10 + num_players) > 50_000
