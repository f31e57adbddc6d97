"""What an analysis says, as models that are JSON with keys in camel case."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

Perspective = Literal["seat", "all"]


class JsonModel(BaseModel):
    """A frozen model; its JSON has camel-case keys (`model_dump(mode="json", by_alias=True)`)."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        allow_inf_nan=False,
        alias_generator=to_camel,
        populate_by_name=True,
    )


class Estimate(JsonModel):
    """A number and how far sampling may have moved it."""

    mean: float
    error: float | None = Field(
        description="Standard error over the sampled worlds: 0 where the number is exact given the "
        "models of the opponent, null where it comes from one forward pass of the network. What "
        "the network itself errs is not in it."
    )


class ActionAnalysis(JsonModel):
    """What one legal action is worth."""

    action: str = Field(description="The move in the notation.")
    action_id: int = Field(description="Its id, 0 to 32.")
    value: Estimate = Field(
        description="What the search maximises: outcome + margin weight * margin, where a win is "
        "1, a loss -1 and a draw -1 unless the engine was told otherwise."
    )
    win: Estimate = Field(description="Probability of a win.")
    draw: float | None = Field(description="Probability of a draw, where it is exact; else null.")
    loss: float | None = Field(description="Probability of a loss, where it is exact; else null.")
    margin: Estimate = Field(description="Expected final margin, in the units of the scoring.")
    behind: Estimate = Field(
        description="Win probability of the best action minus that of this one, with the standard "
        "error of the difference over the worlds that both were played in."
    )
    samples: int = Field(description="Worlds that it was played in.")
    exact: bool = Field(description="Whether it was searched to the end of the game.")
    policy: float = Field(description="The network's own probability of playing it.")
    line: list[str] = Field(
        description="The likely line: this action, the opponent's most frequent reply in the "
        "sampled worlds, and so on."
    )


class OpponentAnalysis(JsonModel):
    """What the seat can conclude about its opponent."""

    hand: dict[str, float] = Field(
        description="For each unseen card, the probability that the opponent holds it."
    )
    models: dict[str, float] = Field(
        description="For each model of the opponent, the probability that it plays like it."
    )


class Analysis(JsonModel):
    """The analysis of one position."""

    turn: int = Field(description="Turns played before it.")
    seat: int = Field(description="The seat that is to move and whose chances these are.")
    perspective: Perspective = Field(
        description="`seat`: what the seat has seen is all that went into it. `all`: the hidden "
        "cards did, too."
    )
    best: str = Field(description="The best action.")
    win: Estimate = Field(description="Win probability of the best action.")
    draw: float | None
    loss: float | None
    margin: Estimate
    value: Estimate
    actions: list[ActionAnalysis] = Field(description="All legal actions, the best first.")
    opponent: OpponentAnalysis
    samples: int = Field(description="Worlds that were sampled.")
    exact: bool
    milliseconds: float = Field(description="How long it took.")
    partial: bool = Field(description="Whether the search is still going on.")

    def of(self, action: str) -> ActionAnalysis:
        """The analysis of one action by its text."""
        return next(entry for entry in self.actions if entry.action == action)
