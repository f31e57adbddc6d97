"""Policy files: round trip, and one clear sentence for every fault."""

import errno
import os

import flax.serialization
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bb_jax import (
    CheckpointError,
    NetworkConfig,
    build_network,
    init_params,
    load_policy,
    policy_hash,
    save_policy,
)
from tests.bb_jax.games import (
    AFTERSTATE_MLP,
    AFTERSTATE_TRANSFORMER,
    TINY_MLP,
    TINY_TRANSFORMER,
    evaluate,
    random_positions,
    tiny_network,
)

METADATA = {"run": "iter0", "step": 7, "games": 12345}


@pytest.fixture
def saved(tmp_path):
    """A policy file of the tiny mlp."""
    path = tmp_path / "run" / "policies" / "000007.policy"
    save_policy(path, tiny_network()[1], TINY_MLP, "points", METADATA)
    return path


def _change(path, **changes):
    content = flax.serialization.msgpack_restore(path.read_bytes())
    path.write_bytes(flax.serialization.msgpack_serialize(content | changes))


@pytest.mark.parametrize(
    "config",
    [TINY_MLP, TINY_TRANSFORMER, AFTERSTATE_MLP, AFTERSTATE_TRANSFORMER],
    ids=["mlp", "transformer", "afterstate_mlp", "afterstate_transformer"],
)
@pytest.mark.parametrize("scoring", ["points", "animals"])
def test_round_trip(tmp_path, config, scoring):
    network = build_network(config, scoring)
    params = init_params(network, 3)
    path = tmp_path / "a.policy"
    save_policy(path, params, config, scoring, METADATA)
    policy = load_policy(path)
    assert (policy.network_config, policy.scoring, policy.metadata) == (config, scoring, METADATA)
    jax.tree.map(np.testing.assert_array_equal, policy.params, jax.device_get(params))
    rows = jnp.array(random_positions(1))
    for one, other in zip(
        evaluate(network, params, rows), evaluate(policy.network, policy.params, rows), strict=True
    ):
        np.testing.assert_array_equal(one, other)
    assert os.listdir(tmp_path) == ["a.policy"]


def test_the_hash_is_that_of_the_content():
    _, params = tiny_network()
    same = jax.tree.map(np.array, params)
    assert policy_hash(params) == policy_hash(same)
    same["value"]["bias"][0] += 1e-3
    assert policy_hash(params) != policy_hash(same)
    assert len(policy_hash(params)) == 16


def test_a_missing_file(tmp_path):
    with pytest.raises(CheckpointError, match=r"there is no policy file .*none\.policy"):
        load_policy(tmp_path / "none.policy")


@pytest.mark.parametrize("kept", [0, 1, 100, -1])
def test_a_torn_file(saved, kept):
    saved.write_bytes(saved.read_bytes()[:kept])
    with pytest.raises(CheckpointError, match=r"000007\.policy is (torn or )?not a policy file"):
        load_policy(saved)


def test_a_flipped_bit_in_the_parameters(saved):
    content = bytearray(saved.read_bytes())
    content[len(content) // 2] ^= 1
    saved.write_bytes(content)
    with pytest.raises(CheckpointError, match="is damaged: its parameters do not match their hash"):
        load_policy(saved)


@pytest.mark.parametrize("content", [b"hello", b"\x00" * 64, b"\x80"])
def test_something_else(tmp_path, content):
    path = tmp_path / "x.policy"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="not a policy file"):
        load_policy(path)


def test_a_folder(tmp_path):
    with pytest.raises(CheckpointError, match=r"cannot read .*: Is a directory"):
        load_policy(tmp_path)


def test_another_version(saved):
    _change(saved, version=9)
    with pytest.raises(CheckpointError, match="format version 9, and this program reads 1"):
        load_policy(saved)


@pytest.mark.parametrize(
    "changes",
    [{"network": '{"kind": "cnn"}'}, {"network": "["}, {"scoring": "goals"}, {"metadata": None}],
)
def test_a_description_that_cannot_be_used(saved, changes):
    _change(saved, **changes)
    with pytest.raises(CheckpointError, match="holds no usable description of its network"):
        load_policy(saved)


def test_parameters_that_do_not_fit_their_description(saved):
    _change(saved, network='{"kind": "mlp", "hidden_layers": [8]}')
    with pytest.raises(
        CheckpointError,
        match=r"parameter policy/kernel is float32 \[16, 33\] instead of float32 \[8, 33\]",
    ):
        load_policy(saved)


def test_another_architecture_is_named_field_by_field(tmp_path):
    path = tmp_path / "a.policy"
    save_policy(path, tiny_network(TINY_TRANSFORMER)[1], TINY_TRANSFORMER, "points", {})
    expected = NetworkConfig(hidden_dim=32, num_heads=2, num_layers=3, species_embedding_dim=4)
    with pytest.raises(
        CheckpointError,
        match=r"of another architecture: hidden_dim 16 instead of 32, num_layers 2 instead of 3$",
    ):
        load_policy(path, expected)
    with pytest.raises(CheckpointError, match=r"kind transformer instead of mlp$"):
        load_policy(path, TINY_MLP)
    with pytest.raises(CheckpointError, match=r"architecture: afterstates False instead of True$"):
        load_policy(path, AFTERSTATE_TRANSFORMER)
    other_dropout = NetworkConfig(**(vars(TINY_TRANSFORMER) | {"dropout": 0.4}))
    assert load_policy(path, other_dropout).network_config == TINY_TRANSFORMER


def test_a_full_disk_leaves_nothing_behind(saved, monkeypatch):
    before = saved.read_bytes()

    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CheckpointError, match=r"cannot write .*: No space left on device"):
        save_policy(saved, tiny_network()[1], TINY_MLP, "points", {})
    assert saved.read_bytes() == before
    assert os.listdir(saved.parent) == [saved.name]
