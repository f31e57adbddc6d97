"""Batches: the same games as single states, the same for any batch and thread count, safe input."""

import gc
import random

import numpy as np
import pytest

from bb_sim import (
    ACTIONS,
    HIDDEN,
    NO_MOVE,
    OBSERVATION_SIZE,
    Card,
    GameBatch,
    State,
    c_state_to_python,
    is_decided,
    is_terminal,
    legal_actions,
    new_game,
    observe,
    python_to_c_state,
    ranking,
    scores,
    select_random_action,
    step,
    winner,
)


def dealt(num_games: int, first_seed: int = 0, num_players: int = 2) -> GameBatch:
    batch = GameBatch(num_games, num_players)
    batch.reset(np.arange(first_seed, first_seed + num_games, dtype=np.uint64))
    return batch


def states(batch: GameBatch) -> list[State]:
    return [c_state_to_python(batch, index) for index in range(len(batch))]


# --- A batch plays as single states do --------------------------------------------------------


@pytest.mark.parametrize("num_players", [2, 3, 4])
def test_a_batch_plays_as_single_states_do(num_players: int) -> None:
    batch = dealt(20, first_seed=1000, num_players=num_players)
    singles = [new_game(1000 + index, num_players=num_players) for index in range(20)]
    for _ in range(12 * num_players):
        masks = batch.legal_masks()
        for index, single in enumerate(singles):
            legal = legal_actions(single)
            assert [ACTIONS[a] for a in range(33) if int(masks[index]) >> a & 1] == legal
        actions = batch.step_random()
        singles = [
            step(single, ACTIONS[action]) for single, action in zip(singles, actions, strict=True)
        ]
        assert states(batch) == singles
        assert batch.to_move.tolist() == [single.to_move for single in singles]
        assert batch.turns.tolist() == [single.turn for single in singles]
        assert batch.terminal.tolist() == [is_terminal(single) for single in singles]
        assert batch.decided.tolist() == [is_decided(single) for single in singles]
        for scoring in ("points", "animals"):
            expected = [scores(single, scoring) for single in singles]
            assert batch.scores(scoring).tolist() == [list(row) for row in expected]
        if num_players == 2:
            rows = [observe(single) for single in singles]
            assert np.array_equal(batch.observations(), rows)
    assert batch.terminal.all()


def test_the_first_player_of_a_reset() -> None:
    batch = GameBatch(3, num_players=3)
    batch.reset([1, 2, 3], first_player=2)
    assert states(batch) == [new_game(seed, first_player=2, num_players=3) for seed in (1, 2, 3)]


def test_a_new_batch_holds_the_games_of_the_first_seeds() -> None:
    assert states(GameBatch(4)) == [new_game(seed) for seed in range(4)]


def test_any_64_bit_seed_deals() -> None:
    seeds = [0, 2**63 - 1, 2**63, 2**64 - 1]
    batch = GameBatch(4)
    batch.reset(seeds)
    assert states(batch) == [new_game(seed) for seed in seeds]


# --- Same seed, same game ---------------------------------------------------------------------


def test_a_game_does_not_depend_on_its_batch() -> None:
    whole = dealt(64)
    parts = [dealt(size, first) for first, size in ((0, 1), (1, 30), (31, 33))]
    for batch in (whole, *parts):
        for _ in range(15):
            batch.step_random()
    assert states(whole) == [state for part in parts for state in states(part)]


@pytest.mark.parametrize("num_threads", [2, 3, 500])
def test_a_game_does_not_depend_on_the_threads(num_threads: int) -> None:
    one, many = dealt(101), dealt(101)
    row_one, row_many = (np.zeros((101, OBSERVATION_SIZE), np.uint8) for _ in range(2))
    assert one.play_random(observations=row_one) == 101 * 24
    assert many.play_random(num_threads, observations=row_many) == 101 * 24
    assert states(one) == states(many)
    assert np.array_equal(row_one, row_many)


def test_whole_random_games_are_those_played_turn_by_turn() -> None:
    whole, turns = dealt(50), dealt(50)
    last = np.zeros((50, OBSERVATION_SIZE), np.uint8)
    whole.play_random(observations=last)
    for _ in range(24):
        rows = turns.observations()
        turns.step_random()
    assert states(whole) == states(turns)
    assert np.array_equal(last, rows)


