"""JAX's settings in the environment: they change no results, and a missing GPU is a sentence."""

import os
import subprocess
import sys

import pytest

_DRAW = """
from bb_jax.devices import select_devices
select_devices("cpu")
import jax, numpy as np
print(np.asarray(jax.random.uniform(jax.random.key(3), (4,)) + np.arange(4.0)))
"""
_START = """
from bb_jax.devices import select_devices
from bb_jax.errors import DeviceError
try:
    select_devices("auto")
except DeviceError as error:
    print(error)
"""


def _run(program: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return done.stdout


def test_numbers_do_not_depend_on_the_environment():
    plain = _run(_DRAW)
    assert plain == _run(
        _DRAW,
        JAX_ENABLE_X64="1",
        JAX_DEFAULT_PRNG_IMPL="rbg",
        JAX_THREEFRY_PARTITIONABLE="0",
        JAX_NUMPY_RANK_PROMOTION="raise",
        JAX_NUMPY_DTYPE_PROMOTION="strict",
    )


@pytest.mark.parametrize("platform", ["cuda", "nonsense"])
def test_a_platform_that_is_not_there_is_one_sentence(platform):
    said = _run(_START, JAX_PLATFORMS=platform, CUDA_VISIBLE_DEVICES="")
    assert said.startswith(f"JAX_PLATFORMS is {platform}, but")
    assert len(said.splitlines()) == 1
