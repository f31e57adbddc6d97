"""What XLA has made of a program: its kernels, loops, products, costs and memory.

It is read from the optimized program's text. A kernel here is an instruction that starts work on
the device: a fusion, a copy, a call of a library. Whether the runtime then joins launches to graphs
can be seen on a device alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from typing import Any, NamedTuple

_COMPUTATION = re.compile(r"(ENTRY )?%([\w.\-]+) \(.*\) -> .* \{")
_INSTRUCTION = re.compile(r"(?:ROOT )?%([\w.\-]+) = (.*?) ([a-z][\w\-]*)\((.*)")
_OPERAND = re.compile(r"%([\w.\-]+)")
# They compute nothing, or are the second half of what has begun already.
_FREE = {
    *("parameter", "constant", "tuple", "get-tuple-element", "bitcast", "after-all"),
    *("partition-id", "replica-id", "opt-barrier", "while", "call", "conditional"),
}
_COLLECTIVES = (
    "all-reduce", "all-gather", "reduce-scatter", "all-to-all", "collective-permute",
    "collective-broadcast",
)  # fmt: skip
_TO_THE_HOST = ("infeed", "outfeed", "send", "recv")
_LIBRARY_PRODUCTS = ("gemm", "matmul", "conv")
# The scope of `bb_jax.learning.state.take_step`.
_STEP_SCOPE = "take_step"


class Instruction(NamedTuple):
    """One instruction.

    Attributes:
      name: unique in the program.
      shape: the result's.
      opcode: what it does.
      rest: its operands and attributes, as the program's text has them.
    """

    name: str
    shape: str
    opcode: str
    rest: str

    def attribute(self, pattern: str) -> str:
        """What a group of a pattern matches in the attributes; "" if nothing does."""
        match = re.search(pattern, self.rest)
        return match[1] if match else ""

    @property
    def scope(self) -> str:
        """Where in the Python source it comes from: `op_name`."""
        return self.attribute(r'op_name="([^"]*)"')

    @property
    def is_collective(self) -> bool:
        return self.opcode.startswith(_COLLECTIVES)

    @property
    def is_kernel(self) -> bool:
        return self.opcode not in _FREE and not self.opcode.endswith("-done")


@dataclass(frozen=True)
class Product:
    """A product of matrices.

    Attributes:
      scope: where in the Python source it comes from.
      dtype: that of its factors, as XLA names it.
      flops: a multiply-add counts as two; 0 where the text does not show the sizes.
    """

    scope: str
    dtype: str
    flops: float


@dataclass(frozen=True)
class Body:
    """A program's main part, or what a loop repeats.

    Attributes:
      computation: its name in the program.
      kernels: those it starts itself, without the loops in it.
      collectives: those of them that exchange data between devices.
      condition_kernels: those of a loop's condition.
      trips: how often the loop runs; None if that is decided on the device each time.
      takes_step: whether it holds the optimizer's step.
      loops: the loops in it.
    """

    computation: str
    kernels: int
    collectives: int
    condition_kernels: int
    trips: int | None
    takes_step: bool
    loops: tuple[Body, ...]

    def all(self) -> Iterator[Body]:
        """This body and those of all loops in it."""
        yield self
        for loop in self.loops:
            yield from loop.all()

    def launches(self, unknown_trips: int) -> int:
        """The kernels started by one run, loops included.

        Args:
          unknown_trips: how often a loop runs whose number of trips is not fixed.
        """
        total = self.kernels
        for loop in self.loops:
            trips = unknown_trips if loop.trips is None else loop.trips
            total += trips * loop.launches(unknown_trips) + (trips + 1) * loop.condition_kernels
        return total

    def exchanges(self, unknown_trips: int) -> int:
        """The collectives of one run, loops included; see `launches`."""
        inner = sum(
            (unknown_trips if loop.trips is None else loop.trips) * loop.exchanges(unknown_trips)
            for loop in self.loops
        )
        return self.collectives + inner

    def host_decisions(self, unknown_trips: int) -> int:
        """How often one run asks on the host whether a loop goes on; see `launches`."""
        total = 0
        for loop in self.loops:
            trips = unknown_trips if loop.trips is None else loop.trips
            total += trips * loop.host_decisions(unknown_trips)
            total += trips + 1 if loop.trips is None else 0
        return total


class Costs(NamedTuple):
    """Costs of one run by XLA's own analysis; every loop inside counts once.

    Attributes:
      flops: all floating-point operations.
      bytes: read and written by all kernels.
    """

    flops: float
    bytes: float


class Compiled:
    """An optimized program."""

    def __init__(self, text: str) -> None:
        """Reads the text of `jax.stages.Compiled.as_text`."""
        self._text = text
        self._computations: dict[str, list[Instruction]] = {}
        self._entry = ""
        current: list[Instruction] = []
        for line in text.splitlines():
            if header := _COMPUTATION.fullmatch(line):
                current = self._computations.setdefault(header[2], [])
                if header[1]:
                    self._entry = header[2]
            elif match := _INSTRUCTION.match(line.strip()):
                current.append(Instruction(*match.groups()))

    @cached_property
    def main(self) -> Body:
        """The program's main part."""
        return self._body(self._entry)

    @property
    def step(self) -> Body | None:
        """The innermost body that takes the optimizer's step; None in a program that acts."""
        found = [body for body in self.main.all() if body.takes_step]
        return found[-1] if found else None

    @cached_property
    def products(self) -> list[Product]:
        """All products of matrices."""
        return [
            product
            for computation, instructions in self._computations.items()
            for one in instructions
            for product in self._products_of(computation, one)
        ]

    def _products_of(self, computation: str, one: Instruction) -> Iterator[Product]:
        """The product that an instruction is, if it is one."""
        target = one.attribute(r'custom_call_target="([^"]*)"')
        if one.opcode == "dot" or any(word in target for word in _LIBRARY_PRODUCTS):
            operands = _OPERAND.findall(one.rest.partition(")")[0])[:2]
            factors = [self._shapes[computation].get(operand, "") for operand in operands]
            dtype = ",".join(sorted({_dtype(shape) for shape in factors}))
            yield Product(one.scope, dtype, _flops(one, factors))

    @cached_property
    def _shapes(self) -> dict[str, dict[str, str]]:
        """The shapes of all results, by computation and name."""
        return {
            computation: {one.name: one.shape for one in instructions}
            for computation, instructions in self._computations.items()
        }

    @cached_property
    def host_calls(self) -> list[str]:
        """Everything that makes the device talk to Python or wait for data of the host."""
        found = []
        for instructions in self._computations.values():
            for one in instructions:
                target = one.attribute(r'custom_call_target="([^"]*)"')
                if one.opcode.startswith(_TO_THE_HOST) or "callback" in target:
                    found.append(target or one.opcode)
        return found

    def costs(self, body: Body) -> Costs:
        """The costs of one run of a body."""
        import jax

        # The analysis has no public name.
        hlo, analysis = (import_module(f"jaxlib.{name}") for name in ("_hlo", "_jax"))
        # The analysis is that of a whole program, so the body becomes the main part of one.
        name = body.computation
        text = self._text[self._text.index("\n") :].replace("\nENTRY %", "\n%")
        text = text.replace(f"\n%{name} (", f"\nENTRY %{name} (", 1)
        module = hlo.hlo_module_from_text(f"HloModule body{text}")
        found: Mapping[str, Any] = analysis.hlo_module_cost_analysis(
            jax.local_devices(backend="cpu")[0].client, module
        )
        # It does not look into libraries, and counts -1 for each call of one.
        calls = [
            (inner.computation, one)
            for inner in body.all()
            for one in self._inlined(inner.computation)
            if one.opcode == "custom-call"
        ]
        in_libraries = len(calls) + sum(
            product.flops for call in calls for product in self._products_of(*call)
        )
        flops = float(found.get("flops", 0))
        return Costs(flops + in_libraries, float(found.get("bytes accessed", 0)))

    def _body(self, computation: str, condition: str = "", trips: int | None = None) -> Body:
        kernels = collectives = 0
        takes_step = False
        loops = []
        for one in self._inlined(computation):
            takes_step |= _STEP_SCOPE in one.scope
            kernels += one.is_kernel
            collectives += one.is_kernel and one.is_collective
            if one.opcode == "while":
                known = one.attribute(r'known_trip_count":\{"n":"(\d+)"')
                loops.append(
                    self._body(
                        one.attribute(r"body=%([\w.\-]+)"),
                        one.attribute(r"condition=%([\w.\-]+)"),
                        int(known) if known else None,
                    )
                )
        in_condition = sum(one.is_kernel for one in self._inlined(condition)) if condition else 0
        return Body(
            computation, kernels, collectives, in_condition, trips, takes_step, tuple(loops)
        )

    def _inlined(self, computation: str) -> Iterator[Instruction]:
        """The instructions of a computation, and of what it calls in one place."""
        for one in self._computations[computation]:
            yield one
            if one.opcode in ("call", "conditional"):
                called = one.attribute(r"(?:to_apply|calls)=%([\w.\-]+)")
                branches = _OPERAND.findall(one.attribute(r"branch_computations=\{([^}]*)\}"))
                for name in [called] if called else branches[:1]:
                    yield from self._inlined(name)


def _dtype(shape: str) -> str:
    return shape.partition("[")[0].strip("(")


def _sizes(shape: str) -> list[int]:
    return [int(size) for size in re.findall(r"\d+", shape.partition("[")[2].partition("]")[0])]


def _flops(product: Instruction, factors: list[str]) -> float:
    """Two for each entry of the result and of the dimensions that are summed over."""
    contracted = product.attribute(r"lhs_contracting_dim\w+[=\":]+[{\[]([\d,\"]*)[}\]]")
    if not contracted:
        return 0.0
    left = _sizes(factors[0])
    flops = 2.0
    axes = [int(axis) for axis in re.findall(r"\d+", contracted)]
    for size in [*_sizes(product.shape), *(left[axis] for axis in axes)]:
        flops *= size
    return flops
