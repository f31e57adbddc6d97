"""Reads a configuration: YAML and `--set` overrides to `Config`, strictly.

`python -m train.config.loading` prints the table of every key for `docs/configuration.md`.
"""

import math
import re
import types
import typing
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import MISSING, asdict, fields, is_dataclass
from difflib import SequenceMatcher
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from bb_jax.errors import UserError
from train.config.settings import Config


class ConfigError(UserError):
    """A configuration that cannot be used; the message is one sentence for the user."""


class Difference(NamedTuple):
    """A key (dotted) whose value differs between two configurations."""

    key: str
    old: Any
    new: Any

    @property
    def refused(self) -> bool:
        """Whether a run may not be resumed with this difference."""
        entry = _keys().get(self.key)
        return entry is not None and not entry.may_change


class _Key(NamedTuple):
    """What is known of a key."""

    annotation: Any
    default: Any
    text: str
    may_change: bool
    choices: tuple[str, ...]


def load_config(path: str | Path, overrides: Sequence[str] = ()) -> Config:
    """Reads a YAML file and applies overrides on top.

    Args:
      path: the file.
      overrides: `KEY=VALUE` each, KEY dotted (`ppo_config.gamma`) and VALUE in YAML; a later one
        wins over an earlier one.

    Raises:
      ConfigError: the file cannot be read, or a key or value is unknown, of a wrong type or
        impossible; the sentence names the file or the override, the key and the value.
    """
    path = Path(path)
    values: dict[str, Any] = {}
    for name, value in _flatten(_read_mapping(path), str(path)):
        values[name] = _convert(name, value, str(path))
    origins: dict[str, str] = {}
    for override in overrides:
        name, value = _parse_override(override)
        origins[name] = f"--set {override}"
        values[name] = _convert(name, value, origins[name])

    file_and_overrides = " with ".join([str(path), *origins.values()])
    missing = [
        name for name, entry in _keys().items() if entry.default is MISSING and name not in values
    ]
    if missing:
        raise ConfigError(f"{file_and_overrides}: the key {missing[0]} is missing")
    arguments: dict[str, Any] = {name: value for name, value in values.items() if "." not in name}
    for name, config_class in _sections().items():
        prefix = f"{name}."
        own = {
            full.removeprefix(prefix): value
            for full, value in values.items()
            if full.startswith(prefix)
        }
        arguments[name] = _construct(config_class, own, prefix, origins, file_and_overrides)
    config: Config = _construct(Config, arguments, "", origins, file_and_overrides)
    return config


def config_to_dict(config: Config) -> dict[str, Any]:
    """The configuration as nested dictionaries and lists, ready for JSON or YAML."""
    return _plain(asdict(config))


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Difference]:
    """The keys in which two configurations, as of `config_to_dict`, differ.

    A key that one of them does not have (it was written by another version) counts with its
    default.
    """
    old_values, new_values = dict(_leaves(old)), dict(_leaves(new))
    defaults = {
        name: None if entry.default is MISSING else _plain(entry.default)
        for name, entry in _keys().items()
    }
    found = []
    for name in dict.fromkeys([*defaults, *old_values, *new_values]):
        old_value = old_values.get(name, defaults.get(name))
        new_value = new_values.get(name, defaults.get(name))
        if old_value != new_value:
            found.append(Difference(name, old_value, new_value))
    return found


