"""Brings the hosts of a run together: starts JAX's distributed runtime and connects them."""

from __future__ import annotations

import argparse
import ctypes
import ipaddress
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection

import numpy as np

from bb_jax.errors import one_line
from train.hosts.admission import admit, call, new_secret
from train.hosts.base import HostError, Hosts
from train.hosts.connected import DEFAULT_PATIENCE, ConnectedHosts
from train.interrupt import StopSignals, Task

_ADDRESS_BYTES = 1024
_BACKLOG = 1024
_GAVE_UP = (
    "the hosts do not find each other: JAX's runtime gave up; another process may have the same "
    "--process-id, or host 0 has ended"
)
_ENDED = (
    "JAX's runtime ended this host, as its last lines say; another process may have come with the "
    "same --process-id"
)


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
      Interrupted: a signal came first.
    """
    _speak_before_abort(lambda: _GAVE_UP)
    try:
        # In a thread, so that a signal ends the waiting.
        index, count, connections = Task(lambda: _meet(options)).result(stop)
    except (RuntimeError, ValueError) as error:
        raise HostError(f"the hosts do not find each other: {one_line(error)}") from error
    if count == 1:
        return Hosts()
    hosts = ConnectedHosts(index, count, connections, stop, options.patience)
    _speak_before_abort(lambda: hosts.why_lost(2.0) or _ENDED)
    return hosts


def _meet(options: ClusterOptions) -> tuple[int, int, list[Connection]]:
    """Waits for all hosts; this host's number, their number, and the connections.

    Raises:
      RuntimeError, ValueError: JAX's runtime does not start.
      HostError: the hosts do not connect.
    """
    import jax

    # The service's handler would replace ours for SIGTERM.
    jax.config.update("jax_enable_preemption_service", False)
    explicit = options.coordinator is not None
    deadline = time.monotonic() + options.start_seconds
    jax.distributed.initialize(
        options.coordinator,
        options.num_processes,
        options.process_id,
        cluster_detection_method="deactivate" if explicit else None,
        coordinator_bind_address=_bind_address(options),
        initialization_timeout=int(options.start_seconds),
        # Our own connections notice a loss first, and leave time to save.
        heartbeat_timeout_seconds=int(options.patience) + 60,
    )
    index, count = jax.process_index(), jax.process_count()
    connections = [] if count == 1 else _connect(index, count, options, deadline)
    return index, count, connections


def _connect(index: int, count: int, options: ClusterOptions, deadline: float) -> list[Connection]:
    """Connects hosts 1, 2, ... with host 0, which tells them its address through JAX."""
    from jax.experimental import multihost_utils

    content = np.zeros(_ADDRESS_BYTES, np.uint8)
    with ExitStack() as stack:
        if index == 0:
            secret = new_secret()
            listener = stack.enter_context(_listen(own_address(options.coordinator)))
            port = listener.getsockname()[1]
            address = {"names": _own_names(options), "port": port, "secret": secret.hex()}
            encoded = json.dumps(address).encode()
            content[: len(encoded)] = np.frombuffer(encoded, np.uint8)
        content = np.asarray(multihost_utils.broadcast_one_to_all(content))
        if index == 0:
            admitted = admit(listener, secret, count, deadline)
            return [admitted[other] for other in range(1, count)]
    address = json.loads(bytes(content).rstrip(b"\0"))
    secret = bytes.fromhex(address["secret"])
    return [call(address["names"], address["port"], secret, index, deadline)]


def own_address(coordinator: str | None) -> str | None:
    """The one address of this host at which the other hosts call it.

    Args:
      coordinator: HOST:PORT of host 0, which this host is.

    Returns:
      The address; None where the name stands for none of its own, or for one that others cannot
      reach: many systems give their own name a loopback address.
    """
    name = (coordinator or "").rpartition(":")[0].strip("[]")
    if not name:
        return None
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except OSError:
        return None
    address = str(found[0][4][0])
    named_loopback = name in (address, "localhost")
    if ipaddress.ip_address(address.partition("%")[0]).is_loopback and not named_loopback:
        return None
    try:
        _listen(address).close()
    except OSError:
        # Such as a public address that a router translates.
        return None
    return address


def _bind_address(options: ClusterOptions) -> str | None:
    """Where JAX's coordination service listens, which asks nobody who they are."""
    if options.process_id != 0 or options.coordinator is None:
        return None
    address = own_address(options.coordinator)
    if address is None or "JAX_COORDINATOR_BIND_ADDRESS" in os.environ:
        return None
    port = options.coordinator.rpartition(":")[2]
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _listen(address: str | None) -> socket.socket:
    """Listens at one address, or at all where it is None."""
    if address is not None:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        return socket.create_server((address, 0), family=family, backlog=_BACKLOG)
    if socket.has_dualstack_ipv6():
        return socket.create_server(
            ("", 0), family=socket.AF_INET6, backlog=_BACKLOG, dualstack_ipv6=True
        )
    return socket.create_server(("", 0), backlog=_BACKLOG)


def _own_names(options: ClusterOptions) -> list[str]:
    """Names by which other hosts may reach this one, the likeliest first."""
    names = [options.coordinator.rpartition(":")[0].strip("[]")] if options.coordinator else []
    hostname = socket.gethostname()
    names += [socket.getfqdn(), hostname]
    with suppress(OSError):
        names += [str(entry[4][0]) for entry in socket.getaddrinfo(hostname, None, socket.AF_INET)]
    return list(dict.fromkeys(names))[:8]


_HANDLER = ctypes.CFUNCTYPE(None, ctypes.c_int)
_handlers: list[Callable[[int], None]] = []


def _speak_before_abort(why: Callable[[], str]) -> None:
    """Turns an abort by JAX's runtime into a sentence and an exit code.

    The runtime aborts the process from its own thread as soon as the connection to the coordination
    service breaks, or where the service does not take it, and offers no other way out.

    Args:
      why: gives the sentence.
    """

    def on_abort(number: int) -> None:
        os.write(2, f"error: {why()}\n".encode())
        os._exit(2)

    handler = _HANDLER(on_abort)
    _handlers.append(handler)  # kept for as long as the process lives
    set_handler = ctypes.CDLL(None).signal
    set_handler.argtypes, set_handler.restype = [ctypes.c_int, _HANDLER], ctypes.c_void_p
    if sys.platform != "win32":
        set_handler(signal.SIGABRT, handler)
