"""Keys of the evaluations during a run and of the checkpoints that it keeps."""

from pydantic import Field

from bb_jax.strict_model import MAY_CHANGE, Names, StrictModel
from bb_sim import OPPONENTS


class EvaluationConfig(StrictModel):
    """Evaluation and checkpoints."""

    eval_opponents: Names = Field(
        OPPONENTS,
        min_length=1,
        description="Opponents of the evaluations. The best checkpoint has the highest mean win "
        "rate against them.",
    )
    eval_frequency: int = Field(
        25,
        ge=1,
        description="Iterations from one evaluation to the next.",
        json_schema_extra=MAY_CHANGE,
    )
    # Evaluations play every deal from both seats.
    eval_games: int = Field(
        1000,
        ge=2,
        multiple_of=2,
        description="Games against each opponent in an evaluation.",
        json_schema_extra=MAY_CHANGE,
    )
    final_eval_games: int = Field(
        10_000,
        ge=2,
        multiple_of=2,
        description="Games against each opponent for the table at the end of the run.",
        json_schema_extra=MAY_CHANGE,
    )
    checkpoint_frequency: int = Field(
        50,
        ge=1,
        description="Iterations from one checkpoint to the next. Each becomes a member of the "
        "pool.",
        json_schema_extra=MAY_CHANGE,
    )
    keep_checkpoints: int = Field(
        2,
        ge=1,
        description="Number of newest checkpoints that are kept, beside the best one.",
        json_schema_extra=MAY_CHANGE,
    )
