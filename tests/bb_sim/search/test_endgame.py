"""The exact endgame against a plain expectimax, by its properties, and by playing it out."""

from collections.abc import Mapping
from math import sqrt

import numpy as np
import pytest

from bb_sim import (
    ACTIONS,
    OPPONENTS,
    GameBatch,
    State,
    is_decided,
    legal_actions,
    new_game,
    observe,
    python_to_c_state,
    select_opponent_action_from,
    step,
)
from bb_sim.opponents.models import opponent_action_probabilities
from bb_sim.opponents.posterior import uniform_posterior
from bb_sim.rules.observation import POINTS_BYTE, POINTS_ZERO
from bb_sim.search.endgame import (
    MODELS,
    are_endgames,
    endgame_values,
)
from tests.bb_sim.rows import DECK, HAND, QUEUE
from tests.bb_sim.search.endgames import CERTAIN, UNIFORM, only, positions_at, result, solved
from tests.reference import endgame as reference
from tests.reference import id_of, rules, to_state


def assert_solved(
    position: rules.Position,
    belief: Mapping[str, float],
    margin_weight: float = 0.02,
    scoring: str = "points",
    slack: float = 1e-6,
) -> None:
    """The value of every action is the reference's."""
    state = to_state(position)
    mover = position.to_move
    objective = reference.Objective(mover, margin_weight, scoring)
    row = observe(state)[None]
    values = solved(row, belief, margin_weight, scoring)[0]
    expected = np.full(len(ACTIONS), -np.inf)
    for move in rules.legal_moves(position):
        after = rules.play(position, move)
        expected[id_of(move)] = reference.value_of(after, belief, objective, negligible=1e-4)
    np.testing.assert_allclose(values, expected, rtol=0, atol=slack, err_msg=str(state))


@pytest.mark.parametrize("turn", [18, 19, 20, 21, 22, 23])
@pytest.mark.parametrize(
    ("belief", "slack"),
    [
        (only("best_reply"), 1e-6),
        (only("heuristic"), 1e-6),
        (only("noisy"), 1e-4),
        (only("online", "random", "best_reply"), 1e-6),
        (CERTAIN, 1e-6),
        (UNIFORM, 1e-3),
    ],
    ids=["best reply", "heuristic", "noisy", "three", "certain", "uniform"],
)
def test_values_are_those_of_the_plain_expectimax(turn, belief, slack):
    for position in positions_at(turn, 6 if turn == 18 else 12, seed=turn):
        assert_solved(position, belief, slack=slack)


@pytest.mark.parametrize("margin_weight", [0.0, 0.5])
def test_the_animals_scoring_and_other_margin_weights(margin_weight):
    for position in positions_at(19, 8, seed=1):
        assert_solved(position, only("skunk", "best_reply"), margin_weight, "animals")
        assert_solved(position, only("queue", "random"), margin_weight)


def test_actions_that_look_alike_are_one_observation():
    """As when a chameleon copies one animal or another: what happens is all that is learned."""

    def played(text: str) -> list[rules.Card]:
        words = text.split()
        return [
            rules.Card(int(owner), species)
            for owner, species in zip(words[::2], words[1::2], strict=True)
        ]

    position = rules.Position(
        hands=[["parrot", "seal", "giraffe"], ["zebra", "chameleon", "kangaroo"]],
        decks=[[], []],
        queue=played("0 skunk 0 lion"),
        bar=played("1 snake 0 kangaroo 1 lion 0 hippo 0 monkey 1 hippo 0 zebra 1 parrot 1 seal"),
        thats_it=played("0 crocodile 0 snake 1 skunk 1 crocodile 1 monkey 0 chameleon 1 giraffe"),
        to_move=0,
        turn=18,
    )
    assert_solved(position, CERTAIN)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("turn", [15, 16, 17])
def test_values_of_longer_endgames(turn):
    for position in positions_at(turn, 6, seed=turn):
        assert_solved(position, UNIFORM, slack=1e-3)
        assert_solved(position, only("random", "distilled_outcome", "best_reply"))


# Properties


def endgame_rows(number: int, seed: int = 3) -> np.ndarray:
    return np.stack([observe(to_state(place)) for place in positions_at(16, number, seed)])


def test_nothing_is_worse_for_the_viewer_than_the_best_reply():
    rows = endgame_rows(60)
    worst = solved(rows, only("best_reply"))
    legal = np.isfinite(worst)
    for name in OPPONENTS:
        values = solved(rows, only(name))
        assert np.isfinite(values).tolist() == legal.tolist()
        assert (values[legal] >= worst[legal] - 1e-6).all()
    mixed = solved(rows, UNIFORM)
    assert (mixed[legal] >= worst[legal] - 1e-6).all()


def test_not_knowing_the_opponent_gains_nothing():
    rows = endgame_rows(60)
    believed = {"heuristic": 0.5, "online": 0.3, "random": 0.2}
    known = [weight * solved(rows, only(name)) for name, weight in believed.items()]
    mixed = solved(rows, believed)
    legal = np.isfinite(mixed)
    assert (mixed[legal] <= np.sum(known, axis=0)[legal] + 1e-4).all()


@pytest.mark.parametrize("turn", [15, 16])
def test_minimax_is_the_same_game_from_both_sides(turn):
    """At turn 15 the mover's last card is still in its deck, and drawn after the action."""
    belief = only("best_reply")
    for place in positions_at(turn, 30, seed=5):
        state = to_state(place)
        values = solved(observe(state)[None], belief)[0]
        for action in legal_actions(state):
            theirs = solved(observe(step(state, action))[None], belief)[0]
            assert values[ACTIONS.index(action)] == pytest.approx(-theirs.max(), abs=1e-12)


