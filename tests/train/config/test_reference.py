"""The table of keys and the schema: current, complete, and in agreement with what is read."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from train.config import config_to_dict, load_config
from train.config.reference import keys_as_markdown, schema_text, with_tables

ROOT = Path(__file__).parents[3]
CONFIGS = sorted((ROOT / "configs").glob("*.yaml"))
SCHEMA = json.loads(schema_text())
QUICKSTART = yaml.safe_load((ROOT / "configs/quickstart.yaml").read_text())


def complaints(value: Any, schema: dict[str, Any], where: str = "") -> list[str]:
    """Where a value breaks a schema, for the keywords that the configuration's schema uses."""
    if "$ref" in schema:
        schema = SCHEMA["$defs"][schema["$ref"].removeprefix("#/$defs/")]
    if "anyOf" in schema:
        of_choices = [complaints(value, choice, where) for choice in schema["anyOf"]]
        return [] if [] in of_choices else [text for found in of_choices for text in found]
    kinds = {
        "object": isinstance(value, dict),
        "array": isinstance(value, list),
        "string": isinstance(value, str),
        "boolean": isinstance(value, bool),
        "integer": isinstance(value, int) and not isinstance(value, bool),
        "number": isinstance(value, (int, float)) and not isinstance(value, bool),
        "null": value is None,
    }
    if not kinds[schema["type"]]:
        return [f"{where}: not {schema['type']}"]
    found: list[str] = []
    if schema["type"] == "object":
        assert schema["additionalProperties"] is False
        for name in set(schema.get("required", ())) - value.keys():
            found.append(f"{where}.{name}: missing")
        for name, entry in value.items():
            if name in schema["properties"]:
                found += complaints(entry, schema["properties"][name], f"{where}.{name}")
            else:
                found.append(f"{where}.{name}: unknown")
    elif schema["type"] == "array":
        for entry in value:
            found += complaints(entry, schema["items"], where)
        if len(value) < schema.get("minItems", 0):
            found.append(f"{where}: too short")
        if schema.get("uniqueItems") and len(set(value)) < len(value):
            found.append(f"{where}: repeated")
    elif schema["type"] == "string":
        if not re.search(schema.get("pattern", ""), value) or (
            len(value) < schema.get("minLength", 0)
        ):
            found.append(f"{where}: pattern")
    elif schema["type"] in ("integer", "number"):
        bounds = (
            value >= schema.get("minimum", value),
            value <= schema.get("maximum", value),
            value > schema.get("exclusiveMinimum", value - 1),
            value < schema.get("exclusiveMaximum", value + 1),
            value % schema.get("multipleOf", 1) == 0 or schema["type"] == "number",
        )
        if not all(bounds):
            found.append(f"{where}: out of bounds")
    if value not in schema.get("enum", [value]) or value != schema.get("const", value):
        found.append(f"{where}: no choice")
    return found


def test_the_files_are_current():
    page = (ROOT / "docs/configuration.md").read_text()
    hint = "run `python -m train.config`"
    assert with_tables(page) == page, hint
    assert (ROOT / "configs/schema.json").read_text() == schema_text(), hint


def test_the_tables_name_every_key_once():
    config = config_to_dict(load_config(ROOT / "configs/quickstart.yaml"))
    keys = [
        f"{name}.{inner}" if inner else name
        for name, value in config.items()
        for inner in (value if isinstance(value, dict) else [""])
    ]
    rows = [row for row in keys_as_markdown().splitlines() if row.startswith("| `")]
    assert sorted(row.split("`")[1] for row in rows) == sorted(keys)
    assert all(row.count("|") == 6 and row.endswith(". |") for row in rows)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_the_schema_takes_every_shipped_file(path):
    text = path.read_text()
    assert text.startswith("# yaml-language-server: $schema=schema.json\n")
    assert complaints(json.loads(json.dumps(config_to_dict(load_config(path)))), SCHEMA) == []


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"sed": 1}, ".sed: unknown"),
        ({"seed": -1}, ".seed: out of bounds"),
        ({"seed": True}, ".seed: not integer"),
        ({"device": "tpu"}, ".device: no choice"),
        ({"force_cython": False}, ".force_cython: no choice"),
        ({"experiment_name": "a/b"}, ".experiment_name: pattern"),
        ({"eval_games": 101}, ".eval_games: out of bounds"),
        ({"eval_opponents": []}, ".eval_opponents: too short"),
        ({"fixed_opponents": ["a", "a"]}, ".fixed_opponents: repeated"),
        ({"network_config": {"kind": "mpl"}}, ".network_config.kind: no choice"),
        ({"network_config": {"hidden_layers": [0]}}, ".hidden_layers: out of bounds"),
        ({"ppo_config": {"gama": 1}}, ".ppo_config.gama: unknown"),
        ({"ppo_config": {"target_kl": 0}}, ".ppo_config.target_kl: out of bounds"),
    ],
)
def test_the_schema_refuses_what_the_program_refuses(changes, complaint):
    assert complaint in "\n".join(complaints(QUICKSTART | changes, SCHEMA))


def test_the_schema_explains_every_key():
    for group in (SCHEMA, *SCHEMA["$defs"].values()):
        assert all(entry["description"] for entry in group["properties"].values())
    assert SCHEMA["required"] == ["experiment_name", "total_iterations"]
