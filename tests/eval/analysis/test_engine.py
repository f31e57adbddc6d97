"""The engine: the search's values, honest errors, and nothing that the seat has not seen."""

import math
from dataclasses import replace

import numpy as np
import pytest

from bb_jax.search import Search, SearchConfig
from bb_jax.search.config import MODELS
from bb_sim import ACTIONS, SPECIES, Action, legal_actions, new_game
from bb_sim.opponents.models import opponent_action_probabilities
from bb_sim.opponents.posterior import uniform_posterior
from eval.analysis.engine import Engine
from eval.analysis.errors import AnalysisError, CancelledError
from eval.analysis.notation import move_text, parse_game, parse_move
from eval.analysis.record import GameRecord, dealt_record
from eval.analysis.results import Analysis, OpponentAnalysis
from eval.matches.search_session import SearchSession
from eval.matches.streams import mixed_seeds
from tests.bb_jax.games import tiny_network
from tests.eval.analysis import reference
from tests.eval.analysis.games import (
    random_record,
    tiny_engine,
    tiny_policy,
    with_hidden_permuted,
)

# Turn and samples.
MORE_SEARCHES = [(0, 17), (3, 1), (8, 1), (8, 17)]


def analyse(record: GameRecord, **options) -> Analysis:
    return tiny_engine().analyse(record, **{"samples": 40, **options})


def same(one: Analysis, other: Analysis) -> bool:
    """Whether two analyses say the same; how long they took does not count."""
    return one.model_copy(update={"milliseconds": 0.0}) == other.model_copy(
        update={"milliseconds": 0.0}
    )


# --- Values ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("opponent", ["unknown", "network", "noisy"])
def test_values_are_those_of_a_searching_player(opponent):
    network, params = tiny_network()
    search = Search(network, SearchConfig(samples=40, opponent=opponent), 8192, threads=1)
    record = random_record(5)
    seeds = np.array([77], np.uint64)
    sessions = [SearchSession(search, params, seeds, np.zeros((1, 2), np.uint8)) for _ in range(2)]
    game = np.zeros(1, np.int64)
    for turn, move in enumerate(record.moves):
        row = record.row(turn, turn % 2)[None]
        if len(legal_actions(record.states[turn])) > 1:
            expected = sessions[turn % 2].look(game, row)
            found = analyse(record, turn=turn, opponent=opponent, seed=77)
            for action in found.actions:
                value = expected.values[0, action.action_id]
                assert action.value.mean == pytest.approx(value, abs=2e-5)
                assert action.samples == expected.samples[0, action.action_id]
            assert found.actions[0].action_id == expected.actions[0]
        else:
            sessions[turn % 2]._beliefs.at(np.array([turn % 2]), row)
        sessions[turn % 2].played(game, row, np.array([ACTIONS.index(move)], np.uint8))


@pytest.mark.parametrize(
    ("turn", "samples"),
    [(0, 1), (3, 17), *(pytest.param(*case, marks=pytest.mark.slow) for case in MORE_SEARCHES)],
)
def test_means_and_errors_are_those_of_a_search_in_plain_python(turn, samples):
    network, params = tiny_network()
    engine = Engine(tiny_policy(), depth=1)
    for number in range(100):
        # Nothing is known of what was played before, so all hands are equally probable.
        record = GameRecord(random_record(number, turn).states[-1])
        row = record.row(turn, turn % 2)
        seed = int(mixed_seeds(np.array([5], np.uint64), row[None, 13])[0])
        try:
            expected = reference.search(network, params, row, seed, samples, "distilled_outcome")
            break
        except reference.Tied:
            continue
    found = engine.analyse(record, samples=samples, opponent="distilled_outcome", seed=5)
    assert {action.action_id for action in found.actions} == set(expected)
    best = expected[found.actions[0].action_id]
    for action in found.actions:
        worlds = expected[action.action_id]
        assert action.samples == len(worlds.values)
        for estimate, numbers in zip(
            (action.value, action.win, action.margin), worlds, strict=True
        ):
            assert_estimate(estimate, numbers)
        lost = [b - a for a, b in zip(worlds.wins, best.wins, strict=False)]
        assert_estimate(action.behind, lost)


