"""Afterstates against whole turns through the Python face."""

import numpy as np
import pytest

from bb_sim import legal_actions, new_game, observe, step
from bb_sim.rules.actions import ACTIONS
from bb_sim.rules.afterstates import afterstates_of, expand_afterstates
from bb_sim.rules.observation import LEGAL_BYTE, UNSEEN_BYTE, legal_mask_of
from tests.bb_sim.rows import DECK, HAND, LEGAL, QUEUE, bits, states_of_random_games


def test_an_afterstate_is_the_next_state_with_the_drawn_card_still_in_the_deck():
    compared = 0
    for state in states_of_random_games(40):
        row = observe(state)
        rows, starts = expand_afterstates(row[None])
        actions = legal_actions(state)
        assert starts.tolist() == [0, len(actions)] and len(rows) == len(actions)
        for action, afterstate in zip(actions, rows, strict=True):
            later = observe(step(state, action), state.to_move)
            drawn = bits(row, DECK) & ~bits(later, DECK)
            assert bits(afterstate, HAND) == bits(later, HAND) & ~drawn
            assert bits(afterstate, DECK) == bits(row, DECK)
            assert bits(afterstate, LEGAL) == 0
            others = np.r_[QUEUE, UNSEEN_BYTE:LEGAL_BYTE]
            assert afterstate[others].tolist() == later[others].tolist()
            compared += 1
    assert compared > 3000


def test_a_batch_holds_the_afterstates_of_its_rows_one_after_the_other():
    rows = np.stack([observe(state) for state in states_of_random_games(3)])
    rows[5] = 0
    afterstates, starts = expand_afterstates(rows, capacity=1000)
    counts = legal_mask_of(rows).sum(axis=1)
    assert counts[5] == 0 and np.diff(starts).tolist() == counts.tolist()
    for index, row in enumerate(rows):
        alone, _ = expand_afterstates(row[None])
        assert afterstates[starts[index] : starts[index + 1]].tolist() == alone.tolist()
        legal = np.flatnonzero(legal_mask_of(row))
        chosen = afterstates_of(np.repeat(row[None], len(legal), axis=0), legal)
        assert chosen.tolist() == alone.tolist()
    assert not afterstates[starts[-1] :].any()


def test_no_rows_have_no_afterstates():
    afterstates, starts = expand_afterstates(np.zeros((0, 19), np.uint8))
    assert afterstates.shape == (0, 19) and starts.tolist() == [0]


@pytest.mark.parametrize("dtype", ["u1", "i1", "u4", "i8", "u8", ">i4"])
def test_actions_are_integers_of_any_size(dtype):
    state = new_game(1)
    actions = np.array([ACTIONS.index(action) for action in legal_actions(state)])
    rows = np.repeat(observe(state)[None], len(actions), axis=0)
    expected = afterstates_of(rows, actions)
    assert afterstates_of(rows, actions.astype(dtype)).tolist() == expected.tolist()
    with pytest.raises(ValueError, match="action 100 is not legal"):
        afterstates_of(rows[:1], np.array([100], dtype))


def test_what_cannot_be_is_refused_by_name():
    row = observe(new_game(1))[None]
    illegal = next(a for a in range(33) if ACTIONS[a] not in legal_actions(new_game(1)))
    with pytest.raises(ValueError, match=r"more than the capacity of 2"):
        expand_afterstates(row, capacity=2)
    with pytest.raises(ValueError, match=r"uint8 array of shape \[B, 19\]"):
        expand_afterstates(row[:, :18])
    with pytest.raises(ValueError, match="is not legal in observation 0"):
        afterstates_of(row, [illegal])
    with pytest.raises(ValueError, match="action 40 is not legal"):
        afterstates_of(row, [40])
    with pytest.raises(ValueError, match="must be 1 integers"):
        afterstates_of(row, [0, 1])
