"""Hints, reviews, watching and matches over the wire."""

import secrets

import pytest

from bb_sim import is_terminal
from eval.analysis.notation import game_text, link_text, parse_link
from eval.analysis.review import review_game
from eval.matches.match import play_pairings
from eval.matches.players import make_player
from tests.eval.web.test_games import new

AGENT = "tests.eval.policies:FirstAgent"


def test_a_hint_is_the_engines_analysis_of_what_the_person_has_seen(server, page):
    view = page.play(new(page))
    hint = page.ask("hint", game=view["game"])
    game = server.table.games.find(view["game"], page.player)
    record = parse_link(view["link"])
    assert record == game.record.seen_by(0)
    expected = server.table._engine.analyse(record, samples=200)
    expected_json = expected.model_dump(mode="json", by_alias=True)
    for answer in (hint, expected_json):
        answer.pop("milliseconds")
    assert hint == expected_json
    assert {action["action"] for action in hint["actions"]} == {
        action["text"] for action in view["position"]["legal"]
    }


def test_a_review_is_that_of_the_engine_and_tells_how_far_it_is(server, page):
    view = page.finish(new(page, "random"))
    review = page.ask("review", text=view["link"], samples=20)
    told = [push for push in page.pushes if push["push"] == "review"]
    assert [push["turn"] for push in told] == [
        turn for turn in range(24) if any(move["turn"] == turn for move in review["moves"])
    ]
    record = parse_link(view["link"])
    expected = review_game(server.table._engine, record, samples=20)
    assert [move["verdict"] for move in review["moves"]] == [
        move.verdict for move in expected.moves
    ]
    for got, wanted in zip(review["players"], expected.players, strict=True):
        assert got["skill"] == pytest.approx(wanted.skill)
        assert got["skill"] + got["luck"] == pytest.approx(got["end"] - got["start"])
    again = page.ask("review", text=game_text(record), samples=20)
    assert len(again["moves"]) == len(review["moves"])


def test_a_game_is_read_from_text_link_and_address_alike(page):
    view = page.finish(new(page, "random"))
    read = page.ask("read", text=view["link"])
    assert page.ask("read", text=f"http://localhost:8000/#game={view['link']}") == read
    assert page.ask("read", text=read["text"]) == read
    assert len(read["positions"]) == 25
    assert len(read["turns"]) == 24
    assert read["complete"]


def test_a_seats_view_that_is_read_shows_no_card_that_it_filled_in(server, page):
    view = page.play(new(page))
    read = page.ask("read", text=view["link"])
    assert not read["complete"]
    for position in read["positions"]:
        assert set(position["hands"][1]) <= {None, read["turns"][1]["action"]["species"]}
    assert set(read["positions"][-1]["hands"][1]) == {None}


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "is not known"),
        ("1. unicorn", "unicorn"),
        ("hand 0: lion lion seal snake", "twice"),
        ("queue: lion(0) lion(1)", "two lions"),
        ("1.2.3.4.5.6.7.8.9.10", "no link"),
    ],
)
def test_what_cannot_be_analysed_is_refused_in_a_sentence(page, text, part):
    answers = [page.request(do, text=text, **more) for do, more in
               (("analyse", {"turn": 0}), ("review", {}))]  # fmt: skip
    assert part in " ".join(answer.get("error", "") for answer in answers)


def test_an_analysis_can_see_all_cards_and_says_so(page):
    view = page.finish(new(page, "random"))
    analysis = page.ask("analyse", text=view["link"], turn=10, samples=10, everything=True)
    assert analysis["perspective"] == "all"
    assert set(analysis["opponent"]["hand"].values()) <= {0.0, 1.0}


def test_two_agents_are_watched_move_by_move(page):
    game = page.ask("watch", players=["online", "run:tiny"])
    for turn in range(24):
        game |= page.ask("next", watch=game["watch"])
        assert game["turn"]["turn"] == turn
    record = parse_link(game["link"])
    assert is_terminal(record.states[-1])
    assert record.players == ("online", "tiny")
    assert page.refusal("next", watch=game["watch"]) == "the game is over"


def test_a_match_goes_on_in_the_background_and_can_be_stopped(page):
    result = page.ask("match", players=["heuristic", "random"], games=30)
    assert result["games"] == 30
    assert result["wins"] + result["draws"] + result["losses"] == 30
    assert result["wins"] > result["losses"]
    assert [push["games"] for push in page.pushes] == [10, 20, 30]
    page.send('{"id": 900, "do": "match", "players": ["run:tiny", "random"], "games": 1000}')
    page.send('{"id": 901, "do": "stop", "request": 900}')
    answers: dict[int, dict] = {}
    while len(answers) < 2:
        message = page.receive()
        if "push" not in message:
            answers[message["id"]] = message
    assert answers[901]["result"] == {}
    assert answers[900]["stopped"]


def test_a_match_against_a_python_agent_is_that_of_eval_main(page, monkeypatch):
    monkeypatch.setattr(secrets, "randbits", lambda bits: 7)
    result = page.ask("match", players=["run:tiny", AGENT], games=6)
    assert [push["games"] for push in page.pushes] == [2, 4, 6]
    players = (make_player("tiny"), make_player(AGENT))
    # The stream without a name: deals for no opponent in particular.
    (expected,) = play_pairings([players], 6, 7, streams=[""])
    counts = (expected.wins, expected.draws, expected.losses)
    assert tuple(result[name] for name in ("wins", "draws", "losses")) == counts
    assert result["margin"] == pytest.approx(expected.mean_margin)


def test_an_agent_that_plays_itself_wins_as_often_as_it_loses(page):
    result = page.ask("match", players=[AGENT, AGENT], games=8)
    assert result["games"] == 8 and result["wins"] == result["losses"] and result["margin"] == 0


def test_a_match_with_an_agent_that_fails_is_refused_in_a_sentence(page, monkeypatch):
    def fail(self, state, legal_actions):
        raise ZeroDivisionError("nothing to divide by")

    monkeypatch.setattr("tests.eval.policies.FirstAgent.select_action", fail)
    assert "failed in select_action" in page.refusal("match", players=["random", AGENT], games=2)


def test_the_link_of_a_record_survives_the_way_through_the_page(page):
    view = page.finish(new(page, "random"))
    assert link_text(parse_link(view["link"])) == view["link"]
