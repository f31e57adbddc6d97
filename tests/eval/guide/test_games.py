"""The games, what is counted in them, and the trials."""

from itertools import combinations, permutations

import numpy as np
import pytest

from bb_sim import (
    ACTIONS,
    OPPONENTS,
    SPECIES,
    Action,
    action_id,
    is_decided,
    observe,
    turn_steps,
    winner,
)
from bb_sim.rules.engine import NUM_PLIES
from eval.guide.animals import animal_figures, waiting_moves
from eval.guide.choices import choice_figures, effect_figures
from eval.guide.decisions import decisions_of_opponents, decisions_of_player
from eval.guide.games import ALL, FREE, ITSELF, plan_games, play_games
from eval.guide.judge import Judge
from eval.guide.mistakes import WORTH_COUNTING, mistake_figures
from eval.guide.openings import order_of_preference
from eval.guide.seats import NAMED, seat_results
from eval.guide.trials import ANYWAY, INSTEAD, Trials, run_trials
from eval.matches.match import evaluate
from eval.matches.players import network_player
from tests.eval.policies import highest, lowest


@pytest.fixture(scope="module")
def policy(tiny_checkpoints):
    from bb_jax import load_policy

    return load_policy(tiny_checkpoints / "checkpoints" / "tiny" / "policies" / "000002.policy")


@pytest.fixture(scope="module")
def games():
    return play_games(lowest(), plan_games(220, 5), "points")


def records(games):
    return [games.record(game, NUM_PLIES, "points") for game in range(len(games.plan))]


def no_trials(games):
    empty = decisions_of_player(games).take(np.zeros(0, int))
    return Trials(empty, np.zeros(0, np.int8), np.zeros(0, np.int8))


@pytest.mark.parametrize("scoring", ["points", "animals"])
def test_games_end_as_in_an_evaluation_with_the_same_seed(scoring):
    player = highest()
    played = play_games(player, plan_games(220, 7), scoring)
    for number, result in enumerate(evaluate(player, OPPONENTS, 20, 7, scoring)):
        own = played.plan.opponents == number
        assert played.outcomes[own].tolist() == result.outcomes.reshape(-1).tolist()


def test_rows_actions_and_results_are_those_of_the_rules(games):
    for game, record in enumerate(records(games)):
        for turn in range(NUM_PLIES):
            state = record.states[turn]
            assert games.decided[turn, game] == is_decided(state)
            if not is_decided(state):
                assert (games.rows[turn, game] == observe(state)).all()
        won = winner(record.states[-1])
        expected = 0 if won is None else 1 if won == games.plan.seats[game] else -1
        assert games.outcomes[game] == expected


def test_every_deal_is_in_the_plan_from_both_seats_against_every_opponent():
    plan = plan_games(220, 5)
    assert len(plan) == 220
    for number in range(len(ALL)):
        own = plan.take(np.flatnonzero(plan.opponents == number))
        assert len(own) == 20
        assert sorted(zip(own.deals, own.seats, strict=True)) == [
            (deal, seat) for deal in sorted(set(own.deals.tolist())) for seat in (0, 1)
        ]
    # A smaller plan is the beginning of a larger one.
    assert (plan_games(44, 5).seeds == plan.seeds[:44]).all()


def test_decisions_are_those_of_the_player_or_of_its_opponents(games):
    own, others = decisions_of_player(games), decisions_of_opponents(games)
    itself = ALL.index(ITSELF)
    assert len(own) + len(others) == np.count_nonzero(~games.decided)
    assert not (others.opponents == itself).any()
    against_named = own.opponents != itself
    seats = games.plan.seats[own.games]
    assert (own.turns[against_named] % 2 == seats[against_named]).all()
    assert set((own.turns[~against_named] % 2).tolist()) == {0, 1}


