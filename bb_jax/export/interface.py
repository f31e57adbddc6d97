"""What an exported network takes and gives: names, shapes and types, the same in every format.

`batch` denotes any number of rows.
"""

from typing import NamedTuple

from bb_jax.config import NetworkConfig
from bb_jax.networks.network import MARGIN_UNIT
from bb_jax.networks.network import VALUES as VALUE_NAMES
from bb_sim.rules.engine import NUM_ACTIONS
from bb_sim.rules.observation import OBSERVATION_SIZE

ROWS, LEGAL, LOGITS, SCORES, VALUES = "rows", "legal", "logits", "scores", "values"


class Tensor(NamedTuple):
    """An input or an output.

    Attributes:
      name: what the file calls it.
      dtype: as numpy names it.
      shape: "batch" is any number.
      meaning: one sentence.
    """

    name: str
    dtype: str
    shape: tuple[str | int, ...]
    meaning: str


def inputs() -> tuple[Tensor, ...]:
    """What every exported network takes."""
    return (
        Tensor(
            ROWS,
            "uint8",
            ("batch", OBSERVATION_SIZE),
            "Observation rows as the simulator makes them, nothing encoded.",
        ),
    )


def outputs(config: NetworkConfig) -> tuple[Tensor, ...]:
    """What an exported network of an architecture gives, in order."""
    if config.afterstates:
        policy = Tensor(
            SCORES,
            "float32",
            ("batch",),
            "The score of the afterstate in a row. The scores of a position's afterstates are the "
            "logits of the actions that lead to them.",
        )
    else:
        policy = Tensor(
            LOGITS,
            "float32",
            ("batch", NUM_ACTIONS),
            "The logit of each action; those of illegal actions mean nothing.",
        )
    return (
        policy,
        Tensor(
            VALUES,
            "float32",
            ("batch", len(VALUE_NAMES)),
            "For the player who sees the row: the expected outcome, and the expected margin "
            f"divided by {MARGIN_UNIT:g}.",
        ),
        Tensor(
            LEGAL,
            "bool",
            ("batch", NUM_ACTIONS),
            "Which actions are legal; none in an afterstate.",
        ),
    )
