"""What players of the OpenSpiel game see, and states resampled from it."""

from collections import Counter
from itertools import product
from math import sqrt
from random import Random

import numpy as np
import pytest

from bb_sim import ACTIONS, SPECIES, Action, Card, action_id
from tests.bb_sim.interfaces.openspiel_states import (
    HISTORY,
    PrivateInfo,
    observer,
    random_state,
    replayed,
    views,
)

pytest.importorskip("pyspiel", reason="the extra `openspiel` is not installed")
import pyspiel

from bb_sim.interfaces.openspiel_game import GAME_NAME


@pytest.fixture(scope="module")
def game():
    return pyspiel.load_game(GAME_NAME)


# What is hidden


def with_other_hidden_cards(game, state, player: int, random: Random):
    """The same game, the opponent's unplayed cards exchanged among each other from the start."""
    played = {
        SPECIES.index(ACTIONS[past.action].species)
        for past in state.full_history()
        if past.player == 1 - player
    }
    unplayed = [species for species in range(12) if species not in played]
    exchange = dict(zip(unplayed, random.sample(unplayed, len(unplayed)), strict=True))
    other, mover = game.new_initial_state(), 0
    for number, past in enumerate(state.full_history()):
        if past.player >= 0:
            mover = past.player
            action = past.action
        else:
            receiver = number // 4 if number < 8 else mover
            action = past.action if receiver == player else exchange.get(past.action, past.action)
        other.apply_action(action)
    return other


@pytest.mark.parametrize("seed", range(40))
def test_what_a_player_sees_reveals_nothing_hidden(game, seed):
    random = Random(seed)
    state = random_state(game, seed, seed % (HISTORY + 1))
    for player in (0, 1):
        seen = views(game, state, player)
        for _ in range(3):
            other = with_other_hidden_cards(game, state, player, random)
            assert views(game, other, player) == seen


def test_a_draw_of_the_opponent_does_not_show(game):
    state = random_state(game, 0, 9)
    assert state.is_chance_node()
    seen = [views(game, state.child(draw), 1) for draw in state.legal_actions()]
    assert all(view == seen[0] for view in seen)


def test_an_information_state_recalls_all_that_its_player_knew(game):
    known: dict[str, tuple] = {}
    for seed in range(30):
        random, state = Random(seed % 3), game.new_initial_state()
        dealt: tuple[list[int], ...] = ([], [])
        actions: list[int] = []
        mover = 0
        while not state.is_terminal():
            if state.is_chance_node():
                receiver = mover if actions else len(state.history()) // 4
                outcome = random.choice(state.legal_actions())
                dealt[receiver].append(outcome)
                state.apply_action(outcome)
            else:
                mover = state.current_player()
                actions.append(random.choice(state.legal_actions()))
                state.apply_action(actions[-1])
            for player in (0, 1):
                own = dealt[player]
                truth = (player, frozenset(own[:4]), tuple(own[4:]), tuple(actions))
                tensor = tuple(state.information_state_tensor(player))
                text = state.information_state_string(player)
                assert known.setdefault(text, (truth, tensor)) == (truth, tensor)
    assert len({truth for truth, _ in known.values()}) == len(known)
    assert len({tensor for _, tensor in known.values()}) == len(known)


@pytest.mark.parametrize("steps", [8, 20, 33, HISTORY])
def test_the_observation_shows_hand_and_table(game, steps):
    state = random_state(game, 4, steps)
    position = state.position()
    for player in (0, 1):
        view = observer(game, public=True, recall=False, private=PrivateInfo.SINGLE_PLAYER)
        view.set_from(state, player)
        parts = {name: np.argwhere(part).tolist() for name, part in view.dict.items()}
        assert view.tensor.tolist() == state.observation_tensor(player)
        assert parts["player"] == [[player]] and parts["turn"] == [[position.turn]]
        assert parts["hand"] == [[card.strength - 1] for card in position.hands[player]]
        assert parts["queue"] == [
            [place, card.owner, card.strength - 1] for place, card in enumerate(position.queue)
        ]
        for name in ("bar", "thats_it"):
            cards = [Card(owner, SPECIES[species]) for owner, species in parts[name]]
            assert set(cards) == set(getattr(position, name))


