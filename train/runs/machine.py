"""What a state was computed on, which decides whether a run resumes bit for bit."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax

from bb_jax.devices import cpu_devices_for_learning
from bb_jax.errors import FileError
from bb_jax.files import read_object
from eval.runs.layout import STEPS, saved_steps

# Results are the same bit for bit where these are.
_DECISIVE = {"device": "device", "devices": "number of devices", "hosts": "hosts", "jax": "JAX"}
_MOST_CPU_DEVICES = 64


def machine() -> dict[str, Any]:
    """What this process computes on, for the record."""
    return {
        "device": jax.local_devices()[0].device_kind,
        "devices": jax.device_count(),
        "hosts": jax.process_count(),
        "jax": jax.__version__,
        "python": platform.python_version(),
    }


def saved_machine(run: Path, step: int | None) -> dict[str, Any]:
    """What a run's state was made on; read before JAX starts a device.

    Args:
      run: the run's folder.
      step: the state; the newest where it is None.

    Returns:
      What `machine` returned there; empty where there is no such state or nothing can be read.
    """
    try:
        step = max(saved_steps(run), default=None) if step is None else step
        host = None if step is None else read_object(run / STEPS / str(step) / "host" / "metadata")
    except (FileError, OSError):
        return {}
    made_on = (host or {}).get("made_on")
    return made_on if isinstance(made_on, dict) else {}


def cpu_devices(made_on: Mapping[str, Any], minibatch_size: int) -> int:
    """The number of devices to divide the CPU into: that of the saved state, whatever the cores.

    Without a state that was made on one host's CPU, it depends on the cores.

    Args:
      made_on: the result of `saved_machine`.
      minibatch_size: the number of positions that the devices share evenly.
    """
    devices = made_on.get("devices")
    on_one_cpu = made_on.get("device") == "cpu" and made_on.get("hosts") == 1
    if (
        on_one_cpu
        and isinstance(devices, int)
        and 1 <= devices <= _MOST_CPU_DEVICES
        and minibatch_size % devices == 0
    ):
        return devices
    return cpu_devices_for_learning(minibatch_size)


def why_not_exact(made_on: Mapping[str, Any]) -> str | None:
    """A sentence where a run goes on equal to rounding only; None where it does bit for bit.

    Args:
      made_on: the result of `saved_machine`.
    """
    here = machine()
    changes = [
        f"{name} {made_on[key]} there and {here[key]} here"
        for key, name in _DECISIVE.items()
        if key in made_on and made_on[key] != here[key]
    ]
    if not changes:
        return None
    return (
        "the run goes on equal to rounding, and not bit for bit, since its checkpoint was computed "
        f"otherwise: {', '.join(changes)}"
    )
