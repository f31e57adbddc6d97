"""Simulations against whole turns played through the Python face."""

from collections import Counter
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from bb_sim import (
    ACTIONS,
    OPPONENTS,
    SPECIES,
    best_actions,
    is_decided,
    legal_actions,
    new_game,
    observe,
    scores,
    step,
)
from bb_sim.opponents.posterior import uniform_posterior
from bb_sim.rules.actions import action_id
from bb_sim.rules.observation import (
    ANIMALS_ZERO,
    POINTS_BYTE,
    POINTS_ZERO,
    STRENGTH_ZERO,
    legal_mask_of,
)
from bb_sim.search.simulator import EXACT_FROM, Simulator
from bb_sim.search.worlds import checked_decks, sample_worlds
from tests.bb_sim.rows import MARGINS, UNSEEN, bits, states_of_random_games

DRAW = -0.25
WEIGHT = 0.125


def belief(rows: np.ndarray, **shares: float) -> np.ndarray:
    """The models' shares in each of the rows, with all hands equally probable."""
    of_models = [shares.get(name, 0.0) for name in (*OPPONENTS, "network")]
    return uniform_posterior(rows, np.tile(of_models, (len(rows), 1)))


def mask(*actions: int) -> np.ndarray:
    return np.array([sum(1 << action for action in actions)], np.uint64)


def ids(state) -> list[int]:
    return [action_id(action) for action in legal_actions(state)]


def integers(*values: int) -> np.ndarray:
    return np.array(values, np.int32)


def seeds(*values: int) -> np.ndarray:
    return np.array(values, np.uint64)


def value_of_row(row: np.ndarray) -> np.float32:
    """Some number that differs from row to row."""
    return np.float32(np.dot(row.astype(int), np.arange(1, 20) ** 3) % 1009 / 100)


def final_value(state, viewer: int, row: np.ndarray) -> float:
    """Of a state that went on from a world of a row; its bar counts from there."""
    own = scores(state)
    margin = own[viewer] - own[1 - viewer] + int(row[POINTS_BYTE]) - POINTS_ZERO
    return (DRAW if margin == 0 else np.sign(margin)) + WEIGHT * margin


def later_row(state, viewer: int, row: np.ndarray) -> np.ndarray:
    later = observe(state, viewer)
    zeros = np.array([POINTS_ZERO, ANIMALS_ZERO, STRENGTH_ZERO], np.uint8)
    later[MARGINS] += row[MARGINS] - zeros
    return later


@pytest.mark.parametrize("opponent", ["heuristic", "online", "distilled_outcome"])
def test_simulations_are_a_turn_of_each_player(opponent):
    simulator = Simulator(8, "points", WEIGHT, DRAW)
    kinds = {"final": 0, "judged": 0}
    for number, state in enumerate(states_of_random_games(12)):
        row, viewer = observe(state), state.to_move
        if state.turn > EXACT_FROM - 4 and state.turn < 20:
            continue  # what is solved exactly is another test's
        world = sample_worlds(row, number, 3)[2]
        action = ids(state)[number % len(ids(state))]
        later = step(world, ACTIONS[action])
        if not is_decided(later):
            replies = best_actions(later, opponent)
            if len(replies) > 1:
                continue
            later = step(later, replies[0])
        arrays = seeds(number), integers(2), integers(1), belief(row[None], **{opponent: 1.0})
        simulator.begin(row[None], mask(action), *arrays)
        count = simulator.reply()
        if is_decided(later):
            assert count == 0
            expected = final_value(later, viewer, row)
            kinds["final"] += 1
        elif state.turn >= EXACT_FROM - 2:
            continue
        else:
            assert count == 1
            assert simulator.rows[0].tolist() == later_row(later, viewer, row).tolist()
            expected = float(value_of_row(simulator.rows[0]))
            kinds["judged"] += 1
        values = np.array([value_of_row(found) for found in simulator.rows[:count]], np.float32)
        sums = simulator.sums(values)
        assert sums[0, action] == pytest.approx(expected)
        assert np.count_nonzero(np.delete(sums[0], action)) == 0
    assert kinds["final"] > 10 and kinds["judged"] > 40


