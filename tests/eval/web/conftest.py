"""A server inside the test's own process, with the named opponents and a tiny network."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from starlette.testclient import TestClient

from bb_jax import load_policy
from eval.analysis.engine import Engine
from eval.games.opponents import Opponents
from eval.web.server import make_app
from eval.web.table import Table

HOST = "localhost:8000"
ORIGIN = f"http://{HOST}"


class Page:
    """A page that talks to the server as the browser does.

    Attributes:
      frames: every message that it was sent, as text.
      pushes: those that answered nothing, not yet read.
    """

    def __init__(self, session, player=None):
        self._session = session
        self._ids = itertools.count(1)
        self.frames: list[str] = []
        self.pushes: list[dict] = []
        self.player = self.ask("hello", player=player)["player"]

    def send(self, text: str) -> None:
        self._session.send_text(text)

    def receive(self) -> dict:
        self.frames.append(self._session.receive_text())
        return json.loads(self.frames[-1])

    def answer(self, request_id: int | None) -> dict:
        """The answer to a request; pushes that come before it are kept."""
        while True:
            message = self.receive()
            if "push" not in message:
                assert message["id"] == request_id
                return message
            self.pushes.append(message)

    def request(self, do: str, **fields) -> dict:
        request_id = next(self._ids)
        self.send(json.dumps({"id": request_id, "do": do, **fields}))
        return self.answer(request_id)

    def ask(self, do: str, **fields) -> dict:
        answer = self.request(do, **fields)
        assert "error" not in answer, answer
        return answer["result"]

    def refusal(self, do: str, **fields) -> str:
        answer = self.request(do, **fields)
        assert "error" in answer, answer
        return answer["error"]

    def push(self, kind: str) -> dict:
        """The next push, which is of this kind."""
        message = self.pushes.pop(0) if self.pushes else self.receive()
        assert message.get("push") == kind, message
        return message

    def until_my_turn(self, view: dict) -> dict:
        """The game once the person is to move, or it is over."""
        while not view["position"]["over"] and view["position"]["toMove"] != view["seat"]:
            view = self.push("turn")["view"]
        return view

    def play(self, view: dict, choose=lambda legal: legal[0]) -> dict:
        """Plays a move and waits for the opponent's."""
        action = choose(view["position"]["legal"])
        turn = view["position"]["turn"]
        self.ask("play", game=view["game"], turn=turn, action=action["id"])
        return self.until_my_turn(self.push("turn")["view"])

    def finish(self, view: dict) -> dict:
        while not view["position"]["over"]:
            view = self.play(view)
        return view


class Server:
    def __init__(self, client: TestClient, table: Table) -> None:
        self.client, self.table = client, table

    def connect(self, headers: dict[str, str]):
        return self.client.websocket_connect("/socket", headers={"host": HOST, **headers})

    @contextmanager
    def page(self, player: str | None = None) -> Iterator[Page]:
        with self.connect({"origin": ORIGIN}) as session:
            yield Page(session, player)


@pytest.fixture(scope="module")
def table(tiny_checkpoints) -> Iterator[Table]:
    patch = pytest.MonkeyPatch()
    patch.chdir(tiny_checkpoints)
    policy = load_policy(tiny_checkpoints / "checkpoints" / "tiny" / "policies" / "000002.policy")
    yield Table(Opponents("tiny", ["tests.eval.policies:FirstAgent"]), Engine(policy))
    patch.undo()


@pytest.fixture(scope="module")
def server(table) -> Iterator[Server]:
    with TestClient(make_app(table, ["localhost"]), base_url=ORIGIN) as client:
        yield Server(client, table)


@pytest.fixture
def page(server) -> Iterator[Page]:
    with server.page() as page:
        yield page
