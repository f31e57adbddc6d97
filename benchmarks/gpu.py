"""Measures how busy a GPU is: `python -m benchmarks.gpu`.

It prints four tables for a configuration (by default that of the large network), in float32 and in
bfloat16: whole iterations of the trainer and the parts of their time, inference by batch size, the
update alone against the device's peak, and the memory of the compiled update. It also runs on a
CPU, with `--games 64 --rows 256,1024`; figures that only a GPU has are then "n/a".

`--compile-only CARD,DEVICES` compiles for GPUs that are not there; see `benchmarks.gpu_compile`.
"""

from __future__ import annotations

import argparse
import functools
import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from bb_jax.errors import EvaluationError
from bb_sim.rules.engine import NUM_PLIES
from benchmarks.model_flops import forward_flops, peak_tflops, update_flops
from benchmarks.trainer import WARM_UP, Case, measure
from eval.command_line import path_argument, run_command
from eval.console import complain
from eval.heartbeat import Heartbeat
from train.config import Config, ConfigError, load_config

PARTS = ("trainer", "inference", "update", "memory")
DTYPES = ("float32", "bfloat16")
_SAMPLE_MILLISECONDS = 200
# A rough mean, with both seats of the self-play half and decided games stopped.
_POSITIONS_A_TRAJECTORY = 10


class GpuSampler:
    """A context in which nvidia-smi samples the use and the memory of GPU 0, if there is one."""

    def __init__(self) -> None:
        self._samples: list[tuple[float, float, float]] = []
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> GpuSampler:
        command = [
            "nvidia-smi", "--id=0", "--query-gpu=utilization.gpu,memory.used",
            "--format=csv,noheader,nounits", f"--loop-ms={_SAMPLE_MILLISECONDS}",
        ]  # fmt: skip
        try:
            self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        except OSError:
            return self
        threading.Thread(target=self._read, daemon=True).start()
        return self

    def _read(self) -> None:
        assert self._process is not None and self._process.stdout is not None
        for line in self._process.stdout:
            try:
                busy, megabytes = (float(part) for part in line.split(","))
            except ValueError:
                continue
            self._samples.append((time.time(), busy, megabytes))

    def __exit__(self, *exception: object) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait()

    def busy(self, begin: float, end: float) -> str:
        """Mean utilisation between two times: the percentage of time with any kernel running."""
        inside = [busy for when, busy, _ in self._samples if begin <= when <= end]
        return f"{np.mean(inside):.0f} %" if inside else "n/a"

    @property
    def peak(self) -> str:
        """The most memory in use at any time."""
        most = max((memory for _, _, memory in self._samples), default=None)
        return "n/a" if most is None else f"{most / 1024:.1f} GiB"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    parser.add_argument(
        "--config", type=path_argument, default="configs/iter0_to_600.yaml", metavar="FILE"
    )
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument(
        "--games", type=int, metavar="N", help="games an iteration (default: the configuration's)"
    )
    parser.add_argument("--iterations", type=int, default=8, help="measured (default: 8)")
    parser.add_argument(
        "--rows", default="1024,4096,16384,65536", help="batch sizes of the inference table"
    )
    parser.add_argument("--dtypes", default=",".join(DTYPES), help="(default: %(default)s)")
    parser.add_argument(
        "--only", default=",".join(PARTS), metavar="PARTS", help="(default: %(default)s)"
    )
    parser.add_argument(
        "--compile-only", metavar="CARD,N", help="compile for N such GPUs, such as h100,1,8"
    )
    parser.add_argument(
        "--programs", default="", metavar="LIST", help="what to compile (default: everything)"
    )
    return parser


