"""Features against a reading of the rows in words."""

import jax.numpy as jnp
import numpy as np
import pytest

from bb_jax import features, legal_mask
from bb_sim import SPECIES, action_id, decode_observation
from bb_sim.rules.afterstates import expand_afterstates
from bb_sim.rules.observation import POINTS_BYTE, POINTS_ZERO
from tests.bb_jax.games import legal_of, random_positions

ROWS = random_positions(10)
VIEWS = [decode_observation(row) for row in ROWS]


def _split(hot: np.ndarray, *sizes: int) -> list[np.ndarray]:
    assert hot.shape[1] == sum(sizes)
    return np.split(hot, np.cumsum(sizes)[:-1], axis=1)


def _names(hot: np.ndarray) -> tuple[str, ...]:
    return tuple(SPECIES[index] for index in np.flatnonzero(hot))


def test_legal_mask_is_that_of_the_game():
    mask = np.asarray(legal_mask(jnp.array(ROWS)))
    for row, view in zip(mask, VIEWS, strict=True):
        assert set(np.flatnonzero(row)) == {action_id(action) for action in view.legal_actions}


def test_nothing_is_legal_in_padding():
    assert not np.asarray(legal_mask(jnp.zeros((3, 19), jnp.uint8))).any()


def test_points_features_say_what_the_row_says():
    hot = np.asarray(features.flat_features(jnp.array(ROWS), "points")).astype(int)
    queue, margin, turn, hand, deck, unseen, moves = _split(hot, 96, 41, 24, 12, 12, 12, 1)
    for index, view in enumerate(VIEWS):
        cards = queue[index].reshape(4, 2, 12)
        assert cards.sum() == len(view.queue)
        for position, (own, species) in enumerate(view.queue):
            assert cards[position, 0 if own else 1, SPECIES.index(species)] == 1
        assert np.flatnonzero(margin[index]) == np.clip(view.points_margin, -20, 20) + 20
        assert np.flatnonzero(turn[index]) == view.turn
        assert _names(hand[index]) == view.hand
        assert _names(deck[index]) == view.deck
        assert _names(unseen[index]) == view.opponent_unseen
    assert moves.all()


def test_animals_features_hold_other_margins():
    points = np.asarray(features.flat_features(jnp.array(ROWS), "points"))
    hot = np.asarray(features.flat_features(jnp.array(ROWS), "animals"))
    queue, animals, strength, rest = _split(hot, 96, 25, 41, 61)
    np.testing.assert_array_equal(queue, points[:, :96])
    np.testing.assert_array_equal(rest, points[:, 137:])
    for index, view in enumerate(VIEWS):
        assert np.flatnonzero(animals[index]) == view.animals_margin + 12
        assert np.flatnonzero(strength[index]) == np.clip(view.strength_margin, -20, 20) + 20


def test_in_an_afterstate_the_viewer_does_not_move():
    rows, _ = expand_afterstates(ROWS)
    both = jnp.array(np.concatenate([ROWS, rows]))
    moves = np.asarray(features.flat_features(both, "points"))[:, -1]
    np.testing.assert_array_equal(moves, np.arange(len(both)) < len(ROWS))
    np.testing.assert_array_equal(features.context(both, "points")[:, 36], moves)


@pytest.mark.parametrize(("margin", "hot"), [(-36, 0), (-21, 0), (-20, 0), (0, 20), (21, 40)])
def test_margins_are_clipped(margin, hot):
    row = np.zeros((1, 19), np.uint8)
    row[0, POINTS_BYTE] = margin + POINTS_ZERO
    found = np.asarray(features.context(jnp.array(row), "points"))[0, 37 : 37 + 41]
    assert list(np.flatnonzero(found)) == [hot]


def test_hand_cards_one_by_one_are_the_hand():
    tokens = np.asarray(features.hand_one_hot(jnp.array(ROWS)))
    for cards, view in zip(tokens, VIEWS, strict=True):
        assert tuple(name for card in cards for name in _names(card)) == view.hand
        assert (cards.sum(axis=1) <= 1).all()


def test_every_position_of_a_game_offers_an_action():
    assert legal_of(ROWS).any(axis=1).all()


def test_unknown_scoring_is_refused():
    with pytest.raises(ValueError, match="scoring must be one of points, animals, not 'goals'"):
        features.flat_features(jnp.array(ROWS[:1]), "goals")
