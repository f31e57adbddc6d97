"""Matches in parts are the matches played at once."""

import numpy as np
import pytest

from bb_jax.errors import EvaluationError
from bb_sim import OPPONENTS
from eval.matches.match import play_pairings
from eval.matches.players import NamedPlayer
from eval.matches.resumable import FIRST_PART, PartialResults, play_in_parts
from tests.eval import policies

GAMES = FIRST_PART
PAIRINGS = [
    (policies.uniform(), NamedPlayer("noisy")),
    (policies.highest(), policies.lowest()),
    (NamedPlayer("queue"), NamedPlayer("random")),
]


def same(a, b):
    return all(
        np.array_equal(x.margins, y.margins) and np.array_equal(x.outcomes, y.outcomes)
        for x, y in zip(a, b, strict=True)
    )


@pytest.fixture(scope="module")
def whole():
    return play_pairings(PAIRINGS, GAMES, 3)


@pytest.fixture
def notes():
    return []


@pytest.fixture
def partial(tmp_path, notes):
    return PartialResults.beside(tmp_path / "results.json", notes.append)


class Stop(Exception):
    pass


def interrupt(partial, after=0.8, **changes):
    """Plays until a part of the games is over, and is stopped there."""

    def stop(done, total):
        if done > after * total:
            raise Stop

    with pytest.raises(Stop):
        play_in_parts(PAIRINGS, GAMES, 3, partial=partial, on_progress=stop, **changes)
    assert partial.path.exists()


def test_parts_put_together_are_the_whole(whole):
    calls = []
    results = play_in_parts(PAIRINGS, GAMES, 3, on_progress=lambda *call: calls.append(call))
    assert same(results, whole)
    done = [games for games, _ in calls]
    assert done == sorted(done) and calls[-1] == (3 * GAMES, 3 * GAMES)


def test_what_was_stopped_goes_on_with_what_is_there(whole, partial, notes):
    interrupt(partial)
    calls = []
    results = play_in_parts(
        PAIRINGS, GAMES, 3, partial=partial, on_progress=lambda done, _: calls.append(done)
    )
    assert same(results, whole)
    assert min(calls) > partial.games_found > 0
    assert not notes
    partial.remove()
    partial.remove()
    assert not partial.path.exists()


@pytest.mark.parametrize("games", [GAMES // 8, 2 * GAMES])
def test_another_number_of_games_goes_on_too(partial, games):
    interrupt(partial)
    results = play_in_parts(PAIRINGS, games, 3, partial=partial)
    assert same(results, play_pairings(PAIRINGS, games, 3))
    assert 0 < partial.games_found <= len(PAIRINGS) * games


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": 4},
        {"scoring": "animals"},
        {"streams": ["a", "b", "c"]},
        {"pairings": [*PAIRINGS[:2], (NamedPlayer("queue"), NamedPlayer("skunk"))]},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_the_results_of_another_evaluation_are_not_used(partial, notes, changes):
    interrupt(partial)
    what = {"pairings": PAIRINGS, "games": 40, "seed": 3, **changes}
    results = play_in_parts(**what, partial=partial)
    assert same(results, play_pairings(**what))
    assert ["another evaluation" in note for note in notes] == [True]


@pytest.mark.parametrize("damage", [b"", b"{}\n", b"[1]\nxx", b"\xff\xfe", None])
def test_a_damaged_file_is_not_used(whole, partial, notes, damage):
    interrupt(partial)
    raw = partial.path.read_bytes()
    partial.path.write_bytes(raw[:-7] if damage is None else damage)
    assert same(play_in_parts(PAIRINGS, GAMES, 3, partial=partial), whole)
    assert ["damaged" in note for note in notes] == [True]


def test_what_cannot_be_played_is_refused_as_ever():
    assert play_in_parts([], 10, 0) == []
    with pytest.raises(EvaluationError, match=r"even, .* 7"):
        play_in_parts(PAIRINGS, 7, 0)


def test_results_do_not_depend_on_the_other_pairings():
    player = policies.uniform()
    pairings = [(player, NamedPlayer(name)) for name in OPPONENTS]
    together = play_in_parts(pairings, 40, 3)
    for pairing, result in zip(pairings, together, strict=True):
        assert same(play_in_parts([pairing], 40, 3), [result])
