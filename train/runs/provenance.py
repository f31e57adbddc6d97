"""Where a policy comes from: its run, how long that trained and on which machine, its strength."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bb_jax.files import read_object
from eval.console import note
from eval.runs.layout import FINAL_EVALUATION, METRICS
from eval.runs.metrics_file import read_metrics
from train.runs.store import meaning_of_values


def origin_of_state(run: Path, host: Mapping[str, Any]) -> dict[str, Any]:
    """The origin of a saved state, with its strength under "evaluation" if that is known.

    Args:
      run: the run's folder.
      host: the state's host part.
    """
    state, config = host["run"], host["config"]
    origin: dict[str, Any] = {
        "run": config["experiment_name"],
        "step": state["iteration"],
        "start_iteration": state["start_iteration"],
        "resume_from": config["resume_from"],
        # A configuration that was saved without the key merged nothing.
        "merge_with": config.get("merge_with"),
        **meaning_of_values(config),
        **state["totals"],
        "made_on": host.get("made_on"),
        **training_time(run, state["iteration"]),
    }
    evaluation = final_evaluation(run, state["iteration"])
    if evaluation is not None:
        origin["evaluation"] = evaluation
    return origin


def training_time(run: Path, iteration: int) -> dict[str, Any]:
    """The hours of all iterations up to this one, and the time when it ended."""
    if not (run / METRICS).exists():
        return {}
    rows = [row for row in read_metrics(run, note) if int(row["iteration"] or 0) <= iteration]
    if not rows:
        return {}
    times = (row.get("time/seconds") for row in rows)
    seconds = sum(time for time in times if isinstance(time, int | float))
    return {"hours": round(seconds / 3600, 6), "date": rows[-1].get("time/stamp")}


def final_evaluation(run: Path, iteration: int) -> dict[str, Any] | None:
    """The run's final evaluation, if it belongs to this iteration."""
    content = read_object(run / FINAL_EVALUATION)
    if content is None or content.get("iteration") != iteration:
        return None
    return {key: content[key] for key in ("date", "scoring", "results")}
