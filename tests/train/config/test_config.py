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


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("seed", "0100", 100),
        ("seed", "+7", 7),
        ("seed", "0o17", 15),
        ("seed", "0x1F", 31),
        ("margin_weight", "1.", 1.0),
        ("margin_weight", ".5", 0.5),
        ("margin_weight", "010.5", 10.5),
        ("use_opponent_pool", "FALSE", False),
        ("temp_threshold", "~", None),
        ("temp_threshold", "", None),
        ("eval_opponents", "[queue]", ("queue",)),
        ("fixed_opponents", "[on, 1:30, 2024-01-01, '7', =, <<]",
         ("on", "1:30", "2024-01-01", "7", "=", "<<")),
    ],
)  # fmt: skip
def test_values_are_read_by_the_core_schema(load, key, text, value):
    assert getattr(load(f"{key}: {text}"), key) == value
    assert getattr(load("", f"{key}={text}"), key) == value


@pytest.mark.parametrize("text", ["on", "no", "yes", "1:30", "2024-01-01", "1_000", "nULL"])
def test_a_word_is_a_text(load, text):
    assert load(f"checkpoint_dir: {text}").checkpoint_dir == text


@settings(max_examples=200, deadline=None)
@given(value=st.integers(0, 2**63 - 1), zeros=st.integers(0, 3))
def test_digits_are_a_decimal_number(tmp_path_factory, value, zeros):
    path = tmp_path_factory.mktemp("config") / "run.yaml"
    path.write_text(f"{HEAD}seed: {'0' * zeros}{value}\n")
    assert load_config(path).seed == value


_NO_SURROGATES = st.characters(exclude_categories=["Cs"])
_TEXTS = st.text(_NO_SURROGATES, min_size=1).filter(lambda text: text != "null")
_TEXT_KEYS = {
    "experiment_name": st.from_regex(
        r"[a-z0-9_$<[{'\"#:&!%][\w$<>[\]{}'\"#:&*!%=]*", fullmatch=True
    ),
    "checkpoint_dir": _TEXTS.filter(lambda text: text[0] not in "~$" and "\0" not in text),
    "resume_from": _TEXTS,
    "merge_with": _TEXTS,
    "expert_config.search": st.integers(0, 900).map("samples={},opponent=unknown".format),
    "expert_config.teacher": _TEXTS,
}


@pytest.mark.parametrize("key", _TEXT_KEYS)
def test_an_override_takes_a_text_as_it_stands(tmp_path_factory, key):
    path = tmp_path_factory.mktemp("config") / "run.yaml"
    path.write_text(f"{HEAD}resume_from: a\nnetwork_config: {{kind: mlp, second_tower: [1]}}\n")

    @settings(max_examples=100, deadline=None)
    @given(text=_TEXT_KEYS[key])
    def check(text):
        config = config_to_dict(load_config(path, [f"{key}={text}"]))
        section, dot, inner = key.partition(".")
        assert (config[section][inner] if dot else config[section]) == text

    check()


def test_every_key_that_holds_text_is_among_those_of_the_last_test():
    def holds_text(entry):
        kinds = [choice.get("type") for choice in entry.get("anyOf", [entry])]
        return "string" in kinds and "enum" not in entry

    schema = Config.model_json_schema()
    sections = {
        name: schema["$defs"][entry["$ref"].rpartition("/")[2]]["properties"]
        for name, entry in schema["properties"].items()
        if "$ref" in entry
    }
    keys = schema["properties"] | {
        f"{section}.{name}": entry
        for section, entries in sections.items()
        for name, entry in entries.items()
    }
    assert {name for name, entry in keys.items() if holds_text(entry)} == _TEXT_KEYS.keys()


@pytest.mark.parametrize("name", ["a<b>", "[bold]", "%s", "a$b_$", "_first", "x&y", "é", "a'b"])
def test_a_run_may_have_any_plain_name(load, name):
    assert load("", f"experiment_name={name}").run_dir == Path("checkpoints", name)


def test_the_folder_of_a_run_may_be_in_the_home_folder(load, refusal, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    config = load("checkpoint_dir: ~/me@lab/run")
    assert config.run_dir == tmp_path / "me@lab" / "run"
    # A run may be moved to another home.
    assert config_to_dict(config)["checkpoint_dir"] == "~/me@lab/run"
    message = refusal("", "checkpoint_dir=~nobody-here/run")
    assert "checkpoint_dir ~nobody-here/run: there is no user nobody-here" in message
    assert "$HOME is taken literally" in refusal("checkpoint_dir: $HOME/run")


def test_null_in_an_override_is_no_text_where_the_key_may_be_null(load):
    assert load("checkpoint_dir: a", "checkpoint_dir=null").checkpoint_dir is None
    assert load("", "experiment_name=null").experiment_name == "null"


def test_a_section_of_the_file_and_overrides_of_its_keys_go_together(load):
    config = load(
        "ppo_config: {gamma: 0.5, ppo_epochs: 3}", "ppo_config.gamma=0.6", "ppo_config.gamma=0.7"
    )
    assert (config.ppo_config.gamma, config.ppo_config.ppo_epochs) == (0.7, 3)
    assert load("ppo_config.gamma: 0.5", "ppo_config.gamma=0.6").ppo_config.gamma == 0.6


def test_a_file_of_json_is_read_to_the_letter(load):
    text = json.dumps(
        {"experiment_name": "t", "total_iterations": 1, "checkpoint_dir": "/é/\U0001f600"}
    )
    assert load(text, head="").checkpoint_dir == "/é/\U0001f600"


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


def test_a_run_may_go_on_with_gentler_steps(load):
    old = config_to_dict(load(""))
    new = load(
        "",
        "ppo_config.learning_rate=1e-5",
        "ppo_config.max_grad_norm=0.1",
        "ppo_config.target_kl=null",
    )
    found = differences(old, config_to_dict(new))
    assert [difference.key for difference in found] == [
        "ppo_config.learning_rate",
        "ppo_config.max_grad_norm",
        "ppo_config.target_kl",
    ]
    assert not any(difference.refused for difference in found)


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
