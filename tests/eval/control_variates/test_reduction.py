"""Results without luck: unbiased whatever the value is, and less varied with a good one."""

import numpy as np
import pytest

from bb_jax import load_policy
from bb_sim import OPPONENTS
from bb_sim.opponents.chance import chance_events
from eval.control_variates.luck import NUM_COMPONENTS, event_luck, games_of, luck_of
from eval.control_variates.reduction import reduced_results, without_luck
from eval.control_variates.value import value_of
from eval.matches.match import play_matches, play_pairings
from eval.matches.players import NamedPlayer, network_player
from eval.runs.references import find_policy
from eval.statistics.paired import ALL_OPPONENTS, compare
from tests.eval import policies


def some_value(rows):
    """Win probabilities and margins that have little to do with the game."""
    weights = np.random.default_rng(0).normal(size=(2, rows.shape[1], 256))
    columns = np.arange(rows.shape[1])
    return weights[:, columns, rows].sum(axis=2).T


def points(rows):
    """The margin so far is what a game comes to."""
    margins = rows[:, 10].astype(float) - 36
    return np.stack([margins > 0, margins], axis=1)


def reduction_of(mean):
    assert mean.reduction is not None
    return mean.reduction


def recorded(player, opponents, games, seed=0):
    pairings = [(player, NamedPlayer(name)) for name in opponents]
    return play_pairings(pairings, games, seed, records=True)


def test_recording_changes_no_game():
    opponents = [NamedPlayer(name) for name in ("random", "online")]
    plain = play_matches([policies.highest()], opponents, 60, 3)
    for before, after in zip(
        plain, recorded(policies.highest(), ("random", "online"), 60, 3), strict=True
    ):
        np.testing.assert_array_equal(before.margins, after.margins)
        np.testing.assert_array_equal(before.outcomes, after.outcomes)
        assert before.actions is None
        assert after.actions.shape == (30, 2, 12)


@pytest.mark.parametrize("opponent", OPPONENTS)
def test_the_luck_of_every_turn_has_the_mean_zero(opponent):
    games = games_of(recorded(policies.lowest(), [opponent], 2000)[0], 0, "points")
    numbers = np.full_like(games.seats, games.opponent)
    events = chance_events(games.seeds, games.seats, numbers, games.actions)
    luck = event_luck(events, some_value)
    turns = events.rows[events.happened, 13]
    for turn in np.unique(turns):
        own = luck[turns == turn]
        if len(own) > 100:
            errors = own.std(axis=0) / np.sqrt(len(own))
            assert (np.abs(own.mean(axis=0)) < 4.5 * errors).all(), turn


def test_the_components_are_the_luck_of_the_games():
    games = games_of(recorded(policies.lowest(), ["noisy"], 40)[0], 0, "points")
    numbers = np.full_like(games.seats, games.opponent)
    events = chance_events(games.seeds, games.seats, numbers, games.actions)
    of_event = event_luck(events, points)
    found = luck_of(games, points).reshape(40, 2, NUM_COMPONENTS // 2).sum(axis=2)
    for column in range(2):
        expected = np.bincount(events.games, of_event[:, column], 40)
        np.testing.assert_allclose(found[:, column], expected, atol=1e-9)


def test_a_useful_value_takes_variance_away_and_a_useless_one_adds_little():
    results = recorded(policies.lowest(), ["random", "heuristic"], 3000)
    useful = reduced_results(without_luck(results, 0, "points", points))
    assert [row.opponent for row in useful] == ["random", "heuristic", ALL_OPPONENTS]
    for row, result in zip(useful, results, strict=False):
        assert row.win_rate.plain.mean == pytest.approx(result.win_rate)
        assert row.margin.plain.mean == pytest.approx(result.mean_margin)
    against_random = useful[0].margin
    assert reduction_of(against_random) > 1.1
    assert against_random.reduced.standard_error < 0.96 * against_random.plain.standard_error
    useless = reduced_results(without_luck(results, 0, "points", some_value))
    assert all(reduction_of(row.margin) > 0.9 for row in useless)


def test_differences_are_taken_deal_by_deal():
    players = [policies.lowest(), policies.highest()]
    results = [recorded(player, ["queue"], 400) for player in players]
    first, other = (without_luck(one, 0, "points", points) for one in results)
    (row,) = reduced_results(first, other)
    (paired,) = compare(*results)
    assert (row.player, row.other) == ("lowest", "highest")
    assert row.win_rate.plain.mean == pytest.approx(paired.win_rate.mean)
    assert row.win_rate.plain.standard_error == pytest.approx(paired.win_rate.standard_error)
    (same,) = reduced_results(first, first)
    assert same.margin.reduced.mean == 0
    assert same.margin.reduction is None


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_100_000_games_have_the_same_means_with_and_without_luck():
    champion = load_policy(find_policy("champion"))
    player = network_player("champion", champion)
    results = recorded(player, OPPONENTS, 10_000, seed=5)
    found = without_luck(results, 5, "points", value_of(champion))
    for part in range(2):
        # The mean of what was taken has an error of its own, since both come from the same games.
        taken = (found.plain - found.reduced)[..., part]
        errors = taken.std(axis=1) / np.sqrt(taken.shape[1])
        assert (np.abs(taken.mean(axis=1)) < 4 * errors).all()
        assert abs(taken.mean()) < 3 * np.sqrt((errors**2).sum()) / len(OPPONENTS)
    rows = reduced_results(found)
    assert reduction_of(rows[-1].margin) > 1.25
    assert reduction_of(rows[-1].win_rate) > 1.05
