"""Model cards: what a policy is, how it was made and how strong it is, as JSON and as text."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from bb_jax import Policy, policy_hash
from bb_jax.errors import UserError
from bb_jax.export.interface import Tensor, inputs, outputs
from bb_jax.files import read_object
from bb_jax.networks.network import MARGIN_UNIT
from eval.console import note
from eval.matches.match import MatchResult
from eval.result_tables import render_results
from eval.runs.layout import CONFIGURATION, is_shipped
from eval.statistics.manifest import COMPLETE, read_manifest
from eval.statistics.strength import strength_of
from train.runs.provenance import final_evaluation, training_time

_VERSION = 1
# Neither has parameters, and an export keeps neither.
_NO_ARCHITECTURE = {"dropout", "compute_dtype"}
_ONE_KIND_ONLY = {
    "mlp": {"hidden_dim", "num_heads", "num_layers", "species_embedding_dim"},
    "transformer": {"hidden_layers", "second_tower"},
}
_OWN_LICENCE = "MIT"


def make_card(
    name: str, policy: Policy, run: Path | None, licence: str | None = None
) -> dict[str, Any]:
    """The card of a policy, ready for JSON, without the file that holds it.

    Args:
      name: what the policy is called.
      policy: the policy.
      run: the folder of its run; None for a policy file alone.
      licence: the licence of the weights. By default that of the checkpoints that come with the
        program, and none for others, since only their owner can say it.
    """
    metadata = dict(policy.metadata)
    evaluation = metadata.pop("evaluation", None)
    digest = policy_hash(policy.params)
    if licence is None and run is not None and is_shipped(run):
        licence = _OWN_LICENCE
    config = policy.network_config
    left_out = _NO_ARCHITECTURE | _ONE_KIND_ONLY[config.kind]
    architecture = config.model_dump(mode="json", exclude=left_out)
    weights = sum(int(np.size(leaf)) for leaf in jax.tree.leaves(policy.params))
    return {
        "format": "beasty-bar-model-card",
        "version": _VERSION,
        "name": name,
        "hash": digest,
        "licence": licence,
        "architecture": {**architecture, "weights": weights},
        "scoring": policy.scoring,
        "inputs": [_tensor(tensor) for tensor in inputs()],
        "outputs": [_tensor(tensor) for tensor in outputs(config)],
        "values": _meaning_of_values(policy),
        "made": metadata | _history(run, metadata.get("step")),
        "strength": _strength(run, metadata.get("step"), digest, evaluation),
    }


def _tensor(tensor: Tensor) -> dict[str, Any]:
    return tensor._asdict() | {"shape": list(tensor.shape)}


def _meaning_of_values(policy: Policy) -> dict[str, Any]:
    """How the numbers of the value head are to be read."""
    draw = policy.metadata.get("draw_reward", 0.0)
    return {
        "outcome": {"win": 1.0, "draw": draw, "loss": -1.0},
        "margin_unit": MARGIN_UNIT,
        "margin_in": policy.scoring,
        "margin_weight": policy.metadata.get("margin_weight"),
    }


def _history(run: Path | None, step: Any) -> dict[str, Any]:
    """What the run's folder knows and the policy's file does not."""
    if run is None or not isinstance(step, int):
        return {}
    try:
        history = training_time(run, step)
        config = read_object(run / CONFIGURATION)
    except UserError as error:
        note(f"the card lacks what cannot be read: {error}")
        return {}
    if config is not None:
        history |= {key: config.get(key) for key in ("resume_from", "merge_with")}
        history["configuration"] = config
    return history


def _strength(run: Path | None, step: Any, digest: str, evaluation: Any) -> dict[str, Any] | None:
    """The policy's latest evaluation, with intervals; None where there is none.

    Args:
      run: the folder of its run, if there is one.
      step: its step there.
      digest: the hash of its parameters.
      evaluation: the evaluation in its file, if there is one.
    """
    try:
        if run is not None and isinstance(step, int):
            entry = read_manifest(run).get(step)
            if entry is not None and entry.status == COMPLETE and entry.hash == digest:
                evaluation = {
                    "date": entry.date,
                    "scoring": entry.scoring,
                    "seed": entry.seed,
                    "results": [result.as_json() for result in entry.results],
                }
            evaluation = evaluation or final_evaluation(run, step)
        if not evaluation or not evaluation["results"]:
            return None
        results = results_of(evaluation)
        return {
            **evaluation,
            "plays": "the best action, one forward pass a move",
            **strength_of(results, evaluation["scoring"]).as_json(),
        }
    except (UserError, KeyError, TypeError) as error:
        note(f"the card has no strength, because its evaluation cannot be read: {error}")
        return None


def results_of(strength: Mapping[str, Any]) -> list[MatchResult]:
    """The results under a card's "strength"."""
    return [MatchResult.from_json(row) for row in strength["results"]]


def card_as_text(card: Mapping[str, Any]) -> str:
    """A card for people; `card` holds the file, too."""
    file, architecture = card["file"], dict(card["architecture"])
    weights, kind = architecture.pop("weights"), architecture.pop("kind")
    made = {k: v for k, v in card["made"].items() if k != "configuration" and v is not None}
    unknown_licence = "not stated; the program that made the file has the MIT licence"
    sections = [
        f"{card['name']}: a policy for the card game Beasty Bar",
        _rows(
            {
                "file": f"{file['name']}, {file['format']}, {file['bytes']:,} bytes",
                "sha256": file["sha256"],
                "parameters": f"{weights:,}, hash {card['hash']}",
                "licence": card["licence"] or unknown_licence,
                "network": f"{kind}, {_listed(architecture)}",
                "scoring": card["scoring"],
            }
        ),
        "Inputs and outputs\n" + _tensors([*card["inputs"], *card["outputs"]]),
        "How to read the values\n" + _values_as_text(card),
        "How it was made\n" + _rows({key: _plain(value) for key, value in made.items()}),
        "Strength\n" + _strength_as_text(card["strength"]),
    ]
    return "\n\n".join(sections) + "\n"


def _values_as_text(card: Mapping[str, Any]) -> str:
    values = card["values"]
    draw, unit = values["outcome"]["draw"], values["margin_unit"]
    text = f"values[:, 0] is the mean of 1 for a win, {draw:g} for a draw and -1 for a loss."
    if draw == -1:
        text += "\nThe probability of a win is (values[:, 0] + 1) / 2."
    return f"{text}\n{unit:g} * values[:, 1] is the expected margin in {values['margin_in']}."


def _strength_as_text(strength: Mapping[str, Any] | None) -> str:
    if strength is None:
        return "It has not been evaluated."
    results = results_of(strength)
    return (
        f"Plays {strength['plays']}; evaluated {strength['date']}.\n"
        f"{render_results(results, strength['scoring'])}\n"
        f"{strength_of(results, strength['scoring']).describe()}"
    )


def _tensors(tensors: Sequence[Mapping[str, Any]]) -> str:
    lines = []
    for tensor in tensors:
        shape = ", ".join(map(str, tensor["shape"]))
        lines.append(f"{tensor['name']} {tensor['dtype']} [{shape}]: {tensor['meaning']}")
    return "\n".join(lines)


def _rows(values: Mapping[str, Any]) -> str:
    width = max((len(key) for key in values), default=0) + 2
    return "\n".join(f"{key:{width}}{value}" for key, value in values.items())


def _listed(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {_plain(value)}" for key, value in values.items())


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return _listed(value)
    return value if isinstance(value, str) else json.dumps(value)
