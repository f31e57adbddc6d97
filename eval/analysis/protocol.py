"""The protocol of the analysis engine: one JSON object a line, answers in any order by `id`.

The models say what a request and an answer hold; `docs/analysis-schema.json` is made from them.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError

from bb_jax.search.config import MAX_SAMPLES
from bb_sim.rules.actions import Scoring
from bb_sim.rules.engine import DECK_SIZE, HAND_SIZE, NUM_PLIES, NUM_SPECIES, QUEUE_SIZE
from eval.analysis.errors import AnalysisError
from eval.analysis.notation import (
    parse_card,
    parse_game,
    parse_held,
    parse_link,
    parse_move,
    parse_species,
)
from eval.analysis.positions import position_at
from eval.analysis.record import SEATS, GameRecord, dealt_record, seen_record
from eval.analysis.results import Analysis, JsonModel, Perspective

# In characters and in seconds.
MAX_LINE = 100_000
MAX_ID = 200
MAX_TIME = 3600.0


def _whole_as_number(value: Any) -> Any:
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


Id = Annotated[str, Field(min_length=1, max_length=MAX_ID)]
Number = Annotated[float, BeforeValidator(_whole_as_number)]
Text = Annotated[str, Field(max_length=40)]
Held = Annotated[list[Text], Field(max_length=NUM_SPECIES)]


class PositionRequest(JsonModel):
    """A position that is set up; whose turn it is follows from the cards that were played."""

    queue: list[Text] = Field(
        default=[],
        max_length=QUEUE_SIZE,
        description="From Heaven's Gate; `lion(0)` is the lion of player 0.",
    )
    bar: list[Text] = Field(default=[], max_length=NUM_PLIES, description="Cards in the bar.")
    thats_it: list[Text] = Field(
        default=[], max_length=NUM_PLIES, description="Cards on THAT'S IT."
    )
    hands: list[Held | None] = Field(
        default=[None, None],
        min_length=2,
        max_length=2,
        description=f"The species in both hands, up to {HAND_SIZE} each; `?` for one that is not "
        "known, null for none known.",
    )
    decks: list[Held | None] = Field(
        default=[None, None],
        min_length=2,
        max_length=2,
        description=f"The species in both decks, up to {DECK_SIZE} each, the next card first; what "
        "is missing at the end is not known.",
    )


class AnalysisRequest(JsonModel):
    """A request for an analysis. One of `deal`, `seen`, `position` and `game` says of what."""

    id: Id = Field(description="Answers carry it.")
    deal: list[Held] | None = Field(
        default=None,
        min_length=2,
        max_length=2,
        description="All cards: the twelve species of each player in the order dealt.",
    )
    seen: Held | None = Field(
        default=None,
        description="What `seat` saw: the species that it was dealt so far, in order.",
    )
    position: PositionRequest | None = Field(
        default=None, description="A position from which the moves begin."
    )
    game: str | None = Field(
        default=None, description="A game in the text notation, or as the fragment of a link."
    )
    moves: list[Text] = Field(
        default=[],
        max_length=NUM_PLIES,
        description="What both played, in the notation. With `game` they follow its own.",
    )
    seat: Annotated[int, Field(ge=0, le=1)] | None = Field(
        default=None,
        description="The seat that is to move, 0 (which moves first) or 1, by default whichever it "
        "is; with `seen` the seat that saw.",
    )
    analyze_turns: list[Annotated[int, Field(ge=0, le=NUM_PLIES)]] | None = Field(
        default=None,
        min_length=1,
        max_length=NUM_PLIES,
        description="Turns to analyse, by the number of cards played before; by default the one "
        "after the last move.",
    )
    samples: Annotated[int, Field(ge=0, le=MAX_SAMPLES)] | None = Field(
        default=None,
        description="Worlds to sample for a position, by default 200; 0 asks the network alone.",
    )
    milliseconds: Annotated[Number, Field(gt=0, le=MAX_TIME * 1000)] | None = Field(
        default=None, description="Time to sample a position for instead."
    )
    opponent: Text = Field(
        default="unknown",
        description="`unknown` (inferred from its moves), `network`, or a named opponent.",
    )
    perspective: Perspective = Field(
        default="seat",
        description="`seat`: only what the seat has seen counts. `all`: the hidden cards count, "
        "too; all of them must be given.",
    )
    scoring: Scoring | None = Field(
        default=None, description="By default what the network was trained for."
    )
    seed: Annotated[int, Field(ge=0, lt=2**64)] = Field(
        default=0, description="Seed of the worlds; the same request has the same answer."
    )
    priority: Annotated[int, Field(ge=-(2**31), lt=2**31)] = Field(
        default=0, description="Higher ones are begun first, equal ones in the order they came."
    )
    report_every: Annotated[Number, Field(ge=0.01, le=MAX_TIME)] | None = Field(
        default=None,
        description="Seconds between partial answers while a position is being analysed.",
    )

    def record(self, scoring: Scoring) -> GameRecord:
        """The game that is asked about.

        Args:
          scoring: what holds where the request does not say.

        Raises:
          AnalysisError: it is impossible. The error names the field.
        """
        given = [name for name in _SOURCES if getattr(self, name) is not None]
        if len(given) != 1:
            raise AnalysisError(
                f"one of {', '.join(_SOURCES)} says what to analyse, not {' and '.join(given)}"
                if given
                else f"one of {', '.join(_SOURCES)} must say what to analyse",
                given[1] if given else None,
            )
        moves = [parse_move(text) for text in self.moves]
        scoring = self.scoring or scoring
        if self.deal is not None:
            return dealt_record(
                [[parse_species(text, "deal") for text in cards] for cards in self.deal],
                moves,
                scoring,
            )
        if self.seen is not None:
            if self.seat is None:
                raise AnalysisError("with seen, seat says who saw it", "seat")
            dealt = [parse_species(text, "seen") for text in self.seen]
            return seen_record(self.seat, dealt, moves, scoring)
        if self.position is not None:
            return GameRecord(_start_of(self.position), tuple(moves), scoring)
        return self._game(moves)

    def _game(self, moves: list[Any]) -> GameRecord:
        text = self.game or ""
        try:
            record = parse_game(text) if "\n" in text.strip() else parse_link(text)
        except AnalysisError as error:
            raise AnalysisError(str(error), "game") from error
        if self.scoring not in (None, record.scoring):
            raise AnalysisError(
                f"the game is scored by {record.scoring}, not by {self.scoring}", "scoring"
            )
        for move in moves:
            record = record.after(move)
        return record

    def turns(self, record: GameRecord) -> list[int]:
        """The turns to analyse.

        Raises:
          AnalysisError: the game does not contain one of them.
        """
        if self.analyze_turns is None:
            return [record.end_turn]
        for turn in self.analyze_turns:
            if not record.start.turn <= turn <= record.end_turn:
                raise AnalysisError(
                    f"the game has the turns {record.start.turn} to {record.end_turn}, not {turn}",
                    "analyzeTurns",
                )
        return self.analyze_turns


class CancelRequest(JsonModel):
    """A request to stop another one, which then ends with an error."""

    id: Id = Field(description="The answer carries it.")
    cancel: Id = Field(description="The id of the request to stop.")


class AnalysisAnswer(JsonModel):
    """The answer to a request: one final one, and partial ones before it where asked for."""

    id: str
    positions: list[Analysis] = Field(
        description="One for each turn asked for, in their order; in a partial answer those begun."
    )
    partial: bool = Field(description="Whether more answers to the same request follow.")


class CancelAnswer(JsonModel):
    """The answer to a request to cancel."""

    id: str
    cancel: str
    found: bool = Field(description="Whether such a request was waiting or in progress.")


class ErrorAnswer(JsonModel):
    """The answer to what cannot be answered."""

    id: str | None = Field(description="Null where none could be read.")
    error: str = Field(description="One sentence.")
    field: str | None = Field(description="The key at fault, such as `position.queue`.")


Request = AnalysisRequest | CancelRequest
Answer = AnalysisAnswer | CancelAnswer | ErrorAnswer

_SOURCES = ("deal", "seen", "position", "game")


def to_line(answer: Answer) -> str:
    """An answer as a line of JSON, without the line's end."""
    return json.dumps(answer.model_dump(mode="json", by_alias=True), separators=(",", ":"))


