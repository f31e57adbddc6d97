"""What a search may spend, and what it assumes about the opponent. No JAX."""

from __future__ import annotations

from typing import Any, Self

from pydantic import Field, field_validator, model_validator

from bb_jax.strict_model import StrictModel, nearest
from bb_sim.rules.actions import OPPONENTS

KNOWN, UNKNOWN, NETWORK = "known", "unknown", "network"
MODELS = (*OPPONENTS, NETWORK)
MAX_SAMPLES = 1_000_000
MAX_DEPTH = 12

_CHOICES = (KNOWN, UNKNOWN, *MODELS)
_DEFAULT_SAMPLES = 200


class SearchConfig(StrictModel):
    """A search, given on command lines as "samples=200,opponent=unknown"."""

    samples: int | None = Field(
        None,
        ge=0,
        le=MAX_SAMPLES,
        description="Worlds that are sampled for a move. 0 evaluates the afterstates and plays "
        "nothing out. `null` with a budget in milliseconds.",
    )
    milliseconds: float | None = Field(
        None, gt=0, description="Time for a move instead, on average over the moves of a batch."
    )
    opponent: str = Field(
        UNKNOWN,
        description="`known` (each game says who it is), `unknown` (inferred from the moves of the "
        "game), `network` (it plays like the searching network) or a named opponent.",
    )
    margin_weight: float = Field(
        0.02,
        ge=0,
        le=1,
        description="The search maximises outcome + margin_weight * margin. The margin is in "
        "points, or in animals under that scoring.",
    )
    # By default a draw is as bad as a loss, since win rates count wins.
    draw_reward: float = Field(
        -1.0, ge=-1, le=1, description="Outcome of a draw, where a win is 1 and a loss is -1."
    )
    depth: int = Field(
        2,
        ge=1,
        le=MAX_DEPTH,
        description="Own moves in a simulation: the candidate, then the best moves of the "
        "network's policy.",
    )

    @model_validator(mode="before")
    @classmethod
    def _default_budget(cls, values: dict[str, Any]) -> dict[str, Any]:
        if values.get("samples") is None and values.get("milliseconds") is None:
            return values | {"samples": _DEFAULT_SAMPLES}
        return values

    @model_validator(mode="after")
    def _check_budget(self) -> Self:
        if self.samples is not None and self.milliseconds is not None:
            raise ValueError("the budget is either samples or milliseconds, not both")
        return self

    @field_validator("opponent")
    @classmethod
    def _check_opponent(cls, opponent: str) -> str:
        if opponent not in _CHOICES:
            raise ValueError(
                f"must be one of {', '.join(_CHOICES)}, not {opponent}; the nearest is "
                f"{nearest(opponent, _CHOICES)}"
            )
        return opponent

    def __str__(self) -> str:
        """The text that `parse_search` reads back; values that are defaults are left out."""
        budget = (
            f"samples={self.samples}"
            if self.milliseconds is None
            else f"milliseconds={self.milliseconds!r}"
        )
        others = [
            f"{name}={getattr(self, name)!r}"
            for name in ("margin_weight", "draw_reward", "depth")
            if getattr(self, name) != type(self).model_fields[name].default
        ]
        return ",".join([budget, f"opponent={self.opponent}", *others])


def parse_search(text: str) -> SearchConfig:
    """The configuration that a text such as "milliseconds=20,opponent=known" describes.

    Raises:
      ValueError: an unknown key, a key that is given twice, or an impossible value. The message is
        one sentence that names it.
    """
    values: dict[str, int | float | str] = {}
    for part in text.split(","):
        key, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or not value:
            raise ValueError(f"search: {part.strip()!r} in {text!r} is not of the form key=value")
        if key in values:
            raise ValueError(f"search: {key} stands twice in {text!r}")
        values[key] = _number_or_text(value)
    try:
        return SearchConfig(**values)  # type: ignore[arg-type]
    except ValueError as error:
        raise ValueError(f"search: {error}") from None


def _number_or_text(text: str) -> int | float | str:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
