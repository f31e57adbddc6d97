"""What a move says about the opponent: against a plain reference, and over whole games."""

from random import Random

import numpy as np
import pytest

from bb_sim import EXTERNAL, OPPONENTS, Arena, new_game, observe
from bb_sim.opponents.inference import move_likelihoods, opponent_rows, rows_before_first_move
from bb_sim.rules.afterstates import afterstates_of
from bb_sim.rules.observation import POINTS_BYTE, TURN_BYTE, legal_mask_of
from tests.bb_sim.rows import DECK, HAND, bits
from tests.reference import from_state, id_of, rules, to_state
from tests.reference import opponent_inference as reference

SPECIES_IN_ORDER = list(rules.ANIMALS)


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


def as_mask(species: list[str]) -> int:
    return sum(1 << SPECIES_IN_ORDER.index(name) for name in species)


# Against the reference


def assert_likely_as_in_the_reference(position: rules.Position, move: rules.Move) -> None:
    before, after = rows_around(position, move)
    found = dict(zip(OPPONENTS, move_likelihoods(before, after)[0], strict=True))
    for name in OPPONENTS:
        expected = reference.likelihood(position, move, name)
        slack = 1e-4 if name == "noisy" else 1e-9
        assert found[name] == pytest.approx(expected, abs=slack), (name, str(to_state(position)))


@pytest.mark.parametrize(
    ("number", "turns"), [(10, range(16, 24)), (4, range(12, 16)), (2, range(8, 12))]
)
def test_likelihoods_are_means_over_all_hands(number, turns):
    for position, move in seen_moves(number, 1, turns):
        assert_likely_as_in_the_reference(position, move)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_likelihoods_of_many_moves():
    for position, move in seen_moves(40, 2, range(24)):
        assert_likely_as_in_the_reference(position, move)


def test_the_opponents_rows_are_those_of_its_hands():
    """Each sampled row is what a player with that hand observes, and the mask what looks alike."""
    seeds = np.array([8], np.uint64)
    for position, move in seen_moves(40, 3, range(24)):
        mover = position.to_move
        before, after = rows_around(position, move)
        rows, masks = opponent_rows(before, after, 5, seeds)
        possible = {}
        for place in reference.hands_with(position, move[0]):
            observation = observe(to_state(place), mover)
            possible[observation.tobytes()] = place
        for row, mask in zip(rows[0], masks[0], strict=True):
            place = possible[row.tobytes()]
            alike = reference.moves_that_look_like(place, rules.play(position, move))
            assert int(mask) == sum(1 << id_of(other) for other in alike)


def test_samples_are_the_hands_of_the_rows_and_near_the_mean_over_all_hands():
    for position, move in seen_moves(12, 4, range(2, 12)):
        before, after = rows_around(position, move)
        seeds = np.array([4], np.uint64)
        rows, masks = opponent_rows(before, after, 4000, seeds)
        legal = legal_mask_of(rows[0]).sum(axis=1)
        likely = move_likelihoods(before, after, 4000, seeds)[0]
        assert likely[0] == pytest.approx((int(masks[0, 0]).bit_count() / legal).mean())
        # The standard deviation of a probability is at most 1 / 2: five standard errors.
        assert np.abs(likely - move_likelihoods(before, after)[0]).max() < 5 * 0.5 / 4000**0.5


def test_every_hand_with_the_species_played_is_drawn_equally_often():
    position, move = seen_moves(1, 5, range(6, 8))[0]
    before, after = rows_around(position, move)
    rows, _ = opponent_rows(before, after, 8400, np.array([1], np.uint64))
    drawn, counts = np.unique(rows[0][:, HAND], axis=0, return_counts=True)
    expected = {
        as_mask(place.hands[position.to_move]) for place in reference.hands_with(position, move[0])
    }
    assert {bits(hand, slice(0, 2)) for hand in drawn} == expected
    share = 8400 / len(expected)
    assert np.abs(counts - share).max() < 5 * share**0.5


# What it depends on


def test_a_result_depends_on_its_rows_and_seed_alone():
    pairs = [rows_around(*seen) for seen in seen_moves(30, 6, range(16))]
    before, after = (np.concatenate(rows) for rows in zip(*pairs, strict=True))
    seeds = np.arange(30, dtype=np.uint64)
    together = move_likelihoods(before, after, 16, seeds)
    rows, _ = opponent_rows(before, after, 16, seeds)
    order = np.random.default_rng(0).permutation(30)
    assert (
        move_likelihoods(before[order], after[order], 16, seeds[order]) == together[order]
    ).all()
    assert (opponent_rows(before[7:8], after[7:8], 16, seeds[7:8])[0] == rows[7]).all()
    assert (move_likelihoods(before, after, 16, seeds + np.uint64(1)) != together).any()