class RequestError(AnalysisError):
    """A line that is no request.

    Attributes:
      id: the id that it has; None where none can be read.
    """

    def __init__(self, text: str, field: str | None, id: str | None) -> None:
        super().__init__(text, field)
        self.id = id

    def answer(self) -> ErrorAnswer:
        return ErrorAnswer(id=self.id, error=str(self), field=self.field)


def parse_request(line: str | bytes) -> Request:
    """The request that a line holds.

    Raises:
      RequestError: it holds none.
    """
    if len(line) > MAX_LINE:
        raise RequestError(f"the line is longer than {MAX_LINE} characters", None, None)
    try:
        text = line.decode() if isinstance(line, bytes) else line
        values = json.loads(text, parse_constant=_refuse_constant)
    except UnicodeDecodeError as error:
        raise RequestError(f"the line is not UTF-8: {error.reason}", None, None) from None
    except RecursionError:
        raise RequestError("the line is nested too deeply", None, None) from None
    except ValueError as error:
        raise RequestError(f"the line is not JSON: {error}", None, None) from None
    if not isinstance(values, dict):
        raise RequestError("the line is not a JSON object", None, None)
    given = values.get("id")
    id = given if isinstance(given, str) and 0 < len(given) <= MAX_ID else None
    model = CancelRequest if "cancel" in values else AnalysisRequest
    try:
        return model.model_validate(values, by_alias=True, by_name=False)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = _field(first["loc"])
        raise RequestError(_sentence(field, first), field, id) from None


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _field(place: tuple[int | str, ...]) -> str:
    """The place of an error, such as `position.queue` for an entry of the queue."""
    field = ".".join(str(part) for part in place if isinstance(part, str))
    return field if len(field) <= 100 else f"{field[:99]}…"


