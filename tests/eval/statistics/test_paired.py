"""Differences deal by deal, and what shared deals do to variances."""

import numpy as np
import pytest

from bb_jax.errors import EvaluationError
from eval.matches.match import MatchResult, evaluate, play_pairings
from eval.matches.players import NamedPlayer
from eval.statistics.paired import compare, mean_with_interval, swap_variance_ratio
from tests.eval import policies

OPPONENTS = ["heuristic", "queue"]


def result(outcomes, player="a", opponent="x"):
    outcomes = np.array(outcomes, np.int8)
    return MatchResult.from_deals(player, opponent, 3 * outcomes, outcomes)


def test_the_interval_agrees_with_a_published_example():
    """Student, Biometrika 6 (1908): extra sleep of ten patients; as R's t.test gives it."""
    found = mean_with_interval(np.array([1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4]))
    assert found.mean == pytest.approx(1.58)
    assert found.ci95 == pytest.approx((0.7001142, 2.4598858), abs=1e-6)


def test_differences_worked_out_by_hand():
    ours = [result([[1, 1], [1, -1], [0, -1], [1, 0]])]
    theirs = [result([[1, -1], [-1, -1], [0, -1], [1, 1]], player="b")]
    (row,) = compare(ours, theirs)
    # Of two games a deal, 1, 1, 0 and -1 more are won: mean 1/4 of a deal, 1/8 of a game.
    assert (row.player, row.other, row.opponent, row.deals) == ("a", "b", "x", 4)
    assert row.win_rate.mean == 1 / 8
    assert row.win_rate.standard_error == pytest.approx(np.sqrt(11 / 12 / 4) / 2)
    assert row.margin.mean == 9 / 8


def test_a_player_does_not_differ_from_itself():
    ours, again = (
        evaluate(policies.uniform(), ["noisy", "random", *OPPONENTS], 200, 5) for _ in range(2)
    )
    for row in compare(ours, again):
        for what in (row.win_rate, row.margin):
            assert (what.mean, what.standard_error, what.ci95) == (0, 0, (0, 0))


def test_differences_are_those_of_the_rates():
    ours = evaluate(policies.uniform(), OPPONENTS, 400, 5)
    theirs = evaluate(policies.highest(), OPPONENTS, 400, 5)
    rows = compare(ours, theirs)
    assert [row.opponent for row in rows] == [*OPPONENTS, "all together"]
    for row, a, b in zip(rows, ours, theirs, strict=False):
        assert row.win_rate.mean == pytest.approx(a.win_rate - b.win_rate)
        assert row.margin.mean == pytest.approx(a.mean_margin - b.mean_margin)
    assert rows[2].win_rate.mean == pytest.approx(
        (rows[0].win_rate.mean + rows[1].win_rate.mean) / 2
    )
    assert rows[2].win_rate.standard_error < min(row.win_rate.standard_error for row in rows[:2])


def test_the_errors_are_those_that_repetitions_show():
    rows = []
    for seed in range(150):
        ours, theirs = (
            evaluate(player, OPPONENTS, 100, seed)
            for player in (NamedPlayer("aggressive"), NamedPlayer("defensive"))
        )
        rows.append(compare(ours, theirs)[2])
    for what in ("win_rate", "margin"):
        means = [getattr(row, what).mean for row in rows]
        errors = [getattr(row, what).standard_error for row in rows]
        # Of 150 repetitions: the standard deviation itself is known to 6 percent.
        assert np.std(means, ddof=1) == pytest.approx(np.mean(errors), rel=0.2)
        inside = [row_mean - np.mean(means) for row_mean in means]
        reach = [(getattr(r, what).ci95[1] - getattr(r, what).ci95[0]) / 2 for r in rows]
        assert 0.89 <= np.mean(np.abs(inside) <= reach) <= 0.99
    # Shared deals pay: far below the variance of two evaluations with games of their own.
    assert np.mean([row.variance_ratio for row in rows]) < 0.75


def test_both_seats_of_a_deal_reduce_the_variance_between_equals():
    pairs = [("heuristic", "aggressive"), ("random", "heuristic")]
    equals, unequals = play_pairings([(NamedPlayer(a), NamedPlayer(b)) for a, b in pairs], 4000, 1)
    assert swap_variance_ratio(equals) == pytest.approx(0.25, abs=0.1)
    assert swap_variance_ratio(unequals) == pytest.approx(1, abs=0.1)
    itself = play_pairings([(NamedPlayer("queue"), NamedPlayer("queue"))], 400, 1)[0]
    # Only draws keep one of the two from winning.
    assert swap_variance_ratio(itself) == pytest.approx(0.1, abs=0.1)


def test_variance_ratios_worked_out_by_hand():
    assert swap_variance_ratio(result([[1, -1], [-1, 1], [1, -1], [-1, 1]])) == 0
    assert swap_variance_ratio(result([[1, 1], [-1, -1], [1, 1], [-1, -1]])) == pytest.approx(2)
    assert swap_variance_ratio(result([[1, 1], [-1, 1], [1, -1], [-1, -1]])) == pytest.approx(1)
    assert swap_variance_ratio(result([[1, 1], [1, 1]])) is None


def test_what_cannot_be_compared_is_refused():
    two, three = result([[1, 1], [0, 1]]), result([[1, 1], [0, 1], [0, 0]])
    with pytest.raises(EvaluationError, match="same opponents"):
        compare([two], [result([[1, 1], [0, 1]], opponent="y")])
    with pytest.raises(EvaluationError, match="same opponents"):
        compare([], [])
    with pytest.raises(EvaluationError, match="same deals"):
        compare([two], [three])
    with pytest.raises(EvaluationError, match="two deals"):
        compare([result([[1, 1]])], [result([[0, 1]])])