def test_games_stopped_when_decided_have_their_final_scores() -> None:
    early, full = dealt(300), dealt(300)
    steps = early.play_random(stop_when_decided=True)
    full.play_random()
    assert steps == early.turns.sum() < full.turns.sum()
    assert early.decided.all()
    assert not early.terminal.all()
    assert np.array_equal(early.scores(), full.scores())


def test_random_games_have_the_known_statistics() -> None:
    games = 20_000
    batch = dealt(games, first_seed=2**40)
    legal = 0
    for _ in range(24):
        legal += int(np.bitwise_count(batch.legal_masks()).sum())
        batch.step_random()
    points = batch.scores()
    margin = points[:, 0] - points[:, 1]
    # Of 20,000 other games: standard error 0.35 % each, so that 2 % is four of the difference.
    for share, expected in ((margin > 0, 0.462), (margin < 0, 0.428), (margin == 0, 0.110)):
        assert share.mean() == pytest.approx(expected, abs=0.02)
    assert legal / (24 * games) == pytest.approx(4.32, abs=0.03)
    assert batch.scores("animals").sum() / 2 / games == pytest.approx(3.39, abs=0.03)
    finished = [c_state_to_python(batch, index) for index in range(4000)]
    winners = [winner(state, "animals") for state in finished]
    for value, expected in ((0, 0.499), (1, 0.471), (None, 0.030)):
        assert winners.count(value) / 4000 == pytest.approx(expected, abs=0.035)
    assert all(set(ranking(state)) <= {1, 2} for state in finished[:100])


# --- Random actions ---------------------------------------------------------------------------


def test_random_actions_are_uniform() -> None:
    batch = GameBatch(1)
    hand = tuple(Card(0, species) for species in ("parrot", "kangaroo", "chameleon", "lion"))
    queue = tuple(Card(1, species) for species in ("kangaroo", "parrot", "zebra", "seal"))
    state = State(hands=(hand, ()), queue=queue)
    python_to_c_state(state, batch, 0)
    draws = [select_random_action(batch, 0) for _ in range(15_000)]
    counts = [draws.count(action) for action in legal_actions(state)]
    assert sum(counts) == 15_000
    # Chi-square with 14 degrees of freedom: 36.1 is exceeded once in a thousand.
    assert sum((count - 1000) ** 2 / 1000 for count in counts) < 36.1
    assert c_state_to_python(batch, 0) == state


def test_random_actions_come_from_the_game_s_own_stream() -> None:
    batch, other = dealt(3), dealt(1, first_seed=2)
    select_random_action(batch, 0)
    drawn = [select_random_action(batch, 2) for _ in range(20)]
    assert drawn == [select_random_action(other, 0) for _ in range(20)]


def test_a_finished_game_has_no_random_action() -> None:
    batch = dealt(1)
    batch.play_random()
    with pytest.raises(ValueError, match="game 0 is over"):
        select_random_action(batch, 0)


# --- States in and out ------------------------------------------------------------------------


@pytest.mark.parametrize("num_players", [2, 3, 4])
def test_a_state_goes_in_and_out_unchanged(num_players: int) -> None:
    batch, copy = dealt(8, num_players=num_players), GameBatch(8, num_players)
    for _ in range(12 * num_players + 1):
        for index, state in enumerate(states(batch)):
            python_to_c_state(state, copy, index)
        assert states(copy) == states(batch)
        assert np.array_equal(copy.legal_masks(), batch.legal_masks())
        batch.step_random()


def test_a_state_put_in_is_played_on() -> None:
    rng = random.Random(4)
    state = new_game(9)
    for _ in range(11):
        state = step(state, rng.choice(legal_actions(state)))
    batch = GameBatch(2)
    python_to_c_state(state, batch, 1)
    while not is_terminal(state):
        action = rng.choice(legal_actions(state))
        batch.step([NO_MOVE, ACTIONS.index(action)])
        state = step(state, action)
        assert c_state_to_python(batch, 1) == state
    assert c_state_to_python(batch, 0) == new_game(0)


