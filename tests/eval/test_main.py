"""The command line: tables, JSON and clear errors."""

import json
import os
import shlex
import subprocess
import sys

import pytest

from bb_sim import OPPONENTS
from eval.main import main
from eval.matches.match import play_pairings
from tests.eval import policies

AGENT = "tests.eval.policies:FirstAgent"


@pytest.fixture(autouse=True)
def in_workplace(tiny_checkpoints, monkeypatch):
    monkeypatch.chdir(tiny_checkpoints)


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


def test_checkpoints_are_compared_over_the_same_deals(tmp_path, capsys):
    file = tmp_path / "results.json"
    arguments = ["--checkpoint", "tiny@1", "--against", "tiny@2", "tiny@1", "--games", "200"]
    assert main([*arguments, "--opponents", "random,queue", "--json", str(file)]) == 0
    output = capsys.readouterr().out
    assert "tiny@1 minus tiny@2" in output
    assert max(map(len, output.splitlines())) <= 80
    data = json.loads(file.read_text())
    other, itself = data["compared"]
    assert (other["checkpoint"], itself["checkpoint"]) == ("tiny@2", "tiny@1")
    assert itself["results"] == data["results"] != other["results"]
    rows = data["differences"]
    assert [row["opponent"] for row in rows] == ["random", "queue", "all together"] * 2
    for row, own, others in zip(rows[:2], data["results"], other["results"], strict=True):
        assert row["win_rate"]["mean"] == pytest.approx(own["win_rate"] - others["win_rate"])
        low, high = row["win_rate"]["ci95"]
        assert low < row["win_rate"]["mean"] < high
    for row in rows[3:]:
        for what in ("win_rate", "margin"):
            assert row[what] == {"mean": 0, "standard_error": 0, "ci95": [0, 0]}


def test_several_checkpoints_may_be_given_one_by_one(capsys):
    arguments = ["--checkpoint", "tiny@1", "--checkpoint", "tiny@2", "--games", "20"]
    assert main([*arguments, "--opponents", "random"]) == 0
    assert "tiny@1 minus tiny@2" in capsys.readouterr().out


@pytest.mark.parametrize("how", [[], ["--temperature", "0.7"]])
def test_an_interrupted_evaluation_goes_on_where_it_was(tmp_path, monkeypatch, capsys, how):
    monkeypatch.setattr("eval.matches.resumable.FIRST_PART", 64)
    agent = "tests.eval.policies:InterruptingAgent"
    arguments = ["--checkpoint", "tiny", "--games", "120", *how]
    arguments += ["--opponents", f"noisy,tiny@1,{agent}", "--json"]
    whole, resumed = tmp_path / "whole", tmp_path / "resumed"
    assert main([*arguments, str(whole)]) == 0

    monkeypatch.setattr(policies.InterruptingAgent, "patience", 700)
    assert main([*arguments, str(resumed)]) == 130
    assert "are kept in" in capsys.readouterr().err
    assert sorted(os.listdir(tmp_path)) == ["resumed.partial", "whole"]
    monkeypatch.setattr(policies.InterruptingAgent, "patience", None)
    assert main([*arguments, str(resumed)]) == 0
    assert "games from before" in capsys.readouterr().out
    assert sorted(os.listdir(tmp_path)) == ["resumed", "whole"]
    results = [json.loads(file.read_text())["results"] for file in (whole, resumed)]
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
        (["--against", "nothing"], ["nothing"]),
        (["--against", "animals"], ["animals", "points"]),
        (["--opponents", "animals"], ["animals", "points"]),
        (["--against", "tiny@1", "--games", "2"], ["--games", "at least 4"]),
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
    assert output.err.startswith("error: ") and output.err.count("\n") == 1
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


def test_results_without_luck_stand_beside_the_plain_ones(tmp_path, capsys):
    file = tmp_path / "results.json"
    shared = ["--checkpoint", "tiny@1", "--against", "tiny@2", "--opponents", "random,online"]
    shared += ["--games", "40", "--json", str(file)]
    assert main(shared) == 0
    plain = json.loads(file.read_text())
    assert "without_luck" not in plain
    capsys.readouterr()
    assert main([*shared, "--reduce-variance"]) == 0
    output = capsys.readouterr().out
    assert "tiny@1 without luck" in output
    assert "tiny@1 minus tiny@2 without luck" in output
    assert max(map(len, output.splitlines())) <= 80
    found = json.loads(file.read_text())
    assert found["results"] == plain["results"]
    assert found["differences"] == plain["differences"]
    rows = found["without_luck"]
    assert [row["opponent"] for row in rows] == ["random", "online", "all together"]
    assert rows[0]["win_rate"]["plain"]["mean"] == plain["results"][0]["win_rate"]
    assert set(rows[0]["margin"]["reduced"]) == {"mean", "standard_error", "ci95"}
    assert found["compared"][0]["without_luck"][0]["player"] == "tiny@2"
    assert [row["other"] for row in found["differences_without_luck"]] == ["tiny@2"] * 3


@pytest.mark.parametrize("opponent", ["tiny@2", AGENT])
def test_luck_of_opponents_without_known_probabilities_is_refused(opponent, capsys):
    arguments = ["--checkpoint", "tiny", "--opponents", f"queue,{opponent}", "--reduce-variance"]
    assert main(arguments) == 2
    assert capsys.readouterr().err == (
        "error: --reduce-variance needs opponents whose moves have known probabilities, which are "
        f"the ten named ones; {opponent} is none of them\n"
    )


def test_a_stopped_evaluation_keeps_what_its_luck_needs(tmp_path, monkeypatch, capsys):
    file = tmp_path / "results.json"
    arguments = ["--checkpoint", "tiny", "--opponents", "queue", "--games", "40"]
    arguments += ["--reduce-variance", "--json", str(file)]
    assert main(arguments) == 0
    whole = json.loads(file.read_text())
    monkeypatch.setattr("eval.matches.resumable.FIRST_PART", 16)

    def interrupted(*given, **options):
        if options["first_deal"]:
            raise KeyboardInterrupt
        return play_pairings(*given, **options)

    monkeypatch.setattr("eval.matches.resumable.play_pairings", interrupted)
    assert main(arguments) == 130
    monkeypatch.setattr("eval.matches.resumable.play_pairings", play_pairings)
    capsys.readouterr()
    assert main(arguments) == 0
    assert "16 games from before" in capsys.readouterr().out
    assert json.loads(file.read_text())["without_luck"] == whole["without_luck"]
