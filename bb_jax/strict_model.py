"""The base class of every configuration: frozen, strictly typed, refused in one sentence. No JAX.

A field says once what a key is: its type, default, bounds and meaning. The checks, the sentences
that refuse a value, the table in the documentation and the JSON schema are all made from it.
"""

import types
from collections import Counter
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Annotated, Any, Literal, Self, TypeVar, Union, get_args, get_origin

import yaml
from annotated_types import Ge, Gt, Le, Lt, MinLen, MultipleOf
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.config import JsonDict
from pydantic.fields import FieldInfo

MAY_CHANGE: JsonDict = {"mayChangeOnResume": True}
"""Extra information of a field: a run may be resumed with another value of this key."""

EXPECTED = "patternErrorMessage"
"""Extra information of a field: what a value must be, where the type and bounds do not say it.

The name is the one under which editors look for such a text.
"""

_Item = TypeVar("_Item")


def _list_as_tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _distinct(names: tuple[str, ...]) -> tuple[str, ...]:
    for name, count in Counter(names).items():
        if count > 1:
            raise ValueError(f"must not repeat an entry, and has {name!r} {count} times")
    return names


Sequence = Annotated[tuple[_Item, ...], BeforeValidator(_list_as_tuple)]
"""A tuple that may be given as a list, which is what YAML and JSON have."""

Names = Annotated[
    Sequence[str], AfterValidator(_distinct), Field(json_schema_extra={"uniqueItems": True})
]
"""A tuple of texts of which none stands there twice."""


class StrictModel(BaseModel):
    """A frozen group of keys whose values are checked when it is made.

    No value is converted, with two exceptions: a whole number may stand for a number, and a list
    for a tuple.

    Raises:
      ValueError: a value is impossible. The message is one sentence that begins with the key.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise ValueError(_sentence(type(self), error, values)) from None

    def replace(self, **changes: Any) -> Self:
        """A copy with other values of some keys, checked like a new one."""
        return type(self)(**{**dict(self), **changes})


def is_section(field: FieldInfo) -> bool:
    """Whether a field holds keys of its own."""
    return isinstance(field.annotation, type) and issubclass(field.annotation, StrictModel)


def choices(field: FieldInfo) -> tuple[str, ...]:
    """All valid values, where the field lists them; else nothing."""
    return get_args(field.annotation) if get_origin(field.annotation) is Literal else ()


def takes_text(field: FieldInfo) -> bool:
    """Whether a field holds free text; a field with a list of choices does not."""
    return str in _alternatives(field.annotation)


def takes_null(field: FieldInfo) -> bool:
    """Whether a field may be null."""
    return types.NoneType in _alternatives(field.annotation)


def may_change(field: FieldInfo) -> bool:
    """Whether a run may be resumed with another value."""
    return _extra(field, "mayChangeOnResume") is True


def expected(field: FieldInfo) -> str:
    """What a value must be, such as "a number from 0 to 1"."""
    if is_section(field):
        return "a mapping of keys"
    return str(_extra(field, EXPECTED) or _describe(field.annotation, field.metadata))


class _OneLineDumper(yaml.SafeDumper):
    """Writes a text that is not printable, such as one of several lines, with escapes."""

    def _text(self, text: str) -> yaml.ScalarNode:
        style = None if text.isprintable() else '"'
        return self.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_OneLineDumper.add_representer(str, _OneLineDumper._text)


def show(value: Any) -> str:
    """A value as YAML in one line, for a message; the end of a long one is cut off."""
    text = as_yaml(value)
    return text if len(text) <= 100 else f"{text[:99]}…"


def printable(text: str) -> str:
    """A text for a message, in which characters that are not printable are escaped."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def as_yaml(value: Any) -> str:
    """A value as YAML in one line."""
    try:
        text = yaml.dump(
            list(value) if isinstance(value, tuple) else value,
            Dumper=_OneLineDumper,
            default_flow_style=True,
            width=float("inf"),
            allow_unicode=True,
        )
    except yaml.YAMLError:
        return repr(value)
    except RecursionError:
        return "a value that is nested too deeply"
    return text.removesuffix("\n").removesuffix("\n...")


def nearest(name: str, valid: Iterable[str]) -> str:
    """The valid name that is most like `name`."""
    return get_close_matches(name, list(valid), n=1, cutoff=0.0)[0]


def _alternatives(annotation: Any) -> tuple[Any, ...]:
    is_union = get_origin(annotation) in (types.UnionType, Union)
    return get_args(annotation) if is_union else (annotation,)


def _extra(field: FieldInfo, name: str) -> Any:
    extra = field.json_schema_extra
    return extra.get(name) if isinstance(extra, dict) else None


def _sentence(model: type[StrictModel], error: ValidationError, values: Mapping[str, Any]) -> str:
    """The first of a model's refusals as a sentence."""
    first = error.errors(include_url=False)[0]
    kind, where = first["type"], first["loc"]
    key = str(where[0]) if where else ""
    if kind == "missing":
        return f"the key {key} is missing"
    if kind == "extra_forbidden":
        return (
            f"unknown key {printable(key)} (value {show(values[key])}); the nearest valid key is "
            f"{nearest(key, model.model_fields)}"
        )
    if kind == "value_error":
        # A check of several keys names the key itself; that of a section does so, too.
        reason = str(first["ctx"]["error"])
        if not key:
            return reason
        return f"{key}.{reason}" if is_section(model.model_fields[key]) else f"{key} {reason}"
    field = model.model_fields[key]
    sentence = f"{key} must be {expected(field)}, not {show(values.get(key))}"
    if choices(field):
        sentence += f"; the nearest is {nearest(str(values.get(key)), choices(field))}"
    return sentence


# ---------------------------------------------------------------------------------------------
# Types and bounds in words
# ---------------------------------------------------------------------------------------------

_NAMES = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}
_PLURALS = {int: "whole numbers", float: "numbers", str: "texts"}
_BOUNDS: tuple[tuple[type, str, str], ...] = (
    (Ge, "ge", "at least"),
    (Gt, "gt", "above"),
    (Le, "le", "at most"),
    (Lt, "lt", "below"),
)


def _describe(annotation: Any, metadata: Iterable[Any]) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (types.UnionType, Union):
        return f"{_describe(arguments[0], metadata)} or null"
    if origin is Literal:
        return f"one of {', '.join(map(str, arguments))}"
    if origin is not tuple:
        return _with_bounds(_NAMES[annotation], metadata)
    item: Any = arguments[0]
    item_metadata: list[Any] = []
    if get_origin(item) is Annotated:
        item, *item_metadata = get_args(item)
    size = "a list of one or more" if any(isinstance(m, MinLen) for m in metadata) else "a list of"
    return f"{size} {_with_bounds(_PLURALS[item], item_metadata)}"


def _with_bounds(name: str, metadata: Iterable[Any]) -> str:
    metadata = list(metadata)
    if any(isinstance(entry, MultipleOf) and entry.multiple_of == 2 for entry in metadata):
        name = name.replace("a whole", "an even")
    bounds = [
        f"{words} {getattr(entry, attribute)}"
        for kind, attribute, words in _BOUNDS
        for entry in metadata
        if isinstance(entry, kind)
    ]
    if not bounds:
        return name
    ends = {type(entry): entry for entry in metadata}
    if {Ge, Le} <= ends.keys():
        return f"{name} from {ends[Ge].ge} to {ends[Le].le}"
    of = " of" if bounds[0].startswith("at") else ""
    return f"{name}{of} {' and '.join(bounds)}"