@pytest.mark.parametrize("recall", [False, True])
def test_public_and_private_parts_make_up_the_whole(game, recall):
    state = random_state(game, 5, 30)
    parts = {
        name: observer(game, public=public, recall=recall, private=private)
        for name, public, private in (
            ("whole", True, PrivateInfo.SINGLE_PLAYER),
            ("public", True, PrivateInfo.NONE),
            ("private", False, PrivateInfo.SINGLE_PLAYER),
            ("nothing", False, PrivateInfo.NONE),
        )
    }
    for player in (0, 1):
        for view in parts.values():
            view.set_from(state, player)
        whole = parts["whole"].tensor.tolist()
        assert whole == parts["private"].tensor.tolist() + parts["public"].tensor.tolist()
        text = {name: view.string_from(state, player) for name, view in parts.items()}
        assert text["whole"] == f"{text['private']}; {text['public']}"
        assert (parts["nothing"].tensor.size, text["nothing"]) == (0, "")
    public = parts["public"]
    assert public.string_from(state, 0) == public.string_from(state, 1)


def test_an_observer_of_everything_and_parameters_are_refused(game):
    with pytest.raises(ValueError, match="both players"):
        observer(game, public=True, recall=True, private=PrivateInfo.ALL_PLAYERS)
    with pytest.raises(ValueError, match="parameters"):
        game.make_py_observer(None, {"size": 3})


# Resampling


@pytest.mark.parametrize("seed", range(20))
def test_a_resampled_state_cannot_be_told_apart(game, seed):
    sampler = pyspiel.UniformProbabilitySampler(seed, 0.0, 1.0)
    state = random_state(game, seed, 8 + 2 * seed)
    for player in (0, 1):
        resampled = [state.resample_from_infostate(player, sampler) for _ in range(10)]
        for other in resampled:
            assert views(game, other, player) == views(game, state, player)
            assert other.position().hands[player] == state.position().hands[player]
            assert len(other.history()) == len(state.history())
            assert other.current_player() == state.current_player()
        if 8 + 2 * seed < 40:
            assert len({str(other) for other in resampled}) > 1


def test_resampling_is_uniform_over_the_deals_that_allow_the_plays(game):
    zebra, lion, seal = (SPECIES.index(name) for name in ("zebra", "lion", "seal"))
    played = [action_id(Action(SPECIES[species])) for species in (zebra, lion, seal)]
    hand, draws = [zebra, lion, seal, 0], [1, 2, 3]
    turns = [[played[i], draws[i]] * 2 for i in range(3)]
    state = replayed(game, [*hand, *hand, *turns[0], *turns[1], *turns[2][:2]])
    assert (state.current_player(), state.position().turn) == (1, 5)
    # Zebra was in the first hand, lion there or drawn first, seal there or one of two draws.
    slots = [
        (first, second, third)
        for first, second, third in product(range(4), range(5), range(6))
        if len({first, second, third}) == 3
    ]
    places: Counter = Counter()
    held: Counter = Counter()
    sampler, samples = pyspiel.UniformProbabilitySampler(1, 0.0, 1.0), 1600
    for _ in range(samples):
        other = state.resample_from_infostate(1, sampler)
        dealt = other.record.dealt[0]
        places[tuple(map(dealt.index, (zebra, lion, seal)))] += 1
        held.update(card.species for card in other.position().hands[0])
    assert set(places) <= set(slots)
    # Pearson's statistic is 5 standard deviations from its mean, the degrees of freedom, at most.
    for counts, cells in ((places, len(slots)), (held, 9)):
        expected = counts.total() / cells
        statistic = sum((count - expected) ** 2 for count in counts.values()) / expected
        statistic += expected * (cells - len(counts))
        assert statistic < cells - 1 + 5 * sqrt(2 * (cells - 1))
