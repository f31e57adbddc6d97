"""Runs `python -m MODULE` without the seconds that importing the libraries takes.

A server imports them once for a process of the tests, and forks for each program. It never starts
JAX's devices, so the forks have all to themselves: memory, signals, devices, an exit code.
"""

from __future__ import annotations

import atexit
import functools
import gc
import importlib
import json
import os
import runpy
import select
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import fsspec

from tests.waiting import PATIENCE, wait_until

REPOSITORY = Path(__file__).parents[1]
# Variables that Python or a library reads once.
_READ_AT_START = ("JAX_", "PYTHON", "LD_")
# What trainings and evaluations import, also what they import late.
_IMPORTED = ("train.launch", "train.hosts.rendezvous", "train.jobs.views", "scipy.optimize")
_GARBAGE_THRESHOLD = 20_000
_OUTPUTS = ("stdout", "stderr")


def run_module(
    module: str,
    arguments: Sequence[str],
    environment: Mapping[str, str],
    seconds: float,
    folder: Path = REPOSITORY,
) -> subprocess.CompletedProcess[str]:
    """What `python -m MODULE ARGUMENTS` does.

    Args:
      module: the module's name.
      arguments: its command line.
      environment: all environment variables. A process of its own is started where some that are
        read early differ from this process's; in folders of PYTHONPATH, a module that has
        been imported before is not found again.
      seconds: how long it may take.
      folder: the folder in which it runs.

    Raises:
      subprocess.TimeoutExpired: it took longer, and was killed.
    """
    if _early(environment) == _early(_server_environment()):
        return _server().run(module, arguments, environment, seconds, folder)
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=seconds,
        stdin=subprocess.DEVNULL,
    )


def start_module(
    module: str,
    arguments: Sequence[str],
    environment: Mapping[str, str],
    ignored: Sequence[int] = (),
) -> Program | subprocess.Popen[str]:
    """Starts `python -m MODULE ARGUMENTS` in the repository, in a session of its own.

    Args:
      module: the module's name.
      arguments: its command line.
      environment: all environment variables, as for `run_module`.
      ignored: signals that it is started deaf to.
    """
    if _early(environment) == _early(_server_environment()):
        return _server().start(module, arguments, environment, ignored)
    assert not ignored
    return subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        cwd=REPOSITORY,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


class Program:
    """A program that goes on in the background; the part of `subprocess.Popen` that tests need."""

    def __init__(self, folder: tempfile.TemporaryDirectory[str]):
        self._folder = folder
        self._said = ("", "")
        self.returncode: int | None = None
        self.pid = wait_until(lambda: self._status()[:1], "a program's process", interval=0.005)[0]

    def _status(self) -> list[int]:
        """The process id, then the exit code, as far as they are known."""
        path = Path(self._folder.name, "status")
        return [int(line) for line in path.read_text().split("\n")[:-1]] if path.exists() else []

    def poll(self) -> int | None:
        """The exit code; None while it runs."""
        if self.returncode is None and len(status := self._status()) > 1:
            self.returncode = status[1]
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Waits for the end, at most some seconds; the exit code.

        Raises:
          subprocess.TimeoutExpired: it takes longer.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while (code := self.poll()) is None:
            if deadline is not None and time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(["a warm program"], timeout or 0.0)
            time.sleep(0.01)
        return code

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Waits for the end, as `wait` does; standard output and standard error."""
        self.wait(timeout)
        if Path(self._folder.name).exists():
            texts = [Path(self._folder.name, name).read_text() for name in _OUTPUTS]
            self._said = (texts[0], texts[1])
            self._folder.cleanup()
        return self._said

    def send_signal(self, number: int) -> None:
        """Sends it a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def _early(environment: Mapping[str, str]) -> dict[str, str]:
    return {
        key: value
        for key, value in environment.items()
        if key.startswith(_READ_AT_START) and key != "PYTHONPATH"
    }


def _server_environment() -> dict[str, str]:
    return os.environ | {"PYTHONUNBUFFERED": "1"}


@functools.cache
def _server() -> _Server:
    server = _Server()
    atexit.register(server.close)
    return server


