"""What holds in every game and every position, whatever is played."""

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import bb_sim
from bb_sim import HIDDEN, SPECIES, Card, GameBatch, State, c_state_to_python, decode_observation
from bb_sim.rules.observation import legal_mask_of
from tests.reference import from_state, rules, to_action, to_state

SEEDS = st.integers(0, 2**64 - 1)
PLAYERS = st.integers(2, 4)
MANY = settings(max_examples=200)


@st.composite
def games(draw, num_players: st.SearchStrategy[int] = PLAYERS) -> list[State]:
    """All states of a random game, in order."""
    players = draw(num_players)
    states = [bb_sim.new_game(draw(SEEDS), draw(st.integers(0, players - 1)), players)]
    random = Random(draw(st.integers(0, 2**32)))
    while actions := bb_sim.legal_actions(states[-1]):
        states.append(bb_sim.step(states[-1], random.choice(actions)))
    return states


@st.composite
def positions(draw, num_players: st.SearchStrategy[int] = PLAYERS) -> State:
    """A position of a random game, or one whose played cards lie anywhere."""
    if draw(st.booleans()):
        return draw(st.sampled_from(draw(games(num_players))))
    random = Random(draw(st.integers(0, 2**32)))
    return to_state(rules.random_position(random, draw(num_players)))


TWO_PLAYERS = st.just(2)


# Cards and turns


def all_cards(state: State) -> list[Card]:
    piles = (*state.hands, *state.decks, state.queue, state.bar, state.thats_it)
    return [card for pile in piles for card in pile]


@given(games())
def test_a_game_keeps_its_cards_and_its_length(states):
    players = states[0].num_players
    every_card = {Card(owner, species) for owner in range(players) for species in SPECIES}
    assert len(states) == 12 * players + 1
    for turn, state in enumerate(states):
        cards = all_cards(state)
        assert len(cards) == 12 * players and set(cards) == every_card
        assert len(state.queue) <= 4
        assert state.turn == turn
        assert bb_sim.is_terminal(state) == (turn == 12 * players)
        for hand, deck in zip(state.hands, state.decks, strict=True):
            assert len(hand) == 4 or not deck


@given(games(TWO_PLAYERS))
def test_two_players_take_24_turns_in_alternation(states):
    assert len(states) == 25
    seats = [state.to_move for state in states[:-1]]
    assert seats == [seats[0], 1 - seats[0]] * 12


@MANY
@given(positions())
def test_legal_actions_are_those_of_the_rules(state):
    actions = bb_sim.legal_actions(state)
    assert actions == [to_action(move) for move in rules.legal_moves(from_state(state))]
    assert bool(actions) != bb_sim.is_terminal(state)
    assert len(actions) <= 15
    assert {action.species for action in actions} == {
        card.species for card in state.hands[state.to_move]
    }


@given(games())
def test_scores_are_final_once_decided(states):
    first = next(i for i, state in enumerate(states) if bb_sim.is_decided(state))
    for scoring in bb_sim.SCORINGS:
        final = bb_sim.scores(states[-1], scoring), bb_sim.ranking(states[-1], scoring)
        for state in states[first:]:
            assert bb_sim.is_decided(state)
            assert (bb_sim.scores(state, scoring), bb_sim.ranking(state, scoring)) == final


@MANY
@given(positions())
def test_a_decided_position_has_few_cards_left(state):
    left = len(state.queue) + sum(map(len, state.hands + state.decks))
    assert bb_sim.is_decided(state) == (left < 5)


@given(positions(), st.integers(0, 3), st.integers(0, 3))
def test_a_turn_leaves_the_state_it_is_played_on(state, choice, other):
    actions = bb_sim.legal_actions(state)
    if actions:
        before = from_state(state)
        action = actions[choice % len(actions)]
        after = bb_sim.step(state, action)
        bb_sim.step(state, actions[other % len(actions)])
        assert from_state(state) == before
        assert bb_sim.step(state, action) == after


# What is hidden


