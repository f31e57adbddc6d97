"""Round robins: ratings, tables, and an interrupted one that goes on."""

import json
import os

import numpy as np
import pytest

from bb_sim import OPPONENTS
from eval.matches.players import NamedPlayer
from eval.rating_tables import render_cross_table
from eval.statistics.ratings import Counts
from eval.tournament import main, play_round_robin, rate
from tests.eval import policies


@pytest.fixture(autouse=True)
def in_workplace(tiny_checkpoints, monkeypatch):
    monkeypatch.chdir(tiny_checkpoints)
    monkeypatch.setenv("COLUMNS", "80")


def test_named_opponents_and_checkpoints_are_rated_together(tmp_path, capsys):
    file = tmp_path / "ratings.json"
    players = ["tiny@1", "random", "heuristic", "online"]
    assert main([*players, "--games", "400", "--json", str(file)]) == 0
    output = capsys.readouterr()
    assert "random is 0" in output.out
    assert max(map(len, output.out.splitlines())) <= 80
    assert output.err == ""
    data = json.loads(file.read_text())
    assert data["anchors"] == {"random": 0.0}
    ranking = [row["player"] for row in data["players"]]
    assert sorted(ranking) == sorted(players)
    elo = {row["player"]: row["elo"]["rating"] for row in data["players"]}
    assert elo["random"] == 0 and elo["online"] > 380 and elo["heuristic"] > 350
    assert len(data["results"]) == 6
    assert all(result["games"] == 400 for result in data["results"])
    matrix = np.array(data["likelihood_of_superiority"], float)
    off = ~np.eye(4, dtype=bool)
    np.testing.assert_allclose((matrix + matrix.T)[off], 1)
    assert os.listdir(tmp_path) == ["ratings.json"]


def test_an_interrupted_tournament_goes_on(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("eval.matches.resumable.FIRST_PART", 64)
    agent = "tests.eval.policies:InterruptingAgent"
    arguments = [agent, "random", "tiny", "--games", "120", "--json"]
    whole, resumed = tmp_path / "whole", tmp_path / "resumed"
    assert main([*arguments, str(whole)]) == 0
    monkeypatch.setattr(policies.InterruptingAgent, "patience", 1200)
    assert main([*arguments, str(resumed)]) == 130
    assert "are kept in" in capsys.readouterr().err
    monkeypatch.setattr(policies.InterruptingAgent, "patience", None)
    assert main([*arguments, str(resumed)]) == 0
    contents = [json.loads(file.read_text()) for file in (whole, resumed)]
    for key in ("players", "results", "likelihood_of_superiority"):
        assert contents[0][key] == contents[1][key]
    assert sorted(os.listdir(tmp_path)) == ["resumed", "whole"]


def test_the_errors_are_those_that_repetitions_show():
    """Deals are not shared between pairs, so their results are independent."""
    players = [NamedPlayer(name) for name in ("random", "queue", "online")]
    found = [rate(play_round_robin(players, 200, seed)) for seed in range(120)]
    for name in ("queue", "online"):
        ratings = [ratings.rating(name) for ratings in found]
        errors = [ratings.standard_error(name) for ratings in found]
        assert np.std(ratings, ddof=1) == pytest.approx(np.mean(errors), rel=0.25)


def test_the_order_of_the_players_changes_nothing():
    players = [NamedPlayer(name) for name in ("random", "queue", "online")]
    first, second = (
        rate(play_round_robin(players, 100, 0)),
        rate(play_round_robin(players[::-1], 100, 0)),
    )
    for name in ("queue", "online"):
        assert first.rating(name) == pytest.approx(second.rating(name))


@pytest.mark.parametrize(
    ("players", "anchor", "expected"),
    [
        (["queue", "random"], [], "random is 0"),
        (["queue", "online"], [], "queue is 0"),
        (["queue", "random"], ["--anchor", "queue"], "queue is 0"),
    ],
)
def test_somebody_is_the_anchor(players, anchor, expected, capsys):
    assert main([*players, *anchor, "--games", "20"]) == 0
    assert expected in capsys.readouterr().out


def test_all_stands_for_the_ten_and_needs_no_network(capsys):
    assert main(["all", "--games", "20", "--scoring", "animals"]) == 0
    output = capsys.readouterr().out
    assert "scoring by animals" in output
    assert max(map(len, output.splitlines())) <= 80
    for name in OPPONENTS:
        assert name in output


def test_a_wide_cross_table_is_folded_and_not_cut():
    names = [f"a_run_with_a_long_name@{step:06d}" for step in range(20)]
    results = [
        Counts(a, b, 10 * i + j, 5, 700)
        for i, a in enumerate(names)
        for j, b in enumerate(names)
        if i < j
    ]
    text = render_cross_table(names, results)
    assert max(map(len, text.splitlines())) <= 80
    headers = [line.split("against")[1].split() for line in text.splitlines() if "against" in line]
    assert len(headers) > 1
    assert [int(number) for header in headers for number in header] == list(range(1, 21))
    # 10 * 0 + 1 wins of 706 games for the first against the second, 700 for the other side.
    assert "0.1" in text and f"{100 * 700 / 706:.1f}" in text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], ["at least two players"]),
        (["random"], ["at least two players", "1"]),
        (["random", "random"], ["random", "twice"]),
        (["random", "heuristc"], ["heuristc", "nearest: heuristic"]),
        (["random", "tiny@9"], ["tiny", "9"]),
        (["random", "queue", "--anchor", "online"], ["anchor online"]),
        (["random", "queue", "--games", "3"], ["--games", "3"]),
        (["random", "queue", "--seed", "-1"], ["--seed", "-1"]),
        (["tiny", "random", "--temperature", "-1"], ["--temperature", "-1"]),
        (["tiny", "animals"], ["animals", "points"]),
        (["tiny", "random", "--scoring", "animals"], ["tiny", "animals"]),
        (["random", "queue", "--json", "."], ["folder"]),
        (["random", "--ladder", "tiny"], ["--ladder"]),
        (["--ladder", "nothing"], ["nothing"]),
    ],
    ids=" ".join,
)
def test_bad_input_is_one_sentence(arguments, words, capsys):
    assert main(arguments) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith("error: ") and output.err.count("\n") == 1
    for word in words:
        assert word in output.err
