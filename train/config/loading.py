"""Reads a configuration: a YAML file and `--set` overrides become a `Config`, strictly."""

from collections.abc import Mapping, Sequence
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

from bb_jax.errors import FileError, UserError
from bb_jax.files import read_whole
from bb_jax.strict_model import printable, show, takes_null, takes_text
from train.config.core_schema import parse
from train.config.fields import KEYS, SECTIONS
from train.config.settings import Config

# Shipped files have a tenth. Reading this much takes about a second.
_MAX_BYTES = 64_000


class ConfigError(UserError):
    """A configuration that cannot be used; the message is one sentence."""


def load_config(path: str | Path, overrides: Sequence[str] = ()) -> Config:
    """Reads a YAML file and applies overrides on top.

    Args:
      path: the file.
      overrides: `KEY=VALUE` each, KEY dotted (`ppo_config.gamma`). For a key that holds text, VALUE
        is taken as it stands, except for `null` where the key may be null. For every other key
        VALUE is YAML. A later override wins over an earlier one.

    Raises:
      ConfigError: the file cannot be read or gives a key twice, or a key or value is unknown, of a
        wrong type or impossible. The sentence names the file or the override, the key and the
        value.
    """
    path = Path(path)
    values = _flatten(_read_mapping(path), str(path))
    origins: dict[str, str] = {}
    for override in overrides:
        name, value = _parse_override(override)
        origins[name] = _origin(override)
        values[name] = value
    try:
        config = Config(**_nest(values))
        _require_folder(config)
    except ValueError as error:
        # Every refusal begins with the key. One of several keys at once names all origins.
        key = str(error).split()[0].rstrip(":")
        everything = " with ".join([str(path), *origins.values()])
        raise ConfigError(f"{origins.get(key, everything)}: {error}") from None
    return config


def _require_folder(config: Config) -> None:
    """Raises ValueError where the run's folder has a home or a variable in front without sense."""
    try:
        _ = config.run_dir
    except FileError as error:
        raise ValueError(f"checkpoint_dir {error}") from None


def _parse(text: str, origin: str) -> Any:
    try:
        return parse(text)
    except ValueError as error:
        raise ConfigError(f"{origin}: {error}") from None


def _read_mapping(path: Path) -> Mapping[Any, Any]:
    try:
        content = read_whole(path, _MAX_BYTES + 1)
    except FileNotFoundError:
        raise ConfigError(f"{path}: there is no such configuration file") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror or error}") from None
    if len(content) > _MAX_BYTES:
        raise ConfigError(
            f"{path}: a configuration has at most {_MAX_BYTES} bytes, and this file has more"
        )
    try:
        values = _parse(content.decode(), str(path))
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: not a text file in UTF-8") from None
    if values is None:
        raise ConfigError(f"{path}: the file is empty")
    if not isinstance(values, Mapping):
        raise ConfigError(f"{path}: must be a mapping of keys to values, not {show(values)}")
    return values


def _flatten(content: Mapping[Any, Any], origin: str) -> dict[str, Any]:
    """Dotted keys and values.

    Raises:
      ConfigError: a key is unknown, a section is no mapping, or a dotted key stands beside its
        section.
    """
    flat = {}
    for key, value in content.items():
        name = key if isinstance(key, str) else show(key)
        if name not in SECTIONS:
            _require_known(name, value, origin)
            section = name.partition(".")[0]
            if section != name and section in content:
                raise ConfigError(
                    f"{origin}: {name} stands beside the section {section}; write it inside"
                )
            flat[name] = value
            continue
        if not isinstance(value, Mapping):
            raise ConfigError(f"{origin}: {name} must be a mapping of keys, not {show(value)}")
        for inner, inner_value in value.items():
            full = f"{name}.{inner}"
            _require_known(full, inner_value, origin)
            flat[full] = inner_value
    return flat


def _nest(flat: Mapping[str, Any]) -> dict[str, Any]:
    """The opposite of `_flatten`."""
    nested: dict[str, Any] = {}
    for name, value in flat.items():
        section, dot, inner = name.partition(".")
        if dot:
            nested.setdefault(section, {})[inner] = value
        else:
            nested[name] = value
    return nested


def _parse_override(override: str) -> tuple[str, Any]:
    origin = _origin(override)
    name, equals, text = override.partition("=")
    name = name.strip()
    if not equals or not name:
        raise ConfigError(f"{origin}: must be KEY=VALUE")
    if name in SECTIONS:
        example = next(key for key in KEYS if key.startswith(f"{name}."))
        raise ConfigError(f"{origin}: {name} is a section; set one of its keys, such as {example}")
    _require_known(name, text, origin)
    field = KEYS[name]
    if not takes_text(field):
        return name, _parse(text, origin)
    return name, None if text == "null" and takes_null(field) else text


def _origin(override: str) -> str:
    """An override as messages show it, in one line."""
    return f"--set {printable(override)}"


def _require_known(name: str, value: Any, origin: str) -> None:
    if name not in KEYS:
        raise ConfigError(
            f"{origin}: unknown key {printable(name)} (value {show(value)}); the nearest valid key "
            f"is {_nearest_key(name)}"
        )


def _nearest_key(name: str) -> str:
    """The valid key most like `name`, which may also be right but for its section."""

    def similarity(valid: str) -> float:
        last, valid_last = name.rpartition(".")[2], valid.rpartition(".")[2]
        return max(
            SequenceMatcher(None, name, valid).ratio(),
            SequenceMatcher(None, last, valid_last).ratio(),
        )

    return max([*KEYS, *SECTIONS], key=similarity)