@MANY
@given(positions(TWO_PLAYERS), st.integers(0, 1), st.randoms(use_true_random=False))
def test_an_observation_reveals_nothing_hidden(state, viewer, random):
    hands, decks = list(state.hands), list(state.decks)
    unseen = [*hands[1 - viewer], *decks[1 - viewer]]
    random.shuffle(unseen)
    in_hand = len(hands[1 - viewer])
    hands[1 - viewer], decks[1 - viewer] = tuple(unseen[:in_hand]), tuple(unseen[in_hand:])
    decks[viewer] = tuple(random.sample(decks[viewer], len(decks[viewer])))
    shuffled = replace(state, hands=tuple(hands), decks=tuple(decks))
    row = bb_sim.observe(state, viewer)
    assert bb_sim.observe(shuffled, viewer).tolist() == row.tolist()
    assert bb_sim.observe(state.seen_by(viewer), viewer).tolist() == row.tolist()


@MANY
@given(positions(), st.data())
def test_seen_by_hides_all_that_is_hidden_and_no_more(state, data):
    viewer = data.draw(st.integers(0, state.num_players - 1))
    seen = state.seen_by(viewer)
    for owner in range(state.num_players):
        if owner == viewer:
            assert seen.hands[owner] == state.hands[owner]
        else:
            assert seen.hands[owner] == (Card(owner, HIDDEN),) * len(state.hands[owner])
        assert seen.decks[owner] == (Card(owner, HIDDEN),) * len(state.decks[owner])
    assert replace(seen, hands=state.hands, decks=state.decks) == state
    assert bb_sim.is_terminal(seen) == bb_sim.is_terminal(state)
    assert bb_sim.is_decided(seen) == bb_sim.is_decided(state)
    for scoring in bb_sim.SCORINGS:
        assert bb_sim.scores(seen, scoring) == bb_sim.scores(state, scoring)
        assert bb_sim.ranking(seen, scoring) == bb_sim.ranking(state, scoring)
    if viewer == state.to_move:
        actions = bb_sim.legal_actions(state)
        assert bb_sim.legal_actions(seen) == actions
        if any(card.species == HIDDEN for card in all_cards(seen)):
            with pytest.raises(ValueError, match="hidden"):
                bb_sim.step(seen, actions[0])
    elif state.hands[state.to_move]:
        with pytest.raises(ValueError, match="hidden"):
            bb_sim.legal_actions(seen)


def by_strength(species: list[str]) -> tuple[str, ...]:
    return tuple(sorted(species, key=rules.strength))


@MANY
@given(positions(TWO_PLAYERS), st.integers(0, 1))
def test_an_observation_says_what_the_viewer_sees(state, viewer):
    position, other = from_state(state), 1 - viewer
    view = decode_observation(bb_sim.observe(state, viewer))
    assert view.queue == tuple((card.owner == viewer, card.species) for card in position.queue)
    assert view.hand == by_strength(position.hands[viewer])
    assert view.deck == by_strength(position.decks[viewer])
    assert view.opponent_unseen == by_strength(position.hands[other] + position.decks[other])
    for margin, count in (
        (view.points_margin, rules.bar_points),
        (view.animals_margin, rules.bar_animals),
        (view.strength_margin, rules.bar_strength),
    ):
        assert margin == count(position, viewer) - count(position, other)
    assert view.turn == position.turn
    moves = rules.legal_moves(position) if viewer == position.to_move else []
    assert view.legal_actions == tuple(to_action(move) for move in moves)


# Seats


def mirrored(state: State) -> State:
    """The same position with the players' names exchanged."""

    def exchanged(cards: tuple[Card, ...]) -> tuple[Card, ...]:
        return tuple(Card(1 - card.owner, card.species) for card in cards)

    return State(
        hands=(exchanged(state.hands[1]), exchanged(state.hands[0])),
        decks=(exchanged(state.decks[1]), exchanged(state.decks[0])),
        queue=exchanged(state.queue),
        bar=exchanged(state.bar),
        thats_it=exchanged(state.thats_it),
        to_move=1 - state.to_move,
        turn=state.turn,
    )


