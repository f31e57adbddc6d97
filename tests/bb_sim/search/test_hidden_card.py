"""Endgames with one hidden card, and the parts of what an action leads to."""

import dataclasses
from math import sqrt

import numpy as np
import pytest

from bb_sim import (
    ACTIONS,
    OPPONENTS,
    SPECIES,
    GameBatch,
    State,
    is_decided,
    new_game,
    observe,
    python_to_c_state,
    select_opponent_action_from,
    step,
)
from bb_sim.opponents.models import opponent_action_probabilities
from bb_sim.opponents.posterior import hand_probabilities, uniform_posterior, update_posterior
from bb_sim.search.endgame import (
    MODELS,
    action_prospects,
    endgame_values,
    position_prospects,
)
from tests.bb_sim.search.endgames import only, positions_at, result, solved
from tests.reference import to_state


def value_over_hands(state: State, action: int, posterior: np.ndarray) -> float:
    """The value of an action at turn 14 from the values two turns later."""
    viewer, later = state.to_move, step(state, ACTIONS[action])
    if is_decided(later):
        return result(later, viewer, 0.02)
    unseen = sorted(later.hands[1 - viewer] + later.decks[1 - viewer], key=str)
    row = observe(state)[None]
    in_deck = 1 - hand_probabilities(row, posterior[None])[0]
    shares = posterior.sum(axis=0)
    met: dict[bytes, tuple[np.ndarray, np.ndarray]] = {}
    for hidden in unseen:
        hand = tuple(card for card in unseen if card != hidden)
        hands, decks = list(later.hands), list(later.decks)
        hands[1 - viewer], decks[1 - viewer] = hand, (hidden,)
        world = dataclasses.replace(later, hands=tuple(hands), decks=tuple(decks))
        weight = in_deck[SPECIES.index(hidden.species)]
        for model, name in enumerate(OPPONENTS):
            if shares[model] == 0:
                continue
            for reply, chance in opponent_action_probabilities(world, name).items():
                seen = observe(step(world, reply), viewer)[None]
                joint = met.setdefault(seen.tobytes(), (seen, np.zeros((1, len(MODELS)))))[1]
                joint[0, model] += weight * shares[model] * chance
    total, value = 0.0, 0.0
    for seen, joint in met.values():
        if joint.sum() > 1e-6:
            best = endgame_values(seen, uniform_posterior(seen, joint), 0.02)[0].max()
            value += joint.sum() * (best if np.isfinite(best) else np.nan)
            total += joint.sum()
    return value / total


@pytest.mark.parametrize("believed", [only("online"), only("noisy"), {"random": 0.5, "queue": 0.5}])
def test_a_hidden_card_is_averaged_over(believed):
    """The card in the opponent's deck has weights of its own, the same for all models."""
    random = np.random.default_rng(2)
    compared = 0
    for place in positions_at(14, 12, seed=12):
        state = to_state(place)
        row = observe(state)[None]
        shares = np.array([[believed.get(model, 0.0) for model in MODELS]])
        posterior = uniform_posterior(row, shares)
        posterior *= random.random((1, posterior.shape[1], 1)).astype(np.float32) ** 2
        posterior /= posterior.sum()
        values = endgame_values(row, posterior, 0.02)[0]
        for action in np.flatnonzero(np.isfinite(values))[:3]:
            expected = value_over_hands(state, int(action), posterior[0])
            if np.isfinite(expected):
                assert values[action] == pytest.approx(expected, abs=1e-3)
                compared += 1
    assert compared > 20


@pytest.mark.parametrize(("name", "games"), [("heuristic", 200), ("random", 60)])
def test_played_out_from_a_hidden_card_the_values_are_met_on_average(name, games):
    """4 standard errors; the hidden card is any of the five."""
    batch = GameBatch(1)
    errors = []
    for place in positions_at(14, games, seed=13):
        state = to_state(place)
        belief = only(name)
        expected = solved(observe(state)[None], belief)[0].max()
        shares = np.array([[belief.get(model, 0.0) for model in MODELS]])
        posterior = uniform_posterior(observe(state)[None], shares)
        while not is_decided(state):
            if state.to_move == 0:
                values = endgame_values(observe(state)[None], posterior, 0.02)[0]
                state = step(state, ACTIONS[int(values.argmax())])
            else:
                before = observe(state, 0)[None]
                python_to_c_state(state, batch, 0)
                state = step(state, select_opponent_action_from(batch, 0, name))
                assert update_posterior(posterior, [0], before, observe(state, 0)[None]).all()
        errors.append(result(state, 0, 0.02) - expected)
    assert abs(np.mean(errors)) <= 4 * np.std(errors) / sqrt(len(errors)) + 1e-3


@pytest.mark.parametrize("scoring", ["points", "animals"])
@pytest.mark.parametrize("draw_reward", [-1.0, 0.25])
def test_prospects_are_the_parts_of_the_values(scoring, draw_reward):
    random = np.random.default_rng(3)
    positions = [p for turn in (14, 17, 18, 20, 22) for p in positions_at(turn, 6, seed=turn)]
    rows = np.stack([observe(to_state(position)) for position in positions])
    shares = random.random((len(rows), len(MODELS))) * (random.random((len(rows), 11)) < 0.5)
    shares[:, 1] += 0.1
    posterior = uniform_posterior(rows, shares)
    posterior *= random.random(posterior.shape[:2]).astype(np.float32)[:, :, None]
    values = endgame_values(rows, posterior, 0.02, scoring, draw_reward)
    prospects = action_prospects(rows, posterior, 0.02, scoring, draw_reward)
    legal = np.isfinite(values)
    value, win, draw, _ = prospects[legal].T
    np.testing.assert_allclose(value, values[legal], atol=1e-9)
    assert_parts_add_up(prospects[legal], draw_reward)
    assert ((win >= 0) & (draw >= 0) & (win + draw <= 1 + 1e-9)).all()
    assert np.isneginf(prospects[~legal]).all() and 0 < win.mean() < 1
    known = rows[6:], posterior[6:].sum(axis=1, dtype=np.float64)
    found = position_prospects(*known, 0.02, scoring, draw_reward)
    np.testing.assert_allclose(found[:, 0], values[6:].max(axis=1), atol=1e-9)
    assert_parts_add_up(found, draw_reward)


def assert_parts_add_up(prospects: np.ndarray, draw_reward: float) -> None:
    value, win, draw, margin = prospects.T
    expected = 2 * win - 1 + (1 + draw_reward) * draw + 0.02 * margin
    np.testing.assert_allclose(value, expected, atol=1e-9)


def test_prospects_of_positions_that_hide_a_card_are_refused():
    rows = np.stack([observe(to_state(position)) for position in positions_at(14, 1, seed=1)])
    shares = np.ones((1, len(MODELS)))
    with pytest.raises(ValueError, match="a card is hidden in row 0"):
        position_prospects(rows, shares, 0.02)
    with pytest.raises(ValueError, match="shares must be finite weights"):
        position_prospects(rows, 0 * shares, 0.02)
    with pytest.raises(ValueError, match="shares must be a float64 array"):
        position_prospects(rows, shares[:, 1:], 0.02)
    with pytest.raises(ValueError, match="a row is no endgame"):
        position_prospects(observe(new_game(1))[None], shares, 0.02)
