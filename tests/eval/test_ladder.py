"""The ladder of a run's checkpoints: only what is missing is played, nothing is forgotten."""

import json
import os

import pytest

from bb_sim import OPPONENTS
from eval.backfill import main as backfill
from eval.statistics.manifest import read_manifest
from eval.tournament import main
from tests.eval.conftest import write_policy


def climb(run, capsys, games="20", **options):
    arguments = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    assert main(["--ladder", str(run), "--games", games, *arguments]) == 0
    output = capsys.readouterr().out
    return int(output.splitlines()[-1].split()[0])


def ladder(run):
    return json.loads((run / "ladder.json").read_text())


def matches(run):
    return {(match["step"], match["opponent"]) for match in ladder(run)["matches"]}


def test_everybody_meets_the_named_opponents_and_its_predecessors(run, capsys):
    for step in (3, 4, 5):
        write_policy(run, step)
    assert climb(run, capsys) == 20 * (5 * 10 + 1 + 2 + 3 + 3)
    expected = {(step, name) for step in range(1, 6) for name in OPPONENTS}
    expected |= {(2, "@1"), (3, "@1"), (3, "@2"), (4, "@1"), (4, "@2"), (4, "@3")}
    expected |= {(5, "@2"), (5, "@3"), (5, "@4")}
    assert matches(run) == expected
    data = ladder(run)
    assert [row["step"] for row in data["checkpoints"]] == [1, 2, 3, 4, 5]
    assert data["checkpoints"][0]["above_predecessor"] is None
    for row in data["checkpoints"][1:]:
        assert 0 <= row["above_predecessor"] <= 1
        assert row["elo"]["error"] > 0
    assert data["anchors"]["random"] == 0


def test_only_what_is_missing_is_played(run, capsys):
    climb(run, capsys)
    before = ladder(run)
    assert climb(run, capsys) == 0
    write_policy(run, 3)
    assert climb(run, capsys) == 20 * 12
    assert ladder(run)["matches"][: len(before["matches"])] == before["matches"]
    assert climb(run, capsys) == 0
    assert sorted(os.listdir(run)) == ["ladder.json", "manifest.json", "policies"]


def test_one_by_one_is_all_at_once(run, capsys):
    climb(run, capsys)
    write_policy(run, 3)
    climb(run, capsys)
    one_by_one = ladder(run)
    (run / "ladder.json").unlink()
    climb(run, capsys)
    assert ladder(run)["matches"] == one_by_one["matches"]
    assert ladder(run)["checkpoints"] == one_by_one["checkpoints"]


def test_what_the_manifest_knows_is_not_played_again(run, capsys):
    assert backfill([str(run), "--games", "40"]) == 0
    assert climb(run, capsys) == 20
    assert {m["games"] for m in ladder(run)["matches"] if m["opponent"] == "queue"} == {40}


def test_checkpoints_that_are_gone_stay_on_the_ladder(run, capsys):
    climb(run, capsys)
    (run / "policies" / "000001.policy").unlink()
    write_policy(run, 3)
    assert climb(run, capsys) == 20 * 11
    assert [row["step"] for row in ladder(run)["checkpoints"]] == [1, 2, 3]
    assert (3, "@2") in matches(run) and (2, "@1") in matches(run)
    assert climb(run, capsys) == 0


def test_a_checkpoint_with_other_parameters_begins_anew(run, capsys):
    write_policy(run, 3)
    climb(run, capsys)
    write_policy(run, 2, seed=99)
    # Ten named opponents and @1; and @3 has lost a predecessor that it had met.
    assert climb(run, capsys) == 20 * 12
    assert climb(run, capsys) == 0


def test_the_manifest_gets_the_places(run, capsys):
    climb(run, capsys)
    assert read_manifest(run)[1].status == "missing"
    place = read_manifest(run)[2].ladder or {}
    assert place["elo"] == ladder(run)["checkpoints"][1]["elo"]
    assert list(place["win_rates"]) == ["@1"]
    assert backfill([str(run), "--games", "20"]) == 0
    climb(run, capsys)
    assert read_manifest(run)[2].status == "complete"
    assert (read_manifest(run)[2].ladder or {})["win_rates"] == place["win_rates"]


def test_the_stronger_of_two_stands_above(tmp_path, capsys):
    run = tmp_path / "run"
    for step in (1, 2, 3):
        write_policy(run, step)
    climb(run, capsys, games="1000")
    rows = ladder(run)["checkpoints"]
    for row, before in zip(rows[1:], rows[:-1], strict=True):
        assert (row["above_predecessor"] > 0.5) == (row["elo"]["rating"] > before["elo"]["rating"])


@pytest.mark.parametrize("damage", ["[]", '{"version": 7}', '{"version": 1}'])
def test_a_damaged_ladder_is_named(run, damage, capsys):
    (run / "ladder.json").write_text(damage)
    assert main(["--ladder", str(run), "--games", "20"]) == 2
    error = capsys.readouterr().err
    assert "ladder.json" in error and error.count("\n") == 1
    assert (run / "ladder.json").read_text() == damage


def test_a_run_without_policies_is_refused(tmp_path, capsys):
    (tmp_path / "policies").mkdir()
    assert main(["--ladder", str(tmp_path)]) == 2
    assert "no policies" in capsys.readouterr().err
