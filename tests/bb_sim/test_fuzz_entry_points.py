"""Bad input to batches and opponents: a clear exception, no crash, and nothing changed."""

import copy
import pickle

import numpy as np
import pytest

import bb_sim
from bb_sim import OPPONENTS, GameBatch
from bb_sim.opponents.choice import (
    best_actions,
    opponent_scores,
    play_opponents,
    select_opponent_action_from,
)
from tests.bb_sim.bad_input import (
    BAD_INDICES,
    BAD_OPPONENTS,
    BAD_PLAYERS,
    BAD_SCORINGS,
    BAD_SEEDS,
    NO_INTEGERS,
    B,
    arrays_of_wrong_form,
    assert_refused,
    read_only,
    some_batch,
    states_of,
)

# Batches


@pytest.mark.parametrize("size", (0, -1, 2**31, 2**40, 2**64, *NO_INTEGERS))
def test_batch_sizes(size):
    assert_refused(GameBatch, size)


@pytest.mark.parametrize("players", (-1, 0, 1, 5, 2**31, 2**64, *NO_INTEGERS))
def test_numbers_of_players(players):
    assert_refused(GameBatch, 2, players)
    assert_refused(bb_sim.new_game, 0, 0, players)


def test_a_batch_is_neither_copied_nor_left_empty(batch):
    for call in (
        lambda: copy.copy(batch),
        lambda: copy.deepcopy(batch),
        lambda: pickle.dumps(batch),
        lambda: GameBatch(),  # type: ignore[call-arg]
        lambda: GameBatch.__new__(GameBatch),
    ):
        assert_refused(call)


@pytest.mark.parametrize("index", BAD_INDICES)
def test_game_indices(batch, index):
    state = bb_sim.new_game(1)
    assert_refused(bb_sim.c_state_to_python, batch, index)
    assert_refused(bb_sim.python_to_c_state, state, batch, index)
    assert_refused(bb_sim.select_random_action, batch, index)
    assert_refused(select_opponent_action_from, batch, index, "heuristic")


@pytest.mark.parametrize("no_batch", (None, 0, "batch", [GameBatch(1)], bb_sim.new_game(0)))
def test_what_is_no_batch(no_batch):
    state = bb_sim.new_game(1)
    assert_refused(bb_sim.c_state_to_python, no_batch, 0)
    assert_refused(bb_sim.python_to_c_state, state, no_batch, 0)
    assert_refused(bb_sim.select_random_action, no_batch, 0)
    assert_refused(select_opponent_action_from, no_batch, 0, "heuristic")


@pytest.mark.parametrize("actions", arrays_of_wrong_form(255))
def test_forms_of_actions(batch, actions):
    assert_refused(batch.step, actions)


@pytest.mark.parametrize("action", (33, 100, 254, 256, -1, 511, 2**32, 2**64 + 255, -(2**70)))
def test_numbers_of_actions(batch, action):
    for place in range(B):
        actions = [255] * B
        actions[place] = action
        assert_refused(batch.step, actions)


def test_an_illegal_action_in_the_last_game_stops_all(batch):
    masks = batch.legal_masks().tolist()
    legal = [next(a for a in range(33) if mask >> a & 1) for mask in masks]
    for illegal in range(33):
        if not masks[-1] >> illegal & 1:
            with pytest.raises(ValueError, match=f"action {illegal} "):
                batch.step([*legal[:-1], illegal])


@pytest.mark.parametrize("seeds", arrays_of_wrong_form(1))
def test_forms_of_seeds(batch, seeds):
    assert_refused(batch.reset, seeds)


@pytest.mark.parametrize("seed", BAD_SEEDS)
def test_seeds(batch, seed):
    assert_refused(batch.reset, [1, 2, seed])
    assert_refused(bb_sim.new_game, seed)


@pytest.mark.parametrize("player", BAD_PLAYERS)
def test_first_players(batch, player):
    assert_refused(batch.reset, [1, 2, 3], player)
    assert_refused(bb_sim.new_game, 0, player)


def test_input_arrays_may_be_of_any_layout():
    seeds = np.arange(2 * B, dtype=np.uint64)[::2]
    expected = GameBatch(B)
    expected.reset(seeds.tolist())
    legal = [next(a for a in range(33) if m >> a & 1) for m in expected.legal_masks().tolist()]
    expected.step(legal)
    read_only = np.array(legal, np.uint8)
    read_only.flags.writeable = False
    for dealt in (seeds, seeds.astype(">u8"), seeds.astype(np.int64), seeds[::-1].copy()[::-1]):
        for actions in (read_only, np.repeat(read_only, 2)[::2], np.array(legal, ">i4")):
            batch = GameBatch(B)
            batch.reset(dealt)
            batch.step(actions)
            assert states_of(batch) == states_of(expected)
    assert read_only.tolist() == legal


