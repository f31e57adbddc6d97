"""Files made of checkpoints: python -m train.checkpoints pack|export RUN@STEP FILE | show FILE.

`pack` writes a training state. The file can be started from (`resume_from: FILE`), evaluated and
played against. Under `policies/000600.policy` of a folder `checkpoints/RUN` it is also what RUN@600
names. `export` writes a policy for other programs: FILE.onnx or FILE.jax.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from bb_jax.errors import EvaluationError
from eval.command_line import Parser, path_argument, run_command, start_jax
from eval.console import note, show
from eval.heartbeat import Heartbeat


def _parser() -> Parser:
    parser = Parser(
        prog="python -m train.checkpoints",
        description="Writes checkpoints as single files: to start from, or for other programs.",
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
    command = commands.add_parser("export", help="write one policy for other programs")
    command.add_argument("checkpoint", metavar="RUN[@STEP]", help="the newest step by default")
    command.add_argument(
        "file", type=path_argument, metavar="FILE",
        help="to write: .onnx, or .jax for a program of jax.export; its model card is written to "
        "FILE.json and FILE.txt",
    )  # fmt: skip
    command.add_argument(
        "--licence", metavar="TEXT", help="the licence of the weights, for the model card"
    )
    command.set_defaults(function=_export)
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
    from train.runs.provenance import origin_of_state
    from train.runs.start import read_state
    from train.runs.steps import quiet_libraries

    quiet_libraries()
    source, description, saved = read_state(options.checkpoint)
    if source is None:
        raise EvaluationError(f"{options.checkpoint} is packed already")
    metadata = origin_of_state(source.path, saved.host)
    if options.note:
        metadata["note"] = options.note
    pack_state(file, saved, metadata, options.moments)
    megabytes = file.stat().st_size / 1e6
    show(f"{description} is packed into {file}: {megabytes:.1f} MB, moments {options.moments}")
    if "evaluation" not in metadata:
        show("It has no win rates: its run has no final evaluation of this step.")


def _export(options: argparse.Namespace) -> None:
    from train.runs.exporting import check_export_file, export_policy

    file: Path = options.file
    check_export_file(file)
    # An export is the same wherever it is made.
    start_jax("cpu")
    with Heartbeat(note) as heartbeat, heartbeat.phase(f"exporting {options.checkpoint}"):
        card = export_policy(options.checkpoint, file, options.licence)
    written = card["file"]
    show(f"{card['name']} is exported to {file}: {written['format']}, {written['bytes']:,} bytes")
    show(f"Its model card is in {file}.json and {file}.txt.")
    if card["strength"] is None:
        show("It has no win rates: its run has no evaluation of this step.")


def _show(options: argparse.Namespace) -> None:
    from train.runs.packing import unpack_state

    saved, metadata = unpack_state(options.file)
    show(json.dumps(metadata | {"config": saved.host["config"]}, indent=1))


if __name__ == "__main__":
    sys.exit(main())
