"""Schedules of the entropy coefficient, the sampling temperature and the learning rate.

Every function takes `iteration`, the number of iterations completed so far, and returns a Python
float for the next one. A continued run counts from its start: it passes
`iteration - start_iteration` and `total_iterations - start_iteration`.
"""

import math
from functools import lru_cache

import jax
import jax.numpy as jnp
import numpy as np
import optax

DECAY_TYPES = ("linear", "cosine", "power", "none")
LEARNING_RATE_SCHEDULES = ("constant", "cosine", "linear", "power")


def get_entropy_coef(
    iteration: int,
    total_iterations: int,
    start_coef: float = 0.04,
    end_coef: float = 0.01,
    decay_type: str = "linear",
    exponent: float = 1.0,
) -> float:
    """The entropy coefficient of an iteration.

    Args:
      iteration: the number of iterations completed.
      total_iterations: the iteration at which the schedule ends.
      start_coef: the value up to iteration 0, exactly.
      end_coef: the value from `total_iterations` on, exactly.
      decay_type: "linear", "cosine", "power", or "none", which keeps `start_coef`. "power" is
        start_coef (1 + c iteration)^-exponent, with the c that leads to `end_coef`; neither end may
        be 0.
      exponent: the exponent of "power". A large one makes the course exponential.

    Raises:
      ValueError: `decay_type` is unknown.
    """
    return _decay(iteration, total_iterations, start_coef, end_coef, decay_type, exponent)


def get_temperature(
    iteration: int,
    total_iterations: int,
    start_temp: float = 1.0,
    end_temp: float = 0.5,
    decay_type: str = "linear",
) -> float:
    """The sampling temperature of an iteration; see `get_entropy_coef`."""
    return _decay(iteration, total_iterations, start_temp, end_temp, decay_type)


def get_learning_rate(
    iteration: int,
    total_iterations: int,
    learning_rate: float = 1e-4,
    decay_type: str = "constant",
    min_learning_rate: float = 0.0,
    warmup_iterations: int = 0,
    exponent: float = 1.0,
) -> float:
    """The learning rate of an iteration.

    During the warm-up the rate rises in equal steps from above 0. At iteration `warmup_iterations`
    it is exactly `learning_rate`, and the decay starts there.

    Args:
      iteration: the number of iterations completed.
      total_iterations: the iteration at which the decay ends.
      learning_rate: the rate after the warm-up.
      decay_type: "linear", "cosine" or "power" to `min_learning_rate`, or "constant".
      min_learning_rate: the rate at `total_iterations`, exactly.
      warmup_iterations: the number of iterations of the warm-up.
      exponent: the exponent of "power"; see `get_entropy_coef`.

    Raises:
      ValueError: `decay_type` is unknown.
    """
    if decay_type not in LEARNING_RATE_SCHEDULES:
        raise ValueError(_unknown(decay_type, LEARNING_RATE_SCHEDULES))
    if iteration < warmup_iterations:
        step = learning_rate / (warmup_iterations + 1)
        risen = 1.0 - _remaining(iteration, warmup_iterations, "linear")
        return _mix(learning_rate, step, risen)
    return _decay(
        iteration - warmup_iterations,
        total_iterations - warmup_iterations,
        learning_rate,
        min_learning_rate,
        "none" if decay_type == "constant" else decay_type,
        exponent,
    )


def _decay(
    iteration: int, total: int, start: float, end: float, decay_type: str, exponent: float = 1.0
) -> float:
    if decay_type not in DECAY_TYPES:
        raise ValueError(_unknown(decay_type, DECAY_TYPES))
    if decay_type == "none":
        return float(start)
    if decay_type == "power":
        return _power(iteration, total, float(start), float(end), exponent)
    return _mix(start, end, _remaining(iteration, total, decay_type))


def _power(iteration: int, total: int, start: float, end: float, exponent: float) -> float:
    """The course that is a straight line in value^(-1 / exponent)."""
    if iteration >= total:
        return end
    if iteration <= 0:
        return start
    # Relative to the start, and by expm1 and log1p: so a large exponent loses no digits.
    growth = math.expm1(math.log(start / end) / exponent)
    value = start * math.exp(-exponent * math.log1p(growth * iteration / total))
    return min(max(value, min(start, end)), max(start, end))


def _mix(start: float, end: float, remaining: float) -> float:
    # optax computes in float32, where an end value of 0.01 becomes 0.009999999776.
    mixed = start * remaining + end * (1.0 - remaining)
    return float(min(max(mixed, min(start, end)), max(start, end)))


def _remaining(iteration: int, total: int, decay_type: str) -> float:
    """The weight of the start value, from 1 to 0."""
    if iteration >= total:
        return 0.0
    if iteration <= 0:
        return 1.0
    return float(_unit_schedule(total, decay_type)[iteration])


@lru_cache(maxsize=16)
def _unit_schedule(total: int, decay_type: str) -> np.ndarray:
    """The weights at all iterations, float32 [total]; one at a time would wait for the device."""
    with jax.transfer_guard("allow"):
        return _computed(total, decay_type)


def _computed(total: int, decay_type: str) -> np.ndarray:
    if decay_type == "cosine":
        schedule = optax.cosine_decay_schedule(init_value=1.0, decay_steps=total)
    else:
        schedule = optax.linear_schedule(init_value=1.0, end_value=0.0, transition_steps=total)
    return np.asarray(schedule(jnp.arange(total)))


def _unknown(decay_type: str, valid: tuple[str, ...]) -> str:
    return f"unknown decay type {decay_type!r}; valid are {', '.join(valid)}"
