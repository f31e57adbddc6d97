"""Time to open a run's metrics: python -m benchmarks.metrics [--rows 1000,4000,20000].

A start reads the metrics twice: when it opens the run's folder, and when it cuts them back to the
checkpoint that it goes on from.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from eval.command_line import Parser, run_command
from eval.console import note, show
from eval.runs.layout import METRICS
from train.runs.metrics import MetricsWriter
from train.runs.rows import RowsFile

KEYS = 60
REPETITIONS = 3


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit code."""
    parser = Parser(prog="python -m benchmarks.metrics", description=__doc__)
    parser.add_argument(
        "--rows",
        default="1000,4000,20000",
        metavar="LIST",
        help="numbers of iterations, comma-separated (default: 1000,4000,20000)",
    )
    options = parser.parse_args(arguments)

    def command() -> int:
        for rows in map(int, options.rows.split(",")):
            seconds = seconds_to_open(rows)
            each = 1e6 * seconds / rows
            show(f"{rows:>7,} rows of {KEYS} keys: {seconds:6.3f} s CPU, {each:4.0f} us a row")
        return 0

    return run_command(command)


def seconds_to_open(rows: int) -> float:
    """The shortest CPU time to open the metrics of a run with so many iterations."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        file = RowsFile(folder / METRICS, note)
        for iteration in range(1, rows + 1):
            values = {f"train/metric_{key:02d}": key / iteration for key in range(KEYS - 1)}
            file.append({"iteration": iteration, **values})
        file.close()
        times = []
        for _ in range(REPETITIONS):
            begun = time.process_time()
            MetricsWriter(folder).close()
            times.append(time.process_time() - begun)
        return min(times)


if __name__ == "__main__":
    sys.exit(main())
