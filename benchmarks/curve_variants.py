"""What the learning curves compare: one change to a configuration at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from train.config import Config

# Exploiters of a run.
EXPLOITERS = 3
# Share of the games that exploiters get, taken from self-play.
EXPLOITER_SHARE = 0.1


@dataclass(frozen=True)
class Variant:
    """A configuration with one factor changed."""

    name: str
    overrides: Mapping[str, Any]
    trains_exploiters: bool = False


def part_variants(config: Config) -> list[Variant]:
    """The configuration, and its parts turned on or off."""
    self_play = config.opponent_config.current_weight
    exploiters = {
        "use_exploit_patch": True,
        "opponent_config.checkpoint_weight": EXPLOITER_SHARE,
        "opponent_config.current_weight": round(self_play - EXPLOITER_SHARE, 6),
        # Past selves would be a second factor.
        "opponent_config.max_checkpoints": 0,
    }
    adaptive, asynchronous = config.use_adaptive_weights, config.async_game_generation
    return [
        Variant("quickstart", {}),
        Variant(
            "fixed weights" if adaptive else "adaptive weights",
            {"use_adaptive_weights": not adaptive},
        ),
        Variant("exploit-patch", exploiters, trains_exploiters=True),
        Variant(
            "synchronous" if asynchronous else "asynchronous",
            {"async_game_generation": not asynchronous},
        ),
    ]


def algorithm_variants(config: Config) -> list[Variant]:
    """The configuration under each algorithm, and in self-play alone."""
    expert = {
        "algorithm": "expert_iteration",
        # In units of the objective, where PPO's are in units of logits.
        "temperature_schedule": "linear",
        "temperature_start": 0.06,
        "temperature_end": 0.01,
        "expert_config.policy_temperature": 0.03,
        "expert_config.reuse": 1.0,
        "buffer_size": max(config.buffer_size, 300_000),
    }
    return [
        Variant("ppo", {}),
        Variant("ppo, self-play", {"use_opponent_pool": False}),
        Variant("ppo, afterstates", {"network_config.afterstates": True}),
        Variant("expert iteration", expert),
        Variant(
            "expert iteration, search",
            expert | {"expert_config.search": "samples=8,opponent=known"},
        ),
    ]


def activation_variants(config: Config) -> list[Variant]:
    """The configuration with activations of each type; parameters are float32 in both."""
    return [
        Variant(name, {"network_config.compute_dtype": name}) for name in ("float32", "bfloat16")
    ]


STUDIES: dict[str, Callable[[Config], list[Variant]]] = {
    "parts": part_variants,
    "algorithms": algorithm_variants,
    "activations": activation_variants,
}
