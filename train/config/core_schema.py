"""YAML as its version 1.2 reads it: the core schema, in which a plain text stays a text.

PyYAML follows version 1.1, where `0100` is 64, `1:30` is 90, and `on` and `no` are booleans. The
core schema is section 10.3 of https://yaml.org/spec/1.2.2.
"""

import re
from collections.abc import Hashable
from typing import Any

import yaml

from bb_jax.strict_model import printable

_TAG = "tag:yaml.org,2002:"
_NULL = re.compile(r"null|Null|NULL|~|")
_BOOL = re.compile(r"true|True|TRUE|false|False|FALSE")
# Python takes no more of them from a decimal number.
_MAX_DIGITS = 4000
_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(
    r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"
)


class CoreLoader(yaml.SafeLoader):
    """A loader of the core schema. A mapping that holds a key twice is an error."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen = set()
        for key_node, _ in node.value:
            if isinstance(key_node, yaml.ScalarNode):
                if key_node.value in seen:
                    raise _error(key_node, f"the key {key_node.value} is given twice")
                seen.add(key_node.value)
        return super().construct_mapping(node, deep)


def parse(text: str) -> Any:
    """The content of a YAML document.

    Raises:
      ValueError: it is no YAML of the core schema. The message says where and why, in one line.
    """
    try:
        return yaml.load(text, CoreLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise ValueError(f"{where}{printable(error.problem or error.context or '')}") from None
    except RecursionError:
        raise ValueError("not valid YAML (it is nested too deeply)") from None
    except (yaml.YAMLError, ValueError) as error:
        raise ValueError(f"not valid YAML ({' '.join(str(error).split())})") from None


def _error(node: yaml.Node, problem: str) -> yaml.constructor.ConstructorError:
    return yaml.constructor.ConstructorError(None, None, problem, node.start_mark)


def _scalar(loader: CoreLoader, node: yaml.ScalarNode, form: re.Pattern[str], what: str) -> str:
    """A scalar's text; an explicit tag such as !!int may stand before a text of another form."""
    text: str = loader.construct_scalar(node)
    if not form.fullmatch(text):
        raise _error(node, f"{text} is not {what}")
    return text


def _null(loader: CoreLoader, node: yaml.ScalarNode) -> None:
    _scalar(loader, node, _NULL, "null")


def _bool(loader: CoreLoader, node: yaml.ScalarNode) -> bool:
    return _scalar(loader, node, _BOOL, "true or false").lower() == "true"


def _int(loader: CoreLoader, node: yaml.ScalarNode) -> int:
    text = _scalar(loader, node, _INT, "a whole number")
    if len(text) > _MAX_DIGITS:
        raise _error(node, f"a whole number of {len(text)} digits is too long")
    return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))


def _float(loader: CoreLoader, node: yaml.ScalarNode) -> float:
    text = _scalar(loader, node, _FLOAT, "a number").lower()
    return float(text.replace(".inf", "inf").replace(".nan", "nan"))


def _text(loader: CoreLoader, node: yaml.ScalarNode) -> str:
    text: str = loader.construct_scalar(node)
    try:
        # JSON, which is YAML too, writes a character beyond 16 bits as a pair of surrogates.
        return text.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError:
        raise _error(node, "half a pair of surrogates is no character") from None


# What the base class knows of version 1.1 is not inherited.
CoreLoader.yaml_implicit_resolvers = {}
CoreLoader.yaml_constructors = {}

# The order counts: what is a whole number is a number, too.
for _kind, _form, _first in (
    ("null", _NULL, ["~", "n", "N", ""]),
    ("bool", _BOOL, list("tTfF")),
    ("int", _INT, list("-+0123456789")),
    ("float", _FLOAT, list("-+.0123456789")),
):
    CoreLoader.add_implicit_resolver(_TAG + _kind, re.compile(f"(?:{_form.pattern})\\Z"), _first)

for _name, _constructor in (
    (_TAG + "null", _null),
    (_TAG + "bool", _bool),
    (_TAG + "int", _int),
    (_TAG + "float", _float),
    (_TAG + "str", _text),
    (_TAG + "seq", CoreLoader.construct_yaml_seq),
    (_TAG + "map", CoreLoader.construct_yaml_map),
    (None, CoreLoader.construct_undefined),
):
    CoreLoader.add_constructor(_name, _constructor)
