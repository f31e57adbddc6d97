"""The keys of a metrics row that speak of one opponent."""

import pytest

from eval.runs.metric_keys import opponent_key, opponent_of


@pytest.mark.parametrize("opponent", ["random", "checkpoint:ab", "checkpoints/run@600", "a.b:C"])
@pytest.mark.parametrize(
    ("kind", "quantity"), [("eval", "win_rate"), ("met", "games"), ("weight", "")]
)
def test_a_key_gives_its_opponent_back(opponent, kind, quantity):
    key = opponent_key(kind, opponent, quantity)
    assert opponent_of(key, kind, quantity) == opponent
    assert opponent_of(key, "eval", "ci95_low") is None
    assert opponent_of(key, "met", "win_rate") is None


@pytest.mark.parametrize("key", ["eval/mean_win_rate", "eval/win_rate", "eval//win_rate", "games"])
def test_other_keys_have_no_opponent(key):
    assert opponent_of(key, "eval", "win_rate") is None


def test_the_keys_in_the_metrics_of_earlier_versions():
    assert opponent_key("eval", "random", "win_rate") == "eval/random/win_rate"
    assert opponent_key("met", "random", "games") == "met/random/games"
    assert opponent_key("weight", "random") == "weight/random"
