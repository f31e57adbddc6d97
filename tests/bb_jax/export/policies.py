"""Policies of every architecture, and rows to compare them on."""

import functools

import jax
import numpy as np
import pytest

from bb_jax import NetworkConfig, Policy, build_network, init_params
from bb_sim.rules.afterstates import expand_afterstates
from tests.bb_jax.games import TINY_MLP, TINY_TRANSFORMER, random_positions

TOWERS = TINY_MLP.replace(hidden_layers=(24, 16), second_tower=(16, 8, 8))
ARCHITECTURES = {
    "mlp": (TINY_MLP, "points"),
    "mlp by animals": (TINY_MLP, "animals"),
    "deep mlp with dropout": (TINY_MLP.replace(hidden_layers=(32, 24, 16), dropout=0.5), "points"),
    "two towers": (TOWERS, "points"),
    "two towers, policy apart": (TOWERS.replace(separate_policy=True), "animals"),
    "mlp over afterstates": (TINY_MLP.replace(afterstates=True), "points"),
    "two towers over afterstates, policy apart": (
        TOWERS.replace(afterstates=True, separate_policy=True),
        "points",
    ),
    "transformer of one layer": (TINY_TRANSFORMER.replace(num_layers=1), "points"),
    "transformer": (TINY_TRANSFORMER.replace(num_layers=3, num_heads=4), "points"),
    "transformer by animals": (TINY_TRANSFORMER, "animals"),
    "transformer over afterstates": (TINY_TRANSFORMER.replace(afterstates=True), "points"),
    "transformer over afterstates, policy apart": (
        TINY_TRANSFORMER.replace(afterstates=True, separate_policy=True),
        "animals",
    ),
    "bfloat16": (TINY_TRANSFORMER.replace(compute_dtype="bfloat16"), "points"),
}
every_architecture = pytest.mark.parametrize("architecture", ARCHITECTURES)
# Each has what another lacks; what they share costs seconds to compile.
TELLING = (
    "mlp by animals",
    "two towers over afterstates, policy apart",
    "transformer",
    "transformer over afterstates, policy apart",
    "bfloat16",
)
telling_architectures = pytest.mark.parametrize(
    "architecture",
    [
        name if name in TELLING else pytest.param(name, marks=pytest.mark.slow)
        for name in ARCHITECTURES
    ],
)


@functools.cache
def policy_of(architecture: str) -> Policy:
    """A policy in which every parameter matters: none is zero, as fresh biases are."""
    config, scoring = ARCHITECTURES[architecture]
    network = build_network(config, scoring)
    random = np.random.default_rng(0)
    params = jax.tree.map(
        lambda leaf: np.asarray(leaf + 0.3 * random.normal(size=leaf.shape), np.float32),
        jax.device_get(init_params(network, 0)),
    )
    return Policy(network, params, config, scoring, {})


@functools.cache
def rows() -> np.ndarray:
    """uint8 [12000, 19]: decisions, afterstates, and bytes that no game has."""
    decisions = random_positions(300)[:7000]
    afterstates, _ = expand_afterstates(random_positions(30, seed=1))
    anything = np.random.default_rng(0).integers(0, 256, (1990, 19), np.uint8)
    padding = np.zeros((10, 19), np.uint8)
    found = np.concatenate([decisions, afterstates[:3000], anything, padding])
    assert len(found) == 12_000
    return found


def expected_of(policy: Policy, found: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What JAX makes of rows in float32: the policy's head [B, 33] or [B, 1], values [B, 2]."""
    config: NetworkConfig = policy.network_config.replace(compute_dtype="float32")
    network = build_network(config, policy.scoring)
    head, values = jax.jit(network.apply)({"params": policy.params}, found)
    # Equal results must not come from numbers that say nothing.
    assert np.std(head) > 0.1
    assert np.std(values, axis=0).min() > 0.1
    return np.asarray(head), np.asarray(values)