def _sentence(field: str, error: Any) -> str:
    if error["type"] == "missing":
        return f"{field} is missing"
    if error["type"] == "extra_forbidden":
        return f"there is no key {field}"
    message = str(error["msg"])
    return f"{field}: {message[:1].lower()}{message[1:]}"


def _start_of(position: PositionRequest) -> Any:
    def cards(name: str) -> list[Any]:
        return [parse_card(text, f"position.{name}") for text in getattr(position, _SNAKE[name])]

    def held(name: str, seat: int) -> list[str] | None:
        texts = getattr(position, name)[seat]
        field = f"position.{name}"
        return None if texts is None else [parse_held(text, field) for text in texts]

    return position_at(
        hands=[held("hands", seat) for seat in SEATS],
        decks=[held("decks", seat) for seat in SEATS],
        queue=cards("queue"),
        bar=cards("bar"),
        thats_it=cards("thatsIt"),
    )


_SNAKE = {"queue": "queue", "bar": "bar", "thatsIt": "thats_it"}


def schema() -> dict[str, Any]:
    """The JSON schema of requests and answers."""
    from pydantic import TypeAdapter

    parts: list[tuple[str, Any, Literal["validation", "serialization"]]] = [
        ("request", Request, "validation"),
        ("answer", Answer, "serialization"),
    ]
    adapters = [(name, mode, TypeAdapter(kind)) for name, kind, mode in parts]
    found, definitions = TypeAdapter.json_schemas(adapters, ref_template="#/$defs/{model}")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Analysis protocol",
        **{name: found[(name, mode)] for name, mode, _ in adapters},
        "$defs": definitions["$defs"],
    }
