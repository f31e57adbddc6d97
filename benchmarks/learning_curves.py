"""What each part of the learning machinery is worth: `python -m benchmarks.learning_curves`.

The quickstart as it is and with one factor changed at a time (`--study parts`), under each
algorithm (`--study algorithms`), or with each type of activations (`--study activations`), all with
the same training time and several seeds, evaluated against all ten opponents on the way. Results
are stored after every run; the same command goes on with the runs that are missing, and shows the
table and the curves of those that are there.

Training time is that of the iterations and the exploiters, without the evaluations. A run is not
cut off when its time is over, since its learning rate and entropy coefficient fall over the whole
run and would end at other values in a faster variant than in a slower one: a short run of each
variant measures its seconds an iteration first, and the number of iterations is chosen to fill the
time. What a run took in the end is in the table.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median
from typing import Any

from rich.console import Console
from rich.table import Table

from bb_sim import OPPONENTS
from benchmarks.curve_variants import EXPLOITERS, STUDIES, Variant
from eval.command_line import path_argument
from eval.runs.metric_keys import MEAN_WIN_RATE, opponent_key
from eval.runs.metrics_file import read_metrics
from train.config import Config, ConfigError, load_config
from train.metric_rows import Row

POINTS = 10  # evaluations of a run
CALIBRATION_ITERATIONS = 30
# Iterations that compile.
WARM_UP = 10
PARTS = ("waiting", "generation", "inference", "learning")


class Results:
    """Everything measured so far, in one JSON file that is always whole."""

    def __init__(self, path: Path, settings: dict[str, Any]):
        self._path = path
        self.content: dict[str, Any] = {
            "settings": settings,
            "machine": f"{platform.machine()}, {os.cpu_count()} cores",
            "seconds_an_iteration": {},
            "runs": [],
        }
        if path.exists():
            self.content = json.loads(path.read_text())
            if self.content["settings"] != settings:
                sys.exit(
                    f"{path} was made with other settings ({self.content['settings']}); "
                    "give another --folder"
                )

    @property
    def runs(self) -> list[dict[str, Any]]:
        """The finished runs."""
        return list(self.content["runs"])

    def store(self) -> None:
        """Writes the file."""
        temporary = self._path.with_suffix(".partial")
        temporary.write_text(json.dumps(self.content, indent=1) + "\n")
        temporary.replace(self._path)


@dataclass(frozen=True)
class Benchmark:
    """The command's options."""

    config: Path
    overrides: tuple[str, ...]
    seconds: float
    eval_games: int
    final_games: int
    folder: Path

    def train(self, name: str, iterations: int, overrides: Mapping[str, Any]) -> Path:
        """Trains a fresh run to its end; returns its folder."""
        # Without commas, so that `eval` takes it in a list.
        run = self.folder / re.sub(r"\W+", "_", name)
        # An interrupted run has no honest time: it begins anew.
        shutil.rmtree(run, ignore_errors=True)
        values = {
            "checkpoint_dir": run,
            "total_iterations": iterations,
            "checkpoint_frequency": iterations,
            "eval_opponents": json.dumps(list(OPPONENTS)),
        }
        command = [sys.executable, "-m", "train.main", "--config", str(self.config)]
        for override in self.overrides:
            command += ["--set", override]
        for key, value in {**values, **overrides}.items():
            command += ["--set", f"{key}={value if isinstance(value, str) else json_text(value)}"]
        result = subprocess.run(command, stdout=subprocess.DEVNULL)
        if result.returncode:
            sys.exit(f"the run {name} ended with exit code {result.returncode}")
        return run

    def seconds_an_iteration(self, variant: Variant) -> float:
        """Median over a short run without evaluations and exploiters."""
        overrides = dict(variant.overrides)
        overrides |= {"use_exploit_patch": False, "eval_frequency": 10**6, "eval_games": 2}
        overrides |= {"final_eval_games": 2}
        iterations = CALIBRATION_ITERATIONS
        run = self.train(f"calibration of {variant.name}", iterations, overrides)
        rows = read_metrics(run)[min(WARM_UP, iterations // 2) :]
        return median(seconds(row, "seconds") for row in rows)

    def iterations(self, variant: Variant, config: Config, an_iteration: float) -> int:
        """How many iterations fill the time; an exploiter's iterations count as others do."""
        total = self.seconds / an_iteration
        if variant.trains_exploiters:
            total -= EXPLOITERS * config.exploit_patch_iterations
        # Evaluations lie evenly, and the last one at the end.
        return max(POINTS, round(total / POINTS) * POINTS)

    def measure(self, variant: Variant, seed: int, iterations: int) -> dict[str, Any]:
        """One run: what it cost and what it came to."""
        overrides = dict(variant.overrides)
        overrides |= {"seed": seed, "eval_frequency": iterations // POINTS}
        overrides |= {"eval_games": self.eval_games, "final_eval_games": self.final_games}
        if variant.trains_exploiters:
            # After the last iteration no exploiter is trained.
            overrides["exploit_patch_interval"] = max(1, iterations // (EXPLOITERS + 1))
        run = self.train(f"{variant.name} {seed}", iterations, overrides)
        rows = read_metrics(run)
        final = json.loads((run / "final_evaluation.json").read_text())["results"]
        return {
            "variant": variant.name,
            "seed": seed,
            "date": time.strftime("%Y-%m-%d"),
            "iterations": iterations,
            "seconds": training_seconds(rows),
            "games": rows[-1]["total/games"],
            "parts": {part: sum(seconds(row, f"{part}_seconds") for row in rows) for part in PARTS},
            "curve": [
                {"games": row["total/games"], "win_rates": win_rates(row)}
                for row in rows
                if MEAN_WIN_RATE in row
            ],
            "final": {result["opponent"]: result["win_rate"] for result in final},
        }


def json_text(value: Any) -> str:
    """A value as the command line takes it."""
    return str(value) if isinstance(value, Path) else json.dumps(value)


def seconds(row: Row, key: str) -> float:
    """A time of a metrics row."""
    return float(row[f"time/{key}"] or 0)


def training_seconds(rows: Sequence[Row]) -> float:
    """Seconds of all iterations without their evaluations, and of the exploiters between them."""
    return sum(
        seconds(row, "seconds")
        - seconds(row, "evaluation_seconds")
        + seconds(row, "exploit_seconds")
        for row in rows
    )


def win_rates(row: Row) -> dict[str, float]:
    """The evaluation in a metrics row."""
    return {name: float(row[opponent_key("eval", name, "win_rate")] or 0) for name in OPPONENTS}


# ---------------------------------------------------------------------------------------------
# Showing
# ---------------------------------------------------------------------------------------------


def spread(values: Iterable[float], form: str, scale: float = 1.0) -> str:
    """Mean over the seeds, and half the range around it."""
    scaled = [scale * value for value in values]
    text = f"{mean(scaled):{form}}"
    return text if len(scaled) == 1 else f"{text} ±{(max(scaled) - min(scaled)) / 2:{form}}"


def show(results: Results, console: Console) -> None:
    """Two tables: what the runs cost, and what they came to."""
    names = list(dict.fromkeys(run["variant"] for run in results.runs))
    by_name = {name: [run for run in results.runs if run["variant"] == name] for name in names}
    settings = results.content["settings"]
    console.print(
        f"{settings['config']}, {settings['seconds']:g} s of training a run, mean over the seeds "
        f"± half the range; {results.content['machine']}"
    )
    cost = Table(box=None)
    for header in ("", "seeds", "s", "iterations", "games", "games/s", *PARTS[1:]):
        cost.add_column(header, justify="left" if not header else "right")
    for name, runs in by_name.items():
        shares = [
            spread([run["parts"][part] / run["seconds"] for run in runs], ".0f", 100) + " %"
            for part in PARTS[1:]
        ]
        cost.add_row(
            name,
            str(len(runs)),
            spread([run["seconds"] for run in runs], ".0f"),
            str(runs[0]["iterations"]),
            f"{mean(run['games'] for run in runs):,.0f}",
            spread([run["games"] / run["seconds"] for run in runs], ",.0f"),
            *shares,
        )
    console.print(cost)
    strength = Table(box=None, title=f"win % after {settings['seconds']:g} s")
    strength.add_column("")
    for name in names:
        strength.add_column(name, justify="right")
    for opponent in OPPONENTS:
        rates = [[run["final"][opponent] for run in by_name[name]] for name in names]
        strength.add_row(opponent, *(spread(values, ".1f", 100) for values in rates))
    means = [[mean(run["final"].values()) for run in by_name[name]] for name in names]
    strength.add_row("mean", *(spread(values, ".1f", 100) for values in means))
    console.print(strength)


def draw(results: Results, path: Path) -> bool:
    """Curves of win rate over games, a panel an opponent and one for the mean; False without
    matplotlib."""
    try:
        import matplotlib
    except ImportError:
        return False
    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(3, 4, figsize=(16, 10), sharex=True, layout="constrained")
    panels = [*OPPONENTS, "mean"]
    names = list(dict.fromkeys(run["variant"] for run in results.runs))
    for axis, panel in zip(axes.flat, panels, strict=False):
        for color, name in enumerate(names):
            for number, run in enumerate(r for r in results.runs if r["variant"] == name):
                games = [point["games"] for point in run["curve"]]
                rates = [
                    100
                    * (mean(p["win_rates"].values()) if panel == "mean" else p["win_rates"][panel])
                    for p in run["curve"]
                ]
                label = name if number == 0 else None
                axis.plot(games, rates, color=f"C{color}", alpha=0.7, label=label)
        axis.set_title(panel)
        axis.grid(alpha=0.3)
        axis.set_xlabel("games")
        axis.set_ylabel("win %")
    spare = axes.flat[len(panels)]
    spare.axis("off")
    spare.legend(*axes.flat[0].get_legend_handles_labels(), loc="center")
    figure.savefig(path, dpi=120)
    pyplot.close(figure)
    return True


# ---------------------------------------------------------------------------------------------
# The command
# ---------------------------------------------------------------------------------------------


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.learning_curves", description=__doc__
    )
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--study", choices=STUDIES, default="parts")
    parser.add_argument(
        "--config", type=path_argument, default="configs/quickstart.yaml", metavar="FILE"
    )
    parser.add_argument("--seconds", type=float, default=90, help="of training a run")
    parser.add_argument("--seeds", type=int, default=3, help="runs of each variant")
    parser.add_argument("--eval-games", type=int, default=1000, help="an opponent, on the way")
    parser.add_argument("--final-games", type=int, default=10_000, help="an opponent, at the end")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument(
        "--folder", type=path_argument,
        help="holds the runs, results.json and learning_curves.png; "
        "by default checkpoints/learning_curves_STUDY",
    )  # fmt: skip
    options = parser.parse_args(arguments)
    options.folder = options.folder or Path(f"checkpoints/learning_curves_{options.study}")
    return options


def main(arguments: Sequence[str] | None = None) -> None:
    """Makes the runs that are missing, one seed of each variant after the other."""
    options = parse(arguments)
    try:
        config = load_config(options.config, options.set)
    except ConfigError as error:
        sys.exit(f"error: {error}")
    benchmark = Benchmark(
        options.config, tuple(options.set), options.seconds, options.eval_games,
        options.final_games, options.folder,
    )  # fmt: skip
    options.folder.mkdir(parents=True, exist_ok=True)
    settings = {
        "study": options.study,
        "config": str(options.config),
        "overrides": list(options.set),
        "seconds": options.seconds,
        "eval_games": options.eval_games,
        "final_games": options.final_games,
    }
    results = Results(options.folder / "results.json", settings)
    console = Console(width=150)
    measured = results.content["seconds_an_iteration"]
    for seed in range(1, options.seeds + 1):
        for variant in STUDIES[options.study](config):
            if any((run["variant"], run["seed"]) == (variant.name, seed) for run in results.runs):
                continue
            if variant.name not in measured:
                measured[variant.name] = benchmark.seconds_an_iteration(variant)
                results.store()
            iterations = benchmark.iterations(variant, config, measured[variant.name])
            console.print(f"{variant.name}, seed {seed}: {iterations} iterations ...")
            results.content["runs"].append(benchmark.measure(variant, seed, iterations))
            results.store()
    show(results, console)
    picture = options.folder / "learning_curves.png"
    if draw(results, picture):
        console.print(f"curves: {picture}")
    else:
        console.print("no curves are drawn: matplotlib is missing")


if __name__ == "__main__":
    main()
