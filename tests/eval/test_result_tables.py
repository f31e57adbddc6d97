"""The table of results."""

import numpy as np
import pytest

from bb_sim import OPPONENTS
from eval.matches.match import MatchResult
from eval.result_tables import render_results
from eval.statistics.reference import PUBLIC_BASELINE, beats_baseline, mean_baseline


def result(opponent, wins, games=10_000, margin=9):
    outcomes = np.full(games, -1, np.int8)
    outcomes[:wins] = 1
    margins = np.full(games, margin, np.int8)
    return MatchResult.from_deals(
        "policy", opponent, margins.reshape(-1, 2), outcomes.reshape(-1, 2)
    )


def test_the_baseline_stands_in_the_order_of_the_opponents():
    assert tuple(PUBLIC_BASELINE) == OPPONENTS


def test_the_mean_of_the_baseline_needs_a_figure_for_every_opponent():
    assert mean_baseline(OPPONENTS) == pytest.approx(75.66)
    assert mean_baseline(["online"]) == 70.2
    assert mean_baseline([*OPPONENTS, "quickstart@50"]) is None
    assert mean_baseline([]) is None


@pytest.mark.parametrize("games", [2, 10_000, 100_000])
def test_a_table_of_all_opponents_fits_eighty_plain_columns(games):
    text = render_results([result(name, games, games, -36) for name in OPPONENTS])
    lines = text.splitlines()
    assert max(map(len, lines)) <= 80
    assert text.isascii() and "\x1b" not in text
    assert len(lines) == 12
    assert all(line.startswith(name) for line, name in zip(lines[1:], OPPONENTS, strict=False))


def test_a_row_has_counts_percentages_interval_and_margin():
    row = render_results([result("random", 9400)]).splitlines()[1].split()
    assert row == [
        "random",
        "10000",
        "9400",
        "0",
        "600",
        "94.00",
        "93.52-94.45",
        "+9.00",
        ">",
        "93.4",
    ]


def test_the_baseline_is_beaten_only_above_it():
    assert beats_baseline(result("skunk", 7561)) is True
    assert beats_baseline(result("skunk", 7560)) is False
    assert beats_baseline(result("run@5", 7560)) is None
    text = render_results([result("skunk", 7561), result("queue", 7560)])
    assert "> 75.6" in text and "<= 75.6" in text
    assert text.endswith("Public baseline beaten: 1 of 2.")


def test_the_baseline_is_left_out_where_it_does_not_compare():
    assert "ublic" not in render_results([result("random", 9400)], scoring="animals")
    assert "ublic" not in render_results([result("run@5", 9400)])


def test_a_long_name_is_folded_and_not_cut():
    name = "checkpoints/a_run_with_a_long_name@000600"
    lines = render_results([result("random", 9400), result(name, 5000)]).splitlines()
    assert max(map(len, lines)) <= 80
    assert name in "".join(line[:17].strip() for line in lines[2:])
