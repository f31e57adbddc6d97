"""Reading a configuration: defaults, values, overrides, and what may change on resume."""

import json
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from bb_sim import OPPONENTS
from tests.train.config.conftest import HEAD
from train.config import Config, config_to_dict, differences, load_config

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
    "mirror": st.from_regex(r"[a-z][a-z0-9+.-]{0,5}://[\w$<\[{'\"#:&*!%=.-]+", fullmatch=True),
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
