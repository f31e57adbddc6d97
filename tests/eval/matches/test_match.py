"""Deals, seats, results and errors of matches, with players that need no network."""

import json
from collections import Counter

import numpy as np
import pytest

from bb_jax.errors import EvaluationError
from bb_sim import OPPONENTS, Action, Card
from eval.matches.match import MatchResult, deal_seeds, evaluate, play_pairings, wilson_interval
from eval.matches.players import NamedPlayer, PolicyPlayer
from tests.eval import policies


def play(player, opponent, *, games=200, seed=1, **options):
    return play_pairings([(player, opponent)], games, seed, **options)[0]


def same(a, b):
    return np.array_equal(a.margins, b.margins) and np.array_equal(a.outcomes, b.outcomes)


def test_random_play_has_the_known_win_rates_of_either_seat():
    result = play(policies.uniform(), NamedPlayer("random"), games=20_000)
    first, second = result.outcomes.T
    # 10,000 games a seat: standard error 0.5 percent.
    assert np.mean(first > 0) == pytest.approx(0.462, abs=0.02)
    assert np.mean(second > 0) == pytest.approx(0.428, abs=0.02)
    assert np.mean(result.outcomes == 0) == pytest.approx(0.11, abs=0.015)
    assert result.mean_margin == pytest.approx(0, abs=0.3)


def test_animals_scoring_has_the_known_win_rates_of_random_play():
    result = play(policies.uniform(), NamedPlayer("random"), games=20_000, scoring="animals")
    assert np.mean(result.outcomes[:, 0] > 0) == pytest.approx(0.499, abs=0.02)
    assert np.mean(result.outcomes == 0) == pytest.approx(0.03, abs=0.01)
    assert np.abs(result.margins).max() <= 12


@pytest.mark.parametrize(
    "pair",
    [
        (policies.highest(), policies.highest()),
        (policies.uniform(), policies.uniform()),
        (policies.agent(policies.FirstAgent), policies.lowest()),
        (NamedPlayer("random"), NamedPlayer("random")),
        (NamedPlayer("noisy"), NamedPlayer("noisy")),
    ],
    ids=["greedy", "sampled", "agent and policy", "random", "noisy"],
)
def test_a_player_against_its_equal_comes_out_exactly_even(pair):
    player, opponent = pair
    result = play(player, opponent, games=400)
    assert np.array_equal(result.margins[:, 0], -result.margins[:, 1])
    assert result.wins == result.losses
    assert result.mean_margin == 0
    assert result.margins.any()


def test_counts_and_rates_agree_with_the_deals():
    result = play(policies.highest(), NamedPlayer("heuristic"), games=1000)
    assert result.margins.shape == result.outcomes.shape == (500, 2)
    assert result.wins + result.draws + result.losses == result.games == 1000
    assert result.wins == (result.margins > 0).sum()
    assert result.draws == (result.margins == 0).sum()
    assert result.win_rate == result.wins / 1000
    assert result.ci95[0] < result.win_rate < result.ci95[1]
    assert result.mean_margin == result.margins.mean()
    # One that plays by number loses to one that looks at the game.
    assert result.win_rate < 0.45


def test_the_opponents_side_is_the_mirror_image():
    mine = play(policies.highest(), policies.lowest(), streams=["deals"])
    theirs = play(policies.lowest(), policies.highest(), streams=["deals"])
    assert np.array_equal(mine.margins, -theirs.margins[:, ::-1])
    assert (mine.wins, mine.draws, mine.losses) == (theirs.losses, theirs.draws, theirs.wins)


def test_every_deal_is_played_once_from_each_seat_against_each_opponent():
    players = [policies.agent(policies.SeeingAgent) for _ in range(3)]
    pairings = [(players[0], players[1]), (players[0], players[2])]
    play_pairings(pairings, 20, 5)
    opening = [Counter(s for s in p.agent.seen if s.turn == 0) for p in players]
    deals = set().union(*opening)
    assert len(deals) == 10
    assert opening[0] == Counter(dict.fromkeys(deals, 2))
    assert opening[1] == opening[2] == Counter(dict.fromkeys(deals, 1))


def test_the_same_seed_gives_the_same_games_and_another_seed_others():
    first, again = (play(policies.uniform(), NamedPlayer("noisy"), seed=7) for _ in range(2))
    other = play(policies.uniform(), NamedPlayer("noisy"), seed=8)
    assert same(first, again)
    assert not same(first, other)


def test_more_games_begin_with_the_same_deals():
    few, many = (play(policies.uniform(), NamedPlayer("queue"), games=n) for n in (60, 200))
    assert np.array_equal(few.margins, many.margins[:30])
    assert np.array_equal(deal_seeds(3, 10), deal_seeds(3, 50)[:10])
    assert len(np.unique(deal_seeds(3, 1000))) == 1000


@pytest.mark.parametrize("slots", [1, 7, 64, 1000])
def test_results_do_not_depend_on_the_number_of_slots(slots):
    pairings = [
        (policies.uniform(), NamedPlayer("noisy")),
        (policies.uniform(), policies.highest()),
        (policies.highest(), policies.lowest()),
    ]
    expected = play_pairings(pairings, 60, 2)
    for a, b in zip(expected, play_pairings(pairings, 60, 2, slots=slots), strict=True):
        assert same(a, b)