def documentation_table() -> str:
    """The table of every key, in Markdown."""
    rows = [
        "| key | values | default | may change on resume | meaning |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, entry in _keys().items():
        values = ", ".join(f"`{choice}`" for choice in entry.choices) or _type_name(
            entry.annotation
        )
        default = "(required)" if entry.default is MISSING else f"`{_yaml(_plain(entry.default))}`"
        change = "yes" if entry.may_change else "no"
        rows.append(f"| `{name}` | {values} | {default} | {change} | {entry.text} |")
    return "\n".join(rows) + "\n"


# ---------------------------------------------------------------------------------------------
# What keys there are
# ---------------------------------------------------------------------------------------------


@cache
def _sections() -> dict[str, Any]:
    hints = typing.get_type_hints(Config)
    return {name: hint for name, hint in hints.items() if is_dataclass(hint)}


@cache
def _keys() -> dict[str, _Key]:
    """All keys, dotted, in the order of their definition."""
    found = {}
    for entry in fields(Config):
        if entry.name in _sections():
            config_class = _sections()[entry.name]
            for name, inner in _own_keys(config_class).items():
                found[f"{entry.name}.{name}"] = inner
        else:
            found[entry.name] = _own_keys(Config)[entry.name]
    return found


@cache
def _own_keys(config_class: Any) -> dict[str, _Key]:
    hints = typing.get_type_hints(config_class)
    return {
        entry.name: _Key(
            hints[entry.name],
            entry.default,
            entry.metadata.get("text") or _documented(config_class, entry.name),
            entry.metadata.get("may_change", False),
            entry.metadata.get("choices", ()),
        )
        for entry in fields(config_class)
    }


def _documented(config_class: Any, name: str) -> str:
    """The text of an entry under "Attributes:" in a class's docstring, as a sentence."""
    entry = re.search(rf"^ +{name}: (.+(?:\n {{8,}}\S.*)*)$", config_class.__doc__ or "", re.M)
    if entry is None:
        return ""
    text = " ".join(entry[1].split())
    return text[0].upper() + text[1:]


# ---------------------------------------------------------------------------------------------
# YAML
# ---------------------------------------------------------------------------------------------


class _StrictLoader(yaml.SafeLoader):
    """YAML in which a key given twice is an error and 1e-4 is a number."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen = set()
        for key_node, _ in node.value:
            if isinstance(key_node, yaml.ScalarNode):
                if key_node.value in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"the key {key_node.value} is given twice", key_node.start_mark
                    )
                seen.add(key_node.value)
        return super().construct_mapping(node, deep)


_StrictLoader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?[0-9][0-9_]*(\.[0-9_]*)?[eE][-+]?[0-9]+$"),
    list("-+0123456789"),
)


def _parse(text: str, origin: str) -> Any:
    try:
        return yaml.load(text, _StrictLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise ConfigError(f"{origin}: {where}{error.problem or error.context}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise ConfigError(f"{origin}: not valid YAML ({reason})") from None


def _read_mapping(path: Path) -> Mapping[Any, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(f"{path}: there is no such configuration file") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: not a text file in UTF-8") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    content = _parse(text, str(path))
    if content is None:
        raise ConfigError(f"{path}: the file is empty")
    if not isinstance(content, Mapping):
        raise ConfigError(f"{path}: must be a mapping of keys to values, not {_show(content)}")
    return content


def _flatten(content: Mapping[Any, Any], origin: str) -> list[tuple[str, Any]]:
    """Dotted keys and values; unknown keys and sections that are no mappings are refused."""
    flat = []
    for name, value in content.items():
        if name not in _sections():
            _require_known(str(name), value, origin)
            flat.append((str(name), value))
            continue
        if not isinstance(value, Mapping):
            raise ConfigError(f"{origin}: {name} must be a mapping of keys, not {_show(value)}")
        for inner, inner_value in value.items():
            full = f"{name}.{inner}"
            _require_known(full, inner_value, origin)
            flat.append((full, inner_value))
    return flat


def _parse_override(override: str) -> tuple[str, Any]:
    origin = f"--set {override}"
    name, equals, text = override.partition("=")
    name = name.strip()
    if not equals or not name:
        raise ConfigError(f"{origin}: must be KEY=VALUE")
    value = _parse(text, origin)
    if name in _sections():
        example = next(key for key in _keys() if key.startswith(f"{name}."))
        raise ConfigError(f"{origin}: {name} is a section; set one of its keys, such as {example}")
    _require_known(name, value, origin)
    return name, value


def _require_known(name: str, value: Any, origin: str) -> None:
    if name not in _keys():
        raise ConfigError(
            f"{origin}: unknown key {name} (value {_show(value)}); the nearest valid key is "
            f"{_nearest_key(name)}"
        )


def _nearest_key(name: str) -> str:
    """The valid key most like `name`, which may also be right but for its section."""

    def similarity(valid: str) -> float:
        last, valid_last = name.rpartition(".")[2], valid.rpartition(".")[2]
        return max(
            SequenceMatcher(None, name, valid).ratio(),
            SequenceMatcher(None, last, valid_last).ratio(),
        )

    return max([*_keys(), *_sections()], key=similarity)


# ---------------------------------------------------------------------------------------------
# Values
# ---------------------------------------------------------------------------------------------


def _convert(name: str, value: Any, origin: str) -> Any:
    annotation = _keys()[name].annotation
    try:
        return _typed(value, annotation)
    except TypeError:
        raise ConfigError(
            f"{origin}: {name} must be {_type_name(annotation)}, not {_show(value)}"
        ) from None


def _typed(value: Any, annotation: Any) -> Any:
    """`value` as the annotated type: only lists to tuples and int to float are converted.

    Raises:
      TypeError: `value` is of another type.
    """
    if isinstance(annotation, types.UnionType):
        if value is None:
            return None
        return _typed(value, typing.get_args(annotation)[0])
    if typing.get_origin(annotation) is tuple:
        if not isinstance(value, list):
            raise TypeError
        return tuple(_typed(item, typing.get_args(annotation)[0]) for item in value)
    if annotation is float and type(value) in (int, float) and math.isfinite(value):
        return float(value)
    if annotation is not float and type(value) is annotation:
        return value
    raise TypeError


def _type_name(annotation: Any) -> str:
    if isinstance(annotation, types.UnionType):
        return f"{_type_name(typing.get_args(annotation)[0])} or null"
    if typing.get_origin(annotation) is tuple:
        plural = {int: "whole numbers", str: "texts"}
        return f"a list of {plural[typing.get_args(annotation)[0]]}"
    names = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}
    return names[annotation]


def _construct(
    config_class: Any,
    arguments: Mapping[str, Any],
    prefix: str,
    origins: Mapping[str, str],
    file_and_overrides: str,
) -> Any:
    try:
        return config_class(**arguments)
    except ValueError as error:
        # The checks of all classes put the key first.
        message = f"{prefix}{error}"
        origin = origins.get(message.split()[0], file_and_overrides)
        raise ConfigError(f"{origin}: {message}") from None


def _leaves(content: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    found = []
    for name, value in content.items():
        if isinstance(value, Mapping):
            found += _leaves(value, f"{prefix}{name}.")
        else:
            found.append((f"{prefix}{name}", value))
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value


def _show(value: Any) -> str:
    """A value for a message, cut where it is long."""
    text = _yaml(value)
    return text if len(text) <= 100 else f"{text[:99]}…"


def _yaml(value: Any) -> str:
    """A value as YAML in one line."""
    try:
        text = yaml.safe_dump(value, default_flow_style=True, width=math.inf, allow_unicode=True)
    except yaml.YAMLError:
        return repr(value)
    return text.removesuffix("\n").removesuffix("\n...")


if __name__ == "__main__":
    print(documentation_table(), end="")
