"""The coefficients of an iteration, from the configured schedules."""

from __future__ import annotations

from bb_jax import Hyper
from bb_sim.rules.engine import NUM_PLIES
from train.config import Config, GamesConfig
from train.schedules import get_entropy_coef, get_learning_rate, get_temperature


def coefficients_of(config: Config, done: int, total: int) -> Hyper:
    """The coefficients of an iteration.

    Args:
      config: the schedules.
      done: iterations completed before this one, counted from the run's start.
      total: iterations of the run, counted from its start.
    """
    entropy_coef = config.ppo_config.entropy_coef
    if config.entropy_schedule != "none":
        entropy_coef = get_entropy_coef(
            done,
            total,
            config.entropy_start,
            config.entropy_end,
            config.entropy_schedule,
            config.schedule_exponent,
        )
    return Hyper(
        learning_rate=get_learning_rate(
            done,
            total,
            config.learning_rate,
            config.lr_schedule,
            config.min_learning_rate,
            config.lr_warmup_iterations,
            config.schedule_exponent,
        ),
        entropy_coef=entropy_coef,
        temperature=temperature_of(config, done, total),
        sampled_plies=sampled_plies(config),
    )


def temperature_of(config: GamesConfig, done: int, total: int) -> float:
    """The temperature at which an iteration's games are sampled; see `coefficients_of`."""
    return get_temperature(
        done,
        total,
        config.temperature_start,
        config.temperature_end,
        config.temperature_schedule,
    )


def sampled_plies(config: GamesConfig) -> int:
    """The plies of a game whose actions are sampled; the best action is played after them."""
    return NUM_PLIES if config.temp_threshold is None else config.temp_threshold