class _Server:
    """The client's side of the server: one program at a time."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.warm_python"],
            cwd=REPOSITORY,
            env=_server_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
        )

    def run(
        self,
        module: str,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        seconds: float,
        place: Path,
    ) -> subprocess.CompletedProcess[str]:
        with tempfile.TemporaryDirectory() as folder:
            outputs = [str(Path(folder, name)) for name in _OUTPUTS]
            request = {
                "module": module,
                "arguments": list(arguments),
                "environment": dict(environment),
                "outputs": outputs,
                "folder": str(place),
            }
            try:
                code = self._ask(request, seconds)
            except BaseException:
                # What comes next from this server would answer the wrong request.
                self.close()
                _server.cache_clear()
                raise
            said = [Path(path).read_text() for path in outputs]
        return subprocess.CompletedProcess([module, *arguments], code, *said)

    def start(
        self,
        module: str,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        ignored: Sequence[int],
    ) -> Program:
        folder = tempfile.TemporaryDirectory()
        request = {
            "module": module,
            "arguments": list(arguments),
            "environment": dict(environment),
            "outputs": [str(Path(folder.name, name)) for name in _OUTPUTS],
            "folder": str(REPOSITORY),
            "status": str(Path(folder.name, "status")),
            "ignored": list(ignored),
        }
        self._ask(request, PATIENCE)
        return Program(folder)

    def _ask(self, request: Mapping[str, Any], seconds: float) -> int:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request).encode() + b"\n")
        child = self._answer(seconds)
        try:
            return self._answer(seconds)
        except BaseException:
            os.kill(child, signal.SIGKILL)
            raise

    def _answer(self, seconds: float) -> int:
        assert self._process.stdout is not None
        if not select.select([self._process.stdout], [], [], seconds)[0]:
            raise subprocess.TimeoutExpired(self._process.args, seconds)
        return int(self._process.stdout.readline())

    def close(self) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


# ---------------------------------------------------------------------------------------
# The server's side
# ---------------------------------------------------------------------------------------


def _serve() -> dict[str, Any] | None:
    """Answers requests; returns twice or more: a request in each fork, None in the server."""
    for module in _IMPORTED:
        importlib.import_module(module)
    gc.collect()
    gc.freeze()
    # Tracing makes many objects that live on: looking for garbage among them is a tenth of it.
    gc.set_threshold(_GARBAGE_THRESHOLD, 20, 20)
    # Forks that wait for programs in the background.
    background: set[int] = set()
    for line in iter(sys.stdin.readline, ""):
        with warnings.catch_warnings():
            # JAX warns of forks, which harm only what has threads.
            warnings.simplefilter("ignore")
            child = os.fork()
        request = dict(json.loads(line))
        if child == 0:
            if "status" in request:
                _go_to_the_background(request["status"])
            return request
        print(child, flush=True)
        if "status" in request:
            background.add(child)
            print(0, flush=True)
        else:
            _, status = os.waitpid(child, 0)
            print(os.waitstatus_to_exitcode(status), flush=True)
        background -= {pid for pid in background if os.waitpid(pid, os.WNOHANG)[0]}
    return None


def _go_to_the_background(status: str) -> None:
    """Returns in a fork of this fork, in a session of its own, whose end is noted in a file."""
    os.setsid()
    program = os.fork()
    if program == 0:
        os.setsid()
        return
    with open(status, "w", buffering=1) as file:
        print(program, file=file)
        _, code = os.waitpid(program, 0)
        print(os.waitstatus_to_exitcode(code), file=file)
    os._exit(0)


def _become(request: Mapping[str, Any]) -> None:
    """Makes this fork the process that was asked for."""
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["folder"])
    for folder in filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep)):
        sys.path.append(folder)
    # What libraries in these folders bring has been looked for before.
    fsspec.process_entries()
    for number in request.get("ignored", ()):
        signal.signal(number, signal.SIG_IGN)
    places = [(os.devnull, os.O_RDONLY), *((path, os.O_WRONLY) for path in request["outputs"])]
    for number, (path, flags) in enumerate(places):
        file = os.open(path, flags | os.O_CREAT)
        os.dup2(file, number)
        os.close(file)
    sys.argv[1:] = request["arguments"]
    runpy.run_module(request["module"], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    asked = _serve()
    if asked is not None:
        _become(asked)
