"""Refusals of impossible configurations, and that reading one starts nothing."""

import subprocess
import sys

import pytest

from bb_jax import NetworkConfig, PPOConfig
from bb_jax.config import ExpertConfig


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"kind": "cnn"}, "kind must be transformer or mlp, not 'cnn'"),
        ({"hidden_dim": 0}, "hidden_dim must be a positive integer, not 0"),
        ({"hidden_dim": 250}, r"hidden_dim must be a multiple of num_heads \(8\), not 250"),
        ({"num_layers": 2.0}, "num_layers must be a positive integer, not 2.0"),
        ({"num_heads": True}, "num_heads must be a positive integer, not True"),
        ({"dropout": 1.0}, "dropout must be a number from 0 up to but not including 1, not 1.0"),
        ({"dropout": float("nan")}, "dropout must be"),
        ({"hidden_layers": ()}, "hidden_layers must be a list of positive integers"),
        ({"hidden_layers": (64, -1)}, "hidden_layers must be a list of positive integers"),
        ({"compute_dtype": "int8"}, "compute_dtype must be float32, bfloat16 or auto"),
    ],
)
def test_impossible_networks_are_refused(values, message):
    with pytest.raises(ValueError, match=message):
        NetworkConfig(**values)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"clip_epsilon": 0}, "clip_epsilon must be a number above 0, not 0"),
        ({"gamma": 1.1}, "gamma must be a number from 0 to 1, not 1.1"),
        ({"gae_lambda": -0.1}, "gae_lambda must be a number from 0 to 1"),
        ({"ppo_epochs": 0}, "ppo_epochs must be a positive integer"),
        ({"minibatch_size": 1.5}, "minibatch_size must be a positive integer"),
        ({"target_kl": 0.0}, "target_kl must be a number above 0 or null, not 0.0"),
        ({"clip_value": 1}, "clip_value must be true or false, not 1"),
        ({"learning_rate": float("inf")}, "learning_rate must be a number of at least 0"),
        ({"max_behaviour_weight": 0.5}, "max_behaviour_weight must be a number of at least 1"),
    ],
)
def test_impossible_coefficients_are_refused(values, message):
    with pytest.raises(ValueError, match=message):
        PPOConfig(**values)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"search": 3}, "search must be a text such as samples=0, not 3"),
        ({"teacher": 3}, "teacher must be the name of a checkpoint or null, not 3"),
        ({"td_lambda": 1.5}, "td_lambda must be a number from 0 to 1, not 1.5"),
        ({"policy_temperature": 0}, "policy_temperature must be a number above 0, not 0"),
        ({"ranking_coef": -1}, "ranking_coef must be a number of at least 0, not -1"),
        ({"reuse": 0.0}, "reuse must be a number above 0, not 0.0"),
        ({"minibatch_size": 0}, "minibatch_size must be a positive integer, not 0"),
    ],
)
def test_impossible_expert_coefficients_are_refused(values, message):
    with pytest.raises(ValueError, match=message):
        ExpertConfig(**values)


def test_a_list_of_layers_becomes_a_tuple():
    config = NetworkConfig(kind="mlp", hidden_layers=[8, 4])  # type: ignore[arg-type]
    assert config.hidden_layers == (8, 4)
    assert hash(config) == hash(NetworkConfig(kind="mlp", hidden_layers=(8, 4)))


def test_configurations_are_there_without_jax():
    program = "import sys, bb_jax.config; sys.exit('jax' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
