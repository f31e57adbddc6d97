"""The configuration of a run, put together from its topics, and the checks across topics.

A function takes the topic that it needs as its type, such as `GamesConfig`, and a caller passes the
whole configuration, which is one of each.
"""

import math
from typing import Self

from pydantic import model_validator

from bb_jax.search.config import parse_search
from bb_jax.strict_model import nearest
from bb_sim import OPPONENTS, SPECIES
from train.config.evaluation import EvaluationConfig
from train.config.games import GamesConfig
from train.config.learning import LearningConfig
from train.config.opponents import ExploitConfig, PoolConfig
from train.config.run import RunConfig


# Pydantic orders the keys from the last base to the first.
class RolloutConfig(PoolConfig, GamesConfig):
    """The games of an iteration with their opponents, and how much data they can produce."""

    @property
    def max_trajectories(self) -> int:
        """Most trajectories (one seat of one game each) that one iteration can produce.

        A game of self-play has two. Self-play also takes the checkpoints' share while the pool has
        none.
        """
        games = self.games_per_iteration
        if not self.use_opponent_pool:
            return 2 * games
        shares = self.opponent_config
        self_play = math.ceil(games * (shares.current_weight + shares.checkpoint_weight)) + 1
        return games + min(self_play, games)

    @property
    def max_positions(self) -> int:
        """Most positions that one iteration can produce: a decision for each card of a seat."""
        return self.max_trajectories * len(SPECIES)

    @model_validator(mode="after")
    def _check_capacity(self) -> Self:
        if self.buffer_size < self.max_positions:
            raise ValueError(
                f"buffer_size is {self.buffer_size} positions, but the {self.games_per_iteration} "
                f"games of one iteration can take {self.max_positions}"
            )
        return self


class Config(EvaluationConfig, ExploitConfig, RolloutConfig, LearningConfig, RunConfig):
    """The configuration of a run of the Beasty Bar trainer."""

    @model_validator(mode="after")
    def _check_merging(self) -> Self:
        if self.merge_with is None:
            return self
        if self.resume_from is None:
            raise ValueError(
                f"merge_with must be null without resume_from, not {self.merge_with!r}"
            )
        if not self.network_config.second_tower:
            raise ValueError(
                "merge_with must be null where network_config.second_tower is empty, not "
                f"{self.merge_with!r}"
            )
        return self

    @model_validator(mode="after")
    def _check_eval_opponents(self) -> Self:
        valid = (*OPPONENTS, *self.python_agents)
        for name in self.eval_opponents:
            if name not in valid:
                raise ValueError(
                    f"eval_opponents names an unknown opponent, {name!r}; the nearest is "
                    f"{nearest(name, valid)!r} (valid are {', '.join(valid)})"
                )
        return self

    @model_validator(mode="after")
    def _check_minibatch(self) -> Self:
        if self.ppo_config.minibatch_size > self.buffer_size:
            raise ValueError(
                f"ppo_config.minibatch_size is {self.ppo_config.minibatch_size} positions, but "
                f"buffer_size holds {self.buffer_size}"
            )
        return self

    @model_validator(mode="after")
    def _check_expert(self) -> Self:
        try:
            search = parse_search(self.expert_config.search)
        except ValueError as error:
            raise ValueError(f"expert_config.{error}") from error
        if search.samples is None:
            raise ValueError(
                "expert_config.search must have its budget in samples, which can be repeated, "
                f"not {self.expert_config.search!r}"
            )
        if self.algorithm == "expert_iteration" and self.network_config.afterstates:
            raise ValueError(
                "network_config.afterstates must be false, not true, under expert_iteration, "
                "whose expert plays by the values of afterstates"
            )
        return self

    @model_validator(mode="after")
    def _check_schedules(self) -> Self:
        if self.min_learning_rate > self.learning_rate:
            section = "ppo_config" if self.algorithm == "ppo" else "expert_config"
            raise ValueError(
                f"min_learning_rate must be at most {section}.learning_rate "
                f"({self.learning_rate}), not {self.min_learning_rate}"
            )
        ends: list[tuple[str, float]] = []
        if self.lr_schedule == "power":
            ends += [("min_learning_rate", self.min_learning_rate)]
        if self.entropy_schedule == "power":
            ends += [("entropy_start", self.entropy_start), ("entropy_end", self.entropy_end)]
        for name, value in ends:
            if value == 0:
                raise ValueError(f"{name} must be above 0 under the schedule power, not {value}")
        if self.lr_warmup_iterations >= self.total_iterations:
            raise ValueError(
                f"lr_warmup_iterations must be below total_iterations ({self.total_iterations}), "
                f"not {self.lr_warmup_iterations}"
            )
        return self
