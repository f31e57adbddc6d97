"""The opponent pools: shares, adaptive weights and state."""

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bb_sim import OPPONENTS
from tests.train.pools import opponent_config
from train.config import Config
from train.games.pool import AdaptiveOpponentPool, OpponentPool, make_opponent_pool

SHARES = opponent_config(0.5, 0.1, 0.1, 0.3)
# An evaluation's win rates and the raw weights that follow, the last two never evaluated.
WIN_RATES = {
    "random": 0.93,
    "online": 0.72,
    "noisy": 0.72,
    "aggressive": 0.75,
    "defensive": 0.78,
    "skunk": 0.79,
    "heuristic": 0.81,
    "queue": 0.82,
}
RAW_WEIGHTS = {
    "random": 0.07,
    "online": 0.28,
    "noisy": 0.28,
    "aggressive": 0.25,
    "defensive": 0.22,
    "skunk": 0.21,
    "heuristic": 0.19,
    "queue": 0.18,
    "outcome_heuristic": 0.50,
    "distilled_outcome": 0.50,
}


def make_config(**changes):
    return Config(experiment_name="test", total_iterations=10, **changes)


# ---------------------------------------------------------------------------------------------
# Shares
# ---------------------------------------------------------------------------------------------


def test_shares_without_checkpoints():
    shares = OpponentPool(SHARES, OPPONENTS).shares()
    expected = dict.fromkeys(OPPONENTS, 0.3 / 9) | {"self": 0.6, "random": 0.1}
    assert shares == pytest.approx(expected)


def test_checkpoints_and_exploiters_share_alike():
    pool = OpponentPool(SHARES, ("random", "heuristic"))
    pool.add_checkpoint("a")
    pool.add_checkpoint("b")
    pool.add_exploiter("c")
    pool.add_exploiter("b")
    third = 0.1 / 3
    assert pool.shares() == pytest.approx(
        {
            "self": 0.5,
            "random": 0.1,
            "heuristic": 0.3,
            "checkpoint:a": third,
            "checkpoint:b": third,
            "checkpoint:c": third,
        }
    )


@pytest.mark.parametrize(
    ("named", "self_play"),
    [((), 1.0), (("random",), 0.9), (("heuristic",), 0.7), (("my.agents:Agent",), 0.7)],
)
def test_shares_with_nothing_to_play_against_go_to_self_play(named, self_play):
    for pool in (OpponentPool(SHARES, named), AdaptiveOpponentPool(SHARES, named)):
        assert pool.shares()["self"] == pytest.approx(self_play)
        assert set(pool.shares()) == {"self", *named}


def test_an_opponent_without_a_share_is_left_out():
    shares = OpponentPool(opponent_config(0.0, 0.0, 0.0, 1.0), ("random", "heuristic")).shares()
    assert shares == {"heuristic": 1.0}


@settings(max_examples=100, deadline=None)
@given(
    weights=st.lists(st.floats(0, 1), min_size=4, max_size=4).filter(lambda w: sum(w) > 0.01),
    named=st.lists(st.sampled_from(OPPONENTS), unique=True),
    checkpoints=st.integers(0, 12),
    rates=st.lists(st.floats(0, 1), max_size=10),
)
def test_shares_are_positive_and_sum_to_one(weights, named, checkpoints, rates):
    total = math.fsum(weights)
    config = opponent_config(*(weight / total for weight in weights))
    pool = AdaptiveOpponentPool(config, named)
    for index in range(checkpoints):
        pool.add_checkpoint(str(index))
    pool.update_weights_from_win_rates(dict(zip(named, rates, strict=False)))
    shares = pool.shares()
    assert math.fsum(shares.values()) == pytest.approx(1.0, abs=1e-12)
    assert min(shares.values()) > 0
    assert {key for key in shares if ":" in key} <= {f"checkpoint:{h}" for h in pool.members}


# ---------------------------------------------------------------------------------------------
# Members
# ---------------------------------------------------------------------------------------------


def test_first_in_first_out():
    pool = OpponentPool(SHARES, OPPONENTS, max_checkpoints=3, max_exploiters=2)
    for policy_hash in "abcde":
        pool.add_checkpoint(policy_hash)
        pool.add_exploiter(policy_hash.upper())
    assert pool.members == ("c", "d", "e")
    assert pool.exploiters == ("D", "E")


def test_a_member_added_again_is_the_newest_once():
    pool = OpponentPool(SHARES, OPPONENTS)
    for policy_hash in "aba":
        pool.add_checkpoint(policy_hash)
    assert pool.members == ("b", "a")


def test_a_pool_of_no_checkpoints_keeps_none():
    pool = OpponentPool(SHARES, OPPONENTS, max_checkpoints=0)
    pool.add_checkpoint("a")
    assert pool.members == ()
    assert pool.shares()["self"] == pytest.approx(0.6)


# ---------------------------------------------------------------------------------------------
# Adaptive weights
# ---------------------------------------------------------------------------------------------


def test_worked_example():
    pool = AdaptiveOpponentPool(SHARES, OPPONENTS)
    pool.update_weights_from_win_rates(WIN_RATES)
    assert pool.raw_weights() == pytest.approx(RAW_WEIGHTS)
    total = sum(RAW_WEIGHTS.values())
    assert pool.weights() == pytest.approx({n: w / total for n, w in RAW_WEIGHTS.items()})
    shares = pool.shares()
    assert shares["self"] == pytest.approx(0.6)
    assert shares["online"] == pytest.approx(0.4 * 0.28 / total)


