"""Estimates and their intervals, against plain sums and against what they should cover."""

import math
from statistics import fmean, stdev

import numpy as np
import pytest
from scipy.stats import binomtest, t

from eval.analysis.results import Estimate
from eval.guide import estimates
from eval.guide.wording import cost, number, percent, points

SUMS = np.array([3.0, 0.0, 1.0, 0.0, 2.0])
COUNTS = np.array([4, 0, 2, 1, 3])


def test_a_mean_is_the_sum_over_the_cases_and_its_interval_comes_from_the_deals():
    figure = estimates.mean(SUMS, COUNTS)
    assert figure is not None
    assert (figure.mean, figure.cases) == (0.6, 10)
    # The deal without a case does not count.
    residuals = [s - 0.6 * c for s, c in zip(SUMS, COUNTS, strict=True) if c]
    error = math.sqrt(4 / 3 * sum(r * r for r in residuals)) / 10
    assert figure.high == pytest.approx(0.6 + t.ppf(0.975, 3) * error, abs=1e-5)
    assert figure.low + figure.high == pytest.approx(1.2, abs=1e-4)


def test_a_mean_of_single_cases_has_students_interval():
    values = [0.2, 0.9, 0.4, 0.4, 0.8]
    figure = estimates.of_values(values)
    assert figure is not None
    assert figure.mean == pytest.approx(fmean(values), abs=1e-5)
    reach = t.ppf(0.975, 4) * stdev(values) / math.sqrt(5)
    assert figure.half_width == pytest.approx(reach, abs=2e-5)


def test_nothing_is_said_of_fewer_than_two_deals():
    one = np.array([0.0, 2.0])
    assert estimates.mean(one, one) is None
    assert estimates.share(one, one) is None
    assert estimates.difference(one, one, np.ones(2), np.ones(2)) is None
    assert estimates.of_values([0.5]) is None


def test_a_share_of_single_cases_is_wilsons():
    hits = np.tile([1, 0, 0, 0, 0], 200)
    figure = estimates.share(hits, np.ones(1000))
    assert figure is not None
    exact = binomtest(200, 1000).proportion_ci(method="wilson")
    assert (figure.low, figure.high) == pytest.approx((exact.low, exact.high), abs=1e-4)
    never = estimates.share(np.zeros(10), np.full(10, 5))
    assert never is not None
    assert (never.mean, never.low) == (0.0, 0.0)
    exact = binomtest(0, 10).proportion_ci(method="wilson")
    assert never.high == pytest.approx(exact.high, abs=1e-5)


def test_games_that_are_alike_widen_the_interval():
    hits = np.tile([0, 1], 20)
    alone = estimates.share(hits, np.ones(40))
    in_tens = estimates.share(10 * hits, np.full(40, 10))
    assert alone is not None and in_tens is not None
    assert in_tens.half_width == pytest.approx(alone.half_width, rel=1e-3)
    assert in_tens.cases == 400


def test_a_difference_on_the_same_deals_is_known_better_than_two_means():
    generator = np.random.default_rng(3)
    luck = generator.normal(size=300)
    ones = np.ones(300)
    first = luck + 0.1 * generator.normal(size=300)
    figure = estimates.difference(first, ones, luck, ones)
    assert figure is not None
    assert figure.mean == pytest.approx(fmean(first) - fmean(luck), abs=1e-5)
    paired = estimates.of_values(first - luck)
    assert paired is not None
    assert figure.half_width == pytest.approx(paired.half_width, rel=0.01)


@pytest.mark.parametrize("kind", [estimates.mean, estimates.share])
def test_intervals_cover_what_they_estimate(kind):
    generator = np.random.default_rng(11)
    covered = 0
    for _ in range(1000):
        counts = generator.integers(0, 6, 60)
        # The cases of a deal share its luck; deals are worth 0.2 or 0.6, 0.4 in mean.
        chance = generator.choice([0.2, 0.6], 60)
        figure = kind(generator.binomial(counts, chance).astype(float), counts)
        covered += figure.low <= 0.4 <= figure.high
    assert 0.93 <= covered / 1000 <= 0.97


def test_a_mean_of_searches_adds_up_their_errors():
    figure = estimates.of_estimates(
        [Estimate(mean=0.5, error=0.03), Estimate(mean=0.7, error=0.04)], 2
    )
    assert figure.mean == 0.6
    assert figure.half_width == pytest.approx(1.96 * 0.05 / 2, abs=1e-4)
    exact = estimates.of_estimate(Estimate(mean=0.25, error=None), 7)
    assert (exact.low, exact.high, exact.cases) == (0.25, 0.25, 7)


@pytest.mark.parametrize(
    ("figure", "words"),
    [
        ((0.7123, 0.7043, 0.7203), ("71.2 ± 0.8 %", "+71.2 ± 0.8", "71.2 ± 0.8")),
        ((0.7123, 0.6820, 0.7400), ("71 ± 4 %", "+71 ± 4", "71 ± 4")),
        ((-0.0312, -0.0316, -0.0308), ("−3.12 ± 0.04 %", "−3.12 ± 0.04", "−3.12 ± 0.04")),
        ((0.0, 0.0, 0.0), ("0.0 ± 0.0 %", "0.0 ± 0.0", "0.0 ± 0.0")),
        ((-0.0004, -0.02, 0.0192), ("0 ± 2 %", "0 ± 2", "0 ± 2")),
    ],
)
def test_a_number_is_written_with_as_many_digits_as_its_interval_is_worth(figure, words):
    one = estimates.Figure(mean=figure[0], low=figure[1], high=figure[2], cases=100)
    assert (percent(one), points(one), cost(one)) == words


def test_what_is_not_known_is_a_dash():
    assert {percent(None), points(None), number(None)} == {"–"}