def test_hidden_cards_and_the_viewers_draw_change_nothing():
    """Neither what the opponent really held nor when the viewer draws is known to the rows."""
    random = Random(3)
    for position, move in seen_moves(20, 7, range(1, 15)):
        mover, viewer = position.to_move, 1 - position.to_move
        before, after = rows_around(position, move)
        expected = move_likelihoods(before, after)
        others = position.hands[mover] + position.decks[mover]
        others.remove(move[0])
        random.shuffle(others)
        shuffled = position.copy()
        shuffled.hands[mover] = [move[0], *others[:3]]
        shuffled.decks[mover] = others[3:]
        random.shuffle(shuffled.decks[viewer])
        assert (move_likelihoods(*rows_around(shuffled, move)) == expected).all()
        undrawn = before.copy()
        undrawn[0, DECK] |= before[0, HAND] & -before[0, HAND]
        undrawn[0, HAND] &= ~undrawn[0, DECK]
        assert (move_likelihoods(undrawn, after) == expected).all()


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


@pytest.mark.parametrize("samples", [None, 32])
@pytest.mark.parametrize("name", OPPONENTS)
def test_after_a_game_the_true_opponent_stands_out(name, samples):
    games = 100
    before, after, whose = games_against(name, games)
    seeds = np.arange(len(before), dtype=np.uint64)
    likely = move_likelihoods(before, after, samples, None if samples is None else seeds)
    if samples is None:
        assert (likely[:, OPPONENTS.index(name)] > 0).all()
    evidence = np.zeros((games, len(OPPONENTS)))
    np.add.at(evidence, whose, np.log(np.maximum(likely, 1e-3)))
    assert OPPONENTS[evidence.mean(axis=0).argmax()] == name
    family = next((family for family in FAMILIES if name in family), {name})
    found = [OPPONENTS[best] in family for best in evidence.argmax(axis=1)]
    assert np.mean(found) > 0.85


# What is accepted


def test_the_first_move_begins_with_everything_unseen():
    for seed in range(5):
        position = from_state(new_game(seed))
        before, after = rows_around(position, rules.legal_moves(position)[0])
        made = rows_before_first_move(after)
        assert made.tolist() == before.tolist()
    with pytest.raises(ValueError, match="row 0 of after_rows is at turn 0, not 1"):
        rows_before_first_move(before)


def test_no_moves_have_no_likelihoods():
    none = np.zeros((0, 19), np.uint8)
    assert move_likelihoods(none, none).shape == (0, 10)
    rows, masks = opponent_rows(none, none, 3, np.zeros(0, np.uint64))
    assert rows.shape == (0, 3, 19) and masks.shape == (0, 3)


def test_what_cannot_be_is_refused_by_name():
    pairs = [rows_around(*seen) for seen in seen_moves(2, 8, range(4, 12))]
    before, after = (np.concatenate(rows) for rows in zip(*pairs, strict=True))
    seeds = np.zeros(2, np.uint64)
    for wrong_before, wrong_after in ((after, after), (before, before), (after, before)):
        with pytest.raises(ValueError, match="row 0 of after_rows does not follow"):
            move_likelihoods(wrong_before, wrong_after)
        with pytest.raises(ValueError, match="row 0 of after_rows does not follow"):
            opponent_rows(wrong_before, wrong_after, 2, seeds)
    changed = after.copy()
    changed[1, POINTS_BYTE] += 1
    with pytest.raises(ValueError, match="row 1 of after_rows does not follow"):
        move_likelihoods(before, changed)
    with pytest.raises(ValueError, match="2 before_rows need as many after_rows, not 1"):
        move_likelihoods(before, after[:1])
    with pytest.raises(ValueError, match=r"before_rows must be a uint8 array of shape \[B, 19\]"):
        move_likelihoods(before.astype(int), after)
    with pytest.raises(ValueError, match="seeds are needed to draw samples"):
        move_likelihoods(before, after, 3)
    with pytest.raises(ValueError, match=r"seeds must be a uint64 array of shape \(2,\)"):
        opponent_rows(before, after, 3, seeds[:1])
    with pytest.raises(ValueError, match="samples must be"):
        opponent_rows(before, after, 0, seeds)


def test_rows_of_noise_are_refused_or_explained():
    random = np.random.default_rng(4)
    pairs = [rows_around(*seen) for seen in seen_moves(30, 9, range(24))]
    explained = 0
    for _ in range(100):
        for pair in pairs:
            before, after = (row.copy() for row in pair)
            for row in (before, after)[: random.integers(1, 3)]:
                row[0, random.integers(19)] = random.integers(256)
            try:
                likely = move_likelihoods(before, after)
            except ValueError:
                continue
            explained += 1
            assert ((likely >= 0) & (likely <= 1 + 1e-9)).all()
    assert explained