def assert_estimate(estimate, numbers):
    assert estimate.mean == pytest.approx(np.mean(numbers), abs=1e-5)
    if len(numbers) == 1:
        assert estimate.error is None
    else:
        expected = np.std(numbers, ddof=1) / math.sqrt(len(numbers))
        assert estimate.error == pytest.approx(expected, abs=1e-5)


def test_an_error_says_how_far_other_worlds_are():
    record = random_record(3, 6)
    found = [analyse(record, samples=50, opponent="online", seed=seed) for seed in range(40)]
    action = found[0].best
    means = [one.of(action).value.mean for one in found]
    errors = [one.of(action).value.error or 0.0 for one in found]
    # Worlds are spread evenly, so they err less than independent ones.
    assert np.std(means) < 1.3 * np.mean(errors)
    assert np.std(means) > 0.2 * np.mean(errors)


def test_an_endgame_is_exact_and_its_parts_add_up():
    for seed in range(6):
        record = random_record(seed, 17)
        found = analyse(record, opponent="heuristic")
        assert found.exact and found.samples == 0
        for action in found.actions:
            win, draw, loss = action.win.mean, action.draw, action.loss
            assert draw is not None and loss is not None
            assert win + draw + loss == pytest.approx(1)
            value = win - draw - loss + 0.02 * action.margin.mean
            assert action.value.mean == pytest.approx(value, abs=1e-9)
            assert action.value.error == 0
            assert action.behind.mean == pytest.approx(found.win.mean - win)


def test_the_last_turns_are_what_playing_them_out_gives():
    record = random_record(8, 22)
    found = analyse(record, opponent="heuristic")
    for action in found.actions:
        after = record.after(parse_move(action.action))
        replies = opponent_action_probabilities(after.states[-1], "heuristic")
        ends = [
            (chance, reference.final_parts(after.after(reply).states[-1], 0))
            for reply, chance in replies.items()
        ]
        assert action.win.mean == pytest.approx(sum(chance * win for chance, (win, _) in ends))
        assert action.margin.mean == pytest.approx(sum(chance * m for chance, (_, m) in ends))


def test_exact_leaves_count_as_their_play_says():
    # All simulations end on turn 17, where nothing is hidden.
    record = random_record(2, 13)
    found = analyse(record, opponent="heuristic", samples=60)
    for action in found.actions:
        # No network has a say, so an outcome is a win or none.
        value = 2 * action.win.mean - 1 + 0.02 * action.margin.mean
        assert action.value.mean == pytest.approx(value, abs=1e-6)
    assert found.draw is None and found.loss is None


def test_the_network_alone_judges_without_samples():
    record = random_record(4, 5)
    found = analyse(record, samples=0)
    assert all(action.value.error is None and not action.samples for action in found.actions)
    network, params = tiny_network()
    row = record.row(5, 1)[None]
    posterior = uniform_posterior(row, np.ones((1, 11)))
    search = Search(network, SearchConfig(samples=0))
    expected = search(params, row, posterior, np.zeros(1, np.uint64))
    for action in found.actions:
        assert action.value.mean == pytest.approx(expected.values[0, action.action_id], abs=1e-6)


def test_a_single_legal_action_is_judged_too():
    ends = [random_record(seed, 23) for seed in range(20)]
    record = next(end for end in ends if len(legal_actions(end.states[-1])) == 1)
    (only,) = analyse(record).actions
    final = record.after(parse_move(only.action)).states[-1]
    assert (only.win.mean, only.margin.mean) == reference.final_parts(final, 1)


# --- What it may know -----------------------------------------------------------------------------


