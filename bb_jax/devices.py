"""Chooses JAX's devices, before JAX starts any of them."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from bb_jax.errors import DeviceError

if TYPE_CHECKING:
    import jax

_CACHE_VARIABLE = "JAX_COMPILATION_CACHE_DIR"
_CPU_DEVICES_FLAG = "xla_force_host_platform_device_count"
_MOST_CPU_DEVICES = 4
# JAX also takes these from the environment, where another program may need other values.
_PINNED = {
    "jax_enable_x64": False,
    "jax_default_prng_impl": "threefry2x32",
    "jax_threefry_partitionable": True,
    "jax_numpy_dtype_promotion": "standard",
    "jax_numpy_rank_promotion": "allow",
}


def select_devices(
    device: str, *, deterministic: bool = False, cpu_devices: int = 1
) -> list[jax.Device]:
    """Starts JAX on the wanted devices and returns those of this process.

    Numbers have single precision and random numbers come from threefry, whatever the environment
    says, so that results are the same everywhere.

    Compiled functions are kept on disk, so that the next start of the same program is quick. Their
    folder is JAX_COMPILATION_CACHE_DIR, by default `~/.cache/beasty-bar/jax`.

    Args:
      device: one of `DEVICES`. "auto" takes the GPUs if there are any, "cuda" and "gpu" require
        them.
      deterministic: whether results on a GPU are the same bit for bit, which is slower.
      cpu_devices: number of devices that the CPU is divided into, unless XLA_FLAGS sets it.

    Raises:
      DeviceError: GPUs are required, by `device` or by JAX_PLATFORMS, and JAX finds none that it
        can use.
    """
    if deterministic:
        flags = os.environ.get("XLA_FLAGS", "")
        os.environ["XLA_FLAGS"] = f"{flags} --xla_gpu_deterministic_ops=true".strip()

    import jax

    platforms = {"cpu": "cpu", "cuda": "cuda,cpu", "gpu": "cuda,cpu"}.get(device)
    if platforms is not None:
        jax.config.update("jax_platforms", platforms)
    if cpu_devices > 1 and _CPU_DEVICES_FLAG not in os.environ.get("XLA_FLAGS", ""):
        jax.config.update("jax_num_cpu_devices", cpu_devices)
    for option, value in _PINNED.items():
        jax.config.update(option, value)
    _keep_compiled_functions()
    try:
        devices = jax.local_devices()
    # JAX asserts that it has found a device.
    except (RuntimeError, AssertionError) as error:
        reason = f" ({' '.join(str(error).split()):.200})" if str(error) else ""
        if device in ("cuda", "gpu"):
            failure = f"device {device} was asked for, but JAX finds no GPU that it can use"
        else:
            wanted = os.environ.get("JAX_PLATFORMS")
            asked = f"JAX_PLATFORMS is {wanted}" if wanted else f"device {device} was asked for"
            failure = f"{asked}, but JAX cannot start such a device"
        raise DeviceError(f"{failure}{reason}") from error
    if device in ("cuda", "gpu") and devices[0].platform != "gpu":
        raise DeviceError(f"device {device} was asked for, but JAX finds no GPU that it can use")
    return devices


def usable_cores() -> int:
    """The number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def cpu_devices_for_learning(minibatch_size: int) -> int:
    """The number of devices to divide this machine's CPU into, at most one a core.

    Most operations are too small to be divided among cores. One device
    for each core keeps the cores busier.

    Args:
      minibatch_size: the number of positions that the devices share evenly.
    """
    count = 1
    most = min(_MOST_CPU_DEVICES, usable_cores())
    while 2 * count <= most and minibatch_size % (2 * count) == 0:
        count *= 2
    return count


def devices_of_all_hosts() -> list[jax.Device]:
    """The devices of all processes, those of process 0 first.

    Raises:
      DeviceError: processes have different numbers of devices.
    """
    import jax

    devices = sorted(jax.devices(), key=lambda device: (device.process_index, device.id))
    counts = Counter(device.process_index for device in devices)
    if len(set(counts.values())) > 1:
        found = ", ".join(f"{count} on host {host}" for host, count in sorted(counts.items()))
        raise DeviceError(f"every host must have the same number of devices, not {found}")
    return devices


def _keep_compiled_functions() -> None:
    import jax

    if _CACHE_VARIABLE not in os.environ:
        folder = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser()
        jax.config.update("jax_compilation_cache_dir", str(folder / "beasty-bar" / "jax"))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
