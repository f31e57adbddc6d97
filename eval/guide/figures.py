"""All numbers of the guide, as models that are JSON. Its text is made from them alone."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from eval.analysis.results import JsonModel
from eval.guide.estimates import Figure

Maybe = Figure | None
#: A line of all files by which a guide is told from other files.
GENERATOR: Literal["made by eval.guide"] = "made by eval.guide"


class Origin(JsonModel):
    """How the figures came about."""

    checkpoint: str
    identity: str = Field(description="Hash of the network's parameters.")
    command: str
    date: str
    scoring: str
    seed: int
    games: int = Field(description="Games of the policy alone.")
    trials: int = Field(description="Games repeated with one move changed.")
    search_games: int = Field(description="Games of the search.")
    search_samples: int = Field(description="Worlds for a move in the games of the search.")
    samples: int = Field(description="Worlds for each position that is judged.")
    position_samples: int = Field(description="Worlds for each of the instructive positions.")


class SeatResult(JsonModel):
    """Results against one opponent, deal by deal from both seats."""

    opponent: str
    games: int
    wins: Figure
    first: Maybe = Field(description="Win rate moving first.")
    second: Maybe = Field(description="Win rate moving second.")
    gain: Maybe = Field(description="The second minus the first, on the same deals.")


class Animal(JsonModel):
    """When one animal is played, and what it is worth then. Lists are by phase."""

    animal: str
    move: Maybe = Field(description="The move at which it is played, 1 to 12, in mean.")
    waits: Maybe = Field(description="Moves that it stays in the hand before it is played.")
    by_move: list[Maybe] = Field(
        description="Share played when in the hand with at least one other, by move."
    )
    by_phase: list[Maybe] = Field(description="The same by phase.")
    by_queue: list[Maybe] = Field(description="The same by the animals in the queue, 0 to 4.")
    worth: list[Maybe] = Field(
        description="Where it was played: win rate minus that with the best other animal. After "
        "the phases follows the mean over all."
    )
    impatience: list[Maybe] = Field(
        description="Where it was not played: win rate minus that if it is played anyway. After "
        "the phases follows the mean over all."
    )
    strong_shift: Maybe = Field(
        description="Its mean move in games against itself minus that against the ten."
    )
    search_shift: Maybe = Field(
        description="Its mean move in the games of the search minus that of the policy alone."
    )


class Option(JsonModel):
    """How often one way to play an animal is chosen."""

    situation: str
    choice: str
    share: Figure


class Choices(JsonModel):
    """The choices of one animal."""

    animal: str
    options: list[Option]


class Effect(JsonModel):
    """What is true on the table when an animal is played, and when it is held."""

    animal: str
    condition: str
    played: Maybe = Field(description="Share played when in the hand and the condition holds.")
    otherwise: Maybe = Field(description="The same when it does not hold.")


class OpeningHand(JsonModel):
    """A hand of four for the first move of the game; lists are by card."""

    cards: list[str] = Field(description="The animals, the best first.")
    win: list[float] = Field(description="Win probability of opening with it.")
    win_reach: list[float] = Field(description="Half the 95 % interval of `win`.")
    behind: list[float] = Field(description="The best card's win probability minus this one's.")
    behind_reach: list[float] = Field(description="Half the 95 % interval of `behind`.")


class OpeningCard(JsonModel):
    """One animal as the first card, over all hands that hold it."""

    animal: str
    win: Figure
    behind: Figure
    best_in: int = Field(description="Hands in which it is best, of the 165 that hold it.")


class OpeningExample(JsonModel):
    """A hand in which the order of preference is wrong."""

    hand: list[str]
    by_order: str
    best: str
    cost: Figure


class Openings(JsonModel):
    """The first move of the game against one kind of opponent."""

    opponent: str
    order: list[str] = Field(description="Open with the first of these in your hand.")
    order_is_best: int = Field(description="Hands in which that is the best card, of 495.")
    order_cost: Figure = Field(description="Win probability that the order loses in mean.")
    random_cost: Figure = Field(description="The same for a card drawn at random.")
    cards: list[OpeningCard]
    exceptions: list[OpeningExample]
    hands: list[OpeningHand]


class ReplyCard(JsonModel):
    """One animal as the answer to the opponent's first card."""

    animal: str
    behind: Figure


class Reply(JsonModel):
    """Answers to one first card."""

    first: str
    win: Figure = Field(description="Win probability of the best answer, in mean over hands.")
    answers: list[ReplyCard] = Field(description="The best in mean first.")


class Replies(JsonModel):
    """Answers to all first cards against one kind of opponent."""

    opponent: str
    replies: list[Reply]


class Misplayed(JsonModel):
    """How often an opponent plays an animal where another one or another choice is better."""

    animal: str
    per_100_games: Figure
    of_plays: Figure = Field(description="Share of the times that it was played.")


class Special(JsonModel):
    """The animal that an opponent misplays more often than the others do."""

    animal: str
    of_plays: Figure = Field(description="Share of its plays of the animal that are mistakes.")
    others: Figure = Field(description="The mean of the other opponents' shares.")


class Mistake(JsonModel):
    """A class of mistakes of an opponent."""

    played: str
    better: str
    per_100_games: Figure
    loss: Figure = Field(description="Win probability that one of them costs, by search.")
    situation: str
    situation_share: Figure
    example: str


class OpponentMistakes(JsonModel):
    """The mistakes of one opponent."""

    opponent: str
    games: int
    decisions: int
    per_game: Figure = Field(description="Mistakes a game, by the network.")
    loss_per_move: Figure = Field(description="Win probability that a move loses in mean.")
    misplayed: list[Misplayed] = Field(description="The animals, the costliest first.")
    special: Special | None = Field(description="The largest gap that is certain.")
    mistakes: list[Mistake]


class PositionMove(JsonModel):
    """One move of an instructive position."""

    move: str
    words: str
    win: Figure
    behind: Figure
    margin: Figure
    told: list[str] = Field(description="What the move does, step by step.")
    line: list[str] = Field(description="What most likely follows, in words.")
    reply: str = Field(description="The animal of the opponent's answer in the line, or nothing.")
    entered: tuple[int, int] = Field(
        description="Points that enter the bar along the line, the player's and the opponent's."
    )
    thrown_out: tuple[int, int] = Field(description="The same for THAT'S IT.")


class Position(JsonModel):
    """An instructive position."""

    number: int
    animal: str
    opponent: str
    seat: int
    turn: int
    game: str = Field(description="The game up to there as the seat has seen it, in the notation.")
    hand: list[str]
    best: PositionMove
    obvious: PositionMove
    others: list[PositionMove]
    holds: dict[str, float] = Field(description="Probability that the opponent holds each card.")


class Trust(JsonModel):
    """How far the network's and the search's judgement can be trusted."""

    predicted: list[Maybe] = Field(
        description="Predicted win probability minus the share of wins against the ten, by phase."
    )
    predicted_itself: list[Maybe] = Field(description="The same against itself.")
    agreement: Maybe = Field(description="Moves of the search that the policy would play.")
    search_gain: Maybe = Field(description="Win rate of the search minus the policy's, same deals.")


class Figures(JsonModel):
    """Everything."""

    generator: Literal["made by eval.guide"] = GENERATOR
    origin: Origin
    seats: list[SeatResult]
    search_seats: list[SeatResult]
    animals: list[Animal]
    choices: list[Choices]
    effects: list[Effect]
    openings: list[Openings]
    replies: list[Replies]
    mistakes: list[OpponentMistakes]
    positions: list[Position]
    trust: Trust
