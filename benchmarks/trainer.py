"""How fast the trainer is: `python -m benchmarks.trainer`.

Every row is a real run of `train.main` in a folder of its own; the first iterations, which compile,
do not count. Speeds are medians over iterations with their 10th and 90th percentile.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from eval.runs.metrics_file import read_metrics
from train.metric_rows import Row

# Iterations that compile.
WARM_UP = 2


@dataclass(frozen=True)
class Case:
    """A configuration to measure, and how many iterations of it."""

    name: str
    config: str
    overrides: tuple[str, ...]
    iterations: int


CASES = (
    Case("quickstart (mlp 256-64, 3 epochs)", "configs/quickstart.yaml", (), 30),
    Case(
        "user's network (256 wide, 4 layers, 4 epochs), 256 games",
        "configs/iter0_to_600.yaml",
        (
            "games_per_iteration=256",
            "num_groups=2",
            "games_per_group=128",
            "async_num_workers=2",
            # Without early stopping all four epochs are paid for.
            "ppo_config.target_kl=null",
        ),
        3,
    ),
)


def measure(case: Case, folder: Path) -> list[Row]:
    """The metrics rows of a run, those of the warm-up left out."""
    overrides = (
        *case.overrides,
        f"checkpoint_dir={folder}",
        f"total_iterations={case.iterations + WARM_UP}",
        "use_exploit_patch=false",
        "final_eval_games=2",
        "eval_games=2",
        "eval_frequency=1000000",
        "checkpoint_frequency=1000000",
    )
    command = [sys.executable, "-m", "train.main", "--config", case.config]
    for override in overrides:
        command += ["--set", override]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return read_metrics(folder)[WARM_UP:]


def spread(rows: list[Row], key: str, form: str) -> str:
    """Median of a key over the rows, with its 10th and 90th percentile."""
    values = np.array([row[key] for row in rows], float)
    low, middle, high = np.percentile(values, [10, 50, 90])
    return f"{middle:{form}} ({low:{form}} to {high:{form}})"


def share(rows: list[Row], part: str) -> str:
    """Mean share of the time in percent."""
    return f"{100 * np.mean([float(row[f'time/{part}_share'] or 0) for row in rows]):.0f} %"


def main() -> None:
    """Runs the cases and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--iterations", type=int, help="measured iterations of each case")
    options = parser.parse_args()
    table = Table(box=None, title=f"Trainer on {os.cpu_count()} cores")
    for header in ("case", "games/s", "s/iteration", "waiting", "inference", "learning"):
        table.add_column(header, justify="left" if header == "case" else "right")
    for case in CASES:
        if options.iterations:
            case = Case(case.name, case.config, case.overrides, options.iterations)
        with tempfile.TemporaryDirectory() as folder:
            rows = measure(case, Path(folder) / "run")
        table.add_row(
            case.name,
            spread(rows, "time/games_per_second", ",.0f"),
            spread(rows, "time/seconds", ".2f"),
            share(rows, "waiting"),
            share(rows, "inference"),
            share(rows, "learning"),
        )
    Console(width=150).print(table)


if __name__ == "__main__":
    main()
