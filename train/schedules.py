"""Schedules of the entropy coefficient, the sampling temperature and the learning rate.

Every function takes `iteration`, the number of iterations completed before the one it is for,
and returns a Python float. A continued run counts from its start: it passes
`iteration - start_iteration` and `total_iterations - start_iteration`.
"""

from functools import lru_cache

import jax
import jax.numpy as jnp
import numpy as np
import optax

DECAY_TYPES = ("linear", "cosine", "none")
LEARNING_RATE_SCHEDULES = ("constant", "cosine", "linear")


def get_entropy_coef(
    iteration: int,
    total_iterations: int,
    start_coef: float = 0.04,
    end_coef: float = 0.01,
    decay_type: str = "linear",
) -> float:
    """The entropy coefficient of an iteration.

    `decay_type` is "linear", "cosine" or "none" (`start_coef` throughout). The result is exactly
    `start_coef` up to iteration 0 and exactly `end_coef` from `total_iterations` on.

    Raises:
      ValueError: `decay_type` is none of the three.
    """
    return _decay(iteration, total_iterations, start_coef, end_coef, decay_type)


def get_temperature(
    iteration: int,
    total_iterations: int,
    start_temp: float = 1.0,
    end_temp: float = 0.5,
    decay_type: str = "linear",
) -> float:
    """The temperature that an iteration's actions are sampled at; see `get_entropy_coef`."""
    return _decay(iteration, total_iterations, start_temp, end_temp, decay_type)


def get_learning_rate(
    iteration: int,
    total_iterations: int,
    learning_rate: float = 1e-4,
    decay_type: str = "constant",
    min_learning_rate: float = 0.0,
    warmup_iterations: int = 0,
) -> float:
    """The learning rate of an iteration.

    The first `warmup_iterations` rise in equal steps, none of them zero, and `learning_rate` is
    reached exactly at iteration `warmup_iterations`. From there a "constant" rate stays; a
    "linear" or "cosine" one falls to exactly `min_learning_rate` at `total_iterations`.

    Raises:
      ValueError: `decay_type` is none of the three.
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
    )


def _decay(iteration: int, total: int, start: float, end: float, decay_type: str) -> float:
    if decay_type not in DECAY_TYPES:
        raise ValueError(_unknown(decay_type, DECAY_TYPES))
    if decay_type == "none":
        return float(start)
    return _mix(start, end, _remaining(iteration, total, decay_type))


def _mix(start: float, end: float, remaining: float) -> float:
    # In Python floats, and not by optax, whose float32 would turn an end value of 0.01 into
    # 0.009999999776.
    mixed = start * remaining + end * (1.0 - remaining)
    return float(min(max(mixed, min(start, end)), max(start, end)))


def _remaining(iteration: int, total: int, decay_type: str) -> float:
    """The part of the way from start to end that is still to go, 1 to 0."""
    if iteration >= total:
        return 0.0
    if iteration <= 0:
        return 1.0
    return float(_unit_schedule(total, decay_type)[iteration])


@lru_cache(maxsize=16)
def _unit_schedule(total: int, decay_type: str) -> np.ndarray:
    """float32 [total], at every iteration: computed one by one, each would wait for the device."""
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
