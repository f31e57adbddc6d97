"""The protocol: one answer or one error for every line, and none lost."""

import json
import random
import threading
from pathlib import Path

import pytest

from bb_sim import SPECIES
from eval.analysis.engine import Engine
from eval.analysis.notation import game_text, link_text, move_text
from eval.analysis.protocol import (
    MAX_LINE,
    Answer,
    schema,
    to_line,
)
from eval.analysis.record import GameRecord
from eval.analysis.scheduler import MAX_WAITING, Scheduler
from tests.eval.analysis.games import dealt_cards, random_record, tiny_engine, tiny_policy

ROOT = Path(__file__).resolve().parents[3]


def request(id: str = "a", **values) -> dict:
    """A request about a game of random moves."""
    record = random_record(3, 6)
    deal = [dealt_cards(record, seat) for seat in (0, 1)]
    moves = [move_text(move) for move in record.moves]
    return {"id": id, "deal": deal, "moves": moves, "samples": 10} | values


def answers_to(*requests: dict | str | bytes, threads: int = 1) -> list[dict]:
    """The answers, as JSON; requests are submitted one after the other."""
    found: list[dict] = []

    def answer(one: Answer) -> None:
        found.append(json.loads(to_line(one)))

    with Scheduler(tiny_engine(), answer, threads) as scheduler:
        for one in requests:
            scheduler.submit(json.dumps(one) if isinstance(one, dict) else one)
    return found


def only(*requests: dict | str | bytes) -> dict:
    (found,) = answers_to(*requests)
    return found


def without_time(answer: dict) -> dict:
    return answer | {
        "positions": [p | {"milliseconds": 0} for p in answer["positions"]],
        "id": "",
    }


# --- Answers --------------------------------------------------------------------------------------


def test_an_answer_is_the_engines_analysis():
    found = only(request(analyzeTurns=[2, 5], seed=4, opponent="online"))
    record = random_record(3, 6)
    expected = [
        tiny_engine().analyse(record, turn=turn, samples=10, seed=4, opponent="online")
        for turn in (2, 5)
    ]
    dumped = [one.model_dump(mode="json", by_alias=True) for one in expected]
    assert found["id"] == "a" and not found["partial"]
    assert without_time(found) == without_time({"positions": dumped, "id": "a", "partial": False})
    json.dumps(found, allow_nan=False)


def test_a_game_can_be_given_in_five_ways():
    record = random_record(3, 6)
    state = record.states[-1]
    moves = [move_text(move) for move in record.moves]
    seen = dealt_cards(record, 0)[:7]
    ways: list[dict] = [
        {"seen": seen, "seat": 0, "moves": moves},
        {"game": game_text(record)},
        {"game": link_text(record)},
        {"game": game_text(record.until(4)), "moves": moves[4:]},
    ]
    expected = without_time(only(request()))
    for way in ways:
        assert without_time(only({"id": "b", "samples": 10} | way)) == expected
    position = {
        "hands": [[card.species for card in state.hands[0]], None],
        "queue": [str(card) for card in state.queue],
        "bar": [str(card) for card in state.bar],
        "thatsIt": [str(card) for card in state.thats_it],
    }
    (found,) = only({"id": "c", "samples": 10, "position": position})["positions"]
    there = tiny_engine().analyse(GameRecord(state), samples=10)
    expected = there.model_dump(mode="json", by_alias=True)
    assert found | {"milliseconds": 0} == expected | {"milliseconds": 0}


def test_partial_answers_come_first():
    found = answers_to(request(samples=6_000, reportEvery=0.01, analyzeTurns=[2, 3]))
    assert len(found) > 2
    assert [answer["partial"] for answer in found] == [True] * (len(found) - 1) + [False]
    assert {answer["id"] for answer in found} == {"a"}
    assert len(found[0]["positions"]) == 1 and found[0]["positions"][0]["partial"]
    assert len(found[-2]["positions"]) == 2 and len(found[-1]["positions"]) == 2


class BlockedEngine(Engine):
    """Answers when it is let."""

    def __init__(self):
        super().__init__(tiny_policy())
        self.begun = threading.Event()
        self.go = threading.Event()

    def analyse(self, record, **options):
        self.begun.set()
        assert self.go.wait(60)
        return tiny_engine().analyse(record, **options)


class Blocked:
    """A scheduler whose first request waits until `go`, and what it answered."""

    def __init__(self):
        self.engine = BlockedEngine()
        self.found: list[dict] = []
        self.scheduler = Scheduler(
            self.engine, lambda answer: self.found.append(json.loads(to_line(answer)))
        )
        self.submit(request("first"))
        assert self.engine.begun.wait(60)

    def submit(self, *requests: dict) -> None:
        for one in requests:
            self.scheduler.submit(json.dumps(one))

    def finish(self) -> list[str]:
        """The ids in the order of their answers."""
        self.engine.go.set()
        self.scheduler.__exit__(None)
        return [answer["id"] for answer in self.found]