def test_floor_is_on_the_raw_weight():
    assert AdaptiveOpponentPool.MIN_WEIGHT == 0.05
    rates = {"random": 0.99, "heuristic": 0.5}
    pool = AdaptiveOpponentPool(SHARES, ("random", "heuristic"))
    pool.update_weights_from_win_rates(rates)
    assert pool.weights() == pytest.approx({"random": 0.05 / 0.55, "heuristic": 0.5 / 0.55})
    pool = AdaptiveOpponentPool(SHARES, ("random", "heuristic"), min_weight=0.5)
    pool.update_weights_from_win_rates(rates)
    assert pool.weights() == pytest.approx({"random": 0.5, "heuristic": 0.5})


def test_before_an_evaluation_the_configured_shares_hold():
    pool = AdaptiveOpponentPool(SHARES, OPPONENTS)
    assert pool.shares() == OpponentPool(SHARES, OPPONENTS).shares()
    pool.update_weights_from_win_rates({})
    assert pool.shares() == OpponentPool(SHARES, OPPONENTS).shares()
    assert pool.weights()["random"] == pytest.approx(0.25)
    assert set(pool.raw_weights().values()) == {0.5}


def test_an_absent_opponent_keeps_its_last_weight():
    pool = AdaptiveOpponentPool(SHARES, OPPONENTS)
    pool.update_weights_from_win_rates(WIN_RATES)
    pool.update_weights_from_win_rates({"random": 0.5})
    assert pool.raw_weights() == pytest.approx(RAW_WEIGHTS | {"random": 0.5})


@pytest.mark.parametrize(
    ("win_rates", "named"),
    [
        ({"random": 0.5, "lion": 0.5}, "'lion'"),
        ({"random": 0.5, "queue": 1.01}, "queue"),
        ({"random": 0.5, "queue": -0.1}, "queue"),
        ({"random": 0.5, "queue": math.nan}, "queue"),
    ],
)
def test_a_bad_update_raises_and_changes_nothing(win_rates, named):
    pool = AdaptiveOpponentPool(SHARES, OPPONENTS)
    pool.update_weights_from_win_rates(WIN_RATES)
    before = pool.weights()
    with pytest.raises(ValueError, match=named):
        pool.update_weights_from_win_rates(win_rates)
    assert pool.weights() == before


@pytest.mark.parametrize("rates", [WIN_RATES | {"tests.train.policies:FirstAction": 0.5}, {}])
def test_a_pool_notes_the_win_rates_against_its_own_opponents(rates):
    pools = [kind(SHARES, OPPONENTS) for kind in (OpponentPool, AdaptiveOpponentPool)]
    expected = AdaptiveOpponentPool(SHARES, OPPONENTS)
    expected.update_weights_from_win_rates({n: r for n, r in rates.items() if n in OPPONENTS})
    before = pools[0].shares()
    for pool in pools:
        pool.note_win_rates(rates)
    assert [pool.shares() for pool in pools] == [before, expected.shares()]


# ---------------------------------------------------------------------------------------------
# State and configuration
# ---------------------------------------------------------------------------------------------


def test_state_goes_through_json_exactly():
    pool = AdaptiveOpponentPool(SHARES, OPPONENTS, max_checkpoints=3, min_weight=0.1)
    for policy_hash in "abcd":
        pool.add_checkpoint(policy_hash)
    pool.add_exploiter("e")
    pool.update_weights_from_win_rates(dict.fromkeys(OPPONENTS[:4], 1 / 3))
    state = json.loads(json.dumps(pool.state_dict()))
    restored = AdaptiveOpponentPool.from_state_dict(state, SHARES, OPPONENTS, 3, min_weight=0.1)
    assert restored.state_dict() == pool.state_dict()
    assert restored.shares() == pool.shares()
    assert list(restored.shares()) == list(pool.shares())


def test_state_with_an_unknown_opponent_is_refused():
    state = {"members": [], "exploiters": [], "win_rates": {"lion": 0.5}}
    with pytest.raises(ValueError, match="lion"):
        AdaptiveOpponentPool.from_state_dict(state, SHARES, OPPONENTS)


def test_another_run_gives_its_policies_and_not_its_weights():
    old = AdaptiveOpponentPool(SHARES, OPPONENTS)
    old.add_checkpoint("a")
    old.add_exploiter("b")
    old.update_weights_from_win_rates(WIN_RATES)
    new = AdaptiveOpponentPool(SHARES, OPPONENTS)
    new.adopt_policies(old.state_dict())
    assert (new.members, new.exploiters) == (("a",), ("b",))
    assert set(new.raw_weights().values()) == {0.5}


def test_pool_of_a_configuration():
    pool = make_opponent_pool(make_config(min_opponent_weight=0.2), 1)
    assert isinstance(pool, AdaptiveOpponentPool)
    assert (pool.min_weight, pool.max_exploiters, pool.named) == (0.2, 1, OPPONENTS)

    config = make_config(
        use_adaptive_weights=False, use_heuristic_variants=False, python_agents=("my.agents:Agent",)
    )
    pool = make_opponent_pool(config, 3, {"members": ["a"], "exploiters": []})
    assert not isinstance(pool, AdaptiveOpponentPool)
    assert pool.named == ("random", "heuristic", "my.agents:Agent")
    assert pool.members == ("a",)

    pool = make_opponent_pool(make_config(use_opponent_pool=False), 3)
    pool.add_checkpoint("a")
    assert pool.shares() == {"self": 1.0}
