"""Packs a training state: python -m train.checkpoints pack RUN@STEP FILE | show FILE.

The file can be started from (`resume_from: FILE`), evaluated and played against. Under
`policies/000600.policy` of a folder `checkpoints/RUN` it is also what RUN@600 names.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bb_jax.errors import EvaluationError
from eval.command_line import Parser, path_argument, run_command
from eval.console import note, show
from eval.heartbeat import Heartbeat


def _parser() -> Parser:
    parser = Parser(
        prog="python -m train.checkpoints",
        description="Packs a training state into one file that a run can start from.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    command = commands.add_parser("pack", help="write one state to a file")
    command.add_argument("checkpoint", metavar="RUN[@STEP]", help="the newest step by default")
    command.add_argument(
        "file", type=path_argument, metavar="FILE", help="to write, ending in .policy"
    )
    command.add_argument(
        "--moments", choices=("bfloat16", "float32"), default="bfloat16",
        help="type of the optimizer's moments in the file (default: bfloat16)",
    )  # fmt: skip
    command.add_argument("--note", metavar="TEXT", help="a sentence on how it was made")
    command.set_defaults(function=_pack)
    command = commands.add_parser("show", help="print where a packed state comes from")
    command.add_argument("file", type=path_argument, metavar="FILE")
    command.set_defaults(function=_show)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit code."""
    options = _parser().parse_args(arguments)

    def command() -> int:
        options.function(options)
        return 0

    return run_command(command)


def _pack(options: argparse.Namespace) -> None:
    file: Path = options.file
    if file.suffix != ".policy":
        raise EvaluationError(f"the file must end in .policy, not {file.name!r}")
    if file.exists():
        raise EvaluationError(f"{file} exists already, and is not overwritten")
    with Heartbeat(note) as heartbeat, heartbeat.phase(f"packing {options.checkpoint}"):
        _pack_into(file, options)


def _pack_into(file: Path, options: argparse.Namespace) -> None:
    from train.runs.packing import pack_state
    from train.runs.start import read_state

    source, description, saved = read_state(options.checkpoint)
    if source is None:
        raise EvaluationError(f"{options.checkpoint} is packed already")
    metadata = _metadata(source.path, saved.host)
    if options.note:
        metadata["note"] = options.note
    pack_state(file, saved, metadata, options.moments)
    megabytes = file.stat().st_size / 1e6
    show(f"{description} is packed into {file}: {megabytes:.1f} MB, moments {options.moments}")
    if "evaluation" not in metadata:
        show("It has no win rates: its run has no final evaluation of this step.")


def _metadata(run: Path, host: dict[str, Any]) -> dict[str, Any]:
    """The origin of a state: its run, how long that trained and on which machine, its strength."""
    from train.runs.store import meaning_of_values

    state, config = host["run"], host["config"]
    metadata: dict[str, Any] = {
        "run": config["experiment_name"],
        "step": state["iteration"],
        "start_iteration": state["start_iteration"],
        "resume_from": config["resume_from"],
        # A configuration that was saved without the key merged nothing.
        "merge_with": config.get("merge_with"),
        **meaning_of_values(config),
        **state["totals"],
        "made_on": host.get("made_on"),
        **_training_time(run, state["iteration"]),
    }
    evaluation = _evaluation(run, state["iteration"])
    if evaluation is not None:
        metadata["evaluation"] = evaluation
    return metadata


def _training_time(run: Path, iteration: int) -> dict[str, Any]:
    """The hours of all iterations up to this one, and the time when it ended."""
    from eval.runs.layout import METRICS
    from eval.runs.metrics_file import read_metrics

    if not (run / METRICS).exists():
        return {}
    rows = [row for row in read_metrics(run, note) if int(row["iteration"] or 0) <= iteration]
    if not rows:
        return {}
    times = (row.get("time/seconds") for row in rows)
    seconds = sum(time for time in times if isinstance(time, int | float))
    return {"hours": round(seconds / 3600, 6), "date": rows[-1].get("time/stamp")}


def _evaluation(run: Path, iteration: int) -> dict[str, Any] | None:
    """The run's final evaluation, if it belongs to this iteration."""
    from bb_jax.files import read_object
    from eval.runs.layout import FINAL_EVALUATION

    content = read_object(run / FINAL_EVALUATION)
    if content is None or content.get("iteration") != iteration:
        return None
    return {key: content[key] for key in ("date", "scoring", "results")}


def _show(options: argparse.Namespace) -> None:
    from train.runs.packing import unpack_state

    saved, metadata = unpack_state(options.file)
    show(json.dumps(metadata | {"config": saved.host["config"]}, indent=1))


if __name__ == "__main__":
    sys.exit(main())
