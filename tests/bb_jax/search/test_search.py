"""Search: budgets, determinism, exact results, and what it may not see."""

import functools
import math

import jax.numpy as jnp
import numpy as np
import pytest

from bb_jax.networks.network import objective, values_or_results
from bb_jax.search import Search, SearchConfig
from bb_jax.search.halving import keep_better_half, num_rounds, worlds_until
from bb_sim.opponents.posterior import NETWORK_MODEL, NUM_MODELS, uniform_posterior
from bb_sim.rules.afterstates import expand_afterstates
from bb_sim.rules.engine import NUM_PLIES, QUEUE_LIMIT, QUEUE_SIZE
from bb_sim.rules.observation import QUEUE_BYTE, TURN_BYTE
from bb_sim.search.endgame import are_endgames, endgame_values
from tests.bb_jax.games import legal_of, random_positions, tiny_network


def beliefs_of(rows: np.ndarray, model: int | None = None) -> np.ndarray:
    """All models alike, or one of them alone."""
    shares = np.full(NUM_MODELS, 1 / NUM_MODELS) if model is None else np.eye(NUM_MODELS)[model]
    return uniform_posterior(rows, np.tile(shares, (len(rows), 1)))


def seeds_of(count: int) -> np.ndarray:
    return np.arange(count, dtype=np.uint64) * np.uint64(77)


@functools.cache
def search_with(config: SearchConfig) -> Search:
    return Search(tiny_network()[0], config)


def run(config: SearchConfig, rows: np.ndarray, model: int | None = 1, **options):
    beliefs, seeds = beliefs_of(rows, model), seeds_of(len(rows))
    return search_with(config)(tiny_network()[1], rows, beliefs, seeds, **options)


# --- Sequential halving -------------------------------------------------------------------------


def test_rounds_and_their_worlds():
    counts = np.arange(1, 16)
    rounds = num_rounds(counts)
    assert rounds.tolist() == [max(1, math.ceil(math.log2(count))) for count in counts]
    for samples in (1, 2, 7, 200):
        met = [worlds_until(samples, number, rounds) for number in range(6)]
        assert (met[0] == 0).all() and (met[1] > 0).all() and (met[-1] == samples).all()
        assert (np.diff(met, axis=0) >= 0).all()


