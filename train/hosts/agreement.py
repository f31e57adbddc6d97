"""Whether several hosts can train one run together."""

from __future__ import annotations

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
    own = {key: value for key, value in config_to_dict(config).items() if key not in _OWN_KEYS}
    everywhere = hosts.gather(own | {"the number of devices": num_devices})
    for other, found in enumerate(everywhere):
        for key, expected in everywhere[0].items():
            if found[key] != expected:
                raise HostError(
                    f"{key} is {expected!r} on host 0 and {found[key]!r} on host {other}"
                )
