"""The posterior of the opponent's model and hand: against brute force, and over whole games."""

from random import Random

import numpy as np
import pytest

from bb_sim import (
    EXTERNAL,
    OPPONENTS,
    SPECIES,
    Arena,
    legal_actions,
    new_game,
    observe,
    step,
)
from bb_sim.opponents.models import opponent_action_probabilities
from bb_sim.opponents.posterior import (
    NETWORK_MODEL,
    NUM_HANDS,
    NUM_MODELS,
    TREMBLE,
    hand_probabilities,
    uniform_posterior,
    update_posterior,
)
from bb_sim.opponents.seen_move import mover_rows, rows_before_first_move
from bb_sim.rules.afterstates import afterstates_of
from bb_sim.rules.observation import POINTS_BYTE, TURN_BYTE, legal_mask_of
from tests.bb_sim.rows import DECK, HAND, bits
from tests.reference import from_state, id_of, rules, to_state
from tests.reference import opponent_inference as reference

NAMED = np.r_[np.full(len(OPPONENTS), 1 / len(OPPONENTS)), 0.0]


def seen_moves(number: int, seed: int, turns: range) -> list[tuple[rules.Position, rules.Move]]:
    """A position and a move of the opponent in it; every other one from random play."""
    random = Random(seed)
    found: list[tuple[rules.Position, rules.Move]] = []
    while len(found) < number:
        position = rules.random_position(random)
        if len(found) % 2:
            turn = random.choice(turns)
            position = rules.deal(random)
            while position.turn < turn:
                position = rules.play(position, random.choice(rules.legal_moves(position)))
        # In an observation the first player is always player 0.
        if position.turn in turns and position.to_move == position.turn % 2:
            found.append((position, random.choice(rules.legal_moves(position))))
    return found


def rows_around(position: rules.Position, move: rules.Move) -> tuple[np.ndarray, np.ndarray]:
    """What the other player sees before and after the move, uint8 [1, 19] each."""
    viewer = 1 - position.to_move
    after = rules.play(position, move)
    return observe(to_state(position), viewer)[None], observe(to_state(after), viewer)[None]


# Against brute force over all hands and deck orders


