"""The reference of all keys, made from their fields: a table to read and a schema for editors."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic.fields import FieldInfo

from bb_jax.strict_model import StrictModel, as_yaml, choices, expected, is_section, may_change
from train.config.evaluation import EvaluationConfig
from train.config.fields import plain_default, section_of
from train.config.games import GamesConfig
from train.config.learning import LearningConfig
from train.config.opponents import ExploitConfig, PoolConfig
from train.config.run import RunConfig
from train.config.settings import Config

_TOPICS = (RunConfig, LearningConfig, GamesConfig, PoolConfig, ExploitConfig, EvaluationConfig)


_HEADING = "## Every key\n"
_INTRODUCTION = "`python -m train.config` writes these tables and `configs/schema.json`."


def with_tables(page: str) -> str:
    """A page of documentation with current tables under its last heading, `Every key`."""
    before = page.partition(_HEADING)[0]
    return f"{before}{_HEADING}\n{_INTRODUCTION}\n\n{keys_as_markdown()}"


def keys_as_markdown() -> str:
    """A table of keys for each topic, and one for each section within it."""
    parts: list[str] = []
    for topic in _TOPICS:
        parts += [f"### {_summary(topic)}", _table(_rows(topic.model_fields))]
        for name, field in topic.model_fields.items():
            if is_section(field):
                keys = section_of(field).model_fields
                parts += [f"#### `{name}`", field.description or "", _table(_rows(keys, name))]
    return "\n\n".join(parts) + "\n"


def schema_text() -> str:
    """The JSON schema of a configuration's file."""
    schema = _without_titles(Config.model_json_schema())
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Configuration"}
    return json.dumps(head | schema, indent=2, ensure_ascii=False) + "\n"


def _summary(topic: type[StrictModel]) -> str:
    return (topic.__doc__ or "").strip().rstrip(".")


def _table(rows: Iterator[str]) -> str:
    head = "| key | values | default | may change on resume | meaning |"
    return "\n".join([head, "| --- | --- | --- | --- | --- |", *rows])


def _rows(keys: Mapping[str, FieldInfo], section: str = "") -> Iterator[str]:
    for name, field in keys.items():
        if is_section(field):
            continue
        full = f"{section}.{name}" if section else name
        values = ", ".join(f"`{choice}`" for choice in choices(field)) or expected(field)
        default = "(required)" if field.is_required() else f"`{as_yaml(plain_default(field))}`"
        change = "yes" if may_change(field) else "no"
        yield f"| `{full}` | {values} | {default} | {change} | {field.description} |"


def _without_titles(schema: Any) -> Any:
    """A schema without the titles that only repeat the keys."""
    if isinstance(schema, list):
        return [_without_titles(entry) for entry in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        name: _without_titles(entry)
        for name, entry in schema.items()
        if name != "title" or not isinstance(entry, str)
    }
