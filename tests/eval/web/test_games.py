"""Games over the wire: what may be played, what is seen, and that a break costs nothing."""

import json

import pytest

from eval.analysis.notation import parse_game, parse_link


def pairs(value):
    """Every [owner, species] in a JSON value."""
    if isinstance(value, list):
        if len(value) == 2 and isinstance(value[0], int) and isinstance(value[1], str):
            yield tuple(value)
        for part in value:
            yield from pairs(part)
    elif isinstance(value, dict):
        for part in value.values():
            yield from pairs(part)


def views(value):
    if isinstance(value, dict):
        if "position" in value and "seat" in value:
            yield value
        for part in value.values():
            yield from views(part)


def new(page, opponent="online", seat=0, **fields):
    return page.until_my_turn(page.ask("new", opponent=opponent, seat=seat, **fields))


@pytest.mark.parametrize("seat", [0, 1])
@pytest.mark.parametrize("opponent", ["online", "run:tiny", "run:tiny + search"])
def test_no_hidden_card_is_ever_sent(server, page, opponent, seat):
    view = new(page, opponent, seat)
    game = server.table.games.find(view["game"], page.player)
    while not view["position"]["over"]:
        view = page.play(view, lambda legal: legal[-1])
    checked = 0
    for frame in page.frames:
        message = json.loads(frame)
        shown = [view for view in views(message) if not view["position"]["over"]]
        for shown_view in shown:
            state = game.states[shown_view["position"]["turn"]]
            other = 1 - seat
            secret = {(c.owner, c.species) for c in (*state.hands[other], *state.decks[other])}
            secret |= {(c.owner, c.species) for c in state.decks[seat]}
            assert not secret & set(pairs(message))
            hands = shown_view["position"]["hands"]
            assert set(hands[other]) <= {None}
            assert hands[seat] == [card.species for card in state.hands[seat]]
            for record in (parse_link(shown_view["link"]), parse_game(shown_view["text"])):
                start = record.start
                assert all(card.is_hidden for card in (*start.hands[other], *start.decks[other]))
                known = [card for card in start.decks[seat] if not card.is_hidden]
                assert not {(card.owner, card.species) for card in known} & secret
            assert shown_view["cards"] is None
            checked += 1
        if shown:
            assert str(game.seed) not in frame
    assert checked >= 24
    assert parse_link(view["link"]) == game.record


def test_the_view_at_the_end_says_who_won(page):
    view = page.finish(new(page))
    position = view["position"]
    better = [seat for seat in (0, 1) if position["scores"][seat] > position["scores"][1 - seat]]
    assert position["winner"] == (better[0] if better else None)
    assert len(view["moves"]) == 24
    assert page.refusal("play", game=view["game"], turn=23, action=0) == "the game is over"


def test_what_cannot_be_played_changes_nothing(page):
    view = new(page)
    game, legal = view["game"], {action["id"] for action in view["position"]["legal"]}
    illegal = min(set(range(33)) - legal)
    assert "cannot be played now" in page.refusal("play", game=game, turn=0, action=illegal)
    assert "turn 2 is not the present one" in page.refusal(
        "play", game=game, turn=1, action=min(legal)
    )
    again = page.ask("resume", game=game)
    assert again["position"] == view["position"]


def test_undo_takes_back_both_moves_and_keeps_the_cards(page):
    first = new(page)
    second = page.play(first)
    third = page.play(second)
    assert third["canUndo"]
    page.ask("undo", game=third["game"])
    undone = page.push("undone")["view"]
    assert undone["position"] == second["position"]
    assert page.play(undone)["position"]["hands"][0] == third["position"]["hands"][0]
    page.ask("undo", game=third["game"])
    page.push("undone")
    page.ask("undo", game=third["game"])
    assert page.push("undone")["view"]["position"] == first["position"]
    assert "no move of yours" in page.refusal("undo", game=third["game"])


def test_a_game_goes_on_after_a_break(server):
    with server.page() as page:
        view = page.play(new(page))
        player = page.player
    with server.page(player) as page:
        again = page.ask("resume", game=view["game"])
        assert again["position"] == view["position"]
        assert [turn["turn"] for turn in again["turns"]] == [0, 1]
        assert page.finish(again)["position"]["over"]


def test_another_browsers_game_is_as_unknown_as_none(server, page):
    view = new(page)
    with server.page() as stranger:
        foreign = stranger.refusal("resume", game=view["game"])
        missing = stranger.refusal("resume", game="A" * 22)
        assert foreign == missing
        for do in ("undo", "hint", "exchange"):
            assert stranger.refusal(do, game=view["game"]) == missing
        assert stranger.refusal("play", game=view["game"], turn=0, action=0) == missing


def test_two_pages_of_one_browser_show_the_same_game(server, page):
    view = new(page)
    with server.page(page.player) as other:
        other.ask("resume", game=view["game"])
        page.play(view)
        assert other.push("turn")["turn"]["mover"] == 0


def test_the_same_cards_from_the_other_seat(page):
    view = new(page, "random")
    assert "once the game is over" in page.refusal("exchange", game=view["game"])
    view = page.finish(view)
    again = page.until_my_turn(page.ask("exchange", game=view["game"]))
    assert again["seat"] == 1
    again = page.finish(again)
    assert parse_link(again["link"]).start == parse_link(view["link"]).start


def test_a_friend_plays_the_same_cards_unseen(server, page):
    view = page.finish(new(page, "random", 1))
    with server.page() as friend:
        theirs = friend.ask("cards", cards=view["cards"])
        assert theirs["seat"] == 1
        assert theirs["opponent"]["key"] == "random"
        assert set(theirs["position"]["hands"][0]) == {None}
        theirs = friend.finish(friend.until_my_turn(theirs))
        assert parse_link(theirs["link"]).start == parse_link(view["link"]).start
        for text in ("", "x", view["cards"][:-3], "é" * 20, view["cards"][::-1]):
            assert friend.refusal("cards", cards=text) == "this link holds no cards"


def test_an_opponent_of_another_scoring_is_refused(page):
    assert "there is no such opponent" in page.refusal("new", opponent="nobody")
    view = new(page, "heuristic", scoring="animals")
    assert view["scoring"] == "animals"
    assert new(page, "run:animals", scoring="animals")["scoring"] == "animals"
    told = "animals was trained for scoring by animals, not by points"
    assert told in page.refusal("new", opponent="run:animals", seat=0)
    assert told in page.refusal("watch", players=["random", "run:animals"])
    assert told in page.refusal("match", players=["run:animals", "random"], games=2)


def test_a_python_agent_can_be_played(page):
    view = page.finish(new(page, "tests.eval.policies:FirstAgent"))
    assert view["position"]["over"]


def test_a_turn_is_told_step_by_step(page):
    view = new(page)
    page.ask("play", game=view["game"], turn=0, action=view["position"]["legal"][0]["id"])
    turn = page.push("turn")["turn"]
    assert [step["kind"] for step in turn["steps"]][:2] == ["join", "act"]
    for step in turn["steps"]:
        assert step["text"].format(*("x" for _ in step["cards"])).endswith(".")
