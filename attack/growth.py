"""What a training holds of the machine, and whether it grows: a test of slopes."""

from __future__ import annotations

import math
import os
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from attack.small_runs import shared_memory

# The unit of each quantity that is held.
MEMORY, DESCRIPTORS, THREADS, SEGMENTS = "MB", "descriptors", "threads", "segments"

#: Most that a quantity may grow an iteration within a leg, or a leg from one to the next.
#: Memory has no smooth curve: what the allocator keeps comes and goes in megabytes.
TOLERANCES = {
    "iteration": {MEMORY: 0.1, DESCRIPTORS: 0.005, THREADS: 0.005, SEGMENTS: 0.005},
    "leg": {MEMORY: 2.0, DESCRIPTORS: 0.1, THREADS: 0.1, SEGMENTS: 0.1},
}
# A slope counts as above the tolerance if it is by so many standard errors.
_STANDARD_ERRORS = 3.0
# Over fewer iterations, all legs together, or fewer legs a slope says nothing.
_FEWEST = {"iteration": 300, "leg": 8}


@dataclass(frozen=True)
class Holding:
    """What the processes of a training hold at one moment.

    Attributes:
      leg: number of the start of the training.
      iteration: iterations completed in this leg.
      held: amount by process ("trainer" or "workers") and unit.
    """

    leg: int
    iteration: int
    held: Mapping[tuple[str, str], float]


def measure(leg: int, iteration: int, trainer: int, workers: Sequence[int]) -> Holding:
    """Looks at processes.

    Raises:
      OSError: one of them has ended.
    """
    held: defaultdict[tuple[str, str], float] = defaultdict(float)
    for name, processes in (("trainer", [trainer]), ("workers", workers)):
        for process in processes:
            proc = Path(f"/proc/{process}")
            held[name, MEMORY] += _anonymous_megabytes(proc)
            held[name, DESCRIPTORS] += len(os.listdir(proc / "fd"))
            held[name, THREADS] += len(os.listdir(proc / "task"))
    blocks = shared_memory([trainer, *workers])
    held["all", SEGMENTS] = len(blocks)
    held["all", MEMORY] = sum(block.stat().st_size for block in blocks) / 1e6
    return Holding(leg, iteration, dict(held))


def _anonymous_megabytes(proc: Path) -> float:
    """Memory that is the process's own: no file's pages, which come and go with the machine."""
    for line in (proc / "smaps_rollup").read_text().splitlines():
        if line.startswith("Anonymous:"):
            return int(line.split()[1]) / 1000
    return 0.0


@dataclass(frozen=True)
class Slope:
    """How a quantity grows.

    Attributes:
      name: what is held, by whom.
      per: "iteration" or "leg".
      value: growth for each of these.
      error: its standard error; infinite where the soak was too short to tell.
      points: number of measurements.
      tolerance: most that it may grow.
    """

    name: str
    per: str
    value: float
    error: float
    points: int
    tolerance: float

    @property
    def too_steep(self) -> bool:
        """Whether the growth is certainly above the tolerance."""
        return self.value - _STANDARD_ERRORS * self.error > self.tolerance

    def __str__(self) -> str:
        return (
            f"{self.name}: {self.value:+.4f} ± {self.error:.4f} for each {self.per}, "
            f"at most {self.tolerance} ({self.points} measurements)"
        )


def slopes(holdings: Sequence[Holding], warm: int) -> list[Slope]:
    """How every quantity grows within legs and from one leg to the next.

    Args:
      holdings: measurements in order.
      warm: iterations of a leg after which everything has happened once. Growth within legs is
        measured from there on, with an intercept for each leg; growth from leg to leg at the first
        measurement after it.
    """
    later = [holding for holding in holdings if holding.iteration >= warm]
    first: dict[int, Holding] = {}
    for holding in later:
        first.setdefault(holding.leg, holding)
    within: defaultdict[int, list[Holding]] = defaultdict(list)
    for holding in later:
        within[holding.leg].append(holding)
    found = []
    for key in later[0].held if later else ():
        name = " ".join(key)
        groups = [[(h.iteration, h.held[key]) for h in group] for group in within.values()]
        found.append(_slope(name, "iteration", groups, TOLERANCES["iteration"][key[1]]))
        across = [[(h.leg, h.held[key]) for h in first.values()]]
        found.append(_slope(name, "leg", across, TOLERANCES["leg"][key[1]]))
    return found


def _slope(
    name: str, per: str, groups: Iterable[Sequence[tuple[int, float]]], tolerance: float
) -> Slope:
    """Least squares with one slope for all groups and an intercept for each."""
    parts = [np.array(group, np.float64) for group in groups]
    points = sum(map(len, parts))
    if sum(np.ptp(part[:, 0]) for part in parts) < _FEWEST[per]:
        return Slope(name, per, 0.0, math.inf, points, tolerance)
    centred = np.concatenate([part - part.mean(axis=0) for part in parts])
    x, y = centred[:, 0], centred[:, 1]
    spread = float(x @ x)
    value = float(x @ y) / spread
    rest = y - value * x
    free = max(points - len(parts) - 1, 1)
    error = math.sqrt(float(rest @ rest) / free / spread)
    return Slope(name, per, value, error, points, tolerance)
