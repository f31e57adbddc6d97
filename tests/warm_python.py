"""Runs `python -m MODULE` without the seconds that importing the libraries takes.

A server imports them once for a process of the tests, and forks for each program. It never starts
JAX's devices, so the forks have all to themselves: memory, signals, devices, an exit code.
"""

from __future__ import annotations

import atexit
import functools
import gc
import json
import os
import runpy
import select
import signal
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[1]
# Variables that Python or a library reads once.
_READ_AT_START = ("JAX_", "PYTHON", "LD_")


def run_module(
    module: str, arguments: Sequence[str], environment: Mapping[str, str], seconds: float
) -> subprocess.CompletedProcess[str]:
    """What `python -m MODULE ARGUMENTS` in the repository does.

    Args:
      module: the module's name.
      arguments: its command line.
      environment: all environment variables. A process of its own is started where some that are
        read early differ from this process's.
      seconds: how long it may take.

    Raises:
      subprocess.TimeoutExpired: it took longer, and was killed.
    """
    if _early(environment) == _early(_server_environment()):
        return _server().run(module, arguments, environment, seconds)
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        timeout=seconds,
        stdin=subprocess.DEVNULL,
    )


def _early(environment: Mapping[str, str]) -> dict[str, str]:
    return {key: v for key, v in environment.items() if key.startswith(_READ_AT_START)}


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
        self, module: str, arguments: Sequence[str], environment: Mapping[str, str], seconds: float
    ) -> subprocess.CompletedProcess[str]:
        with tempfile.TemporaryDirectory() as folder:
            outputs = [str(Path(folder, name)) for name in ("stdout", "stderr")]
            request = {
                "module": module,
                "arguments": list(arguments),
                "environment": dict(environment),
                "outputs": outputs,
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
    import train.launch  # noqa: F401

    gc.collect()
    gc.freeze()
    for line in iter(sys.stdin.readline, ""):
        with warnings.catch_warnings():
            # JAX warns of forks, which harm only what has threads.
            warnings.simplefilter("ignore")
            child = os.fork()
        if child == 0:
            return dict(json.loads(line))
        print(child, flush=True)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)
    return None


def _become(request: Mapping[str, Any]) -> None:
    """Makes this fork the process that was asked for."""
    os.environ.clear()
    os.environ.update(request["environment"])
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
