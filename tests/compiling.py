"""How tests compile functions: quickly, and once for all processes and for later runs."""

import ctypes
import gc
import os
import shutil
import sys
from importlib.metadata import version
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "build" / "compiled-for-tests"
# The folder is emptied when it is larger. One version of the sources needs a tenth of it.
_MOST_BYTES = 500_000_000
# What a process of the tests may hold after a module before it forgets what it has compiled.
_MOST_RESIDENT_BYTES = 700_000_000
# Compiling costs more than running what is compiled, so it optimizes nothing. `make test-all`
# compiles as the trainer does.
_QUICK_FLAGS = (
    "--xla_backend_optimization_level=0",
    "--xla_llvm_disable_expensive_passes=true",
    "--xla_cpu_parallel_codegen_split_count=1",
)
# The emitters of fused loops take three times as long, and twice the memory. Later releases of
# jaxlib have no others, and end at a flag that they do not know.
_PLAIN_LOOPS_FLAG = "--xla_cpu_use_fusion_emitters=false"
_LAST_WITH_PLAIN_LOOPS = (0, 10)


def configure() -> None:
    """Sets the environment for this process, which has not imported JAX, and for its children."""
    os.environ["JAX_COMPILATION_CACHE_DIR"] = str(FOLDER)
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
    os.environ["JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES"] = "-1"
    flags = os.environ.get("XLA_FLAGS", "")
    quick = os.environ.get("JAX_PLATFORMS", "cpu") == "cpu" and "optimization_level" not in flags
    if quick:
        os.environ["XLA_FLAGS"] = " ".join([flags, *_quick_flags()]).strip()


def _quick_flags() -> list[str]:
    series = tuple(int(number) for number in version("jaxlib").split(".")[:2])
    return [*_QUICK_FLAGS, *([_PLAIN_LOOPS_FLAG] if series <= _LAST_WITH_PLAIN_LOOPS else [])]


def with_cpu_devices(count: int) -> str:
    """The value of XLA_FLAGS that divides the CPU into some devices."""
    flags = os.environ.get("XLA_FLAGS", "")
    return f"{flags} --xla_force_host_platform_device_count={count}".strip()


def limit_folder() -> None:
    """Empties the folder of compiled functions when it has grown too large."""
    if sum(path.stat().st_size for path in FOLDER.glob("*")) > _MOST_BYTES:
        shutil.rmtree(FOLDER, ignore_errors=True)


def forget_compiled_functions() -> None:
    """Gives back the memory of compiled functions when this process holds much of it.

    JAX keeps every function that it has compiled, about a megabyte each, and the C library keeps
    what JAX frees.
    """
    jax = sys.modules.get("jax")
    if jax is None or _resident_bytes() < _MOST_RESIDENT_BYTES:
        return
    jax.clear_caches()
    gc.collect()
    libc = ctypes.CDLL(None)
    if hasattr(libc, "malloc_trim"):
        libc.malloc_trim(0)


def _resident_bytes() -> int:
    """This process's memory; where the system does not say, nothing is saved."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")
