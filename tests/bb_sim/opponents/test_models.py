"""The opponents' action probabilities against the plain reference, quadrature and their draws."""

from collections import Counter
from dataclasses import replace
from math import sqrt
from random import Random

import pytest
from scipy.integrate import quad
from scipy.stats import norm

from bb_sim import OPPONENTS, Card, GameBatch, State, python_to_c_state
from bb_sim.opponents.choice import opponent_scores, select_opponent_action_from
from bb_sim.opponents.models import opponent_action_probabilities
from tests.bb_sim.positions import position
from tests.reference import opponents, rules, to_action, to_state

NOISE = 0.15  # standard deviation of what `noisy` adds to every score


def positions(number: int, seed: int) -> list[rules.Position]:
    random = Random(seed)
    return [rules.random_position(random) for _ in range(number)]


@pytest.mark.parametrize("name", [name for name in OPPONENTS if name != "noisy"])
def test_the_tied_best_actions_share_the_probability(name):
    for place in positions(300, seed=1):
        best = opponents.tied_best(opponents.opponent_scores(place, name))
        found = opponent_action_probabilities(to_state(place), name)
        assert list(found) == [to_action(move) for move in rules.legal_moves(place)]
        expected = {to_action(move): 1 / len(best) for move in best}
        assert found == pytest.approx({action: expected.get(action, 0.0) for action in found})


def noisy_probability(scores: list[float], index: int) -> float:
    """That score `index` with the noise is the largest, by adaptive quadrature."""

    def density(x: float) -> float:
        product = norm.pdf(x, scores[index], NOISE)
        for other, score in enumerate(scores):
            if other != index:
                product *= norm.cdf(x, score, NOISE)
        return float(product)

    middle = max(scores)
    return float(quad(density, middle - 8 * NOISE, middle + 8 * NOISE, epsabs=1e-7)[0])


def test_noise_gives_each_action_its_chance_to_score_highest():
    sizes: Counter[int] = Counter()
    for place in positions(500, seed=2):
        scores = opponents.opponent_scores(place, "noisy")
        within_reach = sum(score > max(scores.values()) - 3 * NOISE for score in scores.values())
        if sizes[within_reach] == 4:
            continue
        sizes[within_reach] += 1
        found = opponent_action_probabilities(to_state(place), "noisy")
        assert sum(found.values()) == pytest.approx(1.0)
        for index, move in enumerate(scores):
            expected = noisy_probability(list(scores.values()), index)
            assert found[to_action(move)] == pytest.approx(expected, abs=1e-4), str(to_state(place))
    assert all(sizes[number] == 4 for number in (1, 2, 3))


def state_of_many_actions() -> State:
    return position("chameleon parrot kangaroo zebra", "my hippo, their parrot, their kangaroo")


@pytest.mark.parametrize("name", OPPONENTS)
def test_they_are_the_frequencies_of_what_is_played(name):
    """5 standard errors for each action."""
    draws = 4_000
    states = [to_state(place) for place in positions(12, seed=3)]
    for state in [*states, state_of_many_actions()]:
        if state.cards_left == 0:
            continue
        batch = GameBatch(draws)
        for index in range(draws):
            python_to_c_state(state, batch, index)
        played = Counter(select_opponent_action_from(batch, i, name) for i in range(draws))
        for action, share in opponent_action_probabilities(state, name).items():
            slack = 5 * sqrt(draws * share * (1 - share)) + 1e-4 * draws
            assert abs(played[action] - draws * share) <= slack, str(action)


@pytest.mark.parametrize("name", OPPONENTS)
def test_the_cards_in_the_deck_and_their_order_change_nothing(name):
    for place in positions(150, seed=4):
        state = to_state(place)
        mover = state.to_move
        expected = opponent_action_probabilities(state, name)
        without = list(state.decks)
        without[mover] = ()
        reordered = list(state.decks)
        reordered[mover] = reordered[mover][::-1]
        for decks in (without, reordered):
            if sum(map(len, state.hands)) > 1:
                found = opponent_action_probabilities(replace(state, decks=tuple(decks)), name)
                assert found == pytest.approx(expected, abs=1e-9)


def test_the_score_of_an_action_counts_the_drawn_card_for_every_action_alike():
    """What lets a position stand for the true one where the order of the deck is unknown."""
    state = replace(state_of_many_actions(), decks=((Card(0, "skunk"),), ()))
    for name, weight in (("heuristic", 1), ("skunk", 2), ("outcome_heuristic", 0)):
        drawn = opponent_scores(state, name)
        undrawn = opponent_scores(replace(state, decks=((), ())), name)
        gains = [drawn[action] - undrawn[action] for action in drawn]
        assert gains == pytest.approx([0.1 * 4 * weight] * len(gains))


def test_a_single_legal_action_is_certain():
    for name in OPPONENTS:
        found = opponent_action_probabilities(position("zebra", "their lion"), name)
        assert list(found.values()) == [1.0]


def test_what_cannot_be_is_refused_by_name():
    with pytest.raises(ValueError, match="there is no opponent 'heuristics'"):
        opponent_action_probabilities(position("zebra"), "heuristics")
    with pytest.raises(ValueError, match="the game is over"):
        opponent_action_probabilities(position(""), "online")
    with pytest.raises(TypeError, match="a State is needed"):
        opponent_action_probabilities(None, "online")  # type: ignore[arg-type]