def network_chances(rows: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """A policy that no named opponent has: probabilities by the sum of the row's bytes."""
    legal = legal_mask_of(rows)
    weights = legal * (1.0 + (rows.astype(int).sum(axis=1)[:, None] * np.arange(1, 34)) % 7)
    fits = (masks[:, None] >> np.arange(33, dtype=np.uint64)) & np.uint64(1)
    return (weights * fits).sum(axis=1) / weights.sum(axis=1)


def posterior_of(positions: list[rules.Position], moves: list[rules.Move]) -> np.ndarray:
    """float32 [1, H, M] after the moves of both players from the first position on.

    It is the opponent's turn at first, and then every other time.
    """
    viewer = 1 - positions[0].to_move
    rows = [observe(to_state(position), viewer)[None] for position in positions]
    posterior = uniform_posterior(rows[0], np.full((1, NUM_MODELS), 1 / NUM_MODELS))
    for number in range(0, len(moves), 2):
        before, after = rows[number], rows[number + 1]
        made, masks, _ = mover_rows(before, after)
        network = network_chances(made, masks)
        assert update_posterior(posterior, [0], before, after, network).all()
    return posterior


@pytest.mark.parametrize(("first", "games"), [(12, 3), (14, 4), (17, 4), (20, 4)])
def test_it_is_that_of_brute_force(first, games):
    random = Random(first)
    for _ in range(games):
        position = rules.deal(random)
        while position.turn < first:
            position = rules.play(position, random.choice(rules.legal_moves(position)))
        positions, moves = [position], []
        for _ in range(3):
            moves.append(random.choice(rules.legal_moves(position)))
            position = rules.play(position, moves[-1])
            positions.append(position)
        found = posterior_of(positions, moves)[0]
        expected = reference.brute_force(
            positions[0], moves, [*OPPONENTS, None], TREMBLE, network_chances
        )
        by_hand = found.reshape(NUM_HANDS, NUM_MODELS)
        row = observe(to_state(positions[-1]), 1 - positions[0].to_move)[None]
        assert by_hand.sum() == pytest.approx(1, abs=1e-5)
        for model in range(NUM_MODELS):
            of_model = {hand: weight for (hand, m), weight in expected.items() if m == model}
            assert by_hand[:, model].sum() == pytest.approx(sum(of_model.values()), abs=2e-4)
            assert np.sort(by_hand[by_hand[:, model] > 0, model]) == pytest.approx(
                np.sort([weight for weight in of_model.values() if weight > 0]), abs=2e-4
            )
        held = hand_probabilities(row, found[None])[0]
        for species, probability in zip(SPECIES, held, strict=True):
            weight = sum(weight for (hand, _), weight in expected.items() if species in hand)
            assert probability == pytest.approx(weight, abs=2e-4)


def test_the_movers_rows_are_those_of_its_hands():
    """Each row is what a player with that hand observes, and the mask what looks alike."""
    for position, move in seen_moves(40, 3, range(24)):
        mover = position.to_move
        rows, masks, starts = mover_rows(*rows_around(position, move))
        possible = {
            observe(to_state(place), mover).tobytes(): place
            for place in reference.hands_with(position, move[0])
        }
        assert {row.tobytes() for row in rows} == set(possible)
        assert starts.tolist() == [0, len(possible)]
        for row, mask in zip(rows, masks, strict=True):
            place = possible[row.tobytes()]
            alike = reference.moves_that_look_like(place, rules.play(position, move))
            assert int(mask) == sum(1 << id_of(other) for other in alike)


# What it depends on


def updated(before: np.ndarray, after: np.ndarray, shares: np.ndarray = NAMED) -> np.ndarray:
    """The posteriors, float32 [B, H, M], of seats that knew nothing before these moves."""
    posterior = uniform_posterior(before, np.tile(shares, (len(before), 1)))
    assert update_posterior(posterior, np.arange(len(before)), before, after).all()
    return posterior


def test_a_result_depends_on_its_rows_alone():
    pairs = [rows_around(*seen) for seen in seen_moves(30, 6, range(16))]
    before, after = (np.concatenate(rows) for rows in zip(*pairs, strict=True))
    together = updated(before, after)
    order = np.random.default_rng(0).permutation(30)
    assert (updated(before[order], after[order]) == together[order]).all()
    some = uniform_posterior(before, np.tile(NAMED, (30, 1)))
    seats = np.array([21, 4])
    update_posterior(some, seats, before[seats], after[seats])
    assert (some[seats] == together[seats]).all()
    assert (some[0] == uniform_posterior(before[:1], NAMED[None])[0]).all()


def test_hidden_cards_and_the_viewers_draw_change_nothing():
    """Neither what the opponent really held nor when the viewer draws is known to the rows."""
    random = Random(3)
    for position, move in seen_moves(20, 7, range(1, 15)):
        mover, viewer = position.to_move, 1 - position.to_move
        before, after = rows_around(position, move)
        expected = updated(before, after)
        others = position.hands[mover] + position.decks[mover]
        others.remove(move[0])
        random.shuffle(others)
        shuffled = position.copy()
        shuffled.hands[mover] = [move[0], *others[:3]]
        shuffled.decks[mover] = others[3:]
        random.shuffle(shuffled.decks[viewer])
        assert (updated(*rows_around(shuffled, move)) == expected).all()
        undrawn = before.copy()
        hand = bits(before[0], HAND)
        drawn = np.frombuffer((hand & -hand).to_bytes(2, "little"), np.uint8)
        undrawn[0, DECK] |= drawn
        undrawn[0, HAND] &= ~drawn
        assert (updated(undrawn, after) == expected).all()


# Whole games


def games_against(name: str, games: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Random play against an opponent in both seats: its moves, and whose game each is.

    Returns uint8 [B, 19] before and after each move of the opponent, and int [B].
    """
    random = np.random.default_rng(2)
    controllers = np.full((games, 2), EXTERNAL, np.uint8)
    controllers[np.arange(games), np.arange(games) % 2] = OPPONENTS.index(name)
    arena = Arena(games)
    arena.start(np.arange(games, dtype=np.uint64), controllers)
    known = np.zeros((games, 19), np.uint8)
    before, after, whose = [], [], []
    while arena.pending:
        deciding = np.flatnonzero(arena.deciders == 0)
        rows, which = arena.observations[deciding].copy(), arena.games[deciding].copy()
        first = rows[:, TURN_BYTE] == 1
        known[which[first]] = rows_before_first_move(rows[first])
        moved = rows[:, TURN_BYTE] > 0
        before.append(known[which[moved]])
        after.append(rows[moved])
        whose.append(which[moved])
        legal = legal_mask_of(rows)
        chosen = (legal * random.random(legal.shape)).argmax(axis=1)
        known[which] = afterstates_of(rows, chosen)
        actions = np.full(games, 255, np.uint8)
        actions[deciding] = chosen
        arena.step(actions)
    return np.concatenate(before), np.concatenate(after), np.concatenate(whose)


# Those that a game of random play hardly tells apart.
FAMILIES = (
    {"heuristic", "aggressive", "defensive", "noisy", "skunk", "queue"},
    {"outcome_heuristic", "distilled_outcome"},
)


@pytest.mark.parametrize("name", OPPONENTS)
def test_after_a_game_the_true_opponent_stands_out(name):
    games = 100
    before, after, whose = games_against(name, games)
    first = np.unique(whose, return_index=True)[1]
    posterior = uniform_posterior(before[first], np.tile(NAMED, (games, 1)))
    turns = after[:, TURN_BYTE]
    for turn in np.unique(turns):
        now = turns == turn
        update_posterior(posterior, whose[now], before[now], after[now])
    shares = posterior.sum(axis=1)
    assert shares.sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert OPPONENTS[np.log(np.maximum(shares, 1e-9)).mean(axis=0)[:NETWORK_MODEL].argmax()] == name
    family = next((family for family in FAMILIES if name in family), {name})
    found = [OPPONENTS[best] in family for best in shares[:, :NETWORK_MODEL].argmax(axis=1)]
    assert np.mean(found) > 0.85


def calibration(games: int) -> tuple[np.ndarray, np.ndarray]:
    """Said probabilities that the opponent holds an unseen card, and whether it did, [N] each.

    The viewer plays at random, and the opponent is drawn from the named ones.
    """
    random = np.random.default_rng(5)
    said, held = [], []
    for game in range(games):
        state, viewer = new_game(game), game % 2
        name = OPPONENTS[random.integers(len(OPPONENTS))]
        posterior = uniform_posterior(observe(state, viewer)[None], NAMED[None])
        while state.turn < 16:
            if state.to_move == viewer:
                actions = legal_actions(state)
                state = step(state, actions[random.integers(len(actions))])
                continue
            before = observe(state, viewer)[None]
            chances = opponent_action_probabilities(state, name)
            number = random.choice(len(chances), p=np.array([*chances.values()]))
            state = step(state, list(chances)[number])
            update_posterior(posterior, [0], before, observe(state, viewer)[None])
            row = observe(state, viewer)[None]
            hand = {card.species for card in state.hands[1 - viewer]}
            unseen = hand | {card.species for card in state.decks[1 - viewer]}
            for species, probability in zip(
                SPECIES, hand_probabilities(row, posterior)[0], strict=True
            ):
                if species in unseen:
                    said.append(probability)
                    held.append(species in hand)
                else:
                    assert probability == 0
    return np.array(said), np.array(held)


def assert_calibrated(said: np.ndarray, held: np.ndarray) -> None:
    """In each tenth of the probabilities as many cards are held as was said."""
    bins = np.minimum((said * 10).astype(int), 9)
    well_met = [number for number in range(10) if (bins == number).sum() > 20]
    assert len(well_met) >= 7
    for number in well_met:
        inside = bins == number
        # The cards of a game are no independent draws: six standard errors.
        spread = 6 * np.sqrt((said * (1 - said))[inside].sum() + 1) / inside.sum()
        assert abs(held[inside].mean() - said[inside].mean()) < spread


def test_cards_are_held_as_often_as_it_says():
    assert_calibrated(*calibration(300))


@pytest.mark.slow
def test_cards_are_held_as_often_as_it_says_over_100000_positions():
    said, held = calibration(12_500)
    assert len(said) > 100_000
    assert_calibrated(said, held)


# What is accepted


def test_the_first_move_begins_with_everything_unseen():
    for seed in range(5):
        position = from_state(new_game(seed))
        before, after = rows_around(position, rules.legal_moves(position)[0])
        made = rows_before_first_move(after)
        assert made.tolist() == before.tolist()
    with pytest.raises(ValueError, match="row 0 of after_rows is at turn 0, not 1"):
        rows_before_first_move(before)


def test_no_moves_change_nothing():
    none = np.zeros((0, 19), np.uint8)
    rows, masks, starts = mover_rows(none, none)
    assert rows.shape == (0, 19) and masks.shape == (0,) and starts.tolist() == [0]
    posterior = uniform_posterior(observe(new_game(0))[None], NAMED[None])
    unchanged = posterior.copy()
    assert update_posterior(posterior, [], none, none).shape == (0,)
    assert (posterior == unchanged).all()


def test_a_move_that_the_rules_do_not_explain_leaves_the_models_as_they_are():
    pairs = [rows_around(*seen) for seen in seen_moves(2, 8, range(4, 12))]
    before, after = (np.concatenate(rows) for rows in zip(*pairs, strict=True))
    changed = after.copy()
    changed[1, POINTS_BYTE] += 1
    posterior = uniform_posterior(before, np.tile(NAMED, (2, 1)))
    assert update_posterior(posterior, [0, 1], before, changed).tolist() == [True, False]
    expected = uniform_posterior(changed[1:], NAMED[None])[0]
    assert np.allclose(posterior[1], expected, atol=1e-6)
    assert (
        mover_rows(before, changed)[2][1:].tolist()
        == [len(mover_rows(before[:1], after[:1])[0])] * 2
    )


def test_a_move_that_no_believed_hand_can_make_leaves_the_models_as_they_are():
    position, move = seen_moves(1, 8, range(4, 12))[0]
    before, after = rows_around(position, move)
    posterior = uniform_posterior(before, NAMED[None])
    # Without the played species: the hands of the cards unseen afterwards.
    posterior[0, :, 0] = uniform_posterior(after, np.eye(1, NUM_MODELS))[0, :, 0]
    posterior[0, :, 1:] = 0
    assert update_posterior(posterior, [0], before, after).tolist() == [False]
    expected = uniform_posterior(after, np.eye(1, NUM_MODELS))
    assert np.allclose(posterior, expected, atol=1e-6)


def test_what_is_read_may_lie_in_the_memory_of_the_posterior():
    pairs = [rows_around(*seen) for seen in seen_moves(2, 8, range(4, 12))]
    before, after = (np.concatenate(rows) for rows in zip(*pairs, strict=True))
    posterior = uniform_posterior(before, np.full((2, NUM_MODELS), 1 / NUM_MODELS))
    hands = len(mover_rows(before, after)[0])
    # Half of each of these numbers is a weight of 0 and the other half one of 1.75.
    network = posterior[0].reshape(-1)[: 2 * hands].view(np.float64)
    network[:] = 0.5
    apart = posterior.copy()
    update_posterior(apart, [0, 1], before, after, network.copy())
    update_posterior(posterior, [0, 1], before, after, network)
    assert (posterior == apart).all()


def test_what_cannot_be_is_refused_by_name():
    before, after = rows_around(*seen_moves(1, 8, range(4, 12))[0])
    good = uniform_posterior(before, NAMED[None])
    with pytest.raises(ValueError, match="1 before_rows need as many after_rows, not 0"):
        update_posterior(good, [0], before, after[:0])
    with pytest.raises(ValueError, match=r"before_rows must be a uint8 array of shape \[B, 19\]"):
        mover_rows(before.astype(int), after)
    with pytest.raises(ValueError, match="seats must be 0 to 0"):
        update_posterior(good, [1], before, after)
    for unsound in (0 * good, -good, np.full_like(good, np.nan), np.full_like(good, np.inf)):
        with pytest.raises(ValueError, match="the posterior of seat 0 must hold finite weights"):
            update_posterior(unsound, [0], before, after)
    with pytest.raises(ValueError, match="posterior must be a float32 array"):
        update_posterior(good.astype(float), [0], before, after)
    with pytest.raises(ValueError, match="network must be a float64 array"):
        update_posterior(good, [0], before, after, np.zeros(2000))
    with pytest.raises(ValueError, match="the network's probabilities are needed"):
        update_posterior(uniform_posterior(before, np.eye(11)[-1:]), [0], before, after)
    with pytest.raises(ValueError, match="shares must be finite and at least 0"):
        uniform_posterior(before, -NAMED[None])
    with pytest.raises(ValueError, match=r"shares must be a float64 array of shape \(1, 11\)"):
        uniform_posterior(before, NAMED[None, :5])


def test_rows_of_noise_are_explained_or_not_but_do_no_harm():
    random = np.random.default_rng(4)
    pairs = [rows_around(*seen) for seen in seen_moves(30, 9, range(24))]
    explained = 0
    for _ in range(100):
        for pair in pairs:
            before, after = (row.copy() for row in pair)
            for row in (before, after)[: random.integers(1, 3)]:
                row[0, random.integers(19)] = random.integers(256)
            posterior = uniform_posterior(before, NAMED[None])
            explained += int(update_posterior(posterior, [0], before, after)[0])
            assert (posterior >= 0).all()
            assert posterior.sum() == pytest.approx(1, abs=1e-4)
    assert explained