def test_sums_are_over_the_worlds_whatever_else_is_played():
    positions = [state for state in states_of_random_games(6, first=40) if state.turn < 12]
    rows = np.stack([observe(state) for state in positions])
    masks = np.concatenate([mask(*ids(state)) for state in positions])
    count = len(rows)
    some = np.arange(count, dtype=np.uint64)
    shares = belief(rows, noisy=0.5, random=0.25, online=0.25)

    def play(chosen: np.ndarray, first: int, number: int) -> np.ndarray:
        simulator = Simulator(60_000)
        worlds = np.full(len(chosen), first, np.int32), np.full(len(chosen), number, np.int32)
        simulator.begin(rows[chosen], masks[chosen], some[chosen], *worlds, shares[chosen])
        found = simulator.rows[: simulator.reply()]
        return simulator.sums(np.array([value_of_row(row) for row in found], np.float32))

    everything = play(np.arange(count), 0, 50)
    parts = play(np.arange(count), 0, 20) + play(np.arange(count), 20, 30)
    assert np.allclose(everything, parts)
    for alone in (0, count // 2, count - 1):
        assert (play(np.array([alone]), 0, 50)[0] == everything[alone]).all()


def test_equal_rows_of_a_position_are_written_once():
    row = observe(new_game(1))
    simulator = Simulator(4000)
    masks = mask(*ids(new_game(1)))
    simulator.begin(
        np.stack([row, row]),
        np.repeat(masks, 2),
        seeds(3, 3),
        integers(0, 0),
        integers(200, 200),
        belief(np.stack([row, row]), heuristic=1.0),
    )
    found = simulator.rows[: simulator.reply()]
    half = len(found) // 2
    assert found[:half].tolist() == found[half:].tolist()
    assert len(np.unique(found[:half], axis=0)) == half < 200 * masks[0].item().bit_count()


@pytest.mark.parametrize(("greed", "share"), [(1.0, 1.0), (0.6, 1.0), (1.0, 0.5), (1.0, 0.0)])
def test_models_reply_by_their_shares_and_a_network_by_its_probabilities(greed, share):
    state, count = new_game(4), 1500
    row, action = observe(state), ids(state)[0]
    simulator = Simulator(count)
    shares = belief(row[None], network=share, random=1 - share)
    simulator.begin(row[None], mask(action), seeds(1), integers(0), integers(count), shares)
    assert simulator.asks_network == (share > 0)
    asked = simulator.rows[: simulator.opponent_rows()].copy()
    assert len(np.unique(asked, axis=0)) == len(asked)

    def policy(legal: np.ndarray) -> np.ndarray:
        """The first legal action with probability `greed`, the others alike."""
        rest = (1 - greed) / max(1, legal.sum() - 1)
        return np.where(legal.cumsum() == 1, greed, rest) * legal

    legal = legal_mask_of(asked)
    policies = np.array([policy(actions) for actions in legal], np.float32).reshape(-1, 33)
    found = simulator.rows[: simulator.reply(policies)]
    played = 4095 & ~np.array([bits(one, UNSEEN) for one in found])

    expected: Counter[int] = Counter()
    for world in sample_worlds(row, 1, count, shares[0]):
        actions = legal_actions(step(world, ACTIONS[action]))
        legal_here = np.isin(np.arange(33), [action_id(one) for one in actions])
        for number in np.flatnonzero(legal_here):
            species = SPECIES.index(ACTIONS[number].species)
            uniform = 1 / len(actions)
            expected[1 << species] += share * policy(legal_here)[number] + (1 - share) * uniform
    assert set(played) == {species for species, number in expected.items() if number > 0}
    for species in set(played):
        # What the row lacks is what was played: sums of an indicator count it.
        met = simulator.sums((played == species).astype(np.float32))[0, action]
        spread = 0 if greed == share == 1 else 5 * np.sqrt(expected[species])
        assert abs(met - expected[species]) <= spread + 1e-6


def test_decisions_go_on_in_the_same_worlds():
    state = new_game(12)
    row, action = observe(state), ids(state)[1]
    world = sample_worlds(row, 6, 1)[0]
    simulator = Simulator(4)
    shares = belief(row[None], distilled_outcome=1.0)
    simulator.begin(row[None], mask(action), seeds(6), integers(0), integers(1), shares)
    world = step(world, ACTIONS[action])
    for turn in (2, 4, 6):
        assert simulator.reply() == 1
        world = step(world, best_actions(world, "distilled_outcome")[0])
        assert simulator.rows[0].tolist() == later_row(world, 0, row).tolist()
        assert world.turn == turn
        chosen = ids(world)[-1]
        simulator.advance(np.array([chosen], np.uint8))
        world = step(world, ACTIONS[chosen])


def decks_of(state) -> np.ndarray:
    decks = np.full((1, 2, 8), 255, np.uint8)
    for player, deck in enumerate(state.decks):
        decks[0, player, : len(deck)] = [SPECIES.index(card.species) for card in deck]
    return decks


@pytest.mark.parametrize("opponent", ["heuristic", "online", "distilled_outcome"])
def test_with_known_decks_the_game_itself_goes_on(opponent):
    simulator = Simulator(60, "points", WEIGHT, DRAW)
    kinds: Counter[str] = Counter()
    for number, state in enumerate(states_of_random_games(8, first=90)):
        row, viewer, legal = observe(state), state.to_move, ids(state)
        arrays = seeds(number), integers(3), integers(2), belief(row[None], **{opponent: 1.0})
        simulator.begin(row[None], mask(*legal), *arrays, decks_of(state))
        simulator.reply()
        places, replies, outcomes, margins = simulator.simulations()
        assert len(places) == 2 * len(legal)
        for i, action in enumerate(legal * 2):
            later = step(state, ACTIONS[action])
            if not is_decided(later):
                best = [action_id(reply) for reply in best_actions(later, opponent)]
                assert replies[i] in best
                later = step(later, ACTIONS[replies[i]])
            else:
                assert replies[i] == 255
            if is_decided(later):
                own = scores(later)
                margin = own[viewer] - own[1 - viewer]
                assert (places[i], outcomes[i], margins[i]) == (-1, np.sign(margin), margin)
                kinds["final"] += 1
            else:
                assert (simulator.rows[places[i]] == observe(later, viewer)).all()
                assert (outcomes[i], margins[i]) == (0, 0)
                kinds["open"] += 1
    assert min(kinds.values()) > 50


def test_replies_are_those_to_the_last_action():
    row, legal = observe(new_game(12)), ids(new_game(12))
    simulator = Simulator(200)
    arrays = seeds(5), integers(0), integers(10), belief(row[None], heuristic=1.0)
    simulator.begin(row[None], mask(*legal), *arrays)
    for _ in range(11):
        count = simulator.reply()
        places, replies, _, _ = simulator.simulations()
        assert ((replies < 33) | (places < 0)).all()
        last = places
        own = legal_mask_of(simulator.rows[:count]).argmax(axis=1).astype(np.uint8)
        simulator.advance(own)
    simulator.reply()
    places, replies, _, _ = simulator.simulations()
    # What was over before has no more replies.
    assert (replies[last < 0] == 255).all() and (places == -1).all()


def test_decks_that_do_not_fit_are_refused():
    state = new_game(3)
    arrays = observe(state)[None], mask(ids(state)[0]), seeds(0), integers(0), integers(1)
    good, shares = decks_of(state), belief(arrays[0], random=1.0)
    swapped, doubled, short = good[:, ::-1].copy(), good.copy(), good.copy()
    doubled[0, 1, 0] = doubled[0, 1, 1]
    short[0, 1, 7] = 255
    for decks in (swapped, doubled, short):
        with pytest.raises(ValueError, match="the decks of position 0 do not fit its row"):
            Simulator(10).begin(*arrays, shares, decks)
    for wrong in (good[0], good.astype(int), Fraction(1, 3)):
        with pytest.raises(ValueError, match="decks must be a uint8 array"):
            Simulator(10).begin(*arrays, shares, wrong)  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="decks must be a uint8 array"):
            checked_decks(arrays[0], wrong)  # type: ignore[arg-type]


