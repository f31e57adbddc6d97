"""The manifest: one entry for each policy that is kept, written whole, by one at a time."""

import json
import os
import threading

import numpy as np
import pytest

from bb_jax.errors import EvaluationError
from bb_sim import OPPONENTS
from eval.matches.match import MatchResult
from eval.runs.layout import policy_files
from eval.statistics.manifest import (
    read_manifest,
    record_evaluation,
    record_failure,
    update_manifest,
)
from tests.eval.conftest import write_policy


def results(rate=0.8, opponents=OPPONENTS):
    outcomes = np.full(100, -1, np.int8)
    outcomes[: round(100 * rate)] = 1
    deals = outcomes.reshape(-1, 2)
    return [MatchResult.from_deals("policy", name, deals, deals) for name in opponents]


def record(run, step, rate=0.8, policy_hash="abc", source="training"):
    return record_evaluation(
        run,
        step,
        results(rate),
        policy_hash=policy_hash,
        scoring="points",
        seed=3,
        source=source,
    )


def content(run):
    return json.loads((run / "manifest.json").read_text())


def test_an_evaluation_is_entered_with_all_that_belongs_to_it(run):
    entry = record(run, 2)
    data = content(run)
    assert (data["version"], data["run"]) == (1, "tiny")
    missing, complete = data["entries"]
    assert (missing["step"], missing["status"]) == (1, "missing")
    assert "no evaluation fell on this step" in missing["why"]
    assert complete["step"] == 2
    assert (run / complete["file"]).is_file()
    assert (complete["status"], complete["why"]) == ("complete", None)
    assert complete["label"] == "expert"
    assert complete["mean_win_rate"] == pytest.approx(0.8)
    assert complete["elo"]["rating"] > 600 and complete["elo"]["error"] > 0
    assert complete["opponents"] == list(OPPONENTS) == list(complete["win_rates"])
    assert (complete["games"], complete["seed"], complete["temperature"]) == (100, 3, None)
    assert (complete["hash"], complete["source"]) == ("abc", "training")
    assert complete["date"] <= data["updated"]
    queue = complete["win_rates"]["queue"]
    assert queue["win_rate"] == 0.8
    assert queue["ci95"][0] < 0.8 < queue["ci95"][1]
    assert read_manifest(run) == {1: read_manifest(run)[1], 2: entry}


def test_a_later_evaluation_replaces_an_earlier_one(run):
    record(run, 2)
    record(run, 2, rate=0.95, source="final evaluation")
    entry = read_manifest(run)[2]
    assert (entry.source, entry.strength["label"]) == ("final evaluation", "master")


def test_a_failure_says_why_but_never_replaces_a_result(run):
    record_failure(run, 1, "the agent fell over", "final evaluation")
    record(run, 2)
    record_failure(run, 2, "the agent fell over", "final evaluation")
    entries = read_manifest(run)
    assert (entries[1].status, entries[1].why) == ("failed", "the agent fell over")
    assert entries[2].status == "complete"
    record(run, 1)
    assert (read_manifest(run)[1].status, read_manifest(run)[1].why) == ("complete", None)


def test_entries_follow_the_policies_that_are_kept(run):
    record(run, 1)
    record(run, 2)
    (run / "policies" / "000001.policy").unlink()
    write_policy(run, 30)
    (run / "policies" / ".000040.policy.123.tmp").touch()
    assert update_manifest(run) == [1]
    assert list(policy_files(run)) == [2, 30]
    assert {step: entry.status for step, entry in read_manifest(run).items()} == {
        2: "complete",
        30: "missing",
    }
    assert update_manifest(run) == []


def test_nothing_is_written_without_a_change(run):
    record(run, 1)
    before = (run / "manifest.json").stat().st_mtime_ns, sorted(os.listdir(run))
    update_manifest(run)
    assert ((run / "manifest.json").stat().st_mtime_ns, sorted(os.listdir(run))) == before


@pytest.mark.parametrize(
    "damage", ["", "[]", '{"version": 2, "entries": []}', '{"version": 1, "entries": [{}]}']
)
def test_a_manifest_that_cannot_be_read_is_put_aside(run, damage):
    path = run / "manifest.json"
    path.write_text(damage)
    with pytest.raises(EvaluationError, match="manifest"):
        read_manifest(run)
    record(run, 1)
    assert [entry.status for entry in read_manifest(run).values()] == ["complete", "missing"]
    assert (run / "manifest.damaged.json").read_text() == damage


def test_writers_do_not_lose_each_other_s_entries(run):
    for step in range(3, 11):
        (run / "policies" / f"{step:06d}.policy").touch()
    threads = [
        threading.Thread(target=record, args=(run, step), kwargs={"policy_hash": str(step)})
        for step in range(1, 11)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    entries = read_manifest(run)
    assert [entry.hash for entry in entries.values()] == [str(step) for step in range(1, 11)]
    assert sorted(os.listdir(run)) == ["manifest.json", "policies"]


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    with pytest.raises(EvaluationError, match="nowhere"):
        update_manifest(tmp_path / "nowhere")
