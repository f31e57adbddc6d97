"""Disturbs runs on two hosts: they go on, or both end with one sentence."""

from __future__ import annotations

import random
import re
import shutil
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from attack.small_runs import (
    ITERATIONS,
    PATIENCE,
    REPOSITORY,
    Command,
    end_processes,
    metrics,
    wait_until_gone,
    write_config,
)
from attack.tally import Tally
from eval.runs.layout import METRICS

DEFAULT_COUNT = 16
# Silence after which a host counts as lost.
_TIMEOUT = 8
_CONNECTIONS = 10_000
# At the same time; each takes a descriptor here and in the run.
_CONNECTED = 500
_POLL_SECONDS = 0.002
_PACKAGES = ("bb_sim", "bb_jax", "eval", "train")
_CHANGES: dict[str, Any] = {"use_exploit_patch": False}
# The beginning of HTTP/2, which JAX's coordination service speaks, and of a frame of 16 MB.
_HTTP2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff\xff\xff\x00\x00\x00\x00\x00\x01"


class _FoundError(Exception):
    """Something that must not happen."""


@dataclass
class _Run:
    """A run on two hosts of this machine.

    Attributes:
      folder: holds the configuration and the run.
      rng: the choices of this attack.
      address: the rendezvous.
      hosts: the commands, host 0 first.
      struck: hosts that the attack itself has ended.
    """

    folder: Path
    rng: random.Random
    address: tuple[str, int] = ("", 0)
    hosts: list[Command] = field(default_factory=list)
    struck: set[int] = field(default_factory=set)

    def start(self, index: int, config: Path | None = None, **options: Any) -> Command:
        """Starts a host."""
        arguments = ["-P", "-m", "train.main", "--config"]
        arguments.append(str(config or self.folder / "config.yaml"))
        arguments += ["--coordinator", "{}:{}".format(*self.address)]
        arguments += ["--num-processes", str(options.pop("count", 2)), "--process-id", str(index)]
        arguments += ["--host-timeout", str(_TIMEOUT)]
        output = self.folder / f"host{index}.{len(self.hosts)}.log"
        variables = {"PYTHONPATH": str(REPOSITORY)} | options
        command = Command(str(self.folder), arguments, output, **variables)
        self.hosts.append(command)
        return command

    def start_both(self) -> None:
        """Starts both hosts."""
        self.start(0)
        self.start(1)

    @property
    def alive(self) -> bool:
        """Whether all hosts still run."""
        return all(host.process.poll() is None for host in self.hosts)

    def wait_for_row(self) -> None:
        """Waits for a random iteration, and then for a part of the next one."""
        path, row = self.folder / "run" / METRICS, self.rng.randrange(ITERATIONS)
        ends = time.monotonic() + PATIENCE
        while self.alive and time.monotonic() < ends:
            if path.exists() and path.read_bytes().count(b"\n") >= row:
                time.sleep(0.3 * self.rng.random())
                return
            time.sleep(_POLL_SECONDS)

    def listening(self, index: int) -> set[int]:
        """The ports at which a host listens, except for the rendezvous."""
        found = set()
        process = Path(f"/proc/{self.hosts[index].process.pid}")
        with suppress(OSError):
            links = [str(link.readlink()) for link in (process / "fd").iterdir()]
            sockets = {link[8:-1] for link in links if link.startswith("socket:[")}
            for table in ("tcp", "tcp6"):
                for line in (process / "net" / table).read_text().splitlines()[1:]:
                    fields = line.split()
                    if fields[3] == "0A" and fields[9] in sockets:
                        found.add(int(fields[1].rpartition(":")[2], 16))
        return found - {self.address[1]}


# ---------------------------------------------------------------------------------------------
# Strangers
# ---------------------------------------------------------------------------------------------


def _garbage(rng: random.Random) -> bytes:
    return rng.randbytes(rng.choice((1, 10, 1000, 100_000)))


def _half_message(rng: random.Random) -> bytes:
    half = rng.choice(
        (_HTTP2, b"GET / HTTP/1.1\r\n", b"\0\0\0\1", b"\xff\xff\xff\xff\x7f" + bytes(7))
    )
    return half[: rng.randint(1, len(half))]


def _nothing(rng: random.Random) -> bytes:
    return b""


Say = Callable[[random.Random], bytes]


