"""How many devices a CPU is divided into."""

import os
import subprocess
import sys

import pytest

from bb_jax.devices import cpu_devices_for_learning

COUNT = (
    "from bb_jax.devices import select_devices; print(len(select_devices('cpu', cpu_devices=2)))"
)


@pytest.mark.parametrize(
    ("cores", "minibatch_size", "devices"),
    [(1, 2048, 1), (2, 2048, 2), (3, 2048, 2), (64, 2048, 4), (64, 2050, 2), (64, 2047, 1)],
)
def test_devices_share_a_minibatch_evenly(monkeypatch, cores, minibatch_size, devices):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)), raising=False)
    assert cpu_devices_for_learning(minibatch_size) == devices


@pytest.mark.parametrize(
    ("flags", "devices"), [("", 2), ("--xla_force_host_platform_device_count=3", 3)]
)
def test_what_xla_is_told_comes_first(flags, devices):
    environment = os.environ | {"XLA_FLAGS": flags}
    found = subprocess.run(
        [sys.executable, "-c", COUNT], env=environment, capture_output=True, text=True, check=True
    )
    assert found.stdout.split() == [str(devices)]