def test_the_better_half_stays():
    random = np.random.default_rng(0)
    means = random.integers(0, 5, (200, 33)).astype(float)
    alive = random.random((200, 33)) < 0.3
    alive[0], alive[1, 0] = False, True
    kept = keep_better_half(means, alive)
    for row in range(200):
        order = sorted(np.flatnonzero(alive[row]), key=lambda action: (-means[row, action], action))
        assert np.flatnonzero(kept[row]).tolist() == sorted(order[: -(-len(order) // 2)])


# --- The search -----------------------------------------------------------------------------------


@pytest.mark.parametrize("samples", [1, 3, 40])
def test_the_budget_is_spent_on_the_actions_that_last(samples):
    rows = random_positions(4)
    legal = legal_of(rows)
    result = run(SearchConfig(samples=samples), rows)
    searched = (legal.sum(axis=1) > 1) & ~are_endgames(rows)
    assert (result.samples[searched].max(axis=1) == samples).all()
    assert not result.samples[~searched].any() and not result.samples[~legal].any()
    chosen = np.arange(len(rows)), result.actions
    assert legal[chosen].all()
    assert (result.samples[chosen] == result.samples.max(axis=1)).all()
    assert np.isneginf(result.values[~legal]).all() and np.isfinite(result.values[legal]).all()
    if samples == 40:
        finalists = result.samples == samples
        best = np.where(finalists, result.values, -np.inf).max(axis=1)
        assert (result.values[chosen][searched] == best[searched]).all()
        assert (finalists.sum(axis=1)[searched] == 2).all()


@pytest.mark.parametrize("model", [None, 3, NETWORK_MODEL])
def test_a_position_is_searched_alike_in_any_company(model):
    rows = random_positions(6)
    network, params = tiny_network()
    search = Search(network, SearchConfig(samples=30), capacity=1000)
    beliefs, seeds = beliefs_of(rows, model), seeds_of(len(rows))
    together = search(params, rows, beliefs, seeds)
    for part in (slice(5, 6), slice(20, 90), slice(100, 103)):
        alone = search(params, rows[part], beliefs[part], seeds[part])
        assert (alone.actions == together.actions[part]).all()
        assert (alone.samples == together.samples[part]).all()
        assert np.allclose(alone.values, together.values[part], atol=1e-6)


def test_threads_share_a_batch_and_find_what_one_finds():
    rows = np.concatenate([random_positions(6), random_positions(6)[:50]])
    network, params = tiny_network()
    beliefs, seeds = beliefs_of(rows), seeds_of(len(rows))
    alone, shared = (
        Search(network, SearchConfig(samples=20), threads=threads)(params, rows, beliefs, seeds)
        for threads in (1, 3)
    )
    assert len(rows) > 3 * 64
    assert (shared.actions == alone.actions).all()
    assert (shared.samples == alone.samples).all()
    assert np.allclose(shared.values, alone.values, atol=1e-6)


def test_what_a_thread_finds_wrong_is_said():
    rows = np.tile(random_positions(2), (8, 1))
    network, params = tiny_network()
    search = Search(network, SearchConfig(samples=5), threads=2)
    beliefs = beliefs_of(rows)
    beliefs[~are_endgames(rows)] = 0.0
    with pytest.raises(ValueError, match="no hand in the belief about position"):
        search(params, rows, beliefs, seeds_of(len(rows)))


def test_without_samples_the_afterstates_decide():
    rows = random_positions(4)
    network, params = tiny_network()
    result = run(SearchConfig(samples=0, draw_reward=0.5, margin_weight=0.1), rows)
    afterstates, starts = expand_afterstates(rows)
    expected = np.asarray(
        objective(values_or_results(network, params, jnp.asarray(afterstates), 0.5), 0.1)
    )
    for number, (row, values) in enumerate(zip(rows, result.values, strict=True)):
        of_row = expected[starts[number] : starts[number + 1]]
        if len(of_row) > 1:
            assert np.allclose(values[legal_of(row)], of_row, atol=1e-5)
            assert values[result.actions[number]] == values.max()


def test_without_samples_a_policy_over_objectives_has_half_a_say():
    rows = random_positions(6)
    rows = rows[legal_of(rows).sum(axis=1) > 1]
    network, params = tiny_network()
    config = SearchConfig(samples=0)
    of_values = Search(network, config)
    of_both = Search(network, config, policy_temperature=0.3)
    beliefs, seeds = beliefs_of(rows), seeds_of(len(rows))
    alone = of_values(params, rows, beliefs, seeds).values
    both = of_both(params, rows, beliefs, seeds).values
    policies = of_values.policies(params, rows)
    afterstates, starts = expand_afterstates(rows)
    # No gate can open any more.
    left = NUM_PLIES - afterstates[:, TURN_BYTE].astype(int)
    queued = np.count_nonzero(afterstates[:, QUEUE_BYTE : QUEUE_BYTE + QUEUE_SIZE], axis=1)
    certain = left + queued < QUEUE_LIMIT
    seen = set()
    for row, legal in enumerate(legal_of(rows)):
        values = alone[row, legal].astype(float)
        expected = values
        if not certain[starts[row] : starts[row + 1]].any():
            level = 0.3 * math.log(sum(math.exp(value / 0.3) for value in values))
            expected = (values + 0.3 * np.log(policies[row, legal]) + level) / 2
        seen.add(expected is values)
        assert np.allclose(both[row, legal], expected, atol=1e-5)
        assert np.isneginf(both[row, ~legal]).all()
    assert seen == {True, False}


def test_endgames_are_solved():
    rows = random_positions(6)
    rows = rows[are_endgames(rows) & (legal_of(rows).sum(axis=1) > 1)]
    result = run(SearchConfig(samples=5, draw_reward=0.0), rows, 1)
    expected = endgame_values(rows, beliefs_of(rows, 1), 0.02)
    assert len(rows) > 20
    assert np.allclose(result.values, expected, atol=1e-6)
    assert (result.actions == expected.astype(np.float32).argmax(axis=1)).all()


def test_more_worlds_come_nearer_to_what_very_many_say():
    rows = random_positions(2)
    rows = rows[(legal_of(rows).sum(axis=1) > 2) & ~are_endgames(rows)]
    truth = run(SearchConfig(samples=1000), rows, 2)

    def error(samples: int) -> float:
        found = run(SearchConfig(samples=samples), rows, 2)
        lasting = (found.samples == samples) & (truth.samples > samples)
        return float(np.square(found.values[lasting] - truth.values[lasting]).mean())

    assert error(300) < error(20) / 3


def test_forced_moves_are_evaluated_on_demand():
    # A hand of four plain cards has no single action, so the forced ones are those of endgames.
    rows = random_positions(3)
    legal = legal_of(rows)
    forced = legal.sum(axis=1) == 1
    skipped, evaluated = (
        run(SearchConfig(samples=8), rows),
        run(SearchConfig(samples=8), rows, evaluate_forced=True),
    )
    assert forced.any() and (skipped.actions == evaluated.actions).all()
    assert (skipped.values[forced][legal[forced]] == 0).all()
    exact = endgame_values(rows[forced], beliefs_of(rows[forced], 1), 0.02, draw_reward=-1.0)
    assert np.allclose(evaluated.values[forced], exact, atol=1e-6)


def test_time_is_a_budget_too():
    rows = random_positions(1)[:4]
    short, long = SearchConfig(milliseconds=0.01), SearchConfig(milliseconds=60.0)
    least = run(short, rows).samples
    assert (least.max(axis=1) > 0).all()
    assert run(long, rows).samples.sum() > least.sum()


def test_no_position_is_a_small_batch():
    result = run(SearchConfig(samples=4), np.zeros((0, 19), np.uint8))
    assert result.values.shape == result.samples.shape == (0, 33) and result.actions.shape == (0,)
    padding = run(SearchConfig(samples=4), np.zeros((3, 19), np.uint8))
    assert np.isneginf(padding.values).all() and not padding.actions.any()


def test_rows_of_another_shape_are_refused():
    with pytest.raises(ValueError, match="rows must be a uint8 array"):
        run(SearchConfig(samples=4), np.zeros((3, 18), np.uint8))