def _call(port: int, said: bytes, kept: list[socket.socket]) -> None:
    with suppress(OSError):
        stranger = socket.create_connection(("127.0.0.1", port), timeout=0.5)
        kept.append(stranger)
        stranger.setblocking(False)
        stranger.send(said)
    if len(kept) >= _CONNECTED:
        kept.pop(0).close()


@contextmanager
def _strangers(
    ports: Callable[[], set[int]], say: Say, rng: random.Random, most: int
) -> Iterator[None]:
    """Calls ports again and again meanwhile."""
    ended = threading.Event()

    def bother() -> None:
        kept: list[socket.socket] = []
        calls = 0
        while not ended.is_set() and calls < most:
            for port in ports():
                _call(port, say(rng), kept)
                calls += 1
            ended.wait(0 if most > 1000 else 0.02)
        ended.wait()
        for stranger in kept:
            stranger.close()

    thread = threading.Thread(target=bother)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _bother_rendezvous(run: _Run, say: Say, most: int) -> None:
    """Strangers call the rendezvous from before the start to the end."""
    with _strangers(lambda: {run.address[1]}, say, run.rng, most):
        run.start_both()
        _wait(run)


def _bother_others(run: _Run, say: Say, most: int) -> None:
    """Strangers call whatever else host 0 listens at, while host 1 lets it wait."""
    run.start_both()
    while run.alive and not run.listening(0):
        time.sleep(_POLL_SECONDS)
    late = run.hosts[1].process
    late.send_signal(signal.SIGSTOP)
    with _strangers(lambda: run.listening(0), say, run.rng, most):
        time.sleep(1 + 2 * run.rng.random())
        late.send_signal(signal.SIGCONT)
        _wait(run)


# ---------------------------------------------------------------------------------------------
# Hosts that are not as they should be
# ---------------------------------------------------------------------------------------------


def _other_version(run: _Run) -> None:
    """Host 1 has other source code."""
    copy = run.folder / "copy"
    for package in _PACKAGES:
        shutil.copytree(REPOSITORY / package, copy / package)
    with open(copy / "train" / "schedules.py", "a") as file:
        file.write("\n# Changed.\n")
    run.start(0)
    run.start(1, PYTHONPATH=str(copy))
    _wait(run)
    _must_end(run, "the program's source code is")


def _other_configuration(run: _Run) -> None:
    """Host 1 has another seed."""
    other = write_config(run.folder / "other", **_CHANGES, seed=7)
    run.start(0)
    run.start(1, other)
    _wait(run)
    _must_end(run, "seed is 42 on host 0 and 7 on host 1")


def _other_count(run: _Run) -> None:
    """Host 1 takes the run for one of three hosts."""
    run.start(0)
    run.start(1, count=3)
    # JAX lets host 0 decide.
    _wait(run)


def _stall(run: _Run, host: int) -> None:
    """A host stands still."""
    run.start_both()
    run.wait_for_row()
    run.hosts[host].process.send_signal(signal.SIGSTOP)
    code, _ = run.hosts[1 - host].wait(PATIENCE)
    run.struck.add(host)
    run.hosts[host].process.kill()
    _wait(run)
    if code == 2:
        _must_end(run, f"host {host} of 2 was lost: it has been silent for {_TIMEOUT} seconds")


def _short_stall(run: _Run) -> None:
    """A host stands still for less than its time."""
    run.start_both()
    run.wait_for_row()
    slow = run.hosts[run.rng.randrange(2)].process
    slow.send_signal(signal.SIGSTOP)
    time.sleep(_TIMEOUT / 3)
    slow.send_signal(signal.SIGCONT)
    _wait(run, allowed=(0,))


def _die(run: _Run, host: int) -> None:
    """A host is killed."""
    run.start_both()
    run.wait_for_row()
    run.struck.add(host)
    run.hosts[host].process.kill()
    _wait(run)


def _stop(run: _Run) -> None:
    """All hosts are told to stop, as by Slurm, and the run is started again."""
    run.start_both()
    run.wait_for_row()
    for host in run.hosts:
        host.process.terminate()
    _wait(run, allowed=(0, 143))
    run.hosts.clear()
    run.start_both()
    _wait(run, allowed=(0,))


def _double(run: _Run) -> None:
    """A second host 1 comes while the run is under way."""
    run.start_both()
    run.wait_for_row()
    if run.alive:
        run.start(1)
    _wait(run)


