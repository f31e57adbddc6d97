"""The ratings of the named opponents, and strengths measured against them."""

import itertools

import numpy as np
import pytest

from bb_sim import OPPONENTS
from eval.matches.match import MatchResult, play_pairings
from eval.matches.players import NamedPlayer
from eval.matches.streams import pair_stream
from eval.statistics.ratings import Counts
from eval.statistics.reference import RESULTS, named_ratings, rate_against_named
from eval.statistics.strength import LABEL_OPPONENTS, label_of, strength_of
from tests.eval import policies

PAIRS = list(itertools.combinations(OPPONENTS, 2))
GAMES = 100_000


def replay(pair, scoring):
    a, b = pair
    (result,) = play_pairings(
        [(NamedPlayer(a), NamedPlayer(b))], GAMES, 0, scoring, streams=[pair_stream(a, b)]
    )
    return result.wins, result.draws, result.losses


def check(pair, scoring):
    stored = RESULTS[scoring][PAIRS.index(pair)]
    assert sum(stored) == GAMES
    # The same games; other compilers may round a score differently and break a tie elsewhere.
    assert np.abs(np.subtract(replay(pair, scoring), stored)).max() < GAMES / 200


@pytest.mark.parametrize(
    ("pair", "scoring"),
    [(("random", "heuristic"), "animals"), (("online", "distilled_outcome"), "points")],
)
def test_the_stored_results_are_those_of_the_opponents(pair, scoring):
    check(pair, scoring)


@pytest.mark.slow
@pytest.mark.parametrize("scoring", ["points", "animals"])
def test_all_stored_results_are_those_of_the_opponents(scoring):
    assert len(RESULTS[scoring]) == len(PAIRS)
    for pair in PAIRS:
        check(pair, scoring)


@pytest.mark.parametrize("scoring", ["points", "animals"])
def test_random_is_the_weakest_and_the_outcome_heuristics_the_strongest(scoring):
    ratings = named_ratings(scoring)
    assert tuple(ratings) == OPPONENTS
    assert ratings["random"] == 0
    ranking = sorted(OPPONENTS, key=lambda name: ratings[name])
    assert ranking[0] == "random"
    assert set(ranking[-2:]) == {"outcome_heuristic", "distilled_outcome"}


def test_a_named_opponent_is_rated_as_it_is():
    others = [name for name in OPPONENTS if name != "online"]
    pairings = [(NamedPlayer("online"), NamedPlayer(name)) for name in others]
    ratings = rate_against_named("online", play_pairings(pairings, 4000, 1))
    assert ratings is not None
    error = ratings.standard_error("online")
    assert error < 6
    assert abs(ratings.rating("online") - named_ratings()["online"]) < 4 * error


def test_only_named_opponents_count():
    results = [Counts("me", "random", 90, 0, 10), Counts("me", "somebody", 0, 0, 100)]
    with_one = rate_against_named("me", results)
    assert with_one is not None and 350 < with_one.rating("me") < 400
    assert rate_against_named("me", results[1:]) is None


def results_of(rates):
    results = []
    for opponent, rate in rates.items():
        outcomes = np.full(1000, -1, np.int8)
        outcomes[: round(1000 * rate)] = 1
        deals = outcomes.reshape(-1, 2)
        results.append(MatchResult.from_deals("me", opponent, deals, deals))
    return results


@pytest.mark.parametrize(
    ("rate", "label"),
    [
        (1, "grandmaster"),
        (0.97, "grandmaster"),
        (0.969, "master"),
        (0.9, "master"),
        (0.899, "expert"),
        (0.75, "expert"),
        (0.749, "advanced"),
        (0.5, "advanced"),
        (0.499, "intermediate"),
        (0.25, "intermediate"),
        (0.249, "beginner"),
        (0, "beginner"),
    ],
)
def test_labels_follow_the_mean_win_rate_against_the_nine(rate, label):
    rates = dict.fromkeys(LABEL_OPPONENTS, rate) | {"random": 0.3, "somebody": 0.0}
    assert label_of(results_of(rates)) == label
    rates.pop("queue")
    assert label_of(results_of(rates)) is None


def test_strength_in_one_line_and_in_json():
    strength = strength_of(results_of(dict.fromkeys(OPPONENTS, 0.8)))
    assert strength.mean_win_rate == pytest.approx(0.8)
    assert strength.describe().startswith("mean win rate 80.00 %, Elo ")
    assert strength.describe().endswith("expert")
    data = strength.as_json()
    assert data["elo"]["rating"] == strength.elo
    unknown = strength_of(results_of({"somebody": 0.5}))
    assert unknown.as_json() == {"mean_win_rate": 0.5, "elo": None, "label": None}
    assert unknown.describe() == "mean win rate 50.00 %"


def test_random_play_is_rated_near_zero():
    pairings = [(policies.uniform(), NamedPlayer(name)) for name in OPPONENTS]
    strength = strength_of(play_pairings(pairings, 1000, 2))
    assert strength.label == "beginner"
    assert strength.elo == pytest.approx(0, abs=40)
