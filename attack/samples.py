"""Sound files of every kind that the program reads, to be made hostile."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from bb_jax import NetworkConfig, build_network, save_policy
from bb_jax.arrays import to_arrays
from bb_jax.learning.state import init_state
from eval.matches.match import MatchResult
from eval.runs.layout import (
    CONFIGURATION,
    FINAL_EVALUATION,
    JOB_RECORD,
    LADDER,
    MANIFEST,
    METRICS,
    STEPS,
    policy_path,
)
from eval.statistics.manifest import record_evaluation
from train.config import Config, config_to_dict
from train.jobs.process import ProcessIdentity
from train.jobs.record import JobRecord
from train.runs.packing import pack_state
from train.runs.state import RunState, Totals
from train.runs.steps import SavedState, TrainingSteps

#: The evaluation that the sample of partial results belongs to.
EVALUATION = {"format": 1, "seed": 0}
#: Pairings in that sample.
PAIRINGS = 2
STEP = 6
_HASH = "0123456789abcdef"


@dataclass(frozen=True)
class Sample:
    """A sound file.

    Attributes:
      name: the path in the folder that readers are given.
      form: "messagepack", "packed", "json", "lines", "yaml", "partial" or "bytes".
      content: all of it.
      beside: the other files that belong to it.
    """

    name: str
    form: str
    content: bytes
    beside: Mapping[str, bytes] = field(default_factory=dict)


def sample_config() -> Config:
    """The configuration of the run whose files the samples are."""
    return Config(
        experiment_name="sample",
        total_iterations=9,
        network_config=NetworkConfig(kind="mlp", hidden_layers=(4,), dropout=0.0),
        checkpoint_dir="run",
    )


def make_samples(folder: Path) -> dict[str, Sample]:
    """Sound files by their kind, made with the program's own writers in an empty folder."""
    network = sample_config().network_config
    config = config_to_dict(sample_config())
    learner = init_state(build_network(network, "points"), 0)
    policy, packed = policy_path(folder, STEP), folder / "packed.policy"
    save_policy(policy, learner.params, network, "points", {"run": "sample", "step": STEP})
    pool = {"members": [_HASH], "exploiters": [], "win_rates": {_HASH: 0.5}}
    run = RunState(STEP, 0, Totals(1, 2, 3), pool).as_json()
    state = SavedState({"learner": to_arrays(learner)}, {"run": run, "config": config})
    pack_state(packed, state, {"run": "sample", "step": STEP})

    margins = np.array([[3, -1], [0, 2]], np.int8)
    outcomes = np.sign(margins).astype(np.int8)
    results = [
        MatchResult.from_deals("policy", name, margins, outcomes) for name in ("random", "online")
    ]
    rows = [result.as_json() for result in results]
    record_evaluation(
        folder, STEP, results, policy_hash=_HASH, scoring="points", seed=0, source="training"
    )
    ladder = {
        "version": 1,
        "scoring": "points",
        "checkpoints": [{"step": STEP, "hash": _HASH, "elo": {"rating": 1.0, "error": 2.0}}],
        "matches": [{"step": STEP, **row} for row in rows],
    }
    identity = ProcessIdentity(1, 2, "boot")
    record = JobRecord(
        "local", "/config.yaml", ("seed=1",), "/", "host", "boot", "2026-01-01T00:00:00+00:00",
        supervisor=identity, training=identity, ended="2026-01-02T00:00:00+00:00", exit_code=1,
    )  # fmt: skip
    metrics = [
        {"iteration": i, "eval/random/win_rate": 0.5, "train/loss": None, "time/seconds": 1.5}
        for i in range(1, 6)
    ]
    body = np.stack([np.stack([margins] * PAIRINGS), np.stack([outcomes] * PAIRINGS)]).tobytes()
    header = {"evaluation": EVALUATION, "checksum": zlib.crc32(body)}
    yaml = "experiment_name: sample\nppo_config: {gamma: 0.9}\neval_opponents: [random]\nseed: 3\n"
    final = {"iteration": STEP, "scoring": "points", "date": "", "results": rows}
    return {
        "policy": Sample("a.policy", "messagepack", policy.read_bytes()),
        "packed state": Sample("a.policy", "packed", packed.read_bytes()),
        "metrics": Sample(METRICS, "lines", b"".join(_json(row) + b"\n" for row in metrics)),
        "manifest": Sample(MANIFEST, "json", (folder / MANIFEST).read_bytes()),
        "ladder": Sample(LADDER, "json", _json(ladder)),
        "job record": Sample(JOB_RECORD, "json", _json(record.as_json())),
        "final evaluation": Sample(FINAL_EVALUATION, "json", _json(final)),
        "saved configuration": Sample(CONFIGURATION, "json", _json(config)),
        "partial results": Sample("a.partial", "partial", _json(header) + b"\n" + body),
        "configuration": Sample("a.yaml", "yaml", yaml.encode()),
        **_saved_step(folder, state),
    }


# Files of a saved step, the arrays themselves apart; see orbax for what they hold.
_STEP_FILES = {
    "handlers": "_CHECKPOINT_METADATA",
    "host": "host/metadata",
    "names": "arrays/_METADATA",
    "index": "arrays/manifest.ocdbt",
    "win rate": "metrics/metrics",
}


def _saved_step(folder: Path, state: SavedState) -> dict[str, Sample]:
    """The files of a full training state, each with the others."""
    steps = TrainingSteps(folder / STEPS, keep=1)
    steps.save(STEP, state, 0.5)
    steps.close()
    root = folder / STEPS
    files = {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }
    chosen = {kind: f"{STEPS}/{STEP}/{name}" for kind, name in _STEP_FILES.items()}
    chosen["arrays"] = max(files, key=lambda name: len(files[name]) if "/d/" in name else 0)
    return {
        f"saved step, {kind}": Sample(
            name, "json" if _is_json(files[name]) else "bytes", files[name], files
        )
        for kind, name in chosen.items()
    }


def _is_json(content: bytes) -> bool:
    try:
        json.loads(content)
    except ValueError:
        return False
    return True


def _json(content: object) -> bytes:
    return json.dumps(content).encode()
