"""Schedules: exact ends, clamping, shapes and the continued run's values."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from train.schedules import get_entropy_coef, get_learning_rate, get_temperature


@pytest.mark.parametrize("decay_type", ["linear", "cosine"])
@pytest.mark.parametrize("total", [1, 7, 400, 1000])
def test_ends_are_exact_and_clamped(decay_type, total):
    for iteration in (-5, 0):
        assert get_entropy_coef(iteration, total, decay_type=decay_type) == 0.04
        assert get_temperature(iteration, total, decay_type=decay_type) == 1.0
    for iteration in (total, total + 1, 10**6):
        assert get_entropy_coef(iteration, total, decay_type=decay_type) == 0.01
        assert get_temperature(iteration, total, decay_type=decay_type) == 0.5


def test_shapes_between_the_ends():
    assert get_temperature(100, 400) == pytest.approx(0.875)
    assert get_temperature(200, 400, decay_type="cosine") == pytest.approx(0.75)
    assert get_temperature(100, 400, decay_type="cosine") == pytest.approx(0.926777, abs=1e-6)
    assert get_entropy_coef(300, 400, 0.04, 0.01, "linear") == pytest.approx(0.0175)
    assert get_entropy_coef(300, 400, 0.03, 0.01, "none") == 0.03


@pytest.mark.parametrize("exponent", [0.1, 0.5, 1.0, 2.0, 100.0])
@pytest.mark.parametrize(("start", "end"), [(0.04, 0.001), (0.001, 0.04), (0.02, 0.02)])
def test_a_power_law_is_a_line_in_its_root(start, end, exponent):
    values = [get_entropy_coef(i, 40, start, end, "power", exponent) for i in range(-1, 42)]
    assert values[:2] == [start, start] and values[41:] == [end, end]
    roots = [value ** (-1 / exponent) for value in values[1:42]]
    steps = [later - earlier for earlier, later in pairwise(roots)]
    assert steps == pytest.approx([(roots[-1] - roots[0]) / 40] * 40, rel=1e-6, abs=1e-9)


def test_a_power_law_of_the_learning_rate_begins_after_the_warm_up():
    rates = [get_learning_rate(i, 20, 1e-3, "power", 1e-4, 4, 1.0) for i in range(21)]
    assert rates[4] == 1e-3 and rates[20] == 1e-4
    assert rates[12] == pytest.approx(1e-3 / (1 + 9 / 2))


def test_values_are_python_floats():
    for iteration in (0, 3, 10):
        assert type(get_entropy_coef(iteration, 10, 1, 0)) is float
        assert type(get_temperature(iteration, 10, 1, 1, "none")) is float
        assert type(get_learning_rate(iteration, 10, 1)) is float


def test_nothing_left_of_a_run_is_its_end():
    assert get_entropy_coef(0, 0) == 0.01


@settings(max_examples=12, deadline=None)
@given(
    total=st.integers(2, 40),
    start=st.floats(0.001, 1.0),
    end=st.floats(0.001, 1.0),
    decay_type=st.sampled_from(["linear", "cosine"]),
)
def test_course_is_monotone_and_between_the_ends(total, start, end, decay_type):
    values = [get_entropy_coef(i, total, start, end, decay_type) for i in range(total + 1)]
    assert values == pytest.approx(sorted(values, reverse=start > end), rel=1e-12)
    assert min(start, end) <= min(values) and max(values) <= max(start, end)


def test_constant_learning_rate():
    assert {get_learning_rate(i, 10, 3e-4) for i in range(12)} == {3e-4}


@pytest.mark.parametrize("decay_type", ["linear", "cosine", "constant"])
def test_warm_up_rises_from_above_zero_to_exactly_the_rate(decay_type):
    rates = [get_learning_rate(i, 20, 1e-3, decay_type, 1e-4, 4) for i in range(5)]
    assert rates == pytest.approx([2e-4, 4e-4, 6e-4, 8e-4, 1e-3])
    assert rates[4] == 1e-3


@pytest.mark.parametrize("decay_type", ["linear", "cosine"])
def test_learning_rate_ends_at_its_minimum(decay_type):
    rates = [get_learning_rate(i, 20, 1e-3, decay_type, 3e-5, 4) for i in range(4, 25)]
    assert rates == sorted(rates, reverse=True)
    assert rates[16:] == [3e-5] * 5
    assert rates[8] == pytest.approx((1e-3 + 3e-5) / 2)


def test_unknown_decay_is_named():
    with pytest.raises(ValueError, match=r"'exp'.*linear, cosine, power, none"):
        get_entropy_coef(0, 10, decay_type="exp")
    with pytest.raises(ValueError, match=r"'none'.*constant, cosine, linear, power"):
        get_learning_rate(0, 10, decay_type="none")