def test_results_do_not_depend_on_the_other_opponents():
    player = policies.uniform()
    together = evaluate(player, OPPONENTS, 40, 3)
    assert [result.opponent for result in together] == list(OPPONENTS)
    for result in together:
        (alone,) = evaluate(player, [result.opponent], 40, 3)
        assert same(alone, result)


def test_a_policy_function_is_enough_to_be_evaluated():
    (result,) = evaluate(policies.highest_legal, ["random"], 100, 0)
    assert same(result, play(policies.highest(), NamedPlayer("random"), games=100, seed=0))


def test_progress_ends_with_all_games_and_can_stop_the_evaluation():
    calls = []
    play(
        policies.highest(), NamedPlayer("random"), slots=16, on_progress=lambda *c: calls.append(c)
    )
    done = [finished for finished, _ in calls]
    assert done == sorted(done) and calls[-1] == (200, 200)

    def stop(done, total):
        raise InterruptedError

    with pytest.raises(InterruptedError):
        play(policies.highest(), NamedPlayer("random"), on_progress=stop)


@pytest.mark.parametrize(
    ("wins", "games", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_the_interval_agrees_with_published_examples(wins, games, low, high):
    """Newcombe, Statistics in Medicine 17 (1998), table I, score method without correction."""
    assert wilson_interval(wins, games) == pytest.approx((low, high), abs=5e-5)


def test_a_result_can_be_built_from_its_deals():
    margins = np.array([[3, -1], [0, 2]], np.int8)
    result = MatchResult.from_deals("a", "b", margins, np.sign(margins))
    assert (result.games, result.wins, result.draws, result.losses) == (4, 2, 1, 1)
    assert (result.win_rate, result.mean_margin) == (0.5, 1.0)


def test_a_result_survives_json():
    result = play(policies.highest(), NamedPlayer("random"))
    data = json.loads(json.dumps(result.as_json()))
    assert MatchResult.from_json(data, player="highest") == result
    del data["wins"]
    with pytest.raises(EvaluationError, match="wins"):
        MatchResult.from_json(data)


def test_agents_see_no_hidden_card_unless_they_say_so():
    honest, seeing = policies.agent(policies.FirstAgent), policies.agent(policies.SeeingAgent)
    play(honest, NamedPlayer("random"), games=4)
    play(seeing, NamedPlayer("random"), games=4)
    for state in honest.agent.seen:
        other = 1 - state.to_move
        assert all(card.species != "hidden" for card in state.hands[state.to_move])
        assert all(card == Card(other, "hidden") for card in state.hands[other])
        assert all(card.species == "hidden" for deck in state.decks for card in deck)
    assert not any(
        card.species == "hidden"
        for state in seeing.agent.seen
        for hand in state.hands
        for card in hand
    )


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        (policies.ForeignAgent, "agent ForeignAgent must return .* not str 'lion'"),
        (policies.NoneAgent, "agent NoneAgent must return .* not NoneType None"),
        (
            policies.FailingAgent,
            r"agent FailingAgent failed .*ZeroDivisionError: nothing .*line \d+",
        ),
    ],
)
def test_an_agent_that_misbehaves_is_named(kind, sentence):
    with pytest.raises(EvaluationError, match=sentence) as caught:
        play(NamedPlayer("random"), policies.agent(kind), games=2)
    assert "\n" not in str(caught.value)


def test_an_agents_illegal_action_is_named():
    class Illegal(policies.FirstAgent):
        def select_action(self, state, legal_actions):
            return next(
                action
                for action in (Action("lion"), Action("kangaroo", (2,)))
                if action not in legal_actions
            )

    with pytest.raises(EvaluationError, match=r"agent Illegal returned .*not legal at turn"):
        play(policies.agent(Illegal), NamedPlayer("random"), games=2)


@pytest.mark.parametrize(
    ("act", "sentence"),
    [
        (lambda rows: np.full(len(rows), 200), "broken chose an illegal action: action 200"),
        (lambda rows: np.full(len(rows), 255), "broken chose an illegal action"),
        (lambda rows: np.full(len(rows), -223), "broken chose an illegal action"),
        (
            lambda rows: np.zeros(3, np.uint8),
            r"policy broken must return .*\(200,\), not uint8 \(3,\)",
        ),
        (lambda rows: np.zeros(len(rows)), r"policy broken must return .*float64"),
    ],
)
def test_a_policy_that_misbehaves_is_named(act, sentence):
    with pytest.raises(EvaluationError, match=sentence):
        play(PolicyPlayer("broken", act), NamedPlayer("random"))


@pytest.mark.parametrize("games", [0, 1, 7, -2])
def test_an_odd_number_of_games_is_refused(games):
    with pytest.raises(EvaluationError, match=f"must be even, .*{games}"):
        evaluate(policies.highest(), ["random"], games, 0)


def test_a_negative_seed_is_refused():
    with pytest.raises(EvaluationError, match=r"seed .*-1"):
        evaluate(policies.highest(), ["random"], 2, -1)


def test_no_opponents_give_no_results():
    assert evaluate(policies.highest(), [], 10, 0) == []
