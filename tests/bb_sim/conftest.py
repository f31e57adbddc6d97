"""Fixtures for the tests of the simulator."""

import pytest

from tests.bb_sim.bad_input import some_batch, states_of


@pytest.fixture
def batch():
    """A batch in mid-game, which must be as it was at the end, random streams included."""
    given_batch, twin = some_batch(), some_batch()
    yield given_batch
    assert states_of(given_batch) == states_of(twin)
    given_batch.play_random()
    twin.play_random()
    assert states_of(given_batch) == states_of(twin)