def test_weights_need_not_sum_to_one_and_rows_do_not_meet():
    rows = endgame_rows(20)
    shares = np.random.default_rng(0).random((20, len(MODELS)))
    beliefs = uniform_posterior(rows, shares)
    together = endgame_values(rows, beliefs, 0.02)
    for index in range(20):
        alone = endgame_values(rows[index : index + 1], 4 * beliefs[index : index + 1], 0.02)
        assert alone[0] == pytest.approx(together[index], abs=1e-6)


def test_a_decided_game_has_its_result_for_a_value():
    row = observe(to_state(positions_at(23, 2, seed=6)[1]))[None].copy()
    row[0, QUEUE], row[0, POINTS_BYTE] = 0, POINTS_ZERO + 5
    values = solved(row, UNIFORM, 0.1)
    assert values[np.isfinite(values)] == pytest.approx(1.5)


# Playing it out


def replied(state: State, name: str, batch: GameBatch, belief: dict[str, float]) -> State:
    """The state after the opponent's turn; the belief learns what was seen."""
    python_to_c_state(state, batch, 0)
    after = step(state, select_opponent_action_from(batch, 0, name))
    for model in belief:
        chances = opponent_action_probabilities(state, model)
        belief[model] *= sum(
            chances[action]
            for action in chances
            if (observe(step(state, action), 0) == observe(after, 0)).all()
        )
    return after


@pytest.mark.parametrize(
    "believed",
    [
        only("heuristic"),
        only("noisy"),
        only("random"),
        {"online": 0.5, "random": 0.2, "queue": 0.3},
    ],
    ids=["heuristic", "noisy", "random", "mixed"],
)
def test_played_out_the_values_are_met_on_average(believed):
    """4 standard errors; the opponent is drawn from the belief."""
    random = np.random.default_rng(7)
    batch = GameBatch(1)
    errors = []
    for place in positions_at(16, 400, seed=8):
        state = to_state(place)
        viewer = state.to_move
        name = str(random.choice(list(believed), p=list(believed.values())))
        belief = dict(believed)
        expected = solved(observe(state)[None], belief)[0].max()
        while not is_decided(state):
            if state.to_move == viewer:
                values = solved(observe(state)[None], belief)[0]
                state = step(state, ACTIONS[int(values.argmax())])
            else:
                state = replied(state, name, batch, belief)
        errors.append(result(state, viewer, 0.02) - expected)
    assert abs(np.mean(errors)) <= 4 * np.std(errors) / sqrt(len(errors)) + 1e-3


# What is accepted


def test_endgames_begin_where_next_to_nothing_is_hidden():
    for seed in range(20):
        state = new_game(seed)
        while state.cards_left:
            for viewer in range(2):
                known = state.turn >= 16 or (state.turn, viewer) in ((14, 0), (15, 1))
                assert are_endgames(observe(state, viewer)[None]).tolist() == [known]
            state = step(state, legal_actions(state)[seed % len(legal_actions(state))])
        assert are_endgames(observe(state)[None]).all()


def test_the_last_card_of_the_own_deck_is_known_before_it_is_drawn():
    for place in positions_at(15, 20, seed=9):
        state = to_state(place)
        row = observe(state)[None]
        drawn = observe(step(state, legal_actions(state)[0]), 1)[None]
        undrawn = drawn.copy()
        undrawn[0, HAND] &= ~row[0, DECK]
        undrawn[0, DECK] = row[0, DECK]
        assert are_endgames(undrawn).all()
        assert are_endgames(drawn).all()


def test_what_cannot_be_is_refused_by_name():
    rows = endgame_rows(2)
    belief = uniform_posterior(rows, np.ones((2, len(MODELS))))
    with pytest.raises(ValueError, match=r"uint8 array of shape \[B, 19\]"):
        endgame_values(rows[:, :5], belief, 0.0)
    with pytest.raises(ValueError, match="posterior must be a float32 array"):
        endgame_values(rows, belief[:, :10], 0.0)
    for bad in (-1.0, np.nan, np.inf):
        wrong = belief.copy()
        wrong[1, 3, 3] = bad
        with pytest.raises(ValueError, match="weights from 0 up"):
            endgame_values(rows, wrong, 0.0)
    with pytest.raises(ValueError, match="no hand in the posterior of row 0 fits the row"):
        endgame_values(rows, 0 * belief, 0.0)
    with pytest.raises(ValueError, match="margin_weight must be a number from 0 up"):
        endgame_values(rows, belief, -0.1)
    with pytest.raises(ValueError, match="scoring must be one of points, animals"):
        endgame_values(rows, belief, 0.0, "cards")
    rows[1] = observe(new_game(1))
    with pytest.raises(ValueError, match="row 1 is no endgame"):
        endgame_values(rows, belief, 0.0)


def test_rows_of_noise_are_refused_or_searched():
    random = np.random.default_rng(4)
    rows = endgame_rows(40).repeat(50, axis=0)
    spoilt = random.integers(0, 19, (len(rows), 2))
    for place in spoilt.T:
        rows[np.arange(len(rows)), place] = random.integers(0, 256, len(rows))
    rows = rows[are_endgames(rows)]
    assert len(rows)
    values = solved(rows, only("heuristic", "best_reply"))
    assert not np.isnan(values).any()
