"""Reading a configuration: defaults, overrides, refusals, and what may change on resume."""

import json
import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from bb_sim import OPPONENTS
from train.config import Config, ConfigError, config_to_dict, differences, load_config

HEAD = "experiment_name: test\ntotal_iterations: 10\n"


@pytest.fixture
def load(tmp_path):
    def load(text, *overrides, head=HEAD):
        path = tmp_path / "run.yaml"
        path.write_text(head + text, encoding="utf-8")
        return load_config(path, overrides)

    return load


@pytest.fixture
def refusal(load):
    def refusal(text, *overrides, head=HEAD):
        with pytest.raises(ConfigError) as error:
            load(text, *overrides, head=head)
        message = str(error.value)
        assert "\n" not in message
        assert any(origin in message for origin in ("run.yaml", *overrides))
        return message

    return refusal


# ---------------------------------------------------------------------------------------------
# Reading
# ---------------------------------------------------------------------------------------------


def test_a_key_left_out_has_its_default(load):
    assert load("") == Config(experiment_name="test", total_iterations=10)
    assert load("ppo_config: {gamma: 1}").ppo_config.gae_lambda == 0.95
    assert load("ppo_config: {}").ppo_config == load("").ppo_config


@pytest.mark.parametrize("text", ["1e-4", "1E-04", "+1.0e-4", "0.0001", "10e-5"])
def test_scientific_notation_is_a_number(load, text):
    assert load(f"ppo_config: {{learning_rate: {text}}}").ppo_config.learning_rate == 1e-4
    assert load("", f"ppo_config.learning_rate={text}").ppo_config.learning_rate == 1e-4


def test_whole_numbers_become_floats_and_lists_tuples(load):
    config = load("margin_weight: 1\nnetwork_config: {hidden_layers: [3, 4]}")
    assert type(config.margin_weight) is float
    assert config.network_config.hidden_layers == (3, 4)


def test_overrides_win_and_the_last_one_most(load):
    config = load(
        "seed: 1\ndevice: cpu",
        "seed=2",
        "seed=3",
        "ppo_config.target_kl=null",
        "eval_opponents=[queue, my.agents:Agent]",
        "python_agents=[my.agents:Agent]",
        "resume_from=other@600",
        "total_iterations = 700",
    )
    assert (config.seed, config.device, config.total_iterations) == (3, "cpu", 700)
    assert config.ppo_config.target_kl is None
    assert config.eval_opponents == ("queue", "my.agents:Agent")
    assert config.resume_from == "other@600"


def test_an_override_gives_a_missing_key(load):
    config = load("total_iterations: 3", "experiment_name=other", head="")
    assert config.run_dir == Path("checkpoints/other")
    assert load("checkpoint_dir: elsewhere/run").run_dir == Path("elsewhere/run")


@settings(max_examples=50, deadline=None)
@given(
    top=st.fixed_dictionaries(
        {},
        optional={
            "seed": st.integers(0, 2**63 - 1),
            "margin_weight": st.floats(0, 10),
            "temperature_end": st.floats(1e-12, 1e6),
            "scoring": st.sampled_from(["points", "animals"]),
            "checkpoint_dir": st.none() | st.text("abc/ :#'\"é-1", min_size=1),
            "temp_threshold": st.none() | st.integers(1, 24),
            "use_opponent_pool": st.booleans(),
            "games_per_iteration": st.integers(1, 10_000),
            "eval_opponents": st.lists(st.sampled_from(OPPONENTS), min_size=1, unique=True),
        },
    ),
    gamma=st.floats(0, 1),
    hidden_layers=st.lists(st.integers(1, 500), min_size=1, max_size=4),
)
def test_a_configuration_survives_being_written(tmp_path_factory, top, gamma, hidden_layers):
    path = tmp_path_factory.mktemp("config") / "run.yaml"
    content = {
        "experiment_name": "null",
        "total_iterations": 10,
        "ppo_config": {"gamma": gamma},
        "network_config": {"hidden_layers": hidden_layers},
        **top,
    }
    path.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    config = load_config(path)
    written = config_to_dict(config)
    assert written["ppo_config"]["gamma"] == gamma
    assert written["network_config"]["hidden_layers"] == hidden_layers
    for name, value in top.items():
        assert written[name] == value
    assert json.loads(json.dumps(written)) == written
    path.write_text(yaml.safe_dump(written, allow_unicode=True), encoding="utf-8")
    assert load_config(path) == config


# ---------------------------------------------------------------------------------------------
# Refusals
# ---------------------------------------------------------------------------------------------


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
        ("experiment_name", "2024-01-01"),
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
    ],
)
def test_bad_overrides_are_named(refusal, override, expected):
    message = refusal("", override)
    assert message.startswith(f"--set {override}: ")
    assert expected in message


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


# ---------------------------------------------------------------------------------------------
# Resuming
# ---------------------------------------------------------------------------------------------


def test_differences_are_listed_and_classified(load):
    old = config_to_dict(load(""))
    new = config_to_dict(
        load(
            "",
            "async_num_workers=2",
            "total_iterations=20",
            "device=cpu",
            "ppo_config.gamma=0.5",
            "network_config.hidden_layers=[1]",
            "seed=1",
        )
    )
    assert differences(old, old) == []
    found = differences(json.loads(json.dumps(old)), new)
    assert {difference.key: (difference.old, difference.new) for difference in found} == {
        "async_num_workers": (32, 2),
        "total_iterations": (10, 20),
        "device": ("auto", "cpu"),
        "ppo_config.gamma": (0.99, 0.5),
        "network_config.hidden_layers": ([256, 64], [1]),
        "seed": (42, 1),
    }
    refused = {difference.key for difference in found if difference.refused}
    assert refused == {"ppo_config.gamma", "network_config.hidden_layers", "seed"}


def test_keys_of_another_version_count_with_their_defaults(load):
    new = config_to_dict(load("", "seed=7"))
    old = {name: value for name, value in new.items() if name not in ("margin_weight", "seed")}
    old["forgotten_key"] = 3
    found = differences(old, new)
    assert found == [("seed", 42, 7), ("forgotten_key", 3, None)]
    assert [difference.refused for difference in found] == [True, False]


def test_limits_of_an_iteration(load):
    config = load("games_per_iteration: 10", "num_groups=32")
    assert config.groups == 10
    assert config.max_positions == config.max_trajectories * 12
    assert 16 <= config.max_trajectories <= 20
