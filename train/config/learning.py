"""Keys of the network and of learning: what is updated, how, and towards which reward."""

from typing import Literal

from pydantic import Field

from bb_jax.config import ExpertConfig, NetworkConfig, PPOConfig
from bb_jax.strict_model import StrictModel


class LearningConfig(StrictModel):
    """Network and learning."""

    algorithm: Literal["ppo", "expert_iteration"] = Field(
        "ppo", description="Learning algorithm: PPO or expert iteration."
    )
    network_config: NetworkConfig = Field(
        default_factory=NetworkConfig, description="The architecture of the network."
    )
    ppo_config: PPOConfig = Field(default_factory=PPOConfig, description="Coefficients of `ppo`.")
    expert_config: ExpertConfig = Field(
        default_factory=ExpertConfig,
        description="Coefficients of `expert_iteration`.",
    )
    lr_schedule: Literal["constant", "cosine", "linear", "power"] = Field(
        "constant", description="Course of the learning rate after the warm-up."
    )
    lr_warmup_iterations: int = Field(
        0, ge=0, description="Iterations in which the learning rate rises to its full value."
    )
    min_learning_rate: float = Field(
        0.0, ge=0, description="Learning rate at the end of a schedule that is not `constant`."
    )
    entropy_schedule: Literal["none", "linear", "cosine", "power"] = Field(
        "none",
        description="Course of the entropy coefficient over the run. `none` keeps it at "
        "`ppo_config.entropy_coef`.",
    )
    entropy_start: float = Field(
        0.04, ge=0, description="Entropy coefficient at the start of the schedule."
    )
    entropy_end: float = Field(
        0.01, ge=0, description="Entropy coefficient at the end of the schedule."
    )
    schedule_exponent: float = Field(
        1.0,
        ge=0.1,
        le=100,
        description="Exponent p of the schedule `power`, (1 + c x iteration)^-p, with the c that "
        "leads from its start to its end. Neither may be 0.",
    )
    margin_weight: float = Field(
        0.02,
        ge=0,
        description="Reward for each point of margin, on top of 1 for a win and -1 for a loss.",
    )
    draw_reward: float = Field(
        0.0,
        ge=-1,
        le=1,
        description="Reward for a draw, where a win is 1 and a loss is -1. Win rates count a draw "
        "as no win.",
    )

    @property
    def learning_rate(self) -> float:
        """The learning rate of the chosen algorithm, where a schedule starts."""
        chosen = self.ppo_config if self.algorithm == "ppo" else self.expert_config
        return chosen.learning_rate