def test_higher_priorities_are_answered_first():
    blocked = Blocked()
    blocked.submit(
        request("low"), request("high", priority=5), request("mid", priority=2), request("last")
    )
    assert blocked.finish() == ["first", "high", "mid", "low", "last"]


def test_requests_are_cancelled_whether_they_wait_or_not():
    blocked = Blocked()
    blocked.submit(
        request("waits"),
        {"id": "c1", "cancel": "waits"},
        {"id": "c2", "cancel": "first"},
        {"id": "c3", "cancel": "nothing"},
    )
    assert blocked.finish() == ["c1", "waits", "c2", "c3", "first"]
    answers = {answer["id"]: answer for answer in blocked.found}
    assert answers["waits"]["error"] == answers["first"]["error"] == "the analysis was cancelled"
    assert [answers[id]["found"] for id in ("c1", "c2", "c3")] == [True, True, False]
    assert answers["c1"]["cancel"] == "waits"


def test_an_id_may_not_be_used_twice_at_once_and_the_queue_is_bounded(monkeypatch):
    blocked = Blocked()
    monkeypatch.setattr("eval.analysis.scheduler.MAX_WAITING", 2)
    blocked.submit(request("first"), request("b"), request("c"), request("d"), request("b"))
    assert [(answer["id"], answer["field"]) for answer in blocked.found] == [
        ("first", "id"),
        ("d", None),
        ("b", "id"),
    ]
    assert "busy" in blocked.found[1]["error"]
    assert blocked.finish()[3:] == ["first", "b", "c"]
    assert MAX_WAITING == 10_000


def test_what_fails_inside_is_an_answer_too(monkeypatch):
    def fail(*_, **__):
        raise ZeroDivisionError("nothing to divide by")

    monkeypatch.setattr(tiny_engine(), "analyse", fail)
    found = answers_to(request("a"), request("b"))
    assert [answer["id"] for answer in found] == ["a", "b"]
    assert "ZeroDivisionError: nothing to divide by" in found[0]["error"]


def test_leaving_with_an_error_cancels_what_is_left():
    blocked = Blocked()
    blocked.submit(request("b"))
    blocked.engine.go.set()
    blocked.scheduler.__exit__(KeyboardInterrupt)
    assert {answer["id"] for answer in blocked.found} == {"first", "b"}
    assert "error" in blocked.found[-1]


# --- Errors ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "field", "part"),
    [
        ({"moves": ["dog"]}, "moves", "there is no animal 'dog'"),
        ({"moves": ["lion"] * 3}, "moves", "turn"),
        ({"moves": "lion"}, "moves", "list"),
        ({"deal": [["lion"], ["lion"]]}, "deal", "player 0 is dealt 12 cards, not 1"),
        ({"deal": [["lion"] * 12, list(SPECIES)]}, "deal", "twice"),
        ({"deal": None}, None, "one of deal, seen, position, game must say"),
        ({"seen": ["lion"], "seat": 0}, "seen", "not deal and seen"),
        ({"deal": None, "seen": ["lion"]}, "seat", "seat says who saw it"),
        ({"deal": None, "seen": ["lion"], "seat": 1}, "seen", "has seen 7 of its cards, not 1"),
        ({"seat": 2}, "seat", "less than or equal to 1"),
        ({"seat": 1}, "seat", "player 0 is to move, not player 1"),
        ({"analyzeTurns": [7]}, "analyzeTurns", "the turns 0 to 6, not 7"),
        ({"analyzeTurns": []}, "analyzeTurns", "at least 1"),
        ({"analyze_turns": [1]}, "analyze_turns", "there is no key analyze_turns"),
        ({"samples": 10.5}, "samples", "integer"),
        ({"samples": -1}, "samples", "greater than or equal to 0"),
        ({"samples": 10**9}, "samples", "less than or equal to 1000000"),
        ({"milliseconds": 5}, "samples", "not both"),
        ({"opponent": "me"}, "opponent", "must be one of unknown"),
        ({"perspective": "god"}, "perspective", "'seat' or 'all'"),
        ({"scoring": "animals"}, "scoring", "scoring by points"),
        ({"priority": "high"}, "priority", "integer"),
        ({"reportEvery": 0}, "reportEvery", "0.01"),
        ({"id": ""}, "id", "at least 1"),
        ({"id": 7}, "id", "string"),
        ({"game": "dog"}, "game", "not deal and game"),
        ({"deal": None, "moves": [], "game": "dog"}, "game", "no link"),
        ({"deal": None, "position": {"queue": ["lion"]}}, "position.queue", "is no card"),
        ({"deal": None, "position": {"hands": [["lion"], None]}}, "position.hands", "not 1"),
        ({"deal": None, "position": {"tail": []}}, "position.tail", "no key position.tail"),
        ({"deal": None, "position": {"queue": ["lion0", "lion1"]}}, "position", "two lions"),
    ],
)
def test_an_error_names_the_field_in_one_sentence(change, field, part):
    found = only(request(**change))
    assert set(found) == {"id", "error", "field"}
    assert part in found["error"] and "\n" not in found["error"]
    assert found["field"] == field
    assert found["id"] == ("a" if change.get("id", "a") == "a" else None)


