"""What no configuration can be is refused in one sentence that names it."""

import re

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.train.config.conftest import HEAD
from train.config import ConfigError, load_config


@pytest.mark.parametrize(
    ("text", "key", "value", "nearest"),
    [
        ("games_per_iteratoin: 5", "games_per_iteratoin", "5", "games_per_iteration"),
        ("learning_rate: 0.1", "learning_rate", "0.1", "ppo_config.learning_rate"),
        ("ppo_config: {gama: 1}", "ppo_config.gama", "1", "ppo_config.gamma"),
        ("opponents_config: {a: 1}", "opponents_config", "{a: 1}", "opponent_config"),
        ("network_config: {gamma: x}", "network_config.gamma", "x", "ppo_config.gamma"),
        ("1: 2", "1", "2", ""),
    ],
)
def test_unknown_keys_name_the_nearest(refusal, text, key, value, nearest):
    message = refusal(text)
    assert f"unknown key {key} (value {value})" in message
    assert message.endswith(nearest)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("seed", "true"),
        ("seed", "'3'"),
        ("seed", "1.0"),
        ("seed", "null"),
        ("use_opponent_pool", "1"),
        ("use_opponent_pool", "'true'"),
        ("margin_weight", "'0.1'"),
        ("margin_weight", "false"),
        ("margin_weight", ".nan"),
        ("margin_weight", ".inf"),
        ("device", "3"),
        ("eval_opponents", "random"),
        ("eval_opponents", "[random, 1]"),
        ("network_config.hidden_layers", "[1.5]"),
        ("ppo_config.target_kl", "none"),
    ],
)
def test_wrong_types_name_key_and_value(refusal, key, value):
    message = refusal("", f"{key}={value}")
    assert message.startswith(f"--set {key}={value}: {key} must be ")
    assert f", not {value}" in message


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        ("seed: -1", "seed", "-1"),
        ("total_iterations: 0", "total_iterations", "0"),
        ("margin_weight: -0.1", "margin_weight", "-0.1"),
        ("temperature_end: 0", "temperature_end", "0"),
        ("min_opponent_weight: 0", "min_opponent_weight", "0"),
        ("exploit_patch_threshold: 1.1", "exploit_patch_threshold", "1.1"),
        ("ppo_config: {gamma: 1.5}", "ppo_config.gamma", "1.5"),
        ("network_config: {dropout: 1}", "network_config.dropout", "1"),
        ("network_config: {hidden_dim: 100}", "network_config.hidden_dim", "100"),
        ("network_config: {hidden_layers: []}", "network_config.hidden_layers", "[]"),
        ("network_config: {kind: mpl}", "network_config.kind", "mpl"),
        ("device: tpu", "device", "tpu"),
        ("lr_schedule: none", "lr_schedule", "none"),
        ("force_cython: false", "force_cython", "false"),
        ("eval_games: 101", "eval_games", "101"),
        ("eval_opponents: []", "eval_opponents", "[]"),
        ("eval_opponents: [queue, queue]", "eval_opponents", "'queue' 2 times"),
        ("fixed_opponents: [a, b, a]", "fixed_opponents", "'a' 2 times"),
        ("python_agents: [agent]", "python_agents", "agent"),
        ("python_agents: ['checkpoint:Agent']", "python_agents", "checkpoint:Agent"),
        ("experiment_name: a/b", "experiment_name", "a/b"),
        ("experiment_name: ..", "experiment_name", ".."),
        ("experiment_name: 'a,b'", "experiment_name", "a,b"),
        ('experiment_name: "a\\nb"', "experiment_name", r"a\nb"),
        ('experiment_name: "a\\eb"', "experiment_name", r"a\eb"),
        ("experiment_name: ~a", "experiment_name", "~a"),
        ("experiment_name: " + "é" * 128, "experiment_name", "256"),
        ("resume_from: ''", "resume_from", "''"),
        ("merge_with: run", "merge_with", "run"),
        ("expert_config: {search: samples=x}", "expert_config.search", "x"),
        ("expert_config: {search: milliseconds=3}", "expert_config.search", "milliseconds=3"),
        ("opponent_config: {current_weight: 0.4}", "opponent_config.current_weight", "0.9"),
        ("network_config: 3", "network_config", "3"),
        ("ppo_config:", "ppo_config", "null"),
    ],
)
def test_impossible_values_are_refused(refusal, text, key, value):
    head = "" if text.startswith(("experiment_name", "total_iterations")) else HEAD
    missing = {"experiment_name: ": "x", "total_iterations: ": "1"} if not head else {}
    lines = [f"{name}{given}\n" for name, given in missing.items() if not text.startswith(name)]
    where, sentence = refusal(text, head=head + "".join(lines)).split(": ", 1)
    assert where.endswith("run.yaml")
    assert re.match(rf"{re.escape(key)}\b", sentence)
    assert re.search(rf"(?<!\w){re.escape(value)}(?!\w)", sentence)


@pytest.mark.parametrize(
    ("text", "other", "value"),
    [
        ("buffer_size: 1000", "8192 games", "1000"),
        ("ppo_config: {minibatch_size: 800001}", "buffer_size", "800001"),
        ("min_learning_rate: 1e-3", "ppo_config.learning_rate (0.0001)", "0.001"),
        ("lr_warmup_iterations: 10", "total_iterations (10)", "10"),
        ("lr_schedule: power", "min_learning_rate must be above 0 under the schedule power", "0.0"),
        ("entropy_schedule: power\nentropy_end: 0", "entropy_end must be above 0", "0"),
        ("network_config: {hidden_dim: 100}", "num_heads (8)", "100"),
        ("network_config: {second_tower: [3]}", "kind", "[3]"),
    ],
)
def test_two_keys_that_clash_are_both_named(refusal, text, other, value):
    message = refusal(text)
    assert other in message and value in message