def test_a_state_that_does_not_fit_is_refused_and_changes_nothing() -> None:
    batch = GameBatch(1)
    hidden_deck = State(hands=((Card(0, "lion"),), ()), decks=((Card(0, HIDDEN),), ()))
    with pytest.raises(ValueError, match="3 players, the batch 2"):
        python_to_c_state(new_game(5, num_players=3), batch, 0)
    with pytest.raises(ValueError, match="deck of player 0 is hidden"):
        python_to_c_state(hidden_deck, batch, 0)
    with pytest.raises(TypeError, match="a State is needed, not 'lion'"):
        python_to_c_state("lion", batch, 0)  # type: ignore[arg-type]
    assert c_state_to_python(batch, 0) == new_game(0)


@pytest.mark.parametrize("index", [-1, 2, 10**20])
def test_a_game_that_is_not_there_is_named(index: int) -> None:
    batch = GameBatch(2)
    for call in (
        lambda: c_state_to_python(batch, index),
        lambda: select_random_action(batch, index),
        lambda: python_to_c_state(new_game(0), batch, index),
    ):
        with pytest.raises(IndexError, match=f"game index {index} is outside 0 to 1"):
            call()


# --- Steps ------------------------------------------------------------------------------------


def test_an_illegal_action_is_named_and_the_batch_is_unchanged() -> None:
    batch = dealt(10)
    actions = [int(mask).bit_length() - 1 for mask in batch.legal_masks()]
    before = states(batch)
    for illegal, name in ((9 + 1, "kangaroo hopping 1"), (33, "action 33 is"), (254, "action 254")):
        actions[7] = illegal
        with pytest.raises(ValueError, match=rf"game 7: .*{name}.* not legal for player 0"):
            batch.step(np.array(actions, np.uint8))
        assert states(batch) == before


def test_a_finished_game_takes_no_move_only() -> None:
    batch = dealt(2)
    batch.play_random()
    final = states(batch)
    assert batch.step_random().tolist() == [NO_MOVE, NO_MOVE]
    batch.step([NO_MOVE, NO_MOVE])
    with pytest.raises(ValueError, match=r"game 1: .*skunk.*the game is over"):
        batch.step([NO_MOVE, 0])
    assert states(batch) == final
    assert batch.legal_masks().tolist() == [0, 0]
    assert batch.play_random() == 0


# --- Arguments --------------------------------------------------------------------------------


def test_integers_of_other_types_are_converted() -> None:
    expected = [new_game(seed) for seed in (3, 0, 7)]
    strided = np.array([3, 9, 0, 9, 7, 9], np.uint64)[::2]
    read_only = np.array([3, 0, 7], np.uint64)
    read_only.flags.writeable = False
    for seeds in (
        [3, 0, 7],
        (3, 0, 7),
        np.array([3, 0, 7], np.int8),
        np.array([3, 0, 7], ">u8"),
        np.array([3, 0, 7], object),
        strided,
        read_only,
    ):
        batch = GameBatch(3)
        batch.reset(seeds)
        assert states(batch) == expected


@pytest.mark.parametrize(
    ("seeds", "error", "message"),
    [
        ([0, -1], ValueError, r"seeds\[1\] must be 0 to 18446744073709551615, not -1"),
        ([2**64, 0], ValueError, r"seeds\[0\].*not 18446744073709551616"),
        (np.array([0, -5]), ValueError, r"seeds\[1\].*not -5"),
        ([0.0, 1.0], TypeError, r"seeds\[0\] must be an integer, not 0.0"),
        (np.array([0.0, 1.0]), TypeError, "seeds must be integers, not float64"),
        (np.array([True, False]), TypeError, "seeds must be integers, not bool"),
        ([1, 2, 3], ValueError, r"seeds must have shape \(2,\)"),
        ([[1, 2]], ValueError, r"seeds must have shape \(2,\)"),
        (5, ValueError, r"seeds must have shape \(2,\)"),
        (["a", "b"], TypeError, "not 'a'"),
        (None, ValueError, "seeds must have shape"),
    ],
)
def test_bad_seeds_are_refused(seeds: object, error: type[Exception], message: str) -> None:
    batch = dealt(2, first_seed=50)
    with pytest.raises(error, match=message):
        batch.reset(seeds)  # type: ignore[arg-type]
    assert states(batch) == [new_game(50), new_game(51)]


