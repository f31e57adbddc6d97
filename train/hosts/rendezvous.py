"""Brings the hosts of a run together: starts JAX's distributed runtime and connects them."""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import secrets
import signal
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, Connection, Listener
from typing import Any

import numpy as np

from train.hosts.base import HostError, Hosts
from train.hosts.connected import DEFAULT_PATIENCE, ConnectedHosts
from train.interrupt import StopSignals

_ADDRESS_BYTES = 1024
_KEY_BYTES = 32


@dataclass(frozen=True)
class ClusterOptions:
    """How the hosts of a run find each other.

    Attributes:
      coordinator: HOST:PORT on host 0; None leaves everything to JAX's cluster detection.
      num_processes: number of hosts.
      process_id: this host's number.
      start_seconds: seconds that the hosts wait for each other at the start.
      patience: seconds of silence after which a host counts as lost.
    """

    coordinator: str | None = None
    num_processes: int | None = None
    process_id: int | None = None
    start_seconds: float = 300.0
    patience: float = DEFAULT_PATIENCE


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options for several hosts to a command line."""
    group = parser.add_argument_group("several hosts", "the same command on each of them")
    group.add_argument(
        "--distributed", choices=("auto",),
        help="let JAX find the other hosts, under Slurm, Kubernetes or MPI",
    )  # fmt: skip
    group.add_argument("--coordinator", metavar="HOST:PORT", help="of host 0, instead of auto")
    group.add_argument("--num-processes", type=int, metavar="N", help="hosts in all")
    group.add_argument("--process-id", type=int, metavar="I", help="this host, from 0 on")
    group.add_argument(
        "--host-timeout", type=float, default=DEFAULT_PATIENCE, metavar="SECONDS",
        help="silence after which a host is taken for lost (default: %(default)g)",
    )  # fmt: skip


def cluster_options(options: argparse.Namespace) -> ClusterOptions | None:
    """The hosts that a command line asks for; None for one host alone.

    Raises:
      HostError: the options do not go together.
    """
    explicit = (options.coordinator, options.num_processes, options.process_id)
    given = [value is not None for value in explicit]
    if not options.host_timeout > 0:
        raise HostError(f"--host-timeout must be above 0, not {options.host_timeout:g}")
    if options.distributed is not None:
        if any(given):
            raise HostError("--distributed auto finds --coordinator and the others by itself")
        return ClusterOptions(patience=options.host_timeout)
    if not any(given):
        return None
    if not all(given):
        raise HostError("--coordinator, --num-processes and --process-id are given together")
    if not 0 <= options.process_id < options.num_processes:
        raise HostError(
            f"--process-id must be from 0 to {options.num_processes - 1} with --num-processes "
            f"{options.num_processes}, not {options.process_id}"
        )
    if not options.coordinator.rpartition(":")[2].isdigit():
        raise HostError(f"--coordinator must be HOST:PORT, not {options.coordinator!r}")
    return ClusterOptions(*explicit, patience=options.host_timeout)


def connect_hosts(options: ClusterOptions, stop: StopSignals) -> Hosts:
    """Starts JAX's distributed runtime and connects the hosts; it comes before any use of a device.

    Raises:
      HostError: they do not find each other.
    """
    import jax

    # The service's handler would replace ours for SIGTERM.
    jax.config.update("jax_enable_preemption_service", False)
    explicit = options.coordinator is not None
    try:
        jax.distributed.initialize(
            options.coordinator,
            options.num_processes,
            options.process_id,
            cluster_detection_method="deactivate" if explicit else None,
            initialization_timeout=int(options.start_seconds),
            # Our own connections notice a loss first, and leave time to save.
            heartbeat_timeout_seconds=int(options.patience) + 60,
        )
    except (RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise HostError(f"the hosts do not find each other: {reason:.300}") from error
    index, count = jax.process_index(), jax.process_count()
    if count == 1:
        return Hosts()
    connections = _connect(index, count, options)
    hosts = ConnectedHosts(index, count, connections, stop, options.patience)
    _speak_before_abort(hosts)
    return hosts


def _connect(index: int, count: int, options: ClusterOptions) -> list[Connection]:
    """Connects hosts 1, 2, ... with host 0, which tells them its address through JAX."""
    from jax.experimental import multihost_utils

    content = np.zeros(_ADDRESS_BYTES, np.uint8)
    if index == 0:
        key = secrets.token_bytes(_KEY_BYTES)
        listener = Listener(("0.0.0.0", 0), backlog=count, authkey=key)
        address = {"names": _own_names(options), "port": listener.address[1], "key": key.hex()}
        encoded = json.dumps(address).encode()
        content[: len(encoded)] = np.frombuffer(encoded, np.uint8)
    content = np.asarray(multihost_utils.broadcast_one_to_all(content))
    deadline = time.monotonic() + options.start_seconds
    if index > 0:
        address = json.loads(bytes(content).rstrip(b"\0"))
        connection = _call(address, deadline)
        connection.send(index)
        return [connection]
    with listener:
        # The listener has no timeout of its own.
        listener._listener._socket.settimeout(options.start_seconds)  # type: ignore[attr-defined]
        found: dict[int, Connection] = {}
        while len(found) < count - 1:
            try:
                connection = listener.accept()
                found[connection.recv()] = connection
            except AuthenticationError:
                continue
            except OSError as error:
                raise HostError(f"{count - 1 - len(found)} hosts did not call host 0") from error
    return [found[other] for other in range(1, count)]


def _own_names(options: ClusterOptions) -> list[str]:
    """Names by which other hosts may reach this one, the likeliest first."""
    names = [options.coordinator.rpartition(":")[0].strip("[]")] if options.coordinator else []
    hostname = socket.gethostname()
    names += [socket.getfqdn(), hostname]
    with suppress(OSError):
        names += [str(entry[4][0]) for entry in socket.getaddrinfo(hostname, None, socket.AF_INET)]
    return list(dict.fromkeys(names))[:8]


def _call(address: dict[str, Any], deadline: float) -> Connection:
    failure: Exception | None = None
    while time.monotonic() < deadline:
        for name in address["names"]:
            try:
                return Client((name, address["port"]), authkey=bytes.fromhex(address["key"]))
            except (OSError, EOFError, AuthenticationError) as error:
                failure = error
        time.sleep(0.5)
    raise HostError(f"host 0 does not answer at {', '.join(address['names'])}: {failure}")


_HANDLER = ctypes.CFUNCTYPE(None, ctypes.c_int)
_handlers: list[Callable[[int], None]] = []


def _speak_before_abort(hosts: Hosts) -> None:
    """Turns the abort by JAX's runtime into a sentence and an exit code, where host 0 is gone.

    The runtime aborts the process from its own thread as soon as the connection to the coordination
    service breaks, and offers no other way out. Aborts with other causes are left alone.
    """

    def on_abort(number: int) -> None:
        reason = hosts.why_lost(2.0)
        if reason is not None:
            os.write(2, f"error: {reason}\n".encode())
            os._exit(2)

    handler = _HANDLER(on_abort)
    _handlers.append(handler)  # kept for as long as the process lives
    set_handler = ctypes.CDLL(None).signal
    set_handler.argtypes, set_handler.restype = [ctypes.c_int, _HANDLER], ctypes.c_void_p
    if sys.platform != "win32":
        set_handler(signal.SIGABRT, handler)