@pytest.mark.parametrize(
    ("text", "nearest"),
    [
        ("scoring: point", "points"),
        ("entropy_schedule: lineer", "linear"),
        ("network_config: {kind: transfomer}", "transformer"),
        ("eval_opponents: [queue, agressive]", "aggressive"),
    ],
)
def test_a_value_that_is_no_choice_gets_the_nearest_one(refusal, text, nearest):
    assert re.search(rf"nearest is '?{nearest}\b", refusal(text))


def test_an_at_sign_in_a_path_is_no_step(load):
    assert load("resume_from: /data/run@home/a@600").resume_from == "/data/run@home/a@600"


@given(
    name=st.sampled_from(["seed", "device", "ppo_config.gamma", "eval_opponents", "margin_weight"]),
    value=st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=5) | st.dates(),
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2),
        max_leaves=4,
    ),
)
@settings(max_examples=100, deadline=None)
def test_a_refusal_is_one_sentence_whatever_the_value(tmp_path_factory, name, value):
    path = tmp_path_factory.mktemp("config") / "run.yaml"
    section, dot, inner = name.partition(".")
    content = {"experiment_name": "test", "total_iterations": 10}
    path.write_text(yaml.safe_dump(content | {section: {inner: value} if dot else value}))
    try:
        load_config(path)
    except ConfigError as error:
        assert str(error).startswith(f"{path}: {name} ")
        assert "\n" not in str(error) and "pydantic" not in str(error)


def test_shares_may_miss_one_by_a_millionth(load, refusal):
    load("", "opponent_config.current_weight=0.5000009")
    refusal("", "opponent_config.current_weight=0.500002")


def test_a_clash_of_file_and_override_names_both(refusal):
    message = refusal("", "games_per_iteration=100000")
    assert "run.yaml with --set games_per_iteration=100000: buffer_size is 800000" in message


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("seed", "must be KEY=VALUE"),
        ("=1", "must be KEY=VALUE"),
        ("sed=1", "nearest valid key is seed"),
        ("seed=[1", "line 1, column 3"),
        ("ppo_config={gamma: 1}", "is a section; set one of its keys, such as ppo_config."),
        ("seed=" + "[" * 400 + "]" * 400, "not a value that is nested too deeply"),
    ],
)
def test_bad_overrides_are_named(refusal, override, expected):
    message = refusal("", override)
    assert message.startswith(f"--set {override}: ")
    assert expected in message


@pytest.mark.parametrize("value", ["1\n2", "\x1b[1m", "\udcff", "[\udcff]"])
@pytest.mark.parametrize("key", ["seed", "experiment_name", "sed"])
def test_a_refusal_of_an_override_is_one_printable_sentence(load, key, value):
    with pytest.raises(ConfigError) as error:
        load("", f"{key}={value}")
    assert str(error.value).isprintable()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "the file is empty"),
        ("# nothing\n", "the file is empty"),
        ("- seed\n", "must be a mapping of keys to values, not [seed]"),
        ("seed: 1\n", "the key experiment_name is missing"),
        ("seed: [1,\n", "line 2, column 1: "),
        ("seed: 1\n seed: 2\n", "line 2, column "),
        (HEAD + "seed: 1\nseed: 1\n", "line 4, column 1: the key seed is given twice"),
        (HEAD + "ppo_config: {gamma: 1, gamma: 1}\n", "column 24: the key gamma is given twice"),
        (
            HEAD + "ppo_config: {gamma: 1}\nppo_config.gamma: 0.5\n",
            "ppo_config.gamma stands beside the section ppo_config; write it inside",
        ),
        (
            HEAD + "ppo_config.gamma: 0.5\nppo_config: {clip_value: true}\n",
            "ppo_config.gamma stands beside the section ppo_config; write it inside",
        ),
        ('"se\\ted": 1\n', r"unknown key se\ted (value 1)"),
        ('"se\\ted": 1\n"se\\ted": 1\n', r"the key se\ted is given twice"),
        ("seed: 0x" + "f" * 5000, "a whole number of 5002 digits is too long"),
        ("seed: " + "9" * 5000, "a whole number of 5000 digits is too long"),
        ("seed: 1 #" + "é" * 50_000, "a configuration has at most 64000 bytes"),
        ("a: !!int x\n", "line 1, column 4: x is not a whole number"),
        ("a: !!bool on\n", "line 1, column 4: on is not true or false"),
        ("a: !!python/object:os.system 1\n", "line 1, column 4: "),
        ("a: *b\n", "undefined alias"),
        ("? [1]\n: 2\n", "line 1, column 3: "),
        ("a: \x01\n", "not valid YAML"),
    ],
)
def test_malformed_files_are_refused(refusal, text, expected):
    assert expected in refusal(text, head="")


def test_files_that_cannot_be_read_are_refused(tmp_path):
    (tmp_path / "binary.yaml").write_bytes(b"\xff\x00")
    for name, expected in (
        ("missing.yaml", "there is no such"),
        ("binary.yaml", "UTF-8"),
        ("", "cannot be read"),
    ):
        with pytest.raises(ConfigError, match=expected) as error:
            load_config(tmp_path / name)
        assert str(tmp_path / name) in str(error.value)
