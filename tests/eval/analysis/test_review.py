"""The review: skill and luck add up, and decisions are judged by what their player knew."""

import itertools

import pytest

from bb_sim import scores, winner
from eval.analysis.errors import AnalysisError, CancelledError
from eval.analysis.notation import parse_game
from eval.analysis.results import ActionAnalysis, Estimate
from eval.analysis.review import accuracy_of, review_game, verdict_of
from eval.analysis.review_text import review_text
from tests.eval.analysis.games import random_record, tiny_engine, with_hidden_permuted

TYPED = """
player 0: Anna
hand 0: seal giraffe snake crocodile
deck 0: kangaroo parrot lion
hand 1: skunk parrot seal giraffe
1. crocodile giraffe
2. snake
"""


def review(record, **options):
    return review_game(tiny_engine(), record, **{"samples": 20, **options})


@pytest.mark.parametrize("turns", [24, 23, 22, 15, 8, 7, 2, 1])
@pytest.mark.parametrize("seed", [1, 2])
def test_skill_and_luck_add_up_to_the_change_of_win_probability(seed, turns):
    record = random_record(seed, turns)
    found = review(record)
    for player in found.players:
        moves = [move for move in found.moves if move.seat == player.seat]
        assert len(moves) == (turns + 1 - player.seat) // 2
        assert player.skill + player.luck == pytest.approx(player.end - player.start, abs=1e-12)
        assert player.skill == pytest.approx(sum(move.skill for move in moves))
        for move, later in itertools.pairwise(moves):
            assert move.before + move.skill + move.luck == pytest.approx(later.before)
        if turns == 24:
            won = winner(record.states[-1])
            assert player.end == float(won == player.seat)
            assert found.finished and found.winner == won
            assert found.scores == scores(record.states[-1])
            assert moves[-1].luck is not None


def test_a_decision_is_judged_by_what_its_player_knew():
    record = random_record(4)
    expected = review(record).moves
    for turn in (3, 8, 12):
        other = with_hidden_permuted(record, turn, turn % 2, 5)
        (move,) = [move for move in review(record.until(turn + 1)).moves if move.turn == turn]
        assert move.before == expected[turn].before and move.loss == expected[turn].loss
        replayed = other.after(record.moves[turn])
        (judged,) = [move for move in review(replayed).moves if move.turn == turn]
        assert (judged.before, judged.loss) == (move.before, move.loss)


def test_only_known_hands_are_judged():
    record = random_record(5, 9)
    found = review(record.seen_by(1))
    assert [player.seat for player in found.players] == [1]
    assert {move.seat for move in found.moves} == {1}
    assert [move.seat for move in review(record, seats=[0]).moves] == [0] * 5
    # What the player drew after its first move is not known.
    typed = parse_game("hand 0: seal giraffe snake crocodile\ncrocodile lion giraffe")
    (judged,) = review(typed).moves
    assert judged.turn == 0 and judged.luck is None
    with pytest.raises(AnalysisError, match="no player's hand is known"):
        review(parse_game("1. lion zebra"))


def estimate(mean: float, error: float) -> Estimate:
    return Estimate(mean=mean, error=error)


@pytest.mark.parametrize(
    ("loss", "error", "verdict"),
    [
        (0.20, 0.01, "blunder"),
        (0.10, 0.01, "mistake"),
        (0.05, 0.01, "inaccuracy"),
        (0.01, 0.001, "good"),
        (0.20, 0.15, "good"),
        (-0.02, 0.0, "good"),
    ],
)
def test_mistakes_come_in_classes_and_must_be_certain(loss, error, verdict):
    analysis = tiny_engine().analyse(random_record(5, 3), samples=5)
    other: ActionAnalysis = analysis.actions[1].model_copy(update={"behind": estimate(loss, error)})
    assert verdict_of(other, analysis) == verdict
    assert verdict_of(analysis.actions[0], analysis) == "best"
    alone = analysis.model_copy(update={"actions": analysis.actions[:1]})
    assert verdict_of(analysis.actions[0], alone) == "forced"


def test_accuracy_falls_with_what_is_lost():
    losses = [-0.1, 0.0, 0.05, 0.2, 0.5, 1.0]
    found = [accuracy_of(loss) for loss in losses]
    assert found[0] == found[1] == pytest.approx(100, abs=0.001)
    assert found[1:] == sorted(found[1:], reverse=True)
    assert found[-1] == 0


def test_a_typed_game_is_reviewed_as_a_table():
    steps: list[tuple[int, int]] = []
    found = review(parse_game(TYPED), on_progress=lambda done, total: steps.append((done, total)))
    text = review_text(found)
    assert "player 0 (Anna): accuracy" in text and "crocodile" in text
    assert max(map(len, text.splitlines())) <= 80
    assert not found.finished and steps[0] == (0, len(steps) - 1)
    assert steps[-1] == (len(steps) - 1, len(steps) - 1)


def test_a_review_is_cancelled():
    with pytest.raises(CancelledError):
        review(random_record(1), cancelled=lambda: True)
