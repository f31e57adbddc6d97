"""The product compiles for GPUs; `make test-gpu-compile` runs this where there is none."""

import importlib.util
import json

import pytest

from benchmarks.gpu_cards import CARDS
from tests.train.running import run_python

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        importlib.util.find_spec("jax_cuda12_plugin") is None,
        reason="JAX cannot compile for CUDA here; make test-gpu-compile makes it able to",
    ),
]
CODE = """
import dataclasses, json, sys
import jax
jax.config.update("jax_platforms", "cpu")
from benchmarks.gpu_compile import compile_all, parse_target
from train.config import load_config
config = load_config(f"configs/{sys.argv[1]}.yaml", sys.argv[4:])
found = compile_all(config, parse_target(sys.argv[2]), sys.argv[3].split(","))
print(json.dumps([dataclasses.asdict(figures) for figures in found]))
"""
# At most so many kernels in a gradient step, or in all where none is taken; a few more than there
# were when this was written, because every release of XLA fuses a little differently.
KERNELS = {
    "PPO update": 60,
    "expert update": 60,
    "inference": 25,
    "afterstates": 30,
}


def figures_of(config: str, target: str, programs: list[str], *overrides: str) -> list[dict]:
    arguments = (config, target, ",".join(programs), *overrides)
    result = run_python("-c", CODE, *arguments, TF_CPP_MIN_LOG_LEVEL="2", XLA_FLAGS="")
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout.splitlines()[-1])


@pytest.mark.parametrize("devices", [1, 8])
def test_the_quickstart_compiles_as_it_is_meant(devices):
    found = figures_of("quickstart", f"h100,{devices}", list(KERNELS))
    assert [figures["program"] for figures in found] == list(KERNELS)
    for figures in found:
        name = figures["program"]
        assert figures["faults"] == [], name
        assert figures["memory"] < 100 * 2**20 < CARDS["h100"].memory
        # Exchanges come on top.
        assert figures["kernels"] <= KERNELS[name] + (10 if devices > 1 else 0), name
        if "update" in name:
            assert (figures["collectives"] > 0) == (devices > 1)
            # A loop inside a step would wait for the host in every step.
            assert figures["host_decisions"] == 0
