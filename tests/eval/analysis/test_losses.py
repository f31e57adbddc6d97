"""The audit of games that were not won: exact accounts, judges, and the command."""

import json

import pytest

from bb_jax import load_policy
from bb_jax.search.config import parse_search
from bb_sim import OPPONENTS
from eval.analysis.losses import (
    REFERENCE,
    audit_game,
    make_judges,
    played_record,
    worst_decisions,
)
from eval.analysis.notation import parse_game
from eval.losses import main
from eval.matches.match import deal_seeds, play_pairings
from eval.matches.players import NamedPlayer
from tests.eval import policies

SEARCH = parse_search("samples=4,opponent=known")


@pytest.fixture(scope="module")
def judges(tiny_checkpoints):
    file = tiny_checkpoints / "checkpoints" / "tiny" / "policies" / "000001.policy"
    return make_judges(load_policy(file), SEARCH)


@pytest.fixture(scope="module")
def played():
    pairing = (policies.lowest(), NamedPlayer("online"))
    return play_pairings([pairing], 6, 3, records=True)[0]


def record_of(played, deal, seat):
    seed = int(deal_seeds(3, deal + 1, "online")[deal])
    actions = [int(action) for action in played.actions[deal, seat]]
    return played_record(seed, seat, "online", actions, "lowest", "points")


@pytest.fixture(scope="module")
def audited(played, judges):
    return [
        audit_game(record_of(played, deal, seat), seat, deal, judges, SEARCH, 2)
        for deal, seat in ((0, 0), (1, 1))
    ]


def test_a_record_is_the_game_that_was_played(played):
    for deal in range(3):
        for seat in range(2):
            state = record_of(played, deal, seat).states[-1]
            points = [
                sum(card.points for card in state.bar if card.owner == player)
                for player in (seat, 1 - seat)
            ]
            assert points[0] - points[1] == played.margins[deal, seat]


def test_first_chance_regret_and_luck_add_up_to_the_result(audited, played):
    for game in audited:
        assert game.won == (played.outcomes[game.deal, game.seat] > 0)
        assert game.start - game.regret() + game.luck == pytest.approx(float(game.won), abs=1e-6)
        assert [one.turn % 2 for one in game.decisions] == [game.seat] * len(game.decisions)


def test_all_judges_are_asked_about_what_is_open(audited, judges):
    names = {judge.name for judge in judges}
    open_ones = [one for game in audited for one in game.decisions if len(one.judged) > 1]
    assert open_ones
    assert all(set(one.judged) == names for one in open_ones)
    assert not any(one.exact for one in open_ones)


def test_a_judge_that_sees_the_hand_knows_more(judges, played):
    record = record_of(played, 0, 0)
    _, *_, sees = judges
    found = sees.engine.analyse(
        record, turn=4, samples=8, opponent="online", sees_hand=sees.sees_hand
    )
    held = {card.species for card in record.state(4).hands[1]}
    assert {card for card, p in found.opponent.hand.items() if p > 0.5} == held


def test_positions_are_what_the_player_knew(audited):
    for game in audited:
        for decision in game.decisions:
            record = parse_game(decision.position)
            assert record.end_turn == decision.turn
            assert all(card.is_hidden for card in record.start.hands[1 - game.seat])


def test_the_worst_decisions_come_first(audited):
    worst = worst_decisions(audited, 3)
    costs = [decision.regret for _, decision in worst]
    assert costs == sorted(costs, reverse=True)
    every = [one.judged[REFERENCE].regret.mean for game in audited for one in game.decisions]
    assert not costs or costs[0] == max(every)


def test_the_command_shows_and_stores_the_audit(tiny_checkpoints, monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tiny_checkpoints)
    file = tmp_path / "losses.json"
    arguments = ["tiny@1", "--search", "samples=2,opponent=known", "--opponents", "online,queue"]
    arguments += ["--lost", "2", "--times", "2", "--games", "4", "--json", str(file)]
    assert main(arguments) == 0
    shown = capsys.readouterr().out
    assert "2 games that were not won" in shown
    assert "hand seen the opponent's" in " ".join(shown.split())
    data = json.loads(file.read_text())
    assert len(data["lost"]) == 2
    assert not any(game["won"] for game in data["lost"])
    assert [result["games"] for result in data["results"]] == [4, 4]
    assert not (tmp_path / "losses.json.partial").exists()


def test_won_games_are_judged_by_all_judges_too(tiny_checkpoints, monkeypatch, tmp_path):
    monkeypatch.chdir(tiny_checkpoints)
    file = tmp_path / "losses.json"
    arguments = ["tiny@1", "--search", "samples=2,opponent=known", "--opponents", "queue"]
    arguments += ["--lost", "1", "--times", "1", "--games", "40", "--json", str(file)]
    assert main(arguments) == 0
    data = json.loads(file.read_text())
    judged = [one["judged"] for game in data["won"] for one in game["decisions"]]
    assert data["lost"] and any(len(one) > 1 for one in judged)
    assert {tuple(one) for one in judged if len(one) > 1} == {tuple(data["judges"])}


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--search", "milliseconds=3", "--search must say samples=N with N above 0"),
        ("--opponents", "tiny@2", f"--opponents are named ones ({', '.join(OPPONENTS)})"),
        ("--games", "5", "--games must be even, because each deal"),
        ("--lost", "0", "--lost must be at least 1, not 0"),
    ],
)
def test_what_cannot_be_audited_is_refused(option, value, message, capsys):
    assert main(["tiny", option, value]) == 2
    assert capsys.readouterr().err.startswith(f"error: {message}")
