"""Ratings against published figures, closed forms, and players whose strength is known."""

import itertools
import math

import numpy as np
import pytest

from bb_jax.errors import EvaluationError
from eval.statistics.ratings import ELO, Counts, fit_ratings

# Wins in 13 games of each pair, in the order of TEAMS: the Eastern division of the American League
# in 1987 (Agresti, Categorical Data Analysis, second edition, 2002, table 10.10).
TEAMS = ("Milwaukee", "Detroit", "Toronto", "New York", "Boston", "Cleveland", "Baltimore")
WINS = ((7, 9, 7, 7, 9, 11), (7, 5, 11, 9, 9), (7, 7, 8, 12), (6, 7, 10), (7, 12), (6,))
# Coefficients and standard errors relative to Baltimore: Agresti gives two digits, the vignette of
# the R package BradleyTerry2 these.
COEFFICIENTS = (1.5814, 1.4364, 1.2945, 1.2476, 1.1077, 0.6839, 0.0)
ERRORS = (0.3433, 0.3396, 0.3367, 0.3359, 0.3339, 0.3319, 0.0)


def davidson(elo, draw_parameter, i, j):
    """Probabilities of win, draw and loss of i against j."""
    a, b = 10 ** (elo[i] / 400), 10 ** (elo[j] / 400)
    weights = np.array([a, draw_parameter * math.sqrt(a * b), b])
    return weights / weights.sum()


def simulate(elo, draw_parameter, games, rng):
    results = []
    for i, j in itertools.combinations(range(len(elo)), 2):
        counts = rng.multinomial(games, davidson(elo, draw_parameter, i, j))
        results.append(Counts(str(i), str(j), *map(int, counts)))
    return results


def test_published_ratings_without_draws():
    results = [
        Counts(TEAMS[i], TEAMS[i + 1 + k], wins, 0, 13 - wins)
        for i, row in enumerate(WINS)
        for k, wins in enumerate(row)
    ]
    ratings = fit_ratings(results, {"Baltimore": 0.0}, prior=0)
    for team, coefficient, error in zip(TEAMS, COEFFICIENTS, ERRORS, strict=True):
        assert ratings.rating(team) / ELO == pytest.approx(coefficient, abs=6e-5)
        assert ratings.standard_error(team) / ELO == pytest.approx(error, abs=6e-5)
    assert ratings.ranking() == list(TEAMS)
    assert ratings.draw_parameter == 0


def test_published_ratings_of_few_results():
    """From the vignette of the R package PlackettLuce, without the player who lost all."""
    results = [Counts("A", "B", 1, 0, 1), Counts("B", "C", 1, 0, 0), Counts("C", "A", 1, 0, 0)]
    ratings = fit_ratings(results, {"A": 0.0}, prior=0)
    for player, coefficient, error in (("B", 0.8392, 1.3596), ("C", 0.4196, 1.5973)):
        assert ratings.rating(player) / ELO == pytest.approx(coefficient, abs=6e-5)
        assert ratings.standard_error(player) / ELO == pytest.approx(error, abs=6e-5)


@pytest.mark.parametrize(
    ("wins", "draws", "losses"), [(60, 20, 20), (20, 0, 60), (1, 98, 1), (500, 3, 2)]
)
def test_two_players_have_a_closed_form(wins, draws, losses):
    """Three cells, two parameters: the fit is exact, and W / L are the odds of strength."""
    ratings = fit_ratings([Counts("a", "b", wins, draws, losses)], {"b": 100.0}, prior=0)
    assert ratings.rating("a") == pytest.approx(100 + 400 * math.log10(wins / losses))
    assert ratings.standard_error("a") == pytest.approx(ELO * math.sqrt(1 / wins + 1 / losses))
    assert ratings.draw_parameter == pytest.approx(draws / math.sqrt(wins * losses))
    games = wins + draws + losses
    assert ratings.expected("a", "b") == pytest.approx(
        (wins / games, draws / games, losses / games)
    )


def test_a_perfect_score_has_a_finite_rating_by_the_prior():
    ratings = fit_ratings([Counts("a", "b", 1000, 0, 0)], {"b": 0.0})
    assert ratings.rating("a") == pytest.approx(400 * math.log10(1000.5 / 0.5))
    assert ratings.standard_error("a") == pytest.approx(ELO * math.sqrt(1 / 1000.5 + 1 / 0.5))
    worst = fit_ratings([Counts("a", "b", 0, 5, 1000)], {"b": 0.0})
    assert -1400 < worst.rating("a") < -1200


def test_a_perfect_score_against_many_counts_the_prior_once():
    names = [str(k) for k in range(8)]
    results = [Counts("a", name, 1000, 0, 0) for name in names]
    ratings = fit_ratings(results, dict.fromkeys(names, 0.0))
    assert ratings.rating("a") == pytest.approx(400 * math.log10(8000.5 / 0.5))


@pytest.mark.parametrize("counts", [(10, 0, 0), (0, 0, 10), (0, 10, 0), (10, 3, 0)])
def test_without_a_prior_a_perfect_score_is_refused(counts):
    with pytest.raises(EvaluationError, match="no finite ratings"):
        fit_ratings([Counts("a", "b", *counts)], {"b": 0.0}, prior=0)


def test_known_strengths_are_found_within_their_errors():
    elo = (0, 150, 400, 420, 800, 1100)
    results = simulate(elo, 0.25, 20_000, np.random.default_rng(1))
    ratings = fit_ratings(results, {"0": 0.0})
    for i in range(1, len(elo)):
        error = ratings.standard_error(str(i))
        assert 0 < error < 12
        assert abs(ratings.rating(str(i)) - elo[i]) < 3.5 * error
    assert ratings.draw_parameter == pytest.approx(0.25, rel=0.05)
    assert ratings.dispersion == pytest.approx(1, abs=0.7)


