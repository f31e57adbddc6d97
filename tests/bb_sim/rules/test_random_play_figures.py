"""Uniformly random play: deals and choices are uniform, and the published figures come out.

Both sides of a figure are estimates from 20,000 games, so that a difference has sqrt(2) times the
standard error of one; the tolerance is 4 of those, and half a unit of the last published digit.
"""

from math import sqrt
from types import SimpleNamespace

import numpy as np
import pytest

from bb_sim import SPECIES, GameBatch, State, c_state_to_python, python_to_c_state, winner

NUM_GAMES = 20_000


@pytest.fixture(scope="module")
def played() -> SimpleNamespace:
    """20,000 games played turn by turn; [G] arrays of what the figures are about."""
    batch = GameBatch(NUM_GAMES)
    batch.reset(np.arange(NUM_GAMES, dtype=np.uint64))
    legal_actions = np.zeros(NUM_GAMES)
    openings = np.zeros(NUM_GAMES)
    turns = 0
    while not batch.terminal.all():
        legal_actions += np.bitwise_count(batch.legal_masks())
        in_bar = batch.scores("animals").sum(axis=1)
        batch.step_random()
        openings += batch.scores("animals").sum(axis=1) > in_bar
        turns += 1
    return SimpleNamespace(
        turns=turns,
        legal_actions=legal_actions / turns,
        openings=openings,
        scores=batch.scores("points"),
        animals=batch.scores("animals"),
        states=[c_state_to_python(batch, index) for index in range(NUM_GAMES)],
    )


def assert_close(values: np.ndarray, published: float, last_digit: float) -> None:
    """The mean of the games' values is the published one."""
    standard_error = values.std() / sqrt(NUM_GAMES)
    tolerance = 4 * sqrt(2) * standard_error + last_digit / 2
    assert values.mean() == pytest.approx(published, abs=tolerance)


@pytest.mark.parametrize(
    ("scoring", "published"),
    [("points", (46.2, 42.8, 11.0)), ("animals", (49.9, 47.1, 3.0))],
)
def test_results(played, scoring, published):
    winners = np.array([-1 if (w := winner(s, scoring)) is None else w for s in played.states])
    for who, percent in zip((0, 1, -1), published, strict=True):
        assert_close(100.0 * (winners == who), percent, last_digit=0.1)


def test_points_decide_the_winner(played):
    margins = played.scores[:, 0] - played.scores[:, 1]
    assert_close(100.0 * (margins > 0), 46.2, last_digit=0.1)
    assert_close(100.0 * (margins == 0), 11.0, last_digit=0.1)


def test_legal_actions(played):
    assert played.turns == 24
    assert_close(played.legal_actions, 4.32, last_digit=0.01)


def test_gate_openings(played):
    assert_close(played.openings, 3.39, last_digit=0.01)
    assert np.array_equal(played.animals.sum(axis=1), 2 * played.openings)


@pytest.fixture(scope="module")
def deals() -> list[State]:
    batch = GameBatch(NUM_GAMES)
    return [c_state_to_python(batch, index) for index in range(NUM_GAMES)]


def assert_frequency(happened: list[bool], probability: float) -> None:
    """5 standard errors, for the many places that are looked at."""
    tolerance = 5 * sqrt(probability * (1 - probability) / len(happened))
    assert np.mean(happened) == pytest.approx(probability, abs=tolerance)


@pytest.mark.parametrize("player", (0, 1))
def test_every_animal_lies_anywhere_in_the_deal(deals, player):
    for species in SPECIES:
        in_hand = [any(card.species == species for card in deal.hands[player]) for deal in deals]
        assert_frequency(in_hand, 4 / 12)
        for place in range(8):
            found = [deal.decks[player][place].species == species for deal in deals]
            assert_frequency(found, 1 / 12)


def test_the_players_deals_are_independent(deals):
    for species in SPECIES:
        held = [[card.species for card in hand] for deal in deals for hand in deal.hands]
        in_both = [
            species in a and species in b for a, b in zip(held[::2], held[1::2], strict=True)
        ]
        assert_frequency(in_both, 1 / 9)


def test_random_actions_are_uniform_over_the_legal_ones():
    """One position with many legal actions, played on from 20,000 random streams."""
    batch = GameBatch(NUM_GAMES)
    for _ in range(8):
        batch.step_random()
    masks = batch.legal_masks()
    busiest = int(np.bitwise_count(masks).argmax())
    legal = [action for action in range(33) if int(masks[busiest]) >> action & 1]
    state = c_state_to_python(batch, busiest)
    assert len(legal) >= 10
    batch.reset(np.arange(NUM_GAMES) + NUM_GAMES)
    for index in range(NUM_GAMES):
        python_to_c_state(state, batch, index)
    chosen = batch.step_random()
    for action in legal:
        assert_frequency((chosen == action).tolist(), 1 / len(legal))
