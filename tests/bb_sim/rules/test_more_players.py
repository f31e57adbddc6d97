"""Games of three and four players: seats are alike, and batches agree with single states."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import bb_sim
from bb_sim import Card, GameBatch, State, action_id, c_state_to_python
from tests.bb_sim.rules.test_properties import positions

MORE_PLAYERS = st.integers(3, 4)


def seated_on(state: State, places: int) -> State:
    """The same position, every player so many seats further clockwise."""
    players = state.num_players

    def moved(cards: tuple[Card, ...]) -> tuple[Card, ...]:
        return tuple(Card((card.owner + places) % players, card.species) for card in cards)

    def turned(piles: tuple[tuple[Card, ...], ...]) -> tuple[tuple[Card, ...], ...]:
        return tuple(moved(piles[(player - places) % players]) for player in range(players))

    return State(
        hands=turned(state.hands),
        decks=turned(state.decks),
        queue=moved(state.queue),
        bar=moved(state.bar),
        thats_it=moved(state.thats_it),
        to_move=(state.to_move + places) % players,
        turn=state.turn,
    )


@settings(max_examples=200)
@given(positions(MORE_PLAYERS), st.integers(1, 3))
def test_seats_are_alike(state, places):
    players = state.num_players
    other = seated_on(state, places)
    for scoring in bb_sim.SCORINGS:
        for of_all in (bb_sim.scores, bb_sim.ranking):
            values = of_all(state, scoring)
            turned = tuple(values[(player - places) % players] for player in range(players))
            assert of_all(other, scoring) == turned
    assert bb_sim.legal_actions(other) == bb_sim.legal_actions(state)
    for action in bb_sim.legal_actions(state):
        assert bb_sim.step(other, action) == seated_on(bb_sim.step(state, action), places)


@pytest.mark.parametrize("num_players", [3, 4])
def test_a_batch_says_of_its_games_what_states_say(num_players):
    batch = GameBatch(50, num_players)
    batch.reset(np.arange(50), first_player=num_players - 1)
    while not batch.terminal.all():
        batch.step_random()
        masks = batch.legal_masks().tolist()
        tables = {scoring: batch.scores(scoring).tolist() for scoring in bb_sim.SCORINGS}
        for index in range(len(batch)):
            state = c_state_to_python(batch, index)
            legal = bb_sim.legal_actions(state)
            assert masks[index] == sum(1 << action_id(action) for action in legal)
            assert batch.to_move[index] == state.to_move
            assert batch.turns[index] == state.turn
            assert batch.decided[index] == bb_sim.is_decided(state)
            for scoring, table in tables.items():
                assert tuple(table[index]) == bb_sim.scores(state, scoring)
