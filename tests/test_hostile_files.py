"""Readers refuse in one sentence what nobody sound has written; see also `python -m attack`."""

import hashlib
import json
import os
import zlib
from collections.abc import Callable
from pathlib import Path

import flax.serialization
import numpy as np
import pytest

from bb_jax import NetworkConfig, build_network, load_policy, save_policy
from bb_jax.errors import CheckpointError, EvaluationError, UserError
from bb_jax.learning.state import init_state
from bb_jax.policies.packed_state import PACKED_FORMAT
from eval.ladder import read_ladder
from eval.matches.match import MatchResult
from eval.matches.resumable import PartialResults
from eval.report.data import read_runs
from eval.runs.metrics_file import read_metrics
from eval.statistics.manifest import missing_entry, read_manifest, update_manifest
from train.config import load_config
from train.jobs.process import ProcessIdentity
from train.jobs.record import JobRecord, read_record, write_record
from train.runs.packing import unpack_state
from train.runs.start import read_host
from train.runs.state import RunState, Totals
from train.runs.steps import SavedState

READERS: dict[str, Callable[[Path], object]] = {
    "a.policy": load_policy,
    "packed.policy": unpack_state,
    "training_metrics.jsonl": read_metrics,
    "manifest.json": lambda path: read_manifest(path.parent),
    "ladder.json": lambda path: read_ladder(path.parent),
    "job.json": lambda path: read_record(path.parent),
    "a.yaml": load_config,
    "a.partial": lambda path: PartialResults(path, print).read({}, 1),
}


def link_to_a_device(path):
    path.symlink_to("/dev/zero")


def terabyte(path):
    path.touch()
    os.truncate(path, 2**40)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize(
    "make", [os.mkfifo, link_to_a_device, terabyte], ids=["pipe", "device", "terabyte"]
)
def test_what_is_no_file_to_read_is_refused_and_never_waited_for(tmp_path, name, make):
    make(tmp_path / name)
    with pytest.raises(UserError, match=name):
        READERS[name](tmp_path / name)


def test_refusals_are_one_printable_line():
    text = str(UserError("unknown key a\nb\x1b[2J\ud800 (value " + "x" * 100_000 + ") of f.yaml"))
    assert text.isprintable()
    assert text.startswith(r"unknown key a\nb\x1b[2J\ud800")
    assert text.endswith(") of f.yaml")
    assert len(text) < 10_000


@pytest.fixture
def content(tmp_path):
    """What a policy file holds."""
    config = NetworkConfig(kind="mlp", hidden_layers=(4,), dropout=0.0)
    params = init_state(build_network(config, "points"), 0).params
    save_policy(tmp_path / "a.policy", params, config, "points", {})
    return flax.serialization.msgpack_restore((tmp_path / "a.policy").read_bytes())


def refuse_policy(path, content):
    path.write_bytes(flax.serialization.msgpack_serialize(content))
    with pytest.raises(UserError, match=r"a\.policy"):
        load_policy(path)


@pytest.mark.parametrize("layers", [[2**63], [1] * 10_000], ids=["wide", "many"])
def test_a_policy_that_describes_an_impossible_network(tmp_path, content, layers):
    network = json.dumps(json.loads(content["network"]) | {"hidden_layers": layers})
    refuse_policy(tmp_path / "a.policy", content | {"network": network})


@pytest.mark.parametrize("params", [[np.zeros(3)], {"a": "text"}, 3, {"a": {"b": None}}, {1: "x"}])
def test_a_policy_without_a_tree_of_parameters(tmp_path, content, params):
    refuse_policy(tmp_path / "a.policy", content | {"params": params})


@pytest.mark.parametrize("training", ["text", b"\xc1", [], b"\x81\xa1a\xc0"])
def test_a_packed_state_without_a_state(tmp_path, content, training):
    content = content | {"format": PACKED_FORMAT, "training": training}
    packed = flax.serialization.msgpack_serialize(content)
    content["checksum"] = hashlib.sha256(packed).hexdigest()
    (tmp_path / "a.policy").write_bytes(flax.serialization.msgpack_serialize(content))
    load_policy(tmp_path / "a.policy")
    with pytest.raises(UserError, match="no usable state"):
        unpack_state(tmp_path / "a.policy")


@pytest.mark.parametrize(
    "changes",
    [
        {"exit_code": ""},
        {"started": "yesterday"},
        {"started": "2026-01-01"},
        {"overrides": 3},
        {"supervisor": {"pid": 1}},
        {"config": None},
    ],
)
def test_a_job_record_with_values_of_other_types(tmp_path, changes):
    identity = ProcessIdentity(1, 2, "boot")
    record = JobRecord(
        "local", "/c.yaml", ("a=1",), "/", "host", "boot", "2026-01-01T00:00:00+00:00",
        supervisor=identity,
    )  # fmt: skip
    write_record(tmp_path, record)
    assert read_record(tmp_path) == record
    (tmp_path / "job.json").write_text(json.dumps(record.as_json() | changes))
    with pytest.raises(UserError, match=r"job\.json"):
        read_record(tmp_path)


