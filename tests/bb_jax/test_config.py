"""Refusals of impossible configurations, and that reading one starts nothing."""

import subprocess
import sys

import pytest

from bb_jax import NetworkConfig, PPOConfig
from bb_jax.config import ExpertConfig


@pytest.mark.parametrize(
    ("config", "key", "value", "shown"),
    [
        (NetworkConfig, "kind", "cnn", "cnn"),
        (NetworkConfig, "hidden_dim", 0, "0"),
        (NetworkConfig, "hidden_dim", 250, "250"),
        (NetworkConfig, "num_layers", 2.0, "2.0"),
        (NetworkConfig, "num_heads", True, "true"),
        (NetworkConfig, "dropout", 1.0, "1.0"),
        (NetworkConfig, "dropout", float("nan"), ".nan"),
        (NetworkConfig, "hidden_layers", (), "[]"),
        (NetworkConfig, "hidden_layers", (64, -1), "[64, -1]"),
        (NetworkConfig, "hidden_layers", {64}, "!!set {64: null}"),
        (NetworkConfig, "second_tower", (8,), "[8]"),
        (NetworkConfig, "compute_dtype", "int8", "int8"),
        (PPOConfig, "clip_epsilon", 0, "0"),
        (PPOConfig, "gamma", 1.1, "1.1"),
        (PPOConfig, "gae_lambda", -0.1, "-0.1"),
        (PPOConfig, "ppo_epochs", 0, "0"),
        (PPOConfig, "minibatch_size", 1.5, "1.5"),
        (PPOConfig, "target_kl", 0.0, "0.0"),
        (PPOConfig, "clip_value", 1, "1"),
        (PPOConfig, "learning_rate", float("inf"), ".inf"),
        (PPOConfig, "max_behaviour_weight", 0.5, "0.5"),
        (ExpertConfig, "search", 3, "3"),
        (ExpertConfig, "teacher", 3, "3"),
        (ExpertConfig, "td_lambda", 1.5, "1.5"),
        (ExpertConfig, "policy_temperature", 0, "0"),
        (ExpertConfig, "ranking_coef", -1, "-1"),
        (ExpertConfig, "reuse", 0.0, "0.0"),
        (ExpertConfig, "minibatch_size", 0, "0"),
    ],
)
def test_impossible_values_are_refused_in_one_sentence(config, key, value, shown):
    for make in (config, config().replace):
        with pytest.raises(ValueError) as refusal:
            make(**{key: value})
        sentence = str(refusal.value)
        assert sentence.startswith(f"{key} must be ")
        assert f", not {shown}" in sentence and "\n" not in sentence


def test_an_unknown_key_names_the_nearest():
    with pytest.raises(ValueError, match=r"unknown key hiden_dim \(value 3\); .* hidden_dim$"):
        NetworkConfig(hiden_dim=3)  # type: ignore[call-arg]


def test_a_copy_with_changes_keeps_the_rest():
    config = NetworkConfig(kind="mlp", hidden_layers=(8, 4))
    assert config.replace(dropout=0) == NetworkConfig(kind="mlp", hidden_layers=(8, 4), dropout=0.0)
    with pytest.raises(ValueError, match="frozen"):
        config.dropout = 0.5  # type: ignore[misc]


def test_a_list_of_layers_becomes_a_tuple():
    config = NetworkConfig(kind="mlp", hidden_layers=[8, 4])  # type: ignore[arg-type]
    assert config.hidden_layers == (8, 4)
    assert hash(config) == hash(NetworkConfig(kind="mlp", hidden_layers=(8, 4)))


def test_configurations_are_there_without_jax():
    program = "import sys, bb_jax.config; sys.exit('jax' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
