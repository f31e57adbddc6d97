"""Hostile input: strangers, other sites, paths, and messages that are no requests."""

import json
import re

import pytest
from starlette.websockets import WebSocketDisconnect

from eval.web.guard import HEADERS
from eval.web.messages import MAX_MESSAGE
from tests.eval.web.conftest import ORIGIN


def test_the_page_comes_with_its_headers_and_loads_nothing_from_elsewhere(server):
    page = server.client.get("/")
    assert page.status_code == 200
    assert {name: page.headers[name] for name in HEADERS} == HEADERS
    assert "access-control-allow-origin" not in page.headers
    paths = set(re.findall(r'(?:src|href)="(/[^"#]*)"', page.text))
    assert "/main.js" in paths
    todo, texts = list(paths), {"/": page.text}
    while todo:
        path = todo.pop()
        if path in texts or path == "/":
            continue
        answer = server.client.get(path)
        assert answer.status_code == 200, path
        texts[path] = answer.text
        todo += [f"/{name}" for name in re.findall(r'from "\./([\w.-]+)"', answer.text)]
    assert len(texts) > 15
    everything = "".join(texts.values())
    assert set(re.findall(r"\bhttps?://[\w./-]+", everything)) <= {"http://www.w3.org/2000/svg"}
    assert len(everything.encode()) < 500_000


def test_a_file_that_has_not_changed_is_not_sent_again(server):
    etag = server.client.get("/main.js").headers["etag"]
    assert server.client.get("/main.js", headers={"if-none-match": etag}).status_code == 304


@pytest.mark.parametrize(
    "path",
    ["/../pyproject.toml", "/%2e%2e/%2e%2e/pyproject.toml", "/static/main.js",
     "/main.js/", "/index.html", "/..%5c..%5cpyproject.toml", "/%00", "/main.js%00.css"],
)  # fmt: skip
def test_no_path_leads_to_another_file(server, path):
    answer = server.client.get(path)
    assert answer.status_code == 404
    assert answer.headers["content-security-policy"] == HEADERS["content-security-policy"]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_files_can_only_be_read(server, method):
    assert server.client.request(method, "/").status_code == 405


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8000", "", "localhost.evil.example"]
)
def test_another_host_name_is_refused(server, host):
    assert server.client.get("/", headers={"host": host}).status_code == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://localhost:9000"},
        {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"},
    ],
)
def test_a_request_from_another_site_is_refused(server, headers):
    assert server.client.get("/main.js", headers=headers).status_code == 403


def test_a_link_from_another_site_opens_the_page(server):
    headers = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    assert server.client.get("/", headers=headers).status_code == 200


@pytest.mark.parametrize("origin", [None, "http://evil.example", "null", f"{ORIGIN}.evil.example"])
def test_a_connection_from_another_site_is_refused(server, origin):
    headers = {} if origin is None else {"origin": origin}
    with (
        pytest.raises(WebSocketDisconnect) as refusal,
        server.connect(headers),
    ):
        pass
    assert refusal.value.code == 1008


HOSTILE = {
    "no JSON": "hello",
    "nothing": "",
    "no object": "[]",
    "a number": "7",
    "half": '{"id": 1, "do": "ne',
    "deep": "[" * 30_000,
    "deep in a request": '{"id": 1, "do": "new", "opponent": ' + "[" * 20_000,
    "no id": '{"do": "new", "opponent": "online"}',
    "no such request": '{"id": 9, "do": "shutdown"}',
    "an extra key": '{"id": 9, "do": "new", "opponent": "online", "seed": 1}',
    "a wrong type": '{"id": 9, "do": "new", "opponent": 7}',
    "a text for a number": '{"id": "9", "do": "resume", "game": "AAAAAAAAAAAAAAAAAAAAAA"}',
    "a huge number": '{"id": 9, "do": "next", "watch": ' + "9" * 5000 + "}",
    "infinity": '{"id": 9, "do": "review", "text": "", "samples": 1e999}',
    "a path for a game": '{"id": 9, "do": "resume", "game": "../../../../etc/passwd"}',
    "a long name": json.dumps({"id": 9, "do": "new", "opponent": "x" * 1000}),
    "surrogates": '{"id": 9, "do": "read", "text": "\\ud800"}',
    "too long": json.dumps({"id": 9, "do": "read", "text": "x" * MAX_MESSAGE}),
    "an unknown run": '{"id": 9, "do": "new", "opponent": "run:../../secret"}',
    "an agent that is not offered": '{"id": 9, "do": "new", "opponent": "os:system"}',
    "half a secret": '{"id": 9, "do": "hello", "player": "x"}',
}  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE.values(), ids=list(HOSTILE))
def test_a_message_that_is_no_request_gets_one_refusal_and_the_page_goes_on(page, text):
    page.send(text)
    answer = page.receive()
    assert set(answer) <= {"id", "error", "busy"}
    assert answer["id"] in (None, 1, 9)
    assert 0 < len(answer["error"]) < 400
    assert page.ask("new", opponent="random", seat=0)["position"]["turn"] == 0


def test_nothing_is_done_for_who_has_not_said_hello(server):
    with server.connect({"origin": ORIGIN}) as session:
        session.send_text('{"id": 1, "do": "new", "opponent": "random"}')
        assert "hello" in json.loads(session.receive_text())["error"]


def test_too_many_games_of_one_browser_drop_its_oldest_alone(server, page):
    with server.page() as other:
        kept = other.ask("new", opponent="random", seat=0)["game"]
        first = page.ask("new", opponent="random", seat=0)["game"]
        for _ in range(40):
            page.ask("new", opponent="random", seat=0)
        assert "no such game" in page.refusal("resume", game=first)
        assert other.ask("resume", game=kept)["position"]["turn"] == 0
