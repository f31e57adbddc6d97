"""Whether several hosts can train one run together."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import jax

import bb_jax
import bb_sim
import eval
import train
from train.config import Config, config_to_dict
from train.hosts.base import HostError, Hosts

# Keys of the configuration that may differ from host to host.
_OWN_KEYS = ("device", "async_num_workers", "checkpoint_dir", "experiment_name")


def check_hosts(hosts: Hosts, config: Config, num_devices: int) -> None:
    """Checks that the hosts can train together.

    Args:
      hosts: this host and the others.
      config: this host's configuration.
      num_devices: number of this host's devices.

    Raises:
      HostError: there are more hosts than groups of games, or a host differs from host 0.
    """
    if hosts.count > config.groups:
        raise HostError(
            f"{hosts.count} hosts cannot share {config.groups} groups of games: num_groups must be "
            "at least the number of hosts"
        )
    # The version comes first: keys of the configuration may differ because it does.
    own: dict[str, Any] = {
        "the version of jax": jax.__version__,
        "the program's source code": _source_code(),
        "the number of hosts": hosts.count,
        "the number of devices": num_devices,
    }
    own |= {key: value for key, value in config_to_dict(config).items() if key not in _OWN_KEYS}
    everywhere = hosts.gather(own)
    for other, found in enumerate(everywhere):
        for key in everywhere[0] | found:
            expected, value = everywhere[0].get(key), found.get(key)
            if value != expected:
                raise HostError(f"{key} is {expected!r} on host 0 and {value!r} on host {other}")


def _source_code() -> str:
    """A hash of the program's Python sources."""
    digest = hashlib.sha256()
    for package in (bb_sim, bb_jax, eval, train):
        folder = Path(package.__path__[0])
        for path in sorted(folder.rglob("*.py")):
            digest.update(f"{path.relative_to(folder)}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:16]