Attack = Callable[[_Run], None]
_ATTACKS: dict[str, Attack] = {
    "rendezvous: garbage": lambda run: _bother_rendezvous(run, _garbage, 1000),
    "rendezvous: half messages": lambda run: _bother_rendezvous(run, _half_message, 1000),
    "rendezvous: 10,000 connections": lambda run: _bother_rendezvous(run, _nothing, _CONNECTIONS),
    "own ports: garbage": lambda run: _bother_others(run, _garbage, 1000),
    "own ports: half messages": lambda run: _bother_others(run, _half_message, 1000),
    "own ports: 10,000 connections": lambda run: _bother_others(run, _nothing, _CONNECTIONS),
    "another version": _other_version,
    "another configuration": _other_configuration,
    "another number of hosts": _other_count,
    "host 0 stalls": lambda run: _stall(run, 0),
    "host 1 stalls": lambda run: _stall(run, 1),
    "a host stalls briefly": _short_stall,
    "host 0 is killed": lambda run: _die(run, 0),
    "host 1 is killed": lambda run: _die(run, 1),
    "all hosts are told to stop": _stop,
    "a second host 1": _double,
}


# ---------------------------------------------------------------------------------------------
# The attack
# ---------------------------------------------------------------------------------------------


def attack_hosts(count: int, seed: int, only: int | None = None) -> Tally:
    """Disturbs runs on two hosts.

    Args:
      count: number of runs.
      seed: run i is a function of the seed and i.
      only: the number of the one run to try.
    """
    tally = Tally()
    with tempfile.TemporaryDirectory(prefix="attack") as name:
        folder = Path(name) / "hosts"
        expected = _undisturbed(folder)
        for number in range(count) if only is None else (only,):
            kind = list(_ATTACKS)[(number + seed) % len(_ATTACKS)]
            run = _new_run(folder, random.Random(f"{seed}:{number}"))
            outcome, tried = "withstood", f"hosts: {kind}"
            try:
                _ATTACKS[kind](run)
                outcome = _judge(run, expected)
                tally.count(tried, outcome)
            except _FoundError as error:
                repeat = f"hosts --seed {seed} --only {number}"
                outcome = f"FOUND {error} (python -m attack {repeat})"
                tally.find(tried, repeat, str(error))
            finally:
                end_processes(str(folder))
            print(f"run {number}, {tried}: {outcome}", flush=True)
    return tally


def _new_run(folder: Path, rng: random.Random) -> _Run:
    shutil.rmtree(folder, ignore_errors=True)
    write_config(folder, **_CHANGES)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return _Run(folder, rng, listener.getsockname())


def _undisturbed(folder: Path) -> list[dict[str, Any]]:
    """The metrics of a run that nobody disturbs."""
    run = _new_run(folder, random.Random(0))
    run.start_both()
    _wait(run)
    if _judge(run, None) != "went on":
        raise RuntimeError("an undisturbed run on two hosts did not end by itself")
    return metrics(folder / "run")


def _wait(run: _Run, allowed: tuple[int, ...] = (0, 2)) -> None:
    """Waits for the end of all hosts.

    Raises:
      _FoundError: a host hangs, shows a traceback, or ends otherwise than it should.
    """
    for index, host in enumerate(run.hosts):
        code, output = host.wait(PATIENCE)
        if index in run.struck:
            continue
        said = f"host {index} ended with {code}: {output[-400:]!r}"
        sentences = [line for line in output.splitlines() if line.startswith("error: ")]
        if code not in allowed or "Traceback" in output or len(sentences) != (code == 2):
            raise _FoundError(said)


def _must_end(run: _Run, sentence: str) -> None:
    """Checks that all hosts ended with a sentence.

    Raises:
      _FoundError: one did not.
    """
    for index, host in enumerate(run.hosts):
        code, output = host.wait()
        if index not in run.struck and (code != 2 or not re.search(re.escape(sentence), output)):
            raise _FoundError(f"host {index} ended with {code}: {output[-400:]!r}")


def _judge(run: _Run, expected: list[dict[str, Any]] | None) -> str:
    """Whether the run went on or ended.

    Raises:
      _FoundError: its metrics are others, or something is left.
    """
    left = wait_until_gone(str(run.folder), set())
    if left:
        raise _FoundError(left)
    written = (run.folder / "run" / METRICS).exists()
    rows = metrics(run.folder / "run") if written else []
    if expected is not None and rows != expected[: len(rows)]:
        raise _FoundError("its metrics are not those of a run that nobody disturbed")
    return "went on" if len(rows) == ITERATIONS else "ended with a sentence"
