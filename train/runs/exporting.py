"""Exports a policy for other programs, with its model card beside it."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from bb_jax import Policy, load_policy
from bb_jax.errors import EvaluationError
from bb_jax.files import check_writable, timestamp, write_json, write_whole
from eval.runs.layout import POLICIES, is_run
from eval.runs.references import find_policy
from train.runs.model_card import card_as_text, make_card

SUFFIXES = (".onnx", ".jax")


def check_export_file(file: Path) -> None:
    """Checks the file of an export before any work.

    Raises:
      UserError: its ending says no format, or it or a card of it exists or cannot be written.
    """
    if file.suffix not in SUFFIXES:
        raise EvaluationError(f"the file must end in {' or '.join(SUFFIXES)}, not {file.name!r}")
    for path in (file, *_card_files(file)):
        if path.exists():
            raise EvaluationError(f"{path} exists already, and is not overwritten")
        check_writable(path)


def export_policy(reference: str, file: Path, licence: str | None = None) -> dict[str, Any]:
    """Writes a policy as ONNX or as a program of JAX, and its card as JSON and as text.

    The cards are FILE.json and FILE.txt.

    Args:
      reference: RUN, RUN@STEP or the path of a policy file.
      file: where to; its ending chooses the format. See `check_export_file`.
      licence: that of the weights; see `train.runs.model_card.make_card`.

    Returns:
      The card.

    Raises:
      UserError: the policy cannot be found or read, a package is missing, or a file cannot be
        written. No file is left behind.
    """
    path = find_policy(reference)
    policy = load_policy(path)
    run = (
        path.parent.parent if path.parent.name == POLICIES and is_run(path.parent.parent) else None
    )
    step = policy.metadata.get("step")
    name = path.stem if run is None or step is None else f"{run.resolve().name}@{step}"
    card = make_card(name, policy, run, licence)
    content, file_format = _content(policy, card, file.suffix)
    card["file"] = {
        "name": file.name,
        "format": file_format,
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "date": timestamp(),
    }
    as_json, as_text = _card_files(file)
    try:
        write_whole(file, content)
        write_json(as_json, card)
        write_whole(as_text, card_as_text(card).encode())
    except BaseException:
        for written in (file, as_json, as_text):
            written.unlink(missing_ok=True)
        raise
    return card


def _card_files(file: Path) -> tuple[Path, Path]:
    return file.with_name(f"{file.name}.json"), file.with_name(f"{file.name}.txt")


def _content(policy: Policy, card: dict[str, Any], suffix: str) -> tuple[bytes, str]:
    """The content of the file, and what its format is called."""
    try:
        if suffix == ".onnx":
            from bb_jax.export.graph import OPSET
            from bb_jax.export.onnx_model import onnx_model

            return onnx_model(policy, _stored_texts(card)), f"ONNX (opset {OPSET})"
        from bb_jax.export.jax_program import PLATFORMS, jax_program

        return jax_program(policy), f"a program of JAX for {' and '.join(PLATFORMS)}"
    except ModuleNotFoundError as error:
        raise EvaluationError(
            f"exporting to {suffix} needs the package {error.name}: "
            "python -m pip install 'beasty-bar-trainer[onnx]'"
        ) from error


def _stored_texts(card: dict[str, Any]) -> dict[str, str]:
    """What an ONNX model says about itself, apart from its card."""
    values = card["values"]
    texts = {
        "name": card["name"],
        "hash": card["hash"],
        "licence": card["licence"],
        "scoring": card["scoring"],
        "margin_unit": values["margin_unit"],
        "draw_outcome": values["outcome"]["draw"],
    }
    return {key: str(value) for key, value in texts.items() if value is not None}
