"""What the page may ask for, one JSON object a message.

Each has an `id`, which its answer bears: `{"id": 3, "result": {...}}` or
`{"id": 3, "error": "one sentence"}`. What the server says unasked has `push` instead.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError

from bb_jax.errors import UserError

MAX_MESSAGE = 64 * 1024
"""The longest message that is read, in bytes."""

Key = Annotated[str, StringConstraints(max_length=200)]
Secret = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{16,64}$")]
Text = Annotated[str, StringConstraints(max_length=20_000)]
Scoring = Literal["points", "animals"]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    id: int = Field(ge=0, lt=2**53)


class Hello(_Request):
    """Who asks: a secret that the browser keeps, given by the first answer."""

    do: Literal["hello"]
    player: Secret | None = None


class NewGame(_Request):
    """A game against an opponent that is offered."""

    do: Literal["new"]
    opponent: Key
    seat: Literal[0, 1] | None = Field(None, description="null for either, by chance")
    scoring: Scoring = "points"


class NewFromCards(_Request):
    """The cards of somebody else's game, unseen."""

    do: Literal["cards"]
    cards: Text


class OfGame(_Request):
    """Something about a game that this browser plays."""

    do: Literal["resume", "undo", "exchange", "hint"]
    game: Secret


class Play(_Request):
    """A move of the person."""

    do: Literal["play"]
    game: Secret
    turn: int = Field(ge=0, lt=24, description="The turn that the action is meant for.")
    action: int = Field(ge=0, lt=33)


class Read(_Request):
    """A game in the notation, or the fragment of a link."""

    do: Literal["read"]
    text: Text


class Review(_Request):
    """The review of a game; every position is told when it is judged."""

    do: Literal["review"]
    text: Text
    samples: int = Field(400, ge=1, le=2000)


class Analyse(_Request):
    """A position of a game; `all` looks at the hidden cards too."""

    do: Literal["analyse"]
    text: Text
    turn: int = Field(ge=0, le=24)
    samples: int = Field(200, ge=1, le=5000)
    everything: bool = False


class Watch(_Request):
    """A game between two agents, which goes on by `next`."""

    do: Literal["watch"]
    players: tuple[Key, Key] = Field(strict=False)
    scoring: Scoring = "points"


class Next(_Request):
    """The next move of a game that is watched."""

    do: Literal["next"]
    watch: Secret


class Match(_Request):
    """A hundred games or so in the background."""

    do: Literal["match"]
    players: tuple[Key, Key] = Field(strict=False)
    games: int = Field(100, ge=2, le=1000, multiple_of=2)
    scoring: Scoring = "points"


class Stop(_Request):
    """Ends the answer to an earlier request."""

    do: Literal["stop"]
    request: int = Field(ge=0, lt=2**53)


Request = Annotated[
    Hello
    | NewGame
    | NewFromCards
    | OfGame
    | Play
    | Read
    | Review
    | Analyse
    | Watch
    | Next
    | Match
    | Stop,
    Field(discriminator="do"),
]
_REQUEST: TypeAdapter[Request] = TypeAdapter(Request)


class BadMessageError(UserError):
    """A message that is no request.

    Attributes:
      id: the id of the message, as far as it could be read; else None.
    """

    def __init__(self, text: str, request_id: int | None) -> None:
        super().__init__(text)
        self.id = request_id


class _Numbered(BaseModel):
    id: int = Field(strict=True, ge=0, lt=2**53)


def read_request(text: str | bytes) -> Request:
    """The request that a message holds.

    Raises:
      BadMessageError: it holds none; the message says what is wrong where.
    """
    if len(text) > MAX_MESSAGE:
        raise BadMessageError(f"a message has at most {MAX_MESSAGE} characters", None)
    try:
        return _REQUEST.validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"][1:])
        raise BadMessageError(
            f"{place + ': ' if place else ''}{first['msg'][:200]}", _id_of(text)
        ) from None


def _id_of(text: str | bytes) -> int | None:
    try:
        return _Numbered.model_validate_json(text).id
    except ValidationError:
        return None
