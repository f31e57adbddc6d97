"""Small untrained networks to evaluate."""

import shutil

import pytest

from bb_jax import NetworkConfig, build_network, init_params, save_policy


def write_policy(run, step, seed=None, scoring="points"):
    """A policy file of a tiny network; its parameters depend on the seed, by default the step."""
    config = NetworkConfig(kind="mlp", hidden_layers=(8,))
    network = build_network(config, scoring)
    params = init_params(network, step if seed is None else seed)
    path = run / "policies" / f"{step:06d}.policy"
    save_policy(path, params, config, scoring, {"step": step})
    return path


@pytest.fixture(scope="session")
def tiny_checkpoints(tmp_path_factory):
    """A folder with checkpoints/tiny (steps 1 and 2) and checkpoints/animals (step 1)."""
    folder = tmp_path_factory.mktemp("workplace")
    for step in (1, 2):
        write_policy(folder / "checkpoints" / "tiny", step)
    write_policy(folder / "checkpoints" / "animals", 1, scoring="animals")
    return folder


@pytest.fixture
def run(tiny_checkpoints, tmp_path):
    """A run's folder of one's own, with policies of steps 1 and 2."""
    folder = tmp_path / "tiny"
    shutil.copytree(tiny_checkpoints / "checkpoints" / "tiny", folder)
    return folder
