"""Who knows the run's secret becomes a member, and nobody else, whatever they send."""

import socket
import threading
import time
from contextlib import ExitStack, suppress

import pytest

from train.hosts.admission import GREETING, admit, call, new_secret
from train.hosts.base import HostError
from train.hosts.rendezvous import own_address

SECRET = new_secret()
SECONDS = 30.0


class Door:
    """Host 0 of some hosts, which waits in a thread for the others."""

    def __init__(self, count: int = 2, seconds: float = SECONDS):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.address = self.listener.getsockname()
        self.found: object = None
        self._thread = threading.Thread(target=self._admit, args=(count, seconds))

    def _admit(self, count: int, seconds: float) -> None:
        try:
            self.found = admit(self.listener, SECRET, count, time.monotonic() + seconds)
        except HostError as error:
            self.found = error

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._thread.join()
        self.listener.close()

    def stranger(self) -> socket.socket:
        return socket.create_connection(self.address, timeout=SECONDS)

    def member(self, index: int):
        return call(["127.0.0.1"], self.address[1], SECRET, index, time.monotonic() + SECONDS)


def greeted(stranger: socket.socket) -> bytes:
    return stranger.recv(len(GREETING) + 32, socket.MSG_WAITALL)


def test_hosts_meet_in_any_order_and_are_told_apart():
    with Door(3) as door:
        lines = {index: door.member(index) for index in (2, 1)}
    assert sorted(door.found) == [1, 2]
    for index, line in lines.items():
        line.send(("hello", index))
        assert door.found[index].recv() == ("hello", index)
        door.found[index].send([index] * 100_000)
        assert line.recv() == [index] * 100_000


ANSWERS = {
    "nothing": b"",
    "a request": b"GET / HTTP/1.1\r\n\r\n",
    "half a message": b"\0\0\0\1" + b"x" * 40,
    "a wrong proof": b"\0\0\0\1" + b"x" * 64,
    "much": b"x" * 1_000_000,
}


@pytest.mark.parametrize("ends", [True, False], ids=["and ends", "and stays"])
@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_a_stranger_is_no_member_and_keeps_nobody_out(answer, ends):
    with Door() as door, ExitStack() as stack:
        strangers = [stack.enter_context(door.stranger()) for _ in range(3)]
        for stranger in strangers:
            # A stranger that says too much may be hung up on before its end.
            with suppress(ConnectionError):
                stranger.sendall(answer)
            if ends:
                stranger.close()
        began = time.monotonic()
        line = door.member(1)
        assert time.monotonic() - began < SECONDS / 3
    line.send("I am")
    assert door.found[1].recv() == "I am"


def test_host_0_s_own_answers_sent_back_make_no_member():
    with Door(seconds=2) as door, door.stranger() as stranger, door.stranger() as other:
        stranger.sendall((b"\0\0\0\1" + greeted(other) + b"x" * 64)[:68])
        stranger.sendall(greeted(stranger))
    assert str(door.found) == "host 1 has not called host 0 in time"


@pytest.mark.parametrize("index", [0, 2, 2**32 - 1])
def test_a_number_that_no_host_has_makes_no_member(index):
    with Door(seconds=2) as door, pytest.raises(HostError, match="host 0 does not answer at 127"):
        call(["127.0.0.1"], door.address[1], SECRET, index, time.monotonic() + 0.1)
    assert isinstance(door.found, HostError)


def test_a_crowd_of_silent_strangers_keeps_nobody_out():
    with Door() as door, ExitStack() as stack:
        for _ in range(300):
            stack.enter_context(door.stranger())
        began = time.monotonic()
        door.member(1)
        assert time.monotonic() - began < SECONDS / 3
    assert list(door.found) == [1]


def test_a_host_that_calls_again_is_heard_on_its_newest_connection():
    with Door(3) as door:
        door.member(1).close()
        line = door.member(1)
        door.member(2)
    line.send("again")
    assert door.found[1].recv() == "again"


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        (b"SSH-2.0-x\r\n" + bytes(100), "127.0.0.1 is not host 0, or has another version of"),
        (GREETING + bytes(32) + bytes(32), "127.0.0.1 does not know the run's secret"),
        (GREETING, "the connection was closed before host 0 had answered"),
    ],
)
def test_a_host_does_not_join_whoever_answers(said, sentence):
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            with listener.accept()[0] as caller, suppress(ConnectionResetError):
                caller.sendall(said)
                caller.shutdown(socket.SHUT_WR)
                caller.settimeout(SECONDS)
                while caller.recv(1000):
                    pass

        thread = threading.Thread(target=answer)
        thread.start()
        deadline = time.monotonic() + 0.2
        with pytest.raises(HostError, match=rf"^host 0 does not answer at 127.0.0.1: {sentence}"):
            call(["127.0.0.1"], listener.getsockname()[1], SECRET, 1, deadline)
        thread.join()


def test_host_0_listens_where_it_is_called_and_nowhere_else(monkeypatch):
    assert own_address("127.0.0.1:1") == "127.0.0.1"
    assert own_address("localhost:1") in ("127.0.0.1", "::1")
    # Of another machine, of none, and for JAX to find.
    assert own_address("192.0.2.1:1") is None
    assert own_address("nowhere.invalid:1") is None
    assert own_address(None) is None
    # Many systems give their own name a loopback address, which others cannot reach.
    loopback = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.1.1", 0))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: loopback)
    assert own_address("host0:1") is None
