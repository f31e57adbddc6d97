"""Exports of a run's policies: the files, the cards beside them, and what is refused."""

import hashlib
import json
import os
import shutil
import sys

import jax.export
import numpy as np
import onnxruntime
import pytest

from bb_jax import load_policy, policy_hash
from bb_jax.policies.policy_file import save_policy
from eval.runs.references import find_policy
from eval.statistics.strength import strength_of
from tests.bb_jax.games import evaluate, random_positions
from train import checkpoints
from train.runs.model_card import results_of


def export(*arguments: object) -> int:
    return checkpoints.main(["export", *map(str, arguments)])


@pytest.fixture(scope="module")
def run(finished_run):
    return finished_run(False) / "run"


@pytest.fixture
def exported(tmp_path, run):
    """The card of an export of the run's last step, and its file."""
    file = tmp_path / "policy.onnx"
    assert export(f"{run}@6", file, "--licence", "CC0-1.0") == 0
    return json.loads((tmp_path / "policy.onnx.json").read_text()), file


def test_both_formats_give_what_the_policy_gives(tmp_path, run):
    rows = random_positions(2)
    policy = load_policy(find_policy(f"{run}@4"))
    expected = [np.asarray(array) for array in evaluate(policy.network, policy.params, rows)]
    for name in ("policy.onnx", "policy.jax"):
        assert export(f"{run}@4", tmp_path / name) == 0
    session = onnxruntime.InferenceSession(tmp_path / "policy.onnx")
    by_onnx = session.run(["logits", "values"], {"rows": rows})
    program = jax.export.deserialize(bytearray((tmp_path / "policy.jax").read_bytes()))
    by_jax = program.call(rows)
    for found in (by_onnx, [by_jax["logits"], by_jax["values"]]):
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_allclose(one, other, rtol=0, atol=1e-4)


def test_the_card_says_what_the_file_holds(exported, run):
    card, file = exported
    content = file.read_bytes()
    assert card["file"]["name"] == "policy.onnx"
    assert card["file"]["bytes"] == len(content)
    assert card["file"]["sha256"] == hashlib.sha256(content).hexdigest()
    policy = load_policy(find_policy(f"{run}@6"))
    assert card["hash"] == policy_hash(policy.params)
    assert card["licence"] == "CC0-1.0"
    assert card["scoring"] == "points"
    architecture = card["architecture"]
    assert architecture["kind"] == "mlp"
    assert architecture["hidden_layers"] == [16]
    # 198 features, 33 logits, 2 values.
    assert architecture["weights"] == 198 * 16 + 17 * 33 + 17 * 2
    model = onnxruntime.InferenceSession(content)
    assert [tensor["name"] for tensor in card["inputs"]] == [i.name for i in model.get_inputs()]
    assert [tensor["name"] for tensor in card["outputs"]] == [o.name for o in model.get_outputs()]
    stored = model.get_modelmeta().custom_metadata_map
    assert (stored["hash"], stored["licence"]) == (card["hash"], "CC0-1.0")


def test_the_card_says_how_it_was_made_and_how_strong_it_is(exported, run):
    card, file = exported
    made = card["made"]
    assert (made["step"], made["games"]) == (6, 240)
    assert made["algorithm"] == "ppo"
    assert made["hours"] > 0
    assert made["configuration"]["games_per_iteration"] == 40
    strength = card["strength"]
    final = json.loads((run / "final_evaluation.json").read_text())
    assert strength["results"] == final["results"]
    for row in strength["results"]:
        low, high = row["ci95"]
        assert low < row["win_rate"] < high or row["win_rate"] in (0, 1)
    assert strength["elo"]["rating"] == strength_of(results_of(strength)).elo
    text = file.with_name("policy.onnx.txt").read_text()
    for said in (card["hash"], card["file"]["sha256"], "CC0-1.0", "hidden_layers [16]", "online"):
        assert said in text