@pytest.mark.parametrize(
    ("actions", "error", "message"),
    [
        ([0, 256], ValueError, r"actions\[1\] must be 0 to 255, not 256"),
        (np.array([-1, 0]), ValueError, r"actions\[0\] must be 0 to 255, not -1"),
        (np.zeros(3, np.uint8), ValueError, r"actions must have shape \(2,\)"),
        (np.zeros(2, np.float32), TypeError, "actions must be integers, not float32"),
    ],
)
def test_bad_actions_are_refused(actions: object, error: type[Exception], message: str) -> None:
    batch = GameBatch(2)
    with pytest.raises(error, match=message):
        batch.step(actions)  # type: ignore[arg-type]
    assert states(batch) == states(GameBatch(2))


def test_observations_are_written_into_a_given_buffer() -> None:
    batch = dealt(5)
    buffer = np.full((5, OBSERVATION_SIZE), 255, np.uint8)
    assert batch.observations(buffer) is buffer
    assert np.array_equal(buffer, batch.observations())


def test_a_buffer_that_does_not_fit_is_refused() -> None:
    batch = GameBatch(2)
    read_only = np.zeros((2, OBSERVATION_SIZE), np.uint8)
    read_only.flags.writeable = False
    for buffer, error, message in (
        (np.zeros((2, OBSERVATION_SIZE), np.int8), ValueError, "not int8"),
        (np.zeros((3, OBSERVATION_SIZE), np.uint8), ValueError, r"shape \(2, 19\)"),
        (np.zeros(38, np.uint8), ValueError, r"shape \(2, 19\)"),
        (np.zeros((2, 38), np.uint8)[:, ::2], ValueError, "C-contiguous and writable"),
        (read_only, ValueError, "C-contiguous and writable"),
        (bytearray(38), TypeError, "numpy array, not bytearray"),
    ):
        with pytest.raises(error, match=message):
            batch.observations(buffer)  # type: ignore[arg-type]
        with pytest.raises(error, match=message):
            batch.play_random(observations=buffer)  # type: ignore[arg-type]
    assert batch.turns.tolist() == [0, 0]


def test_observations_are_of_two_player_games() -> None:
    with pytest.raises(ValueError, match="two-player games, not of 3"):
        GameBatch(2, num_players=3).observations()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((0,), ValueError, "num_games must be 1 to 2147483647, not 0"),
        ((2**31,), ValueError, "num_games.*not 2147483648"),
        ((1, 1), ValueError, "num_players must be 2 to 4, not 1"),
        ((1, 5), ValueError, "num_players must be 2 to 4, not 5"),
        ((1.0,), TypeError, "num_games must be an integer, not 1.0"),
    ],
)
def test_a_batch_of_impossible_size_is_refused(
    arguments: tuple[int, ...], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        GameBatch(*arguments)


def test_other_bad_arguments_are_refused() -> None:
    batch = GameBatch(2)
    with pytest.raises(ValueError, match="first_player must be 0 to 1, not 2"):
        batch.reset([0, 1], first_player=2)
    with pytest.raises(ValueError, match="num_threads must be 1"):
        batch.play_random(num_threads=0)
    with pytest.raises(ValueError, match="medals"):
        batch.scores("medals")
    with pytest.raises(TypeError):
        c_state_to_python(None, 0)  # type: ignore[arg-type]


def test_results_outlive_their_batch() -> None:
    batch = dealt(4)
    masks, rows, state = batch.legal_masks(), batch.observations(), c_state_to_python(batch, 3)
    expected = masks.copy(), rows.copy()
    del batch
    gc.collect()
    assert np.array_equal(masks, expected[0])
    assert np.array_equal(rows, expected[1])
    assert state == new_game(3)


def test_a_game_takes_at_most_256_bytes():
    assert GameBatch(1000).nbytes == 1000 * GameBatch(1).nbytes
    assert 0 < GameBatch(1).nbytes <= 256