def test_figures_of_animals_are_what_counting_by_hand_gives(games):
    held: dict[tuple[str, int], list[bool]] = {}
    played: dict[tuple[str, int], list[bool]] = {}
    waited: dict[str, list[int]] = {}
    own_moves = decisions_of_player(games)
    asked = {
        (g, t) for g, t in zip(own_moves.games.tolist(), own_moves.turns.tolist(), strict=True)
    }
    for game, record in enumerate(records(games)):
        since: list[dict[str, int]] = [{}, {}]
        for turn in range(NUM_PLIES):
            state, seat = record.states[turn], turn % 2
            hand = [card.species for card in state.hands[seat]]
            for species in hand:
                since[seat].setdefault(species, turn // 2)
            if (game, turn) not in asked:
                continue
            move = record.moves[turn].species
            waited.setdefault(move, []).append(turn // 2 - since[seat][move])
            if len(hand) > 1:
                for species in hand:
                    held.setdefault((species, len(state.queue)), []).append(species == move)
                    played.setdefault((species, turn // 2), []).append(species == move)
    nothing = no_trials(games)
    for animal in animal_figures(games, games, nothing, nothing):
        name = animal.animal
        assert animal.waits is not None
        assert animal.waits.mean == pytest.approx(np.mean(waited[name]), abs=1e-5)
        assert animal.waits.cases == len(waited[name])
        for length, share in enumerate(animal.by_queue):
            cases = held.get((name, length), [])
            if share is not None:
                assert share.cases == len(cases)
                assert share.mean == pytest.approx(np.mean(cases), abs=1e-5)
        for move, share in enumerate(animal.by_move):
            if share is not None:
                assert share.mean == pytest.approx(np.mean(played[name, move]), abs=1e-5)
        assert animal.search_shift is not None
        assert animal.search_shift.mean == 0
        assert animal.worth == [None] * 5


def test_an_animal_waits_from_the_move_at_which_it_was_drawn(games):
    decisions = decisions_of_player(games)
    waits = waiting_moves(decisions)
    assert waits.min() == 0
    first = decisions.turns < 2
    assert (waits[first] == 0).all()
    assert (waits <= decisions.moves).all()


def test_choices_are_what_counting_by_hand_gives():
    games = play_games(highest(), plan_games(2200, 5), "points")
    options = {choices.animal: choices.options for choices in choice_figures(games)}
    jumps, own = [], []
    for game, turn in zip(*np.nonzero(~games.decided.T), strict=True):
        if games.plan.opponents[game] != ALL.index(ITSELF) and turn % 2 != games.plan.seats[game]:
            continue
        action = ACTIONS[games.actions[turn, game]]
        queue = games.rows[turn, game, :4]
        if action.species == "kangaroo" and np.count_nonzero(queue) == 3:
            jumps.append(action.params == (2,))
        if action.species == "parrot" and action.params:
            own.append(queue[action.params[0]] <= len(SPECIES))
    three = next(o for o in options["kangaroo"] if o.situation == "3 animals in the queue")
    assert three.share.cases == len(jumps)
    assert three.share.mean == pytest.approx(np.mean(jumps), abs=1e-5)
    any_queue = next(o for o in options["parrot"] if o.situation == "any queue")
    assert any_queue.share.cases == len(own)
    assert any_queue.share.mean == pytest.approx(np.mean(own), abs=1e-5)


def test_what_stands_in_the_queue_is_what_the_rules_do_with_it(games):
    effects = {(effect.animal, effect.condition): effect for effect in effect_figures(games)}
    driven: dict[tuple[bool, str], list[bool]] = {}
    own = decisions_of_player(games)
    asked = set(zip(own.games.tolist(), own.turns.tolist(), strict=True))
    for game, record in enumerate(records(games)):
        for turn in range(NUM_PLIES):
            state, seat = record.states[turn], turn % 2
            hand = [card.species for card in state.hands[seat]]
            if (game, turn) in asked and "skunk" in hand:
                gone = turn_steps(state, Action("skunk"))[1].to_thats_it
                played = record.moves[turn].species == "skunk"
                mine = any(card.owner == seat for card in gone)
                driven.setdefault((mine, "mine"), []).append(played)
                theirs = sum(card.owner != seat for card in gone) > 1
                driven.setdefault((theirs, "theirs"), []).append(played)
    for whose, condition in (
        ("mine", "it would drive away an animal of its own"),
        ("theirs", "it would drive away two animals of the opponent"),
    ):
        effect = effects["skunk", condition]
        for holds, share in ((True, effect.played), (False, effect.otherwise)):
            assert share is not None
            assert share.cases == len(driven[holds, whose])
            assert share.mean == pytest.approx(np.mean(driven[holds, whose]), abs=1e-5)


def test_seats_are_compared_on_the_same_deals(games):
    results = {result.opponent: result for result in seat_results(games)}
    own = games.plan.opponents < len(OPPONENTS)
    won = games.outcomes > 0
    second, first = (won[own & (games.plan.seats == seat)].mean() for seat in (1, 0))
    together = results[NAMED]
    assert together.gain is not None
    assert together.gain.mean == pytest.approx(second - first, abs=1e-5)
    assert together.games == 200
    assert together.wins.mean == pytest.approx(won[own].mean(), abs=1e-5)
    assert set(results) == {*ALL, NAMED, "all together"}


def test_a_script_is_followed_and_the_rest_decided():
    player = lowest()
    plan = plan_games(44, 5)
    games = play_games(player, plan, "points")
    script = np.full((NUM_PLIES, len(plan)), FREE, np.uint8)
    script[:10] = games.actions[:10]
    again = play_games(player, plan, "points", script=script)
    assert (again.actions == games.actions).all()
    other = play_games(highest(), plan, "points", script=script)
    mine = (plan.seats == np.arange(NUM_PLIES)[:, None] % 2) & ~games.decided
    assert (other.actions[:10][mine[:10]] == games.actions[:10][mine[:10]]).all()
    assert (other.actions[10:] != games.actions[10:]).any()
    assert (
        play_games(player, plan, "points", keep=False).outcomes.tolist() == games.outcomes.tolist()
    )


@pytest.mark.parametrize("kind", [INSTEAD, ANYWAY])
def test_a_trial_is_the_game_with_one_other_animal(policy, kind):
    judge, player = Judge(policy), network_player("tiny", policy)
    games = play_games(player, plan_games(44, 5), "points")
    trials = run_trials(player, judge, games, kind, 60, 1)
    decisions = trials.decisions
    assert (trials.animals != decisions.species).all()
    assert decisions.hands[np.arange(60), trials.animals].all()
    actions, values = judge.best_with_each(decisions.rows)
    if kind == INSTEAD:
        values[np.arange(60), decisions.species] = -np.inf
        assert (trials.animals == values.argmax(axis=1)).all()
    for number in range(20):
        game, turn = int(decisions.games[number]), int(decisions.turns[number])
        plan = games.plan.take(np.array([game]))
        script = np.full((NUM_PLIES, 1), FREE, np.uint8)
        script[:turn, 0] = games.actions[:turn, game]
        script[turn, 0] = actions[number, trials.animals[number]]
        again = play_games(player, plan, "points", script=script)
        assert (again.actions[:turn, 0] == games.actions[:turn, game]).all()
        side = 1 if turn % 2 == plan.seats[0] else -1
        gain = int(games.outcomes[game] * side > 0) - int(again.outcomes[0] * side > 0)
        assert trials.gains[number] == gain
    repeated = run_trials(player, judge, games, kind, 60, 1)
    assert (repeated.gains == trials.gains).all()


def test_mistakes_are_counted_as_the_network_judges_the_moves(policy):
    judge, player = Judge(policy), network_player("tiny", policy)
    games = play_games(player, plan_games(220, 5), "points")
    found = mistake_figures(judge, games, 4, 2, 0)
    assert [one.opponent for one in found] == list(OPPONENTS)
    for number, one in enumerate(found):
        decisions = decisions_of_opponents(games)
        own = decisions.take(np.flatnonzero(decisions.opponents == number))
        losses = []
        for row, action in zip(own.rows, own.actions, strict=True):
            wins = judge.win_probabilities(row[None])[0]
            losses.append(wins.max() - wins[action])
        wrong = np.array(losses) >= WORTH_COUNTING
        assert one.per_game.mean == pytest.approx(wrong.sum() / 20, abs=1e-4)
        assert one.loss_per_move.mean == pytest.approx(np.mean(losses), abs=1e-4)
        by_animal = {entry.animal: entry for entry in one.misplayed}
        if one.special is not None:
            others = [
                entry.of_plays.mean
                for other in found
                if other is not one
                for entry in other.misplayed
                if entry.animal == one.special.animal
            ]
            assert one.special.others.mean == pytest.approx(np.mean(others), abs=1e-4)
            assert one.special.of_plays == by_animal[one.special.animal].of_plays
            assert one.special.of_plays.mean > np.mean(others)
        for species, name in enumerate(SPECIES):
            times = wrong[own.species == species].sum()
            if name in by_animal:
                assert by_animal[name].per_100_games.mean == pytest.approx(5 * times, abs=1e-3)


def test_the_order_of_preference_is_the_cheapest_one():
    generator = np.random.default_rng(2)
    names = SPECIES[:6]
    costs: dict[tuple[str, ...], dict[str, float]] = {}
    for hand in combinations(names, 4):
        values = generator.random(4)
        costs[hand] = dict(zip(hand, (values - values.min()).tolist(), strict=True))

    def total(order):
        return sum(cards[min(cards, key=order.index)] for cards in costs.values())

    order = order_of_preference(costs)
    assert sorted(order) == sorted(SPECIES)
    best = min(total([*way, *SPECIES[6:]]) for way in permutations(names))
    assert total(order) == pytest.approx(best)


def test_a_record_names_the_moves(games):
    record = games.record(3, 5, "points")
    assert [action_id(move) for move in record.moves] == games.actions[:5, 3].tolist()