@pytest.mark.parametrize("opponent", ["unknown", "network"])
@pytest.mark.parametrize(("seed", "turn"), [(0, 5), (1, 8), (2, 11), (3, 14), (4, 2)])
def test_an_analysis_does_not_change_when_hidden_cards_are_permuted(seed, turn, opponent):
    record = random_record(seed)
    expected = analyse(record, turn=turn, opponent=opponent)
    seat = turn % 2
    others = [with_hidden_permuted(record, turn, seat, number) for number in range(4)]
    assert any(other.states[-1] != record.states[turn] for other in others)
    for other in (*others, record.until(turn).seen_by(seat)):
        assert same(analyse(other, opponent=opponent), expected)


def test_seeing_all_cards_is_asked_for_and_said():
    record = random_record(6, 7)
    seen = analyse(record, opponent="heuristic")
    everything = analyse(record, opponent="heuristic", perspective="all")
    assert (seen.perspective, everything.perspective) == ("seat", "all")
    assert not np.isclose(seen.value.mean, everything.value.mean)
    held = {card.species for card in record.states[-1].hands[0]}
    assert {name for name, share in everything.opponent.hand.items() if share == 1} == held
    assert set(everything.opponent.hand.values()) == {0.0, 1.0}
    # The hidden cards do count.
    other = with_hidden_permuted(record, 7, 1, 1)
    assert not same(analyse(other, opponent="heuristic", perspective="all"), everything)
    with pytest.raises(AnalysisError, match="some are not known"):
        analyse(record.seen_by(1), perspective="all")


@pytest.mark.parametrize("turn", range(0, 14, 3))
def test_with_all_cards_known_the_opponents_reply_is_the_one_it_makes(turn):
    record = random_record(9, turn)
    found = analyse(record, opponent="outcome_heuristic", perspective="all", samples=20)
    for action in found.actions:
        after = record.after(parse_move(action.action))
        replies = opponent_action_probabilities(after.states[-1], "outcome_heuristic")
        assert action.line[0] == action.action
        assert replies[parse_move(action.line[1])] > 0


def test_lines_can_be_played():
    record = random_record(10, 4)
    for action in analyse(record).actions:
        for text in action.line:
            move = parse_move(text)
            assert move_text(move) == text
        assert len(action.line) == 4


def test_the_opponent_is_told_by_its_moves():
    record = GameRecord(new_game(31))
    while record.end_turn < 14:
        name = "skunk" if record.end_turn % 2 else "heuristic"
        chances = opponent_action_probabilities(record.states[-1], name)
        record = record.after(max(chances, key=lambda action: chances[action]))
    models = analyse(record).opponent.models
    assert set(models) == set(MODELS) and sum(models.values()) == pytest.approx(1, abs=1e-6)
    assert models["skunk"] > 5 * models["random"]
    assert analyse(record, opponent="online").opponent.models["online"] == 1.0
    hand = analyse(record).opponent.hand
    assert len(hand) == 5 and sum(hand.values()) == pytest.approx(4, abs=1e-5)
    assert np.ptp(list(hand.values())) > 0.01


def test_what_is_remembered_of_earlier_decisions_changes_nothing():
    record = random_record(12)
    turns = range(12)

    def judge(engine: Engine, turn: int) -> OpponentAnalysis:
        return engine.analyse(record, turn=turn, samples=0).opponent

    forwards = [judge(tiny_engine(), turn) for turn in turns]
    other = Engine(tiny_policy())
    backwards = [judge(other, turn) for turn in reversed(turns)]
    assert forwards == backwards[::-1] == [judge(other, turn) for turn in turns]


def test_what_is_remembered_belongs_to_the_moves_that_were_played():
    """The snake sorts away how far the kangaroo hopped, but answered another queue each time."""
    first = ["seal", "kangaroo"]
    second = ["zebra", "snake"]
    dealt = [cards + [name for name in SPECIES if name not in cards] for cards in (first, second)]
    moves = [Action("seal"), Action("zebra"), Action("kangaroo", (1,)), Action("snake")]
    other = [*moves[:2], Action("kangaroo", (2,)), moves[3]]
    records = [dealt_record(dealt, played) for played in (moves, other)]
    assert (records[0].row(4, 0) == records[1].row(4, 0)).all()
    engine = Engine(tiny_policy())
    together = [engine.analyse(record, samples=0).opponent for record in records]
    apart = [Engine(tiny_policy()).analyse(record, samples=0).opponent for record in records]
    assert apart[0] != apart[1]
    assert together == apart


