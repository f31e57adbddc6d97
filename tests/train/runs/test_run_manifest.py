"""A run's manifest: what the trainer knows of each checkpoint it keeps."""

import json

from tests.train.running import train, train_struck, write_config

OPPONENTS = ["random", "online"]


def entries(folder):
    data = json.loads((folder / "run" / "manifest.json").read_text())
    return {entry["step"]: entry for entry in data["entries"]}


def test_each_checkpoint_has_an_entry_that_is_complete_or_says_why(tmp_path):
    config = write_config(
        tmp_path, eval_frequency=4, keep_checkpoints=9, final_eval_games=40, use_exploit_patch=False
    )
    # Saved by a signal in the third iteration, after the second and its checkpoint.
    struck = train_struck(config, "learning", "SIGTERM", 3)
    assert struck.returncode == 143, struck.stderr
    assert {step: entry["status"] for step, entry in entries(tmp_path).items()} == {2: "missing"}

    result = train(config)
    assert result.returncode == 0, result.stderr
    found = entries(tmp_path)
    kept = sorted(int(path.stem) for path in (tmp_path / "run" / "policies").iterdir())
    assert list(found) == kept == [2, 4, 6]
    assert found[2]["status"] == "missing" and "no evaluation fell" in found[2]["why"]
    assert [found[step]["source"] for step in (4, 6)] == ["training", "final evaluation"]
    assert [found[step]["games"] for step in (4, 6)] == [20, 40]
    rows = (tmp_path / "run" / "training_metrics.jsonl").read_text().splitlines()
    row = next(row for row in map(json.loads, rows) if row["iteration"] == 4)
    for step in (4, 6):
        assert found[step]["opponents"] == OPPONENTS
        assert (found[step]["status"], found[step]["why"]) == ("complete", None)
    for opponent in OPPONENTS:
        win_rate = found[4]["win_rates"][opponent]["win_rate"]
        assert win_rate == row[f"eval/{opponent}/win_rate"]
    assert found[4]["mean_win_rate"] == row["eval/mean_win_rate"]

    # Going back drops the entries of the steps that are done again.
    again = train_struck(config, "learning", "SIGTERM", 1, "--resume", "4")
    assert again.returncode == 143, again.stderr
    assert list(entries(tmp_path)) == [2, 4]
    assert entries(tmp_path)[4] == found[4]


def test_a_final_evaluation_that_fails_says_why(tmp_path):
    # It plays in the workers and fails where evaluations are made.
    agent = "tests.train.policies:NeedsNoJax"
    config = write_config(
        tmp_path,
        total_iterations=2,
        eval_frequency=5,
        use_exploit_patch=False,
        python_agents=[agent],
        eval_opponents=["random", agent],
    )
    result = train(config)
    assert result.returncode == 2
    assert "NeedsNoJax failed in select_action" in result.stderr
    (entry,) = entries(tmp_path).values()
    assert (entry["step"], entry["status"]) == (2, "failed")
    assert "NeedsNoJax failed in select_action" in entry["why"]
