"""Keys of the games that an iteration plays, and of the processes that play them."""

from typing import Literal

from pydantic import Field, field_validator

from bb_jax.strict_model import MAY_CHANGE, StrictModel
from bb_sim.rules.actions import Scoring


class GamesConfig(StrictModel):
    """Games."""

    games_per_iteration: int = Field(8192, ge=1, description="Games in an iteration.")
    scoring: Scoring = Field(
        "points", description="What decides a game: the points or the number of animals."
    )
    stop_when_decided: bool = Field(
        True, description="Whether a game ends as soon as its result is certain."
    )
    temperature_schedule: Literal["none", "linear", "cosine"] = Field(
        "none",
        description="Course of the sampling temperature over the run. `none` keeps it at "
        "`temperature_start`.",
    )
    temperature_start: float = Field(
        1.0, gt=0, description="Sampling temperature at the start of the schedule."
    )
    temperature_end: float = Field(
        0.5, gt=0, description="Sampling temperature at the end of the schedule."
    )
    temp_threshold: int | None = Field(
        None,
        ge=1,
        description="Number of moves at the start of a game that are sampled. The best move is "
        "played from then on. `null` samples all moves.",
    )
    force_cython: bool = Field(
        True,
        description="Must be `true`: the Cython simulator is the only one.",
        json_schema_extra={**MAY_CHANGE, "const": True},
    )
    async_game_generation: bool = Field(
        True,
        description="Whether the next iteration's games are played while the network learns "
        "(policy lag 1) or afterwards (policy lag 0).",
    )
    async_num_workers: int = Field(
        32,
        ge=1,
        description="Worker processes that play the games. No more are started than there are "
        "cores or groups.",
        json_schema_extra=MAY_CHANGE,
    )
    num_groups: int = Field(
        16, ge=1, description="Groups into which an iteration's games are divided."
    )
    games_per_group: int = Field(
        256,
        ge=1,
        description="Games that a group plays at the same time: the rows of an inference batch.",
    )
    buffer_size: int = Field(
        800_000,
        ge=1,
        description="Positions that fit into the buffer: those of an iteration for `ppo`, the "
        "replay buffer for `expert_iteration`.",
    )

    @field_validator("force_cython")
    @classmethod
    def _check_simulator(cls, force_cython: bool) -> bool:
        if not force_cython:
            raise ValueError("must be true, not false: there is no other simulator")
        return force_cython

    @property
    def groups(self) -> int:
        """The number of groups that an iteration's games are divided into; none is empty."""
        return min(self.num_groups, self.games_per_iteration)

    @property
    def slots(self) -> int:
        """The games that a group plays at the same time: no more than it has."""
        return min(self.games_per_group, -(-self.games_per_iteration // self.groups))
