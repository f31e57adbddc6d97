"""Configurations as plain data, and in which keys two of them differ."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from bb_jax.strict_model import may_change
from train.config.fields import KEYS, plain_default
from train.config.settings import Config


class Difference(NamedTuple):
    """A key (dotted) whose value differs between two configurations."""

    key: str
    old: Any
    new: Any

    @property
    def refused(self) -> bool:
        """Whether a run may not be resumed with this difference."""
        return self.key in KEYS and not may_change(KEYS[self.key])


def config_to_dict(config: Config) -> dict[str, Any]:
    """The configuration as nested dictionaries and lists, ready for JSON or YAML."""
    return config.model_dump(mode="json")


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Difference]:
    """The keys in which two configurations differ.

    A key that one of them lacks, because another version wrote it, counts with its default.

    Args:
      old: a configuration as `config_to_dict` returns it.
      new: another one.
    """
    old_values, new_values = dict(_leaves(old)), dict(_leaves(new))
    defaults = {name: plain_default(field) for name, field in KEYS.items()}
    found = []
    for name in dict.fromkeys([*defaults, *old_values, *new_values]):
        old_value = old_values.get(name, defaults.get(name))
        new_value = new_values.get(name, defaults.get(name))
        if old_value != new_value:
            found.append(Difference(name, old_value, new_value))
    return found


def _leaves(content: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in content.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
