"""Several devices and several processes do what one device does, to rounding."""

import functools
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.compiling import with_cpu_devices
from tests.waiting import PATIENCE

ROOT = Path(__file__).parents[2]


def _start(
    output: Path, num_devices: int, network: str, *process: object, virtual: int
) -> subprocess.Popen:
    environment = os.environ | {
        "XLA_FLAGS": with_cpu_devices(virtual),
        "JAX_PLATFORMS": "cpu",
    }
    arguments = [str(argument) for argument in (output, num_devices, network, *process)]
    return subprocess.Popen(
        [sys.executable, "-m", "tests.bb_jax.device_program", *arguments], cwd=ROOT, env=environment
    )


def _arrays(process: subprocess.Popen, output: Path) -> dict[str, np.ndarray]:
    try:
        assert process.wait(timeout=PATIENCE) == 0
    finally:
        process.kill()
    with np.load(output) as arrays:
        return dict(arrays)


def _assert_close(found: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> None:
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        # Absolute, since the distance of the first ratios from 1 is itself rounding.
        np.testing.assert_allclose(found[name], array, rtol=1e-3, atol=2e-5, err_msg=name)


@pytest.fixture(scope="module")
def one_device(tmp_path_factory) -> Callable[[str], dict[str, np.ndarray]]:
    """What one device does with a network, found out when first asked for."""

    @functools.cache
    def of_network(network: str) -> dict[str, np.ndarray]:
        output = tmp_path_factory.mktemp("devices") / "one.npz"
        return _arrays(_start(output, 1, network, virtual=1), output)

    return of_network


@pytest.mark.parametrize(
    ("num_devices", "network"),
    [
        pytest.param(2, "logits", marks=pytest.mark.slow),
        pytest.param(4, "logits", marks=pytest.mark.slow),
        (2, "afterstates"),
        pytest.param(4, "selection", marks=pytest.mark.slow),
        pytest.param(2, "afterstates, selection", marks=pytest.mark.slow),
    ],
)
def test_several_devices(tmp_path, one_device, num_devices, network):
    output = tmp_path / "several.npz"
    found = _arrays(_start(output, num_devices, network, virtual=4), output)
    expected = one_device(network)
    _assert_close(found, expected)
    np.testing.assert_array_equal(found["actions"], expected["actions"])


@pytest.mark.slow
@pytest.mark.parametrize("network", ["logits", "afterstates"])
def test_two_processes(tmp_path, one_device, network):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{listener.getsockname()[1]}"
    outputs = [tmp_path / f"process_{index}.npz" for index in range(2)]
    processes = [
        _start(output, 4, network, index, 2, address, virtual=2)
        for index, output in enumerate(outputs)
    ]
    expected = one_device(network)
    found = [_arrays(*pair) for pair in zip(processes, outputs, strict=True)]
    acted = {"actions", "log_probs"}
    for arrays in found:
        _assert_close(
            {name: array for name, array in arrays.items() if name not in acted},
            {name: array for name, array in expected.items() if name not in acted},
        )
    np.testing.assert_array_equal(found[0]["actions"], expected["actions"])