def test_a_step_that_was_never_evaluated_says_so(tmp_path, run, capsys):
    copy = tmp_path / "copy"
    shutil.copytree(run, copy)
    for name in ("manifest.json", "final_evaluation.json"):
        (copy / name).unlink()
    assert export(copy, tmp_path / "policy.onnx") == 0
    assert "no win rates" in capsys.readouterr().out
    assert json.loads((tmp_path / "policy.onnx.json").read_text())["strength"] is None
    assert "It has not been evaluated." in (tmp_path / "policy.onnx.txt").read_text()


@pytest.mark.parametrize(
    "damage", [b"{", b"[]", b'{"version": 1, "entries": [{}]}'], ids=["torn", "list", "entry"]
)
def test_a_manifest_that_cannot_be_read_costs_the_strength_alone(tmp_path, run, capsys, damage):
    copy = tmp_path / "copy"
    shutil.copytree(run, copy)
    (copy / "manifest.json").write_bytes(damage)
    assert export(copy, tmp_path / "policy.onnx") == 0
    assert "manifest.json" in capsys.readouterr().err
    assert json.loads((tmp_path / "policy.onnx.json").read_text())["strength"] is None


def test_a_shipped_policy_has_the_programs_licence_and_its_own_evaluation(tmp_path):
    assert export("checkpoints/champion", tmp_path / "champion.onnx") == 0
    card = json.loads((tmp_path / "champion.onnx.json").read_text())
    assert card["name"] == "champion@2200"
    assert card["licence"] == "MIT"
    assert card["strength"]["label"] == "master"
    assert card["values"]["outcome"] == {"win": 1.0, "draw": -1.0, "loss": -1.0}
    text = (tmp_path / "champion.onnx.txt").read_text()
    assert "(values[:, 0] + 1) / 2" in text


def test_a_file_alone_has_no_licence_but_the_one_that_is_given(tmp_path, run):
    policy = load_policy(find_policy(f"{run}@6"))
    save_policy(tmp_path / "mine.policy", policy.params, policy.network_config, "points", {})
    assert export(tmp_path / "mine.policy", tmp_path / "mine.onnx") == 0
    card = json.loads((tmp_path / "mine.onnx.json").read_text())
    assert (card["name"], card["licence"], card["strength"]) == ("mine", None, None)
    assert "not stated" in (tmp_path / "mine.onnx.txt").read_text()


@pytest.mark.parametrize("taken", ["policy.onnx", "policy.onnx.json", "policy.onnx.txt"])
def test_no_file_is_overwritten(tmp_path, run, capsys, taken):
    (tmp_path / taken).write_text("mine")
    assert export(run, tmp_path / "policy.onnx") == 2
    assert f"{taken} exists already" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == [taken]
    assert (tmp_path / taken).read_text() == "mine"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nobody", "policy.onnx"), "there is no run nobody"),
        (("{run}@5", "policy.onnx"), "no policy of step 5"),
        (("{run}", "policy.pt"), "must end in .onnx or .jax"),
        (("{run}", "missing/policy.jax"), "No such file or directory"),
    ],
)
def test_what_cannot_be_exported_is_said_in_a_sentence(tmp_path, run, capsys, arguments, said):
    reference, name = arguments
    assert export(reference.format(run=run), tmp_path / name) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("failing", [1, 2, 3])
def test_a_disk_that_fills_up_leaves_nothing_behind(tmp_path, run, capsys, monkeypatch, failing):
    synced = []

    def full_at_last(descriptor):
        synced.append(descriptor)
        if len(synced) == failing:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_at_last)
    assert export(run, tmp_path / "policy.onnx") == 2
    assert "No space left on device" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_missing_package_is_named(tmp_path, run, capsys, monkeypatch):
    for module in ("bb_jax.export.onnx_model", "bb_jax.export.graph"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.setitem(sys.modules, "onnx", None)
    assert export(run, tmp_path / "policy.onnx") == 2
    assert "needs the package onnx" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
