"""Compiles what training runs on GPUs, without a GPU: `benchmarks.gpu --compile-only`.

It shows that everything lowers, what memory it needs, that products have the type that is meant,
and how many kernels and exchanges a gradient step takes. It does not show how fast anything is. The
time by the roofline is that of the operations at the peak rate of products, or of the bytes that
kernels read and write at the memory's rate, whichever is longer. Starts of kernels come on top, and
what they find in a cache is quicker.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from rich.table import Table

from bb_jax.errors import DeviceError
from benchmarks.compiled import Body, Compiled, Costs
from benchmarks.gpu_cards import CARDS, Card
from benchmarks.model_flops import peak_tflops
from train.config import Config

PLATFORM = "cuda"
# XLA chooses among its own kernels for a product by running them, which takes a device, and without
# one it finds none for some products. So they are calls of cuBLAS here.
_OPTIONS = {"xla_gpu_enable_triton_gemm": False}
# Inside the layers everything is to have the activations' type; the heads are float32 on purpose.
_IN_A_LAYER = re.compile(r"torso\)?/(?:dense_\d|layer_\d|context)")
_HALF = ("bf16",)
_NEEDED = (
    "compiling for CUDA needs the packages jax-cuda12-plugin, jax-cuda12-pjrt and "
    "nvidia-cuda-nvcc-cu12, in the version of JAX: `make test-gpu-compile` installs them"
)


@dataclass(frozen=True)
class Target:
    """What is compiled for.

    Attributes:
      card: the model of GPU.
      devices: the numbers of them.
    """

    card: Card
    devices: tuple[int, ...]


def parse_target(text: str) -> Target:
    """Reads `h100`, `h100,8` or `h100,1,8`: a card and numbers of devices, 1 by default.

    Raises:
      ValueError: the card is unknown, or a number is none.
    """
    name, *counts = text.split(",")
    if name not in CARDS:
        raise ValueError(f"there is no card {name!r}, but {', '.join(CARDS)}")
    if not all(re.fullmatch(r"[1-9]\d*", count) for count in counts):
        raise ValueError(f"after the card come numbers of devices, not {','.join(counts)!r}")
    return Target(CARDS[name], tuple(map(int, counts)) or (1,))


def devices_of(target: Target, count: int) -> list[Any]:
    """Devices that can be compiled for and are not there.

    Raises:
      DeviceError: JAX lacks what it needs to compile for CUDA.
    """
    from jax.experimental import topologies

    try:
        topology = topologies.get_topology_desc(
            platform=PLATFORM,
            target_config=target.card.target_config(),
            topology=f"1x1x{count}",
        )
    # JAX raises what its plugins raise.
    except Exception as error:
        raise DeviceError(f"{_NEEDED} ({' '.join(str(error).split()):.150})") from error
    return list(topology.devices)


@dataclass(frozen=True)
class Figures:
    """What is known of one compiled program.

    Attributes:
      config: the configuration's name.
      program: what it is.
      devices: their number.
      seconds: the time that compiling took.
      memory: bytes on each device: arguments, results and temporaries.
      temporary: bytes of the temporaries.
      kernels: in a gradient step, or in all where none is taken.
      collectives: the same.
      host_decisions: in a step, how often the host decides whether a loop goes on.
      costs: of a step, or of all, by XLA's analysis.
      roofline_microseconds: the time for those costs by the roofline.
      faults: what is not as it is meant, in words.
    """

    config: str
    program: str
    devices: int
    seconds: float
    memory: int
    temporary: int
    kernels: int
    collectives: int
    host_decisions: int
    costs: Costs
    roofline_microseconds: float
    faults: tuple[str, ...]


def compile_all(config: Config, target: Target, only: Sequence[str] = ()) -> Iterator[Figures]:
    """Compiles a configuration's programs one after the other.

    Args:
      config: the configuration.
      target: the card and the numbers of devices.
      only: the names of programs; all by default.

    Raises:
      DeviceError: see `devices_of`.
    """
    from benchmarks.programs import programs

    for count in target.devices:
        devices = devices_of(target, count)
        for name, program in programs(config, devices, PLATFORM, only).items():
            began = time.perf_counter()
            compiled = program.compile(**_OPTIONS)
            seconds = time.perf_counter() - began
            yield _figures(config, name, count, seconds, compiled, target.card)


def _figures(
    config: Config, name: str, devices: int, seconds: float, compiled: Any, card: Card
) -> Figures:
    program, memory = Compiled(compiled.as_text()), compiled.memory_analysis()
    body = program.step or program.main
    # A minibatch over afterstates takes two slices, any other one.
    slices = 2 if config.network_config.afterstates and name == "PPO update" else 1
    costs = _costs_of_a_run(program, body, slices)
    temporary = int(memory.temp_size_in_bytes)
    needed = (
        memory.argument_size_in_bytes
        + memory.output_size_in_bytes
        - memory.alias_size_in_bytes
        + temporary
    )
    figures = Figures(
        config=config.experiment_name,
        program=name,
        devices=devices,
        seconds=seconds,
        memory=int(needed),
        temporary=temporary,
        kernels=body.launches(slices),
        collectives=body.exchanges(slices),
        host_decisions=body.host_decisions(slices),
        costs=costs,
        roofline_microseconds=1e6 * roofline_seconds(costs, card),
        faults=(),
    )
    return Figures(**vars(figures) | {"faults": tuple(_faults(figures, program, config, card))})


def _costs_of_a_run(program: Compiled, body: Body, unknown_trips: int) -> Costs:
    """The costs of one run of a body, its loops as often as they run."""
    flops, moved = program.costs(body)
    for loop in body.loops:
        trips = unknown_trips if loop.trips is None else loop.trips
        once, run = program.costs(loop), _costs_of_a_run(program, loop, unknown_trips)
        flops += trips * run.flops - once.flops
        moved += trips * run.bytes - once.bytes
    return Costs(flops, moved)


def roofline_seconds(costs: Costs, card: Card) -> float:
    """The time for some costs by the roofline, with products in bfloat16."""
    peak = peak_tflops(card.name, "bfloat16")
    assert peak is not None
    return max(costs.flops / (peak * 1e12), costs.bytes / card.bandwidth)


def _faults(figures: Figures, program: Compiled, config: Config, card: Card) -> Iterator[str]:
    if figures.memory > card.memory:
        yield f"needs {figures.memory / 2**30:.1f} GiB of {card.memory / 2**30:.0f}"
    if program.host_calls:
        yield f"calls the host: {', '.join(sorted(set(program.host_calls)))}"
    if config.network_config.compute_dtype != "float32":
        wide = {
            product.scope
            for product in program.products
            if product.dtype not in _HALF and _IN_A_LAYER.search(product.scope)
        }
        if wide:
            yield f"products in float32: {', '.join(sorted(wide))}"
    if figures.devices > 1 and "update" in figures.program and not figures.collectives:
        yield "no exchange between the devices in a step"
    if figures.devices == 1 and figures.collectives:
        yield "exchanges between devices, though there is one"


def empty_table(card: Card) -> Table:
    """The table of figures, without rows."""
    table = Table(box=None, title=f"Compiled for {card.name}, which is not there")
    for header in ("configuration", "program"):
        table.add_column(header)
    for header in (
        "devices", "compiled in s", "MiB", "temporary", "kernels", "exchanges", "host decides",
        "MFLOP", "MB moved", "roofline µs",
    ):  # fmt: skip
        table.add_column(header, justify="right")
    table.caption = (
        "each device's memory and work; of updates: one gradient step; inference: one batch. "
        "Only a device can say how fast it is."
    )
    return table


def add_row(table: Table, figures: Figures) -> None:
    """Adds a program's figures to the table."""
    table.add_row(
        figures.config,
        figures.program,
        str(figures.devices),
        f"{figures.seconds:.0f}",
        f"{figures.memory / 2**20:,.1f}",
        f"{figures.temporary / 2**20:,.1f}",
        f"{figures.kernels:,}",
        str(figures.collectives),
        str(figures.host_decisions),
        f"{figures.costs.flops / 1e6:,.0f}",
        f"{figures.costs.bytes / 1e6:,.1f}",
        f"{figures.roofline_microseconds:,.1f}",
    )
