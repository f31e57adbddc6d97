"""What the named opponents choose: ties, noise, whole games, and what is refused."""

import numpy as np
import pytest

from bb_sim import (
    OPPONENTS,
    Action,
    GameBatch,
    State,
    legal_actions,
    new_game,
    python_to_c_state,
)
from bb_sim.opponents.choice import (
    best_actions,
    opponent_scores,
    play_opponents,
    select_opponent_action_from,
)
from bb_sim.rules.actions import action_id
from tests.bb_sim.positions import parsed, position

# The choice


def drawn(state, opponent, games):
    """How often each action is played when games of different streams stand in one state."""
    batch = GameBatch(games)
    counts: dict[Action, int] = {}
    for index in range(games):
        python_to_c_state(state, batch, index)
        action = select_opponent_action_from(batch, index, opponent)
        counts[action] = counts.get(action, 0) + 1
    return counts


@pytest.mark.parametrize("opponent", OPPONENTS)
def test_a_single_legal_action_is_played(opponent):
    state = position("zebra", "my crocodile")
    assert drawn(state, opponent, 20) == {Action("zebra"): 20}


@pytest.mark.parametrize("opponent", OPPONENTS)
def test_scores_cover_the_legal_actions_and_the_best_are_among_them(opponent):
    state = new_game(3)
    scores = opponent_scores(state, opponent)
    best = best_actions(state, opponent)
    assert list(scores) == legal_actions(state)
    assert best == [action for action in scores if scores[action] > max(scores.values()) - 1e-6]


def test_a_clear_best_action_is_always_played():
    state = position("skunk seal", "their parrot, their kangaroo")
    assert best_actions(state, "heuristic") == [Action("skunk")]
    assert drawn(state, "heuristic", 200) == {Action("skunk"): 200}


def test_ties_are_drawn_uniformly():
    # Three animals of two points into an empty queue; the monkey is worth more there.
    tied = [Action("seal"), Action("snake"), Action("lion")]
    state = position("seal snake lion")
    assert best_actions(state, "outcome_heuristic") == tied
    counts = drawn(state, "outcome_heuristic", 3000)
    assert set(counts) == set(tied)
    assert all(abs(count - 1000) < 4 * 26 for count in counts.values())  # sd 25.8


def test_random_draws_uniformly_from_all_legal_actions():
    state = position("skunk kangaroo lion", "their zebra, my hippo")
    counts = drawn(state, "random", 4000)
    assert set(counts) == set(legal_actions(state))
    assert all(abs(count - 1000) < 4 * 28 for count in counts.values())  # sd 27.4


@pytest.mark.parametrize(
    ("queue", "better", "worse", "lead", "share"),
    [
        # The chameleon ends up in the same place, so that the scores differ by 0.1 per strength.
        # Share of the better one: normal distribution at lead / (0.15 x the square root of 2).
        ("their snake, their giraffe", "chameleon snake", "chameleon giraffe", 0.1, 0.6813),
        ("their lion, their hippo, their zebra", "chameleon hippo", "chameleon zebra", 0.4, 0.9703),
    ],
)
def test_noise_has_its_spread(queue, better, worse, lead, share):
    games = 4000
    state = position("chameleon", queue)
    scores = opponent_scores(state, "noisy")
    assert scores[parsed(better)] - scores[parsed(worse)] == pytest.approx(lead)
    counts = drawn(state, "noisy", games)
    assert counts[parsed(better)] + counts[parsed(worse)] == games
    assert counts[parsed(better)] / games == pytest.approx(share, abs=0.03)  # sd at most 0.0074


# Whole games


@pytest.mark.parametrize("opponent", OPPONENTS)
def test_a_game_depends_on_its_seed_alone(opponent):
    seeds = np.arange(300)
    margins = play_opponents(seeds, opponent, "noisy")
    assert margins.dtype == np.int8
    assert len(set(margins.tolist())) > 5
    assert np.array_equal(margins, play_opponents(seeds, opponent, "noisy", num_threads=3))
    assert np.array_equal(margins[200:], play_opponents(seeds[200:], opponent, "noisy"))
    early = play_opponents(seeds, opponent, "noisy", stop_when_decided=True)
    assert np.array_equal(margins, early)


@pytest.mark.parametrize("scoring", ["points", "animals"])
def test_whole_games_are_the_same_move_by_move(scoring):
    names = ("noisy", "random")
    batch = GameBatch(30)
    while not batch.terminal.all():
        chosen = [
            action_id(select_opponent_action_from(batch, index, names[player]))
            for index, player in enumerate(batch.to_move)
        ]
        batch.step(chosen)
    scores = batch.scores(scoring)
    margins = play_opponents(range(30), *names, scoring=scoring)
    assert np.array_equal(margins, scores[:, 0] - scores[:, 1])


@pytest.mark.parametrize("opponent", OPPONENTS[1:])
def test_every_opponent_beats_random_play(opponent):
    seeds = range(1000)
    first = play_opponents(seeds, opponent, "random")
    second = play_opponents(seeds, "random", opponent)
    assert ((first > 0).sum() + (second < 0).sum()) / 2000 > 0.7


# Errors


@pytest.mark.parametrize("function", [opponent_scores, best_actions])
def test_what_cannot_be_scored(function):
    state = new_game(0)
    with pytest.raises(ValueError, match="no opponent 'heurisitc'"):
        function(state, "heurisitc")
    with pytest.raises(ValueError, match="two-player"):
        function(new_game(0, num_players=3), "heuristic")
    with pytest.raises(ValueError, match="game is over"):
        function(State(hands=((), ())), "heuristic")
    with pytest.raises(ValueError, match="hidden"):
        function(state.seen_by(0), "heuristic")
    with pytest.raises(TypeError, match="State"):
        function("state", "heuristic")


def test_what_cannot_be_selected():
    batch = GameBatch(2)
    with pytest.raises(ValueError, match="no opponent 'nobody'"):
        select_opponent_action_from(batch, 0, "nobody")
    with pytest.raises(IndexError, match="2"):
        select_opponent_action_from(batch, 2, "random")
    with pytest.raises(ValueError, match="two-player"):
        select_opponent_action_from(GameBatch(1, 4), 0, "random")
    batch.play_random()
    with pytest.raises(ValueError, match="game is over"):
        select_opponent_action_from(batch, 0, "random")


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (([1], "nobody", "random"), ValueError, "no opponent 'nobody'"),
        (([1], "random", 3), ValueError, "no opponent 3"),
        (([1.5], "random", "random"), ValueError, "seeds"),
        (([[1]], "random", "random"), ValueError, "seeds"),
        (([-1], "random", "random"), ValueError, "seeds"),
        (([1], "random", "random", 0), ValueError, "num_threads"),
        (([1], "random", "random", "two"), TypeError, "num_threads"),
        (([1], "random", "random", 1, False, "coins"), ValueError, "scoring"),
    ],
)
def test_what_cannot_be_played(arguments, error, message):
    with pytest.raises(error, match=message):
        play_opponents(*arguments)