@MANY
@given(positions(TWO_PLAYERS))
def test_seats_are_alike(state):
    mirror = mirrored(state)
    assert mirrored(mirror) == state
    for viewer in (0, 1):
        row = bb_sim.observe(state, viewer).tolist()
        assert bb_sim.observe(mirror, 1 - viewer).tolist() == row
    for scoring in bb_sim.SCORINGS:
        assert bb_sim.scores(mirror, scoring) == bb_sim.scores(state, scoring)[::-1]
        assert bb_sim.ranking(mirror, scoring) == bb_sim.ranking(state, scoring)[::-1]
    for action in bb_sim.legal_actions(state):
        assert bb_sim.step(mirror, action) == mirrored(bb_sim.step(state, action))


# Seeds


def final_states(seeds: list[int], num_players: int, num_threads: int = 1) -> list[State]:
    batch = GameBatch(len(seeds), num_players)
    batch.reset(seeds)
    batch.play_random(num_threads)
    return [c_state_to_python(batch, index) for index in range(len(seeds))]


@settings(max_examples=25)
@given(st.lists(SEEDS, min_size=1, max_size=40), PLAYERS, st.integers(1, 5))
def test_a_seed_is_a_game_in_any_batch_on_any_threads(seeds, num_players, num_threads):
    together = final_states(seeds, num_players)
    assert together == [final_states([seed], num_players)[0] for seed in seeds]
    assert together == final_states(seeds, num_players, num_threads)
    assert together[::-1] == final_states(seeds[::-1], num_players, num_threads)


@settings(max_examples=25)
@given(st.lists(SEEDS, min_size=1, max_size=20), PLAYERS)
def test_random_turns_are_those_of_random_games(seeds, num_players):
    batch = GameBatch(len(seeds), num_players)
    batch.reset(seeds)
    while not batch.terminal.all():
        batch.step_random()
    played = [c_state_to_python(batch, index) for index in range(len(seeds))]
    assert played == final_states(seeds, num_players)


@given(SEEDS, PLAYERS, st.data())
def test_the_first_player_changes_nothing_of_the_deal(seed, num_players, data):
    first_player = data.draw(st.integers(0, num_players - 1))
    dealt = bb_sim.new_game(seed, 0, num_players)
    assert bb_sim.new_game(seed, first_player, num_players) == replace(dealt, to_move=first_player)
    batch = GameBatch(1, num_players)
    batch.reset([seed], first_player)
    assert c_state_to_python(batch, 0) == replace(dealt, to_move=first_player)


def test_every_bit_of_a_seed_matters():
    seeds = {
        *range(500),
        *(1 << bit for bit in range(64)),
        *(2**64 - 1 - bit for bit in range(500)),
    }
    deals = {bb_sim.new_game(seed) for seed in seeds}
    assert len(deals) == len(seeds)


@settings(max_examples=50)
@given(st.lists(SEEDS, min_size=1, max_size=8), st.integers(0, 1))
def test_batch_observations_are_those_of_the_states(seeds, first_player):
    batch = GameBatch(len(seeds))
    batch.reset(seeds, first_player)
    while True:
        rows = batch.observations()
        for index in range(len(seeds)):
            state = c_state_to_python(batch, index)
            assert rows[index].tolist() == bb_sim.observe(state).tolist()
        if batch.terminal.all():
            break
        batch.step_random()
    assert not legal_mask_of(rows).any()


@settings(max_examples=50)
@given(positions(), SEEDS)
def test_a_state_survives_the_way_through_a_batch(state, seed):
    batch = GameBatch(3, state.num_players)
    batch.reset([seed, seed, seed])
    neighbours = c_state_to_python(batch, 0), c_state_to_python(batch, 2)
    bb_sim.python_to_c_state(state, batch, 1)
    assert c_state_to_python(batch, 1) == state
    assert (c_state_to_python(batch, 0), c_state_to_python(batch, 2)) == neighbours
