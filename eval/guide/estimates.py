"""Estimates with their 95 % intervals, from games of which some share a deal.

`D` denotes deals. Games of one deal are alike, games of different deals are independent. So every
sum is taken deal by deal first, and the intervals come from how the deals differ. A deal in which
nothing was counted tells nothing about how often something happens, and is left out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from pydantic import Field
from scipy.special import ndtri, stdtrit

from eval.analysis.results import Estimate, JsonModel
from eval.matches.match import wilson_interval

_Z = float(ndtri(0.975))


class Figure(JsonModel):
    """A number that was measured."""

    mean: float
    low: float = Field(description="Lower end of the 95 % interval.")
    high: float = Field(description="Upper end of the 95 % interval.")
    cases: int = Field(description="Cases behind it: decisions, games or positions.")

    @property
    def half_width(self) -> float:
        """How far the farther end of the interval is from the number."""
        return max(self.high - self.mean, self.mean - self.low)

    @property
    def is_positive(self) -> bool:
        """Whether the whole interval is above zero."""
        return self.low > 0

    @property
    def is_negative(self) -> bool:
        """Whether the whole interval is below zero."""
        return self.high < 0


def figure(mean: float, low: float, high: float, cases: float) -> Figure:
    """A figure with five decimals, so that text and JSON are made from the same number."""
    return Figure(mean=round(mean, 5), low=round(low, 5), high=round(high, 5), cases=round(cases))


def mean(sums: np.ndarray, counts: np.ndarray) -> Figure | None:
    """The mean over cases: a ratio of sums over deals, by its linearization (Cochran 1977, 6.3).

    Args:
      sums: float [D], the sum over each deal's cases.
      counts: numbers [D], each deal's cases.

    Returns:
      The mean with Student's interval; None if fewer than two deals have a case.
    """
    cases = float(counts.sum())
    deals = int(np.count_nonzero(counts))
    if deals < 2:
        return None
    value = float(sums.sum()) / cases
    reach = _reach(sums - value * counts, cases, deals)
    return figure(value, value - reach, value + reach, cases)


def share(hits: np.ndarray, counts: np.ndarray) -> Figure | None:
    """A proportion of cases, with Wilson's interval for as many cases as the deals are worth.

    Korn and Graubard (1998): the interval of so many independent cases as would have the same
    variance. Without any variance each deal counts as one case.

    Args:
      hits: numbers [D], the cases of each deal that count.
      counts: numbers [D], each deal's cases.

    Returns:
      The proportion; None if fewer than two deals have a case.
    """
    cases = float(counts.sum())
    deals = int(np.count_nonzero(counts))
    if deals < 2:
        return None
    value = float(hits.sum()) / cases
    variance = _variance(hits - value * counts, cases, deals)
    worth = value * (1 - value) / variance if variance > 0 else deals
    low, high = _wilson(value, min(worth, cases))
    return figure(value, low, high, cases)


def difference(
    sums: np.ndarray, counts: np.ndarray, other_sums: np.ndarray, other_counts: np.ndarray
) -> Figure | None:
    """One mean minus another, over cases of the same deals.

    Args:
      sums, counts: float [D], of the first mean as in `mean`.
      other_sums, other_counts: float [D], of the second.

    Returns:
      The difference with Student's interval; None if either mean has fewer than two deals.
    """
    cases, other_cases = float(counts.sum()), float(other_counts.sum())
    deals = int(np.count_nonzero((counts > 0) | (other_counts > 0)))
    if min(np.count_nonzero(counts), np.count_nonzero(other_counts)) < 2:
        return None
    value, other = float(sums.sum()) / cases, float(other_sums.sum()) / other_cases
    residuals = (sums - value * counts) / cases - (other_sums - other * other_counts) / other_cases
    reach = _reach(residuals, 1.0, deals)
    gap = value - other
    return figure(gap, gap - reach, gap + reach, cases + other_cases)


def of_values(values: Sequence[float] | np.ndarray) -> Figure | None:
    """The mean of independent values [D], with Student's interval; None for fewer than two."""
    array = np.asarray(values, float)
    return mean(array, np.ones(len(array)))


def of_proportion(hits: int, cases: int) -> Figure:
    """A proportion of independent cases, at least one, with Wilson's interval."""
    low, high = wilson_interval(hits, cases)
    return figure(hits / cases, low, high, cases)


def of_estimate(estimate: Estimate, cases: int) -> Figure:
    """What an analysis estimated from so many worlds; exact numbers have an interval of width 0."""
    reach = _Z * (estimate.error or 0.0)
    return figure(estimate.mean, estimate.mean - reach, estimate.mean + reach, cases)


def of_estimates(estimates: Sequence[Estimate], cases: int) -> Figure:
    """The mean of independent estimates, all that there are, each uncertain by its own error."""
    value = sum(one.mean for one in estimates) / len(estimates)
    error = math.sqrt(sum((one.error or 0.0) ** 2 for one in estimates)) / len(estimates)
    return of_estimate(Estimate(mean=value, error=error), cases)


def _variance(residuals: np.ndarray, cases: float, deals: int) -> float:
    return deals / (deals - 1) * float((residuals**2).sum()) / cases**2


def _reach(residuals: np.ndarray, cases: float, deals: int) -> float:
    return float(stdtrit(deals - 1, 0.975)) * math.sqrt(_variance(residuals, cases, deals))


def _wilson(value: float, cases: float) -> tuple[float, float]:
    """Wilson's interval of a proportion of any positive, not necessarily whole, number of cases."""
    scale = 1 + _Z**2 / cases
    center = (value + _Z**2 / (2 * cases)) / scale
    reach = _Z / scale * math.sqrt(value * (1 - value) / cases + (_Z / (2 * cases)) ** 2)
    return max(0.0, center - reach), min(1.0, center + reach)