def test_partial_results_of_another_shape_are_played_anew(tmp_path):
    notes: list[str] = []
    partial = PartialResults(tmp_path / "a.partial", notes.append)
    header = {"evaluation": {}, "checksum": zlib.crc32(b"12345")}
    for content in (json.dumps(header).encode() + b"\n12345", b"[" * 10_000 + b"\n"):
        partial.path.write_bytes(content)
        assert partial.read({}, 2).shape == (2, 2, 0, 2)
    assert len(notes) == 2
    assert all("damaged" in text for text in notes)


def test_a_report_on_a_manifest_whose_step_is_no_number(tmp_path):
    (tmp_path / "training_metrics.jsonl").write_text('{"iteration": 1}\n')
    entries = [{"step": [], "elo": {"rating": 1}}, {"step": 2, "elo": {"rating": 3}}]
    (tmp_path / "manifest.json").write_text(json.dumps({"version": 1, "entries": entries}))
    (data,) = read_runs([tmp_path])
    assert [(rating.step, rating.rating) for rating in data.ratings()] == [(2, 3.0)]


HUGE = 10**400


@pytest.mark.parametrize("step", [[], {}, "6", 1.5, None])
def test_a_manifest_whose_step_is_no_number_is_put_aside(tmp_path, step):
    update_manifest(tmp_path)
    entry = missing_entry(3).as_json() | {"step": step}
    (tmp_path / "manifest.json").write_text(json.dumps({"version": 1, "entries": [entry]}))
    with pytest.raises(EvaluationError, match=r"manifest\.json is damaged"):
        read_manifest(tmp_path)
    assert update_manifest(tmp_path) == []
    assert (tmp_path / "manifest.damaged.json").exists()


@pytest.mark.parametrize("rating", [HUGE, float("inf"), float("nan"), True, "1"])
def test_a_report_on_ratings_that_are_no_finite_numbers(tmp_path, rating):
    (tmp_path / "training_metrics.jsonl").write_text('{"iteration": 1}\n')
    rows = [{"step": 1, "elo": {"rating": rating}}, {"step": 2, "elo": {"rating": 3, "error": 1}}]
    (tmp_path / "ladder.json").write_text(json.dumps({"checkpoints": rows}))
    (data,) = read_runs([tmp_path])
    assert [(rating.step, rating.error) for rating in data.ratings()] == [(2, 1.0)]


@pytest.mark.parametrize("iteration", [2**63, HUGE])
def test_a_row_of_metrics_beyond_every_iteration_is_damaged(tmp_path, iteration):
    rows = [{"iteration": number, "train/loss": 1.0} for number in (1, iteration)]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (tmp_path / "training_metrics.jsonl").write_text(lines)
    (data,) = read_runs([tmp_path])
    assert data.iterations().tolist() == data.series("train/loss")[0].tolist() == [1]


@pytest.mark.parametrize(
    "changes",
    [{"games": "2"}, {"wins": HUGE}, {"win_rate": HUGE}, {"ci95": [0, "1"]}, {"opponent": 3}],
)
def test_a_match_result_with_values_of_other_types(changes):
    margins = np.array([[3, -1]], np.int8)
    result = MatchResult.from_deals("policy", "random", margins, np.sign(margins))
    assert MatchResult.from_json(result.as_json()) == result
    with pytest.raises(EvaluationError, match="not a complete match result"):
        MatchResult.from_json(result.as_json() | changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"pool": {}},
        {"pool": {"members": [], "exploiters": 3}},
        {"pool": {"members": ["../../victim"], "exploiters": []}},
        {"pool": {"members": [], "exploiters": [], "fixed": [None]}},
        {"pool": []},
        {"iteration": "6"},
        {"start_iteration": -1},
        {"totals": 3},
    ],
)
def test_a_state_of_a_run_with_values_of_other_types(changes):
    pool = {"members": ["0123456789abcdef"], "exploiters": [], "win_rates": {}}
    state = RunState(6, 0, Totals(), pool)
    host = {"run": state.as_json(), "config": {}}
    assert read_host(SavedState({}, host), "it") == (state, {})
    with pytest.raises(
        CheckpointError, match=r"it (holds no state|was written by another version)"
    ):
        read_host(SavedState({}, {"run": state.as_json() | changes, "config": {}}), "it")