def test_a_position_set_up_by_hand_is_analysed():
    record = parse_game(
        "hand 1: lion hippo seal kangaroo\n"
        "queue: zebra(0) monkey(1) crocodile(0)\n"
        "bar: skunk(0) parrot(1)\nthats it: snake(1) giraffe(0)\n"
    )
    assert record.start.turn == 7
    found = analyse(record)
    assert found.seat == 1 and found.turn == 7
    assert found.opponent.models == pytest.approx(dict.fromkeys(MODELS, 1 / 11), abs=1e-6)
    # The move of the opponent after it is evidence.
    later = record.after(parse_move("lion"))
    with pytest.raises(AnalysisError, match="the hand of player 0"):
        analyse(later)
    text = "hand 0: seal lion hippo kangaroo\nqueue: zebra(0) monkey(1) crocodile(0)\n"
    before = parse_game(text + "skunk")
    assert before.start.turn == 3
    assert np.ptp(list(analyse(before).opponent.models.values())) > 0


def test_cards_that_a_seat_drew_must_be_known():
    record = parse_game("hand 0: lion zebra hippo seal\n1. zebra skunk")
    with pytest.raises(AnalysisError, match="the hand of player 0, who is to move, is not known"):
        analyse(record)
    assert analyse(record, turn=0).turn == 0


# --- Stopping and reporting -----------------------------------------------------------------------


def test_reports_come_while_the_search_goes_on_and_change_nothing():
    record = random_record(7, 3)
    reports: list[Analysis] = []
    found = analyse(record, samples=6_000, report=reports.append, report_every=0.01)
    assert reports and all(report.partial for report in reports)
    assert not found.partial
    counts = [report.samples for report in reports]
    assert counts == sorted(counts) and counts[0] < found.samples == 6_000
    assert same(analyse(record, samples=6_000), found)


def test_an_analysis_is_cancelled_between_blocks():
    record = random_record(7, 3)
    asked: list[int] = []

    def cancelled() -> bool:
        asked.append(1)
        return len(asked) > 2

    with pytest.raises(CancelledError, match="cancelled"):
        analyse(record, samples=1_000_000, cancelled=cancelled)
    assert len(asked) == 3


def test_a_budget_of_time_is_kept():
    tiny_engine().warm_up()
    found = analyse(random_record(7, 3), samples=None, milliseconds=30.0)
    assert found.samples > 0 and found.milliseconds < 5000


@pytest.mark.parametrize(
    ("options", "field", "part"),
    [
        ({"seat": 0}, "seat", "player 1 is to move, not player 0"),
        ({"turn": 30}, None, "the turns 0 to 3, not 30"),
        ({"opponent": "known"}, "opponent", "must be one of unknown, random"),
        ({"opponent": "nobody"}, "opponent", "not 'nobody'"),
        ({"samples": -1}, "samples", "samples must be"),
        ({"milliseconds": 5.0}, "samples", "not both"),
        ({"samples": None, "milliseconds": -1.0}, "milliseconds", "milliseconds must be"),
    ],
)
def test_what_cannot_be_analysed_is_refused_in_a_sentence(options, field, part):
    with pytest.raises(AnalysisError, match=part) as refusal:
        analyse(random_record(7, 3), **options)
    assert refusal.value.field == field


def test_other_games_are_refused():
    with pytest.raises(AnalysisError, match="scoring by points"):
        analyse(replace(random_record(7, 3), scoring="animals"))
    with pytest.raises(AnalysisError, match="the game is over at turn 24"):
        analyse(random_record(7))
