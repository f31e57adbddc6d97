"""Backfilling a manifest: what is missing or failed, and nothing else."""

import itertools
import json
import os
from contextlib import contextmanager

import pytest

from bb_jax import load_policy
from bb_sim import OPPONENTS
from eval.backfill import main
from eval.matches.match import evaluate
from eval.statistics.manifest import read_manifest
from tests.eval.conftest import write_policy


def backfill(run, *arguments):
    return main([str(run), "--games", "20", *arguments])


def test_missing_entries_are_completed_once(run, capsys):
    assert backfill(run, "--seed", "4") == 0
    assert "2 completed, 0 failed, 0 left" in capsys.readouterr().out
    entries = read_manifest(run)
    assert [entry.status for entry in entries.values()] == ["complete", "complete"]
    assert [result.opponent for result in entries[1].results] == list(OPPONENTS)
    assert (entries[1].source, entries[1].seed) == ("backfill", 4)
    expected = evaluate(load_policy(run / entries[2].file), OPPONENTS, 20, 4)
    assert [r.as_json() for r in entries[2].results] == [r.as_json() for r in expected]

    before = (run / "manifest.json").read_bytes()
    assert backfill(run) == 0
    assert "0 completed, 0 failed, 2 left" in capsys.readouterr().out
    assert (run / "manifest.json").read_bytes() == before
    assert sorted(os.listdir(run)) == ["manifest.json", "policies"]


def test_a_damaged_policy_fails_and_does_not_stop_the_others(run, capsys):
    path = run / "policies" / "000001.policy"
    whole = path.read_bytes()
    path.write_bytes(whole[:100])
    assert backfill(run) == 1
    assert "1 completed, 1 failed" in capsys.readouterr().out
    entries = read_manifest(run)
    assert entries[1].status == "failed"
    assert "000001.policy is torn" in (entries[1].why or "")
    assert entries[2].status == "complete"
    path.write_bytes(whole)
    assert backfill(run) == 0
    assert "1 completed, 0 failed, 1 left" in capsys.readouterr().out
    assert read_manifest(run)[1].status == "complete"


def test_a_policy_with_other_parameters_is_evaluated_again(run, capsys):
    backfill(run)
    before = read_manifest(run)
    write_policy(run, 2, seed=77)
    capsys.readouterr()
    assert backfill(run) == 0
    assert "1 completed, 0 failed, 1 left" in capsys.readouterr().out
    after = read_manifest(run)
    assert after[1] == before[1] and after[2].hash != before[2].hash


def test_more_games_are_played_only_when_asked_for(run, capsys):
    backfill(run)
    assert main([str(run), "--games", "40"]) == 0
    assert read_manifest(run)[1].results[0].games == 20
    assert main([str(run), "--games", "40", "--all"]) == 0
    assert read_manifest(run)[1].results[0].games == 40
    assert main([str(run), "--games", "40", "--all"]) == 0
    assert capsys.readouterr().out.rstrip().endswith("0 completed, 0 failed, 2 left as they were")


def test_entries_of_policies_that_are_gone_are_dropped(run, capsys):
    backfill(run)
    (run / "policies" / "000001.policy").unlink()
    assert backfill(run) == 0
    assert "no longer kept: 1" in capsys.readouterr().out
    assert list(read_manifest(run)) == [2]


def test_an_interrupted_backfill_goes_on(run, monkeypatch, capsys):
    monkeypatch.setattr("eval.matches.resumable.FIRST_PART", 40)
    bars = itertools.count(1)

    @contextmanager
    def interrupt_the_second_step():
        number = next(bars)

        def stop(done, total):
            if number == 2 and done > 0.7 * total:
                raise KeyboardInterrupt

        yield stop

    monkeypatch.setattr("eval.backfill.games_bar", interrupt_the_second_step)
    assert backfill(run, "--games", "100") == 130
    statuses = [entry.status for entry in read_manifest(run).values()]
    assert statuses == ["complete", "missing"]
    assert "are kept in" in capsys.readouterr().err
    assert backfill(run, "--games", "100") == 0
    assert "1 completed, 0 failed, 1 left" in capsys.readouterr().out
    expected = evaluate(load_policy(run / "policies" / "000002.policy"), OPPONENTS, 100, 0)
    found = read_manifest(run)[2].results
    assert [r.as_json() for r in found] == [r.as_json() for r in expected]
    assert sorted(os.listdir(run)) == ["manifest.json", "policies"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nothing"], ["nothing"]),
        (["empty"], ["empty", "no policies"]),
        (["tiny", "--games", "3"], ["--games", "3"]),
        (["tiny", "--seed", "-3"], ["--seed", "-3"]),
    ],
    ids=" ".join,
)
def test_bad_input_is_one_sentence(run, arguments, words, monkeypatch, capsys):
    monkeypatch.chdir(run.parent)
    (run.parent / "empty" / "policies").mkdir(parents=True)
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1
    for word in words:
        assert word in error
    assert not (run / "manifest.json").exists()


def test_the_file_is_json_that_any_reader_takes(run):
    backfill(run)

    def refuse(constant):
        raise AssertionError(constant)

    json.loads((run / "manifest.json").read_text(), parse_constant=refuse)
