"""The command that serves the page."""

import re
import socket

import pytest

from eval.web import serving
from eval.web.__main__ import main


def test_whoever_calls_at_the_address_that_is_shown_waits_for_the_server(monkeypatch, capsys):
    called = []

    def serve(table, listening, host, browse):
        address = re.search(r"http://127\.0\.0\.1:(\d+)/", capsys.readouterr().out)
        assert address is not None
        with socket.create_connection(("127.0.0.1", int(address[1])), timeout=60):
            called.append(table)

    monkeypatch.setattr(serving, "load_table", lambda checkpoint, agents: checkpoint)
    monkeypatch.setattr(serving, "serve", serve)
    assert main(["--checkpoint", "any", "--port", "0", "--no-browser", "--device", "cpu"]) == 0
    assert called == ["any"]


@pytest.mark.parametrize("port", ["-1", "70000", "taken"])
def test_a_port_that_cannot_be_had_is_told_in_a_sentence(port, capsys):
    with socket.create_server(("127.0.0.1", 0)) as other:
        number = str(other.getsockname()[1]) if port == "taken" else port
        assert main(["--port", number, "--no-browser", "--device", "cpu"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and number in error and error.count("\n") == 1
