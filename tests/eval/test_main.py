"""The command line: tables, JSON and clear errors."""

import json
import os
import shlex
import subprocess
import sys

import pytest

from bb_jax import NetworkConfig, build_network, init_params, save_policy
from bb_sim import OPPONENTS
from eval.main import main

AGENT = "tests.eval.policies:FirstAgent"


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    """A folder with checkpoints/tiny: two small untrained networks, steps 1 and 2."""
    folder = tmp_path_factory.mktemp("workplace")
    policies = folder / "checkpoints" / "tiny" / "policies"
    policies.mkdir(parents=True)
    config = NetworkConfig(kind="mlp", hidden_layers=(8,))
    network = build_network(config, "points")
    for step in (1, 2):
        params = init_params(network, step)
        save_policy(policies / f"{step:06d}.policy", params, config, "points", {"step": step})
    return folder


@pytest.fixture(autouse=True)
def in_workplace(workplace, monkeypatch):
    monkeypatch.chdir(workplace)


def test_all_ten_opponents_make_a_table(capsys):
    assert main(["--checkpoint", "tiny", "--games", "20"]) == 0
    output = capsys.readouterr()
    for name in OPPONENTS:
        assert f"\n{name} " in output.out
    assert "Public baseline beaten:" in output.out
    assert max(map(len, output.out.splitlines())) <= 80
    assert output.err == ""


def test_the_json_has_every_result_and_how_it_came_about(tmp_path):
    file = tmp_path / "results.json"
    opponents = f"queue,tiny@1,{AGENT}"
    arguments = ["--checkpoint", "tiny@2", "--opponents", opponents, "--games", "10", "--seed", "3"]
    arguments += ["--json", str(file)]
    assert main(arguments) == 0
    data = json.loads(file.read_text())
    assert data["checkpoint"] == "tiny@2"
    assert (data["seed"], data["scoring"], data["temperature"]) == (3, "points", None)
    assert shlex.split(data["command"]) == ["python", "-m", "eval.main", *arguments]
    assert "date" in data
    assert [result["opponent"] for result in data["results"]] == opponents.split(",")
    for result in data["results"]:
        assert list(result) == [
            "opponent",
            "games",
            "wins",
            "draws",
            "losses",
            "win_rate",
            "ci95",
            "mean_margin",
        ]
        assert result["games"] == 10 == result["wins"] + result["draws"] + result["losses"]
        assert result["win_rate"] == result["wins"] / 10
        low, high = result["ci95"]
        assert 0 <= low <= result["win_rate"] <= high <= 1
    assert os.listdir(tmp_path) == ["results.json"]


@pytest.mark.parametrize("how", [[], ["--temperature", "0.8"]])
def test_the_same_seed_gives_the_same_results(tmp_path, how):
    results = []
    for name in ("a", "b"):
        file = tmp_path / name
        arguments = ["--checkpoint", "tiny", "--opponents", "noisy", "--games", "100", *how]
        assert main([*arguments, "--json", str(file)]) == 0
        results.append(json.loads(file.read_text())["results"])
    assert results[0] == results[1]


def test_the_newest_step_is_the_default_and_a_checkpoint_can_meet_itself(tmp_path):
    file = tmp_path / "results.json"
    arguments = ["--checkpoint", "tiny", "--opponents", "tiny@1,tiny@2", "--games", "100"]
    assert main([*arguments, "--json", str(file)]) == 0
    other, itself = json.loads(file.read_text())["results"]
    assert itself["wins"] == itself["losses"] and itself["mean_margin"] == 0
    assert other["mean_margin"] != 0


def test_a_temperature_changes_the_games(tmp_path):
    margins = []
    for temperature in ("0.01", "5"):
        file = tmp_path / temperature
        arguments = ["--checkpoint", "tiny", "--opponents", "random", "--games", "100"]
        assert main([*arguments, "--temperature", temperature, "--json", str(file)]) == 0
        margins.append(json.loads(file.read_text())["results"][0]["mean_margin"])
    assert margins[0] != margins[1]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--games", "7"], ["--games", "even", "7"]),
        (["--games", "0"], ["--games", "0"]),
        (["--games", "many"], ["--games", "many"]),
        (["--seed", "-1"], ["--seed", "-1"]),
        (["--temperature", "0"], ["--temperature", "0"]),
        (["--temperature", "nan"], ["--temperature", "nan"]),
        (["--device", "tpu"], ["--device", "tpu"]),
        (["--opponents", "heuristc"], ["heuristc", "nearest: heuristic"]),
        (["--opponents", "queue,,skunk"], ["empty"]),
        (["--opponents", "queue,queue"], ["queue", "twice"]),
        (["--opponents", "tiny@77"], ["tiny", "77"]),
        (["--opponents", "tests.eval.policies:Missing"], ["Missing"]),
        (["--checkpoint", "nothing"], ["nothing"]),
        (["--checkpoint", "tiny@77"], ["tiny", "77"]),
        (["--json", "."], ["folder"]),
        (["--json", os.devnull], [os.devnull, "not a regular file"]),
        (["--json", "missing/results.json"], ["missing/results.json", "No such file"]),
        (["--gmes", "8"], ["--gmes"]),
    ],
    ids=" ".join,
)
def test_bad_input_is_one_sentence(arguments, words, capsys):
    if "--checkpoint" not in arguments:
        arguments = ["--checkpoint", "tiny", *arguments]
    code: object
    try:
        code = main(arguments)
    except SystemExit as error:
        code = error.code
    output = capsys.readouterr()
    assert code == 2
    assert output.out == ""
    assert output.err.count("\n") == 1
    for word in words:
        assert word in output.err


def test_a_missing_checkpoint_argument_is_named(capsys):
    with pytest.raises(SystemExit) as caught:
        main([])
    assert caught.value.code == 2
    assert "--checkpoint" in capsys.readouterr().err


def test_what_fails_leaves_an_existing_file_as_it_was(tmp_path, capsys):
    file = tmp_path / "results.json"
    file.write_text("old")
    arguments = ["--checkpoint", "tiny", "--games", "2", "--json", str(file)]
    assert main([*arguments, "--opponents", "tests.eval.policies:FailingAgent"]) == 2
    assert "FailingAgent failed" in capsys.readouterr().err
    assert file.read_text() == "old"
    assert os.listdir(tmp_path) == ["results.json"]


def test_the_command_runs_on_the_cpu_and_imports_jax_late():
    code = (
        "import sys; from eval.main import main; assert 'jax' not in sys.modules; "
        "code = main(sys.argv[1:]); import jax; "
        "assert jax.devices()[0].platform == 'cpu'; sys.exit(code)"
    )
    arguments = ["--checkpoint", "tiny", "--games", "4", "--device", "cpu"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "distilled_outcome" in done.stdout