BAD_ROWS = [
    [[0] * 19] * B,
    "rows",
    0,
    np.zeros((B, 19), np.int8),
    np.zeros((B, 19), np.float32),
    np.zeros((B, 18), np.uint8),
    np.zeros((B, 20), np.uint8),
    np.zeros((B + 1, 19), np.uint8),
    np.zeros((B - 1, 19), np.uint8),
    np.zeros(B * 19, np.uint8),
    np.zeros((B, 19, 1), np.uint8),
    np.zeros((0, 19), np.uint8),
    np.zeros((19, B), np.uint8).T,
    np.zeros((B, 38), np.uint8)[:, ::2],
    np.zeros((B, 19), np.uint8)[::-1],
    read_only(np.zeros((B, 19), np.uint8)),
]


@pytest.mark.parametrize("rows", BAD_ROWS)
def test_output_rows(batch, rows):
    before = np.array(rows, copy=True)
    assert_refused(batch.observations, rows)
    assert_refused(batch.play_random, observations=rows)
    assert np.array_equal(before, rows)


@pytest.mark.parametrize("threads", (0, -1, 2**31, 2**64, *NO_INTEGERS))
def test_numbers_of_threads(batch, threads):
    assert_refused(batch.play_random, threads)
    assert_refused(play_opponents, [1], "random", "random", threads)


def test_observations_of_more_than_two_players():
    for num_players in (3, 4):
        batch = some_batch(num_players)
        assert_refused(batch.observations)
        assert_refused(batch.play_random, observations=np.zeros((B, 19), np.uint8))
        assert_refused(bb_sim.observe, bb_sim.c_state_to_python(batch, 0))
        assert states_of(batch) == states_of(some_batch(num_players))


@pytest.mark.parametrize("scoring", BAD_SCORINGS)
def test_scorings(batch, scoring):
    state = bb_sim.new_game(0)
    assert_refused(batch.scores, scoring)
    assert_refused(bb_sim.scores, state, scoring)
    assert_refused(bb_sim.ranking, state, scoring)
    assert_refused(bb_sim.winner, state, scoring)
    assert_refused(play_opponents, [1], "random", "random", scoring=scoring)


def test_finished_games_take_no_action():
    batch = some_batch()
    batch.play_random()
    finished = states_of(batch)
    for action in range(33):
        assert_refused(batch.step, [255, 255, action])
        assert_refused(bb_sim.step, finished[0], bb_sim.ACTIONS[action])
    for name in OPPONENTS:
        assert_refused(select_opponent_action_from, batch, 0, name)
        assert_refused(best_actions, finished[0], name)
    assert_refused(bb_sim.select_random_action, batch, 0)
    assert batch.step_random().tolist() == [bb_sim.NO_MOVE] * B
    assert batch.play_random() == 0
    batch.step([255] * B)
    assert states_of(batch) == finished


# Opponents


@pytest.mark.parametrize("name", BAD_OPPONENTS)
def test_names_of_opponents(batch, name):
    state = bb_sim.new_game(0)
    assert_refused(opponent_scores, state, name)
    assert_refused(best_actions, state, name)
    assert_refused(select_opponent_action_from, batch, 0, name)
    assert_refused(play_opponents, [1], name, "random")
    assert_refused(play_opponents, [1], "random", name)


@pytest.mark.parametrize("name", OPPONENTS)
def test_opponents_play_for_two(name):
    state = bb_sim.new_game(0, 0, 3)
    assert_refused(opponent_scores, state, name)
    assert_refused(best_actions, state, name)
    assert_refused(select_opponent_action_from, GameBatch(1, 4), 0, name)


@pytest.mark.parametrize(
    "seeds",
    (
        *(None, 1, "1", [-1], [2**64], [0.5], [[1, 2]], [True], ["1"], [None], [-(2**70)]),
        *(np.zeros(2), np.zeros((1, 1), np.uint64), [1, 2**64 - 1, -1]),
    ),
)
def test_seeds_of_opponents_games(seeds):
    assert_refused(play_opponents, seeds, "random", "random")
