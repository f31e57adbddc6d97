"""Rows that show no position of the game are refused wherever a row is played on.

Made into games they would lead out of arrays or into endless loops.
"""

from collections.abc import Callable

import numpy as np
import pytest

from bb_sim import Card, State, legal_actions, new_game, observe
from bb_sim.opponents.posterior import NUM_MODELS, uniform_posterior
from bb_sim.opponents.seen_move import mover_rows
from bb_sim.rules.afterstates import afterstates_of, expand_afterstates
from bb_sim.rules.observation import (
    ANIMALS_BYTE,
    DECK_BYTE,
    HAND_BYTE,
    LEGAL_BYTE,
    OBSERVATION_SIZE,
    POINTS_BYTE,
    QUEUE_BYTE,
    STRENGTH_BYTE,
    TURN_BYTE,
    UNSEEN_BYTE,
    legal_mask_of,
)
from bb_sim.search.endgame import are_endgames
from bb_sim.search.simulator import Simulator
from bb_sim.search.worlds import sample_worlds
from tests.bb_sim.bad_input import assert_refused
from tests.bb_sim.rows import states_of_random_games

ROW = next(observe(state) for state in states_of_random_games(1) if len(state.queue) == 3)
LEGAL = int(np.flatnonzero(legal_mask_of(ROW))[0])


def changed(**parts: tuple[int, list[int]]) -> np.ndarray:
    row = ROW.copy()
    for offset, values in parts.values():
        row[offset : offset + len(values)] = values
    return row


NO_POSITIONS = {
    "an action that does not exist": changed(legal=(LEGAL_BYTE, [0, 0, 0, 0, 0x80])),
    "an action that is not legal": changed(legal=(LEGAL_BYTE, [0xFF, 0xFF, 0xFF, 0xFF, 1])),
    "a turn after the last": changed(turn=(TURN_BYTE, [255])),
    "too many cards for the turn": changed(turn=(TURN_BYTE, [22])),
    "species beyond the lion": changed(hand=(HAND_BYTE + 1, [0xF0])),
    "a hand of twelve": changed(hand=(HAND_BYTE, [0xFF, 0x0F]), deck=(DECK_BYTE, [0, 0])),
    "a card both in hand and deck": changed(deck=(DECK_BYTE, list(ROW[HAND_BYTE:DECK_BYTE]))),
    "an opponent of sixteen species": changed(unseen=(UNSEEN_BYTE, [0xFF, 0xFF])),
    "a code that is no card": changed(queue=(QUEUE_BYTE, [25])),
    "a gap in the queue": changed(queue=(QUEUE_BYTE, [0])),
    "a card twice in the queue": changed(queue=(QUEUE_BYTE, [ROW[QUEUE_BYTE + 1]])),
    "more points than there are": changed(points=(POINTS_BYTE, [73])),
    "more animals than there are": changed(animals=(ANIMALS_BYTE, [25])),
    "more strength than there is": changed(strength=(STRENGTH_BYTE, [157])),
}


def begin(row: np.ndarray, first: int = 0, count: int = 2) -> Simulator:
    simulator = Simulator(100)
    simulator.begin(
        row[None],
        np.array([1 << LEGAL], np.uint64),
        np.zeros(1, np.uint64),
        np.array([first], np.int32),
        np.array([count], np.int32),
        uniform_posterior(ROW[None], np.ones((1, NUM_MODELS))),
    )
    return simulator


PLAYED_ON: tuple[Callable[[np.ndarray], object], ...] = (
    lambda row: expand_afterstates(np.stack([ROW, row])),
    lambda row: afterstates_of(np.stack([ROW, row]), np.array([LEGAL, LEGAL])),
    lambda row: sample_worlds(row, 1, 3),
    begin,
)


@pytest.mark.parametrize("function", PLAYED_ON)
def test_a_position_is_played_on(function):
    function(ROW)


@pytest.mark.parametrize("name", NO_POSITIONS)
@pytest.mark.parametrize("function", PLAYED_ON)
def test_what_shows_no_position_is_refused(function, name):
    assert_refused(function, NO_POSITIONS[name])


@pytest.mark.parametrize("name", NO_POSITIONS)
def test_what_shows_no_position_is_no_endgame(name):
    assert not are_endgames(NO_POSITIONS[name][None]).any()


def test_any_bytes_are_refused_or_played_on():
    random = np.random.default_rng(0)
    for _ in range(3000):
        row = ROW.copy()
        places = random.integers(OBSERVATION_SIZE, size=random.integers(1, 4))
        row[places] = random.integers(256, size=len(places))
        for function in PLAYED_ON:
            try:
                function(row)
            except ValueError as refusal:
                assert str(refusal)
        mover_rows(row[None], ROW[None])


def test_positions_that_lack_cards_are_played_on():
    """Made by hand, with more in the queue than the turn allows, or without an opponent."""
    queue = (Card(0, "seal"), Card(1, "hippo"), Card(1, "lion"), Card(0, "snake"))
    early = State(((Card(0, "crocodile"), Card(0, "skunk")), (Card(1, "seal"),)), queue=queue)
    alone = State(((Card(0, "lion"),), ()), ((Card(0, "seal"), Card(0, "zebra")), ()))
    for state in (early, alone):
        row = observe(state)
        afterstates, starts = expand_afterstates(row[None])
        assert starts.tolist() == [0, len(legal_actions(state))]
        assert (afterstates[:, TURN_BYTE] == 1).all()
        assert all(world.hands[0] == state.hands[0] for world in sample_worlds(row, 1, 5))


def test_numbers_of_another_size_are_no_actions():
    for action in (LEGAL + 2**32, LEGAL - 2**32):
        assert_refused(afterstates_of, ROW[None], np.array([action]))
    assert_refused(afterstates_of, ROW[None], np.array([LEGAL + 2**32], np.uint64))


@pytest.mark.parametrize("capacity", (-1, 2**31, 1.5, "1", float("nan"), [1]))
def test_capacities(capacity):
    assert_refused(lambda: expand_afterstates(ROW[None], capacity=capacity))


@pytest.mark.parametrize("count", (-1, 2**31, 1.5, "1", None))
def test_numbers_of_worlds(count):
    assert_refused(sample_worlds, ROW, 0, count)


@pytest.mark.parametrize("seed", (-1, 2**64, 1.5, "1", None))
def test_seeds_of_worlds(seed):
    assert_refused(sample_worlds, ROW, seed, 1)


def test_numbers_of_worlds_do_not_overflow():
    assert_refused(begin, ROW, 2**31 - 1, 1)


@pytest.mark.parametrize(
    "rows",
    (
        *(None, 1, ROW.tolist(), ROW[:5], ROW[None, :5], np.uint8(1), np.array(1, np.uint8)),
        ROW.astype(np.int64),
    ),
)
def test_what_has_no_legal_mask(rows):
    assert_refused(legal_mask_of, rows)


def test_rows_of_new_games_are_positions():
    rows = np.stack([observe(new_game(seed)) for seed in range(20)])
    assert len(expand_afterstates(rows)[0]) == legal_mask_of(rows).sum()
