"""The ten opponents against the plain reference: scores, tied best actions, and the draws."""

from collections import Counter
from collections.abc import Iterator
from math import erf, sqrt
from random import Random

import pytest

from bb_sim import OPPONENTS, Action, GameBatch, State, new_game, python_to_c_state
from bb_sim.opponents.choice import best_actions, opponent_scores, select_opponent_action_from
from tests.reference import from_state, opponents, rules, to_action, to_state

NOISE = 0.15  # standard deviation of what `noisy` adds to every score


def test_every_opponent_has_a_reference():
    assert tuple(opponents.SCORES) == OPPONENTS


def assert_scored_alike(position: rules.Position) -> None:
    state = to_state(position)
    turns = opponents.turns(position)
    for name in OPPONENTS:
        expected = {move: opponents.SCORES[name](turn) for move, turn in turns.items()}
        scores = opponent_scores(state, name)
        assert list(scores) == [to_action(move) for move in expected], name
        assert list(scores.values()) == pytest.approx(list(expected.values()), rel=0, abs=1e-9), (
            name,
            str(state),
        )
        best = {to_action(move) for move in opponents.tied_best(expected)}
        assert set(best_actions(state, name)) == best, (name, str(state))


def positions_of_random_play(num_games: int, seed: int) -> Iterator[rules.Position]:
    random = Random(seed)
    for _ in range(num_games):
        position = rules.deal(random)
        while moves := rules.legal_moves(position):
            yield position
            position = rules.play(position, random.choice(moves))


def positions_of_opponent_play(num_games: int, seed: int) -> Iterator[rules.Position]:
    """Games in which each seat is played by the reference of a named opponent."""
    random = Random(seed)
    for _ in range(num_games):
        position = rules.deal(random)
        seats = random.choices(OPPONENTS, k=2)
        while not rules.is_terminal(position):
            yield position
            scores = opponents.opponent_scores(position, seats[position.to_move])
            move = random.choice(sorted(opponents.tied_best(scores), key=rules.MOVES.index))
            position = rules.play(position, move)


def made_positions(num_positions: int, seed: int) -> Iterator[rules.Position]:
    random = Random(seed)
    for _ in range(num_positions):
        yield rules.random_position(random)


SOURCES = (positions_of_random_play, positions_of_opponent_play, made_positions)


@pytest.mark.parametrize(("source", "count"), list(zip(SOURCES, (15, 15, 400), strict=True)))
def test_scores_and_best_actions(source, count):
    for position in source(count, seed=1):
        assert_scored_alike(position)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("source", "count"), list(zip(SOURCES, (600, 600, 15_000), strict=True)))
def test_scores_and_best_actions_of_many_positions(source, count):
    for position in source(count, seed=2):
        assert_scored_alike(position)


# What is drawn among the best


def batch_of(state: State, num_games: int) -> GameBatch:
    """One position many times, each with its own random stream."""
    batch = GameBatch(num_games)
    for index in range(num_games):
        python_to_c_state(state, batch, index)
    return batch


def choices_from(state: State, name: str, num_games: int) -> Counter[Action]:
    batch = batch_of(state, num_games)
    return Counter(select_opponent_action_from(batch, index, name) for index in range(num_games))


@pytest.mark.parametrize("name", [name for name in OPPONENTS if name != "noisy"])
def test_choices_are_uniform_among_the_tied_best(name):
    """5 standard errors for each tied action, on the positions of a few games with several."""
    draws = 2_000
    sizes: Counter[int] = Counter()
    for position in positions_of_random_play(4, seed=7):
        state = to_state(position)
        best = set(best_actions(state, name))
        if sizes[len(best)] == 2:
            continue
        sizes[len(best)] += 1
        drawn = choices_from(state, name, draws)
        assert set(drawn) == best
        share = 1 / len(best)
        for count in drawn.values():
            assert abs(count - draws * share) <= 5 * sqrt(draws * share * (1 - share))
    assert len(sizes) > 1


def test_noise_is_gaussian_with_its_standard_deviation():
    """Between two actions d apart, the worse one wins with probability Phi(-d / (sd sqrt 2))."""
    draws = 4_000
    gaps: list[float] = []
    for position in positions_of_random_play(120, seed=8):
        scores = opponents.opponent_scores(position, "noisy")
        if len(scores) != 2 or len(gaps) == 12:
            continue
        worse, better = sorted(scores, key=scores.__getitem__)
        gap = scores[better] - scores[worse]
        if not 0 < gap < 0.5:
            continue
        gaps.append(gap)
        probability = (1 - erf(gap / (2 * NOISE))) / 2
        upsets = choices_from(to_state(position), "noisy", draws)[to_action(worse)]
        assert abs(upsets - draws * probability) <= 5 * sqrt(
            draws * probability * (1 - probability)
        )
    assert len(gaps) == 12


@pytest.mark.parametrize("name", OPPONENTS)
def test_a_single_legal_action_is_played(name):
    position = from_state(new_game(5))
    position.hands[position.to_move] = ["zebra"]
    position.decks[position.to_move] = []
    position.turn = 0
    state = to_state(position)
    assert set(choices_from(state, name, 50)) == {to_action(("zebra", ()))}
