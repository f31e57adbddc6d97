"""Keys of the opponents in training: the pool, its shares, and the exploiters that join it."""

import math
import re
from typing import Self

from pydantic import Field, field_validator, model_validator

from bb_jax.strict_model import Names, StrictModel
from bb_sim import OPPONENTS

# A module called "checkpoint" would look like a past checkpoint among the opponents.
_PYTHON_AGENT = re.compile(r"(?!checkpoint:)[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")


class OpponentConfig(StrictModel):
    """The shares of an iteration's games that are played against each kind of opponent."""

    current_weight: float = Field(
        0.5, ge=0, description="Share of self-play, in which both seats learn."
    )
    checkpoint_weight: float = Field(
        0.1,
        ge=0,
        description="Share of past checkpoints, exploiters and fixed opponents, all alike.",
    )
    random_weight: float = Field(0.1, ge=0, description="Share of the opponent `random`.")
    heuristic_weight: float = Field(
        0.3,
        ge=0,
        description="Share of all other named opponents together. The four shares sum to 1.",
    )
    # The two kinds of checkpoint opponents together stay below the 127 that an arena takes.
    max_checkpoints: int = Field(
        10, ge=0, le=100, description="Most past checkpoints in the pool. The oldest leaves first."
    )

    @model_validator(mode="after")
    def _check_shares(self) -> Self:
        names = ("current_weight", "checkpoint_weight", "random_weight", "heuristic_weight")
        total = math.fsum(getattr(self, name) for name in names)
        if abs(total - 1.0) > 1e-6:
            raise ValueError(f"{' + '.join(names)} must be 1, not {total:.9g}")
        return self


class PoolConfig(StrictModel):
    """Opponents in training."""

    use_opponent_pool: bool = Field(True, description="`false` is self-play alone.")
    use_heuristic_variants: bool = Field(
        True,
        description="`true` is all ten named opponents, `false` `random` and `heuristic`.",
    )
    python_agents: Names = Field(
        (),
        description="Agents in Python, each `package.module:Class`, that join the named opponents.",
    )
    fixed_opponents: Names = Field(
        (),
        description="Policies of other runs, each `RUN` or `RUN@STEP`, that share "
        "`checkpoint_weight` during the whole run.",
    )
    opponent_config: OpponentConfig = Field(
        default_factory=OpponentConfig, description="Shares of the games; they sum to 1."
    )
    use_adaptive_weights: bool = Field(
        True,
        description="Whether more games are played against the named opponents that are beaten "
        "less often.",
    )
    min_opponent_weight: float = Field(
        0.05,
        gt=0,
        le=1,
        description="Least raw weight of a named opponent under adaptive weights.",
    )

    @field_validator("python_agents")
    @classmethod
    def _check_agents(cls, agents: tuple[str, ...]) -> tuple[str, ...]:
        for agent in agents:
            if not _PYTHON_AGENT.fullmatch(agent):
                raise ValueError(f"must be 'package.module:Class' each, not {agent!r}")
        return agents

    @property
    def named_opponents(self) -> tuple[str, ...]:
        """The named opponents that training games may be played against."""
        if not self.use_opponent_pool:
            return ()
        built_in = OPPONENTS if self.use_heuristic_variants else ("random", "heuristic")
        return (*built_in, *self.python_agents)


class ExploitConfig(StrictModel):
    """Exploiters."""

    use_exploit_patch: bool = Field(
        False,
        description="Whether exploiters of the current policy are trained. Good ones join the "
        "pool.",
    )
    exploit_patch_interval: int = Field(
        100, ge=1, description="Iterations from one exploiter to the next."
    )
    exploit_patch_iterations: int = Field(
        20, ge=1, description="Iterations that train an exploiter."
    )
    # Evaluations play every deal from both seats.
    exploit_patch_games: int = Field(
        2000, ge=2, multiple_of=2, description="Games that evaluate an exploiter."
    )
    exploit_patch_threshold: float = Field(
        0.55, ge=0, le=1, description="Win rate from which an exploiter joins the pool."
    )
    exploit_patch_max: int = Field(
        3, ge=0, le=20, description="Most exploiters in the pool. The oldest leaves first."
    )
