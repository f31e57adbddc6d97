"""What an earlier version has written resumes, starts, plays and is reported as before.

`fixtures/earlier_version.tar.gz` was written by the version before the rooms had wings. It holds a
PPO run and two of expert iteration, one of them with a search, all killed between two checkpoints.
It also holds a packed state of the first, and what the same commands gave there when nothing was
interrupted. A run from the packed state had no exploiters: that version trained one of the
iteration that a run starts from.
"""

import json
import tarfile
from pathlib import Path

import pytest

from tests.train.running import assert_alike, metrics, run_python, train

ARCHIVE = Path(__file__).parent / "fixtures" / "earlier_version.tar.gz"


@pytest.fixture
def earlier(tmp_path):
    """A folder with what the archive holds."""
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(tmp_path, filter="data")
    return tmp_path


def rows_of(path):
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    return [{key: v for key, v in row.items() if not key.startswith("time/")} for row in rows]


def configure(folder, name, **keys):
    """A configuration of the archive, with its run in `folder`/run."""
    lines = [(folder / name).read_text(), f"checkpoint_dir: {folder / 'run'}"]
    lines += [f"{key}: {value}" for key, value in keys.items()]
    path = folder / "changed.yaml"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_run_resumes(earlier):
    result = train(configure(earlier, "config.yaml"))
    assert result.returncode == 0, result.stderr
    assert "at iteration 4" in result.stdout
    assert_alike(metrics(earlier), rows_of(earlier / "run_whole.jsonl"))
    report = run_python("-m", "eval.report", earlier / "run")
    assert report.returncode == 0, report.stderr
    assert (earlier / "run" / "report" / "index.html").exists()


def test_a_run_of_expert_iteration_resumes_with_its_replay_buffer(earlier):
    (earlier / "run").rename(earlier / "other")
    (earlier / "values_run").rename(earlier / "run")
    result = train(configure(earlier, "values.yaml"))
    assert result.returncode == 0, result.stderr
    assert "at iteration 2" in result.stdout
    assert_alike(metrics(earlier), rows_of(earlier / "values_run_whole.jsonl"))


@pytest.mark.slow
def test_a_run_of_expert_iteration_goes_on_with_todays_search(earlier):
    """What the search finds has changed since, so the rows are equal up to the saved one."""
    (earlier / "run").rename(earlier / "other")
    (earlier / "expert_run").rename(earlier / "run")
    result = train(configure(earlier, "expert.yaml"))
    assert result.returncode == 0, result.stderr
    expected = rows_of(earlier / "expert_run_whole.jsonl")
    found = metrics(earlier)
    assert_alike(found[:2], expected[:2])
    assert [row["iteration"] for row in found] == [row["iteration"] for row in expected]


def test_a_packed_state_starts_a_run(earlier):
    (earlier / "run").rename(earlier / "other")
    config = configure(earlier, "config.yaml", resume_from=earlier / "packed.policy")
    result = train(config, "--set=use_exploit_patch=false")
    assert result.returncode == 0, result.stderr
    assert_alike(metrics(earlier), rows_of(earlier / "started.jsonl"))


@pytest.mark.parametrize("policy", ["packed.policy", "run@4"])
def test_a_policy_plays(earlier, policy):
    found = earlier / "found.json"
    result = run_python(
        "-m", "eval.main", "--checkpoint", earlier / policy, "--games", 200,
        "--opponents", "random,heuristic", "--json", found,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    expected = json.loads((earlier / "eval.json").read_text())
    assert json.loads(found.read_text())["results"] == expected["results"]