@pytest.mark.parametrize("draw_parameter", [0.0, 0.6])
def test_the_intervals_cover_the_truth_as_often_as_they_say(draw_parameter):
    elo, rng, covered = (0, 60, 200, 350), np.random.default_rng(2), []
    for _ in range(400):
        ratings = fit_ratings(simulate(elo, draw_parameter, 60, rng), {"0": 0.0})
        for i, j in itertools.combinations(range(len(elo)), 2):
            mean, error = ratings.difference(str(j), str(i))
            covered.append(abs(mean - (elo[j] - elo[i])) < 1.96 * error)
    assert 0.935 < np.mean(covered) < 0.965


def test_the_likelihood_of_superiority_of_equals_is_anything_alike():
    rng = np.random.default_rng(3)
    fits = [fit_ratings(simulate((0, 0), 0.3, 400, rng), {"0": 0.0}) for _ in range(800)]
    said = np.array([ratings.superiority("1", "0") for ratings in fits])
    # Each tenth holds 80 of 800; one standard deviation is 8.5.
    assert np.histogram(said, bins=10, range=(0, 1))[0] == pytest.approx(80, abs=32)


def test_superiority_follows_from_difference_and_error():
    results = simulate((0, 30, 60), 0.2, 200, np.random.default_rng(4))
    ratings = fit_ratings(results, {"0": 0.0})
    mean, error = ratings.difference("2", "1")
    assert ratings.difference("1", "2") == pytest.approx((-mean, error))
    assert ratings.superiority("2", "1") == pytest.approx(
        0.5 * (1 + math.erf(mean / error / math.sqrt(2)))
    )
    assert ratings.superiority("2", "1") + ratings.superiority("1", "2") == pytest.approx(1)
    fixed = fit_ratings(results, {"0": 0.0, "1": 30.0, "2": 30.0})
    assert (fixed.superiority("1", "0"), fixed.superiority("0", "1")) == (1, 0)
    assert fixed.superiority("1", "2") == 0.5


def test_everybody_scores_what_the_model_expects():
    """In Davidson's model points (a draw is half) and the number of draws are sufficient."""
    results = simulate((0, 100, 150, 600), 0.3, 300, np.random.default_rng(5))
    ratings = fit_ratings(results, {"0": 0.0}, prior=0)
    for player in map(str, range(4)):
        scored = expected = 0.0
        for result in results:
            if player in (result.player, result.opponent):
                won = result.wins if player == result.player else result.losses
                scored += won + result.draws / 2
                other = result.opponent if player == result.player else result.player
                win, draw, _ = ratings.expected(player, other)
                expected += 300 * (win + draw / 2)
        assert expected == pytest.approx(scored)


def test_neither_order_nor_seat_nor_splitting_matters():
    results = simulate((0, 50, 90), 0.2, 500, np.random.default_rng(6))
    expected = fit_ratings(results, {"0": 0.0})
    turned = [Counts(r.opponent, r.player, r.losses, r.draws, r.wins) for r in results[::-1]]
    halves = [Counts(r.player, r.opponent, r.wins - 1, r.draws, r.losses) for r in results]
    rest = [Counts(r.opponent, r.player, 0, 0, 1) for r in results]
    with_itself = [*results, Counts("1", "1", 5, 0, 5), Counts("8", "9", 0, 0, 0)]
    for same in (turned, [*halves, *rest], with_itself):
        found = fit_ratings(same, {"0": 0.0, "absent": 7.0})
        assert sorted(found.players) == ["0", "1", "2"]
        for player in "012":
            assert found.rating(player) == pytest.approx(expected.rating(player), abs=1e-6)
            assert found.standard_error(player) == pytest.approx(expected.standard_error(player))


def test_the_anchor_only_moves_the_scale():
    results = simulate((0, 50, 90), 0.2, 500, np.random.default_rng(7))
    first, second = (fit_ratings(results, anchors) for anchors in ({"0": 0.0}, {"2": 1000.0}))
    assert first.difference("2", "1") == pytest.approx(second.difference("2", "1"))
    assert second.rating("2") == 1000
    assert second.standard_error("2") == 0


def test_results_that_no_ratings_explain_have_a_large_dispersion():
    circle = [Counts("a", "b", 90, 0, 10), Counts("b", "c", 90, 0, 10), Counts("c", "a", 90, 0, 10)]
    ratings = fit_ratings(circle, {"a": 0.0})
    assert ratings.rating("b") == pytest.approx(0, abs=1e-6)
    assert ratings.dispersion == pytest.approx(3 * 64)
    assert fit_ratings(circle[:1], {"a": 0.0}).dispersion is None


def test_players_whom_nothing_connects_are_named():
    results = [Counts("a", "b", 1, 1, 1), Counts("c", "d", 1, 1, 1)]
    with pytest.raises(EvaluationError, match="nothing connects c, d with a"):
        fit_ratings(results, {"a": 0.0})
    with pytest.raises(EvaluationError, match="anchor"):
        fit_ratings(results, {"e": 0.0})
    with pytest.raises(EvaluationError, match="anchor"):
        fit_ratings([], {})


def test_json_has_the_strongest_first():
    ratings = fit_ratings(simulate((0, 500, 90), 0.2, 500, np.random.default_rng(8)), {"0": 0.0})
    data = ratings.as_json()
    assert [row["player"] for row in data["players"]] == ["1", "2", "0"]
    assert data["players"][2]["elo"] == {"rating": 0.0, "error": 0.0}
    matrix = data["likelihood_of_superiority"]
    assert matrix[0][0] is None
    assert matrix[0][1] == ratings.superiority("1", "2")