def _overrides(options: argparse.Namespace, dtype: str) -> list[str]:
    overrides = [*options.set, f"network_config.compute_dtype={dtype}"]
    if options.games:
        config = load_config(options.config, options.set)
        groups = max(1, min(config.num_groups, options.games // 16))
        overrides += [f"games_per_iteration={options.games}", f"num_groups={groups}"]
    return overrides


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the parts and prints their tables; returns the exit code."""
    options = _parser().parse_args(arguments)
    if options.compile_only is not None:
        return run_command(lambda: _compile_only(options))
    parts, dtypes = options.only.split(","), options.dtypes.split(",")
    for name, valid in [*((part, PARTS) for part in parts), *((dtype, DTYPES) for dtype in dtypes)]:
        if name not in valid:
            print(f"error: there is no {name!r}, but {', '.join(valid)}", file=sys.stderr)
            return 2
    try:
        configs = {
            dtype: load_config(options.config, _overrides(options, dtype)) for dtype in dtypes
        }
    except ConfigError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    console = Console(width=150)
    if "trainer" in parts:
        # The trainer runs in processes of its own, before this process takes the GPU.
        console.print(_trainer_table(options, configs))
    if parts != ["trainer"]:
        from bb_jax.devices import select_devices

        devices = select_devices(next(iter(configs.values())).device)[:1]
        console.print(f"{_environment(devices[0].device_kind)}\n")
        rows = [int(part) for part in options.rows.split(",")]
        makers: dict[str, Callable[[], Table]] = {
            "inference": lambda: _inference_table(configs, devices, rows),
            "update": lambda: _update_table(configs, devices),
            "memory": lambda: _memory_table(configs, devices),
        }
        for part in parts:
            if part in makers:
                console.print(makers[part]())
    return 0


def _compile_only(options: argparse.Namespace) -> int:
    """Compiles for devices that are not there; 1 where something is not as it is meant."""
    import jax

    from benchmarks.gpu_compile import add_row, compile_all, empty_table, parse_target
    from benchmarks.programs import PROGRAMS

    only = [name for name in options.programs.split(",") if name]
    if unknown := set(only) - set(PROGRAMS):
        raise EvaluationError(f"there is no program {unknown.pop()!r}, but {', '.join(PROGRAMS)}")
    try:
        target = parse_target(options.compile_only)
    except ValueError as error:
        raise EvaluationError(str(error)) from error
    config = load_config(options.config, options.set)
    # Of CUDA only the compiler is needed. Without this JAX would look for its libraries.
    jax.config.update("jax_platforms", "cpu")
    console, table, faults = Console(width=170), empty_table(target.card), []
    with Heartbeat(console.print) as heartbeat, heartbeat.phase("compiling"):
        for figures in compile_all(config, target, only):
            add_row(table, figures)
            name = f"{figures.program} on {figures.devices}"
            console.print(f"{name}: compiled in {figures.seconds:.0f} s")
            faults += [f"{name}: {fault}" for fault in figures.faults]
    console.print(table)
    for fault in faults:
        complain(fault)
    return 1 if faults else 0


def _environment(device_kind: str) -> str:
    versions = ", ".join(f"{name} {version(name)}" for name in ("jax", "jaxlib", "flax"))
    today = datetime.now(UTC).strftime("%Y-%m-%d")
    cores = os.cpu_count()
    return f"{today}, {device_kind}, {cores} cores, Python {platform.python_version()}, {versions}"


# ---------------------------------------------------------------------------------------------
# Whole iterations
# ---------------------------------------------------------------------------------------------


def _trainer_table(options: argparse.Namespace, configs: dict[str, Config]) -> Table:
    table = Table(box=None, title="Iterations of the trainer, seconds each (medians)")
    headers = (
        "activations", "games", "iteration", "generation", "inference", "learning", "waiting",
        "positions/s", "GPU busy", "GPU memory",
    )  # fmt: skip
    for header in headers:
        table.add_column(header, justify="left" if header == "activations" else "right")
    # Memory is allocated as it is needed, so that its peak means something.
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    for dtype, config in configs.items():
        # Without early stopping every update runs all epochs.
        overrides = (*_overrides(options, dtype), "ppo_config.target_kl=null")
        case = Case(dtype, str(options.config), overrides, options.iterations)
        with tempfile.TemporaryDirectory() as folder, GpuSampler() as sampler:
            rows = measure(case, Path(folder) / "run")
        begin, end = (datetime.fromisoformat(str(rows[i]["time/stamp"])) for i in (0, -1))
        parts = ("", "generation_", "inference_", "learning_", "waiting_")
        medians = [
            np.median([float(row[f"time/{part}seconds"] or 0) for row in rows]) for part in parts
        ]
        speed = np.median([float(row["time/positions_per_second"] or 0) for row in rows])
        table.add_row(
            dtype,
            f"{config.games_per_iteration:,}",
            *(f"{seconds:.2f}" for seconds in medians),
            f"{speed:,.0f}",
            sampler.busy(begin.timestamp(), end.timestamp() + 1),
            sampler.peak,
        )
    table.caption = (
        f"{options.iterations} iterations after {WARM_UP} that compile; generation overlaps the "
        "learning of the iteration before, inference is a part of it"
    )
    return table


# ---------------------------------------------------------------------------------------------
# The device alone
# ---------------------------------------------------------------------------------------------


def _timed(call: Callable[[], object], seconds: float = 2.0) -> float:
    """The median seconds of several calls; the first one, which compiles, does not count."""
    call()
    durations: list[float] = []
    while sum(durations) < seconds and len(durations) < 30:
        began = time.perf_counter()
        call()
        durations.append(time.perf_counter() - began)
    return float(np.median(durations))


def _inference_table(configs: dict[str, Config], devices: Sequence[Any], sizes: list[int]) -> Table:
    from bb_jax import build_network, init_params, make_policy_step
    from bb_jax.placement import replicate
    from benchmarks.programs import random_rows

    table = Table(box=None, title="Inference: uploading rows, choosing, fetching actions")
    for header in ("activations", "rows", "milliseconds", "positions/s", "of peak"):
        table.add_column(header, justify="left" if header == "activations" else "right")
    for dtype, config in configs.items():
        network = build_network(config.network_config, config.scoring)
        step = make_policy_step(network, devices)
        params = replicate(init_params(network, 0), devices)
        key = np.zeros(2, np.uint32)
        for size in sizes:
            act = functools.partial(step, params, random_rows(size), key, 1.0, NUM_PLIES)
            seconds = _timed(functools.partial(_fetched, act))
            flops = size * forward_flops(config.network_config) / seconds
            table.add_row(
                dtype,
                f"{size:,}",
                f"{1e3 * seconds:.2f}",
                f"{size / seconds:,.0f}",
                _of_peak(flops, devices[0], dtype),
            )
    return table


def _fetched(act: Callable[[], Any]) -> np.ndarray:
    return np.asarray(act())


def _of_peak(flops: float, device: Any, dtype: str) -> str:
    peak = peak_tflops(device.device_kind, dtype)
    return "n/a" if peak is None else f"{100 * flops / (peak * 1e12):.1f} %"


def _update_parts(config: Config, devices: Sequence[Any]) -> tuple[Any, Any, Any]:
    """The update with all its epochs, its state, and trajectories of a usual number."""
    from bb_jax import build_network, init_state, make_update
    from benchmarks.programs import usual_trajectories

    network = build_network(config.network_config, config.scoring)
    ppo = config.ppo_config.replace(target_kl=None)
    update = make_update(network, ppo, config.max_trajectories, devices)
    return update, init_state(network, 0), usual_trajectories(config)


def _one_update(update: Any, box: list[Any], trajectories: Any) -> None:
    """Replaces the state in the box, which the update donates."""
    import jax

    from bb_jax import Hyper

    hyper = Hyper(1e-4, 0.01, 1.0, NUM_PLIES)
    box[0], metrics = update(box[0], trajectories, hyper, np.zeros(2, np.uint32))
    jax.block_until_ready(metrics)


def _update_table(configs: dict[str, Config], devices: Sequence[Any]) -> Table:
    table = Table(box=None, title="The update alone, all epochs")
    headers = ("activations", "positions", "seconds", "positions/s", "GFLOP a position", "of peak")
    for header in headers:
        table.add_column(header, justify="left" if header == "activations" else "right")
    for dtype, config in configs.items():
        update, state, trajectories = _update_parts(config, devices)
        seconds = _timed(functools.partial(_one_update, update, [state], trajectories), 4.0)
        positions = int(trajectories.lengths.sum())
        each = update_flops(config.network_config, config.ppo_config)
        table.add_row(
            dtype,
            f"{positions:,}",
            f"{seconds:.2f}",
            f"{positions / seconds:,.0f}",
            f"{each / 1e9:.3f}",
            _of_peak(positions * each / seconds, devices[0], dtype),
        )
    return table


def _memory_table(configs: dict[str, Config], devices: Sequence[Any]) -> Table:
    from benchmarks.programs import programs

    table = Table(box=None, title="Memory of the compiled update on each device, MiB")
    for header in ("activations", "arguments", "results", "shared", "temporary", "in all"):
        table.add_column(header, justify="left" if header == "activations" else "right")
    for dtype, config in configs.items():
        (update,) = programs(config, devices, devices[0].platform, ("PPO update",)).values()
        memory = update.compile().memory_analysis()
        if memory is None:
            table.add_row(dtype, *["n/a"] * 5)
            continue
        sizes = [
            memory.argument_size_in_bytes,
            memory.output_size_in_bytes,
            memory.alias_size_in_bytes,
            memory.temp_size_in_bytes,
        ]
        in_all = sizes[0] + sizes[1] - sizes[2] + sizes[3]
        table.add_row(dtype, *(f"{size / 2**20:,.0f}" for size in [*sizes, in_all]))
    table.caption = "by XLA's own account; shared: results in the memory of arguments"
    return table


if __name__ == "__main__":
    sys.exit(main())