def test_what_does_not_fit_is_refused():
    state = new_game(0)
    row, legal = observe(state)[None], ids(state)
    simulator = Simulator(10)
    fair = belief(row, random=1.0)
    good = [row, mask(*legal), seeds(0), integers(0), integers(1), fair]

    def begin(place: int, value) -> None:
        simulator.begin(*[value if i == place else good[i] for i in range(6)])

    illegal = next(action for action in range(33) if action not in legal)
    with pytest.raises(ValueError, match="candidates of position 0 are not all legal"):
        begin(1, mask(illegal))
    with pytest.raises(ValueError, match="exceed the capacity of 10"):
        begin(4, integers(11))
    with pytest.raises(ValueError, match="must not be negative"):
        begin(4, integers(-1))
    for weights in (-fair, np.full_like(fair, np.nan), np.full_like(fair, np.inf)):
        with pytest.raises(ValueError, match="beliefs must be finite weights"):
            begin(5, weights)
    with pytest.raises(
        ValueError, match=r"beliefs must be a float32 array of shape \(1, 495, 11\)"
    ):
        begin(5, fair.sum(axis=1))
    with pytest.raises(ValueError, match="no hand in the belief about position 0 fits its row"):
        begin(5, 0 * fair)
    with pytest.raises(ValueError, match="seeds must be a uint64 array"):
        begin(2, integers(0))
    with pytest.raises(ValueError, match="come in this order"):
        simulator.reply()
    begin(5, belief(row, network=1.0))
    with pytest.raises(ValueError, match="policies are needed"):
        simulator.reply()
    begin(0, row)
    count = simulator.reply()
    with pytest.raises(ValueError, match="action 40 is not legal in row 0"):
        simulator.advance(np.full(count, 40, np.uint8))
    with pytest.raises(ValueError, match="values must be a float32 array"):
        simulator.sums(np.zeros(count + 1, np.float32))
    with pytest.raises(ValueError, match="capacity must be 1 to"):
        Simulator(0)


def test_the_caller_may_change_its_arrays_while_simulations_go_on():
    state = next(states_of_random_games(1))
    row = observe(state)[None]
    given: tuple[Any, ...] = (
        row, mask(*ids(state)), seeds(0), integers(0), integers(3), belief(row, heuristic=1.0),
    )  # fmt: skip
    results = []
    for changes in (False, True):
        arrays = [array.copy() for array in given]
        simulator = Simulator(100)
        simulator.begin(*arrays)
        for array in arrays if changes else ():
            array[...] = 100
        rows = simulator.reply()
        results.append(simulator.sums(np.linspace(0, 1, rows, dtype=np.float32)))
    assert np.array_equal(results[0], results[1])


def test_rows_are_not_for_others_to_write():
    with pytest.raises(ValueError, match="read-only"):
        Simulator(5).rows[0] = 0