@pytest.mark.parametrize(
    ("line", "part"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        ("[1]", "not a JSON object"),
        ("null", "not a JSON object"),
        ('{"id": NaN}', "NaN is no JSON"),
        (b"\xff\xfe", "not UTF-8"),
        ("[" * 50_000, "nested too deeply"),
        ('{"id": "' + "x" * MAX_LINE + '"}', "longer than"),
        ("{}", "id is missing"),
    ],
)
def test_a_line_without_an_id_has_an_error_without_one(line, part):
    found = only(line)
    assert found["id"] is None and part in found["error"]


# --- Everything at once ---------------------------------------------------------------------------


def mutated(line: bytes, source: random.Random) -> bytes:
    """A line with something changed, and no line's end in it."""
    data = bytearray(line)
    for _ in range(source.randint(1, 4)):
        place = source.randrange(len(data) + 1)
        kind = source.randrange(5)
        if kind == 0:
            del data[place : place + source.randint(1, 12)]
        elif kind == 1:
            data[place:place] = bytes(source.randrange(256) for _ in range(source.randint(1, 4)))
        elif kind == 2 and place < len(data):
            data[place] ^= 1 << source.randrange(8)
        elif kind == 3:
            data[place:place] = data[place : place + source.randint(1, 30)]
        else:
            data[place : place + 1] = source.choice([b"null", b"-1", b"1e9", b'"', b"[]", b"{}"])
    return bytes(data).replace(b"\n", b" ").replace(b"\r", b" ")


def fuzzed_lines(number: int, seed: int) -> list[bytes]:
    """Sound requests, then mutated ones."""
    source = random.Random(seed)
    record = random_record(3, 6)
    wholes = [
        request(samples=2),
        request(samples=0, analyzeTurns=[0, 3, 5], priority=3),
        {"id": "g", "game": game_text(record), "samples": 1},
        {"id": "l", "game": link_text(record), "samples": 1, "reportEvery": 5.5},
        {"id": "s", "seen": dealt_cards(record, 0)[:7], "seat": 0, "moves": request()["moves"]},
        {"id": "c", "cancel": "a"},
        {
            "id": "p",
            "position": {"queue": ["lion(0)", "zebra(1)"], "hands": [list(SPECIES[:4]), None]},
            "samples": 1,
        },
    ]
    lines = [json.dumps(whole).encode() for whole in wholes]
    return lines + [mutated(source.choice(lines), source) for _ in range(number)]


def check_fuzzed(lines: list[bytes]) -> None:
    """Every line has one final answer or one error, and its id where it has one."""
    found = [answer for answer in answers_to(*lines, threads=3) if not answer.get("partial")]
    assert len(found) == len(lines)
    expected = sorted(str(id_of(line)) for line in lines)
    assert sorted(str(answer["id"]) for answer in found) == expected
    assert any("positions" in answer for answer in found)
    assert not [a["error"] for a in found if "the analysis failed" in a.get("error", "")]


def id_of(line: bytes) -> str | None:
    """The id that a line has, read in a way of its own."""
    try:
        # JSON has no NaN and no Infinity.
        values = json.loads(line.decode(), parse_constant=int)
    except ValueError:
        return None
    id = values.get("id") if isinstance(values, dict) else None
    return id if isinstance(id, str) and 0 < len(id) <= 200 else None


def test_every_mutated_line_has_one_answer():
    check_fuzzed(fuzzed_lines(300, 1))


@pytest.mark.slow
def test_every_one_of_5000_mutated_lines_has_one_answer():
    for seed in range(5):
        check_fuzzed(fuzzed_lines(1000, seed + 10))


# --- Documentation --------------------------------------------------------------------------------


def test_the_schema_in_the_documentation_is_current():
    text = (ROOT / "docs" / "analysis-schema.json").read_text("utf-8")
    assert json.loads(text) == schema(), (
        "run python -m eval.analyse --schema > docs/analysis-schema.json"
    )
