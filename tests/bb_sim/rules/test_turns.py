"""The order of a turn, the end of the game, the scores, and games of three and four."""

import random

import pytest

from bb_sim import (
    ACTIONS,
    NUM_ACTIONS,
    POINTS,
    SPECIES,
    Action,
    Card,
    State,
    action_id,
    is_decided,
    is_terminal,
    legal_actions,
    new_game,
    ranking,
    scores,
    step,
    winner,
)


def cards(text: str) -> tuple[Card, ...]:
    return tuple(Card(int(word[-1]), word[:-1]) for word in text.split())


def play_from(queue: str, played: str) -> State:
    """Player 0 plays an animal without a choice, its only card."""
    state = State(hands=((Card(0, played),), ()), queue=cards(queue))
    return step(state, Action(played))


def random_game(seed: int, num_players: int = 2) -> list[State]:
    """All states of a random game, the deal first."""
    rng = random.Random(seed)
    states = [new_game(seed, num_players=num_players)]
    while not is_terminal(states[-1]):
        states.append(step(states[-1], rng.choice(legal_actions(states[-1]))))
    return states


# --- Recurring actions ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("queue", "after", "thats_it"),
    [
        pytest.param("parrot1 hippo1", "hippo1 parrot1 zebra0", "", id="hippo moves forward"),
        pytest.param("zebra1 hippo1", "zebra1 hippo1 zebra0", "", id="hippo stays behind a zebra"),
        pytest.param(
            "seal1 skunk0 crocodile0", "crocodile0 zebra0", "skunk0 seal1", id="crocodile eats"
        ),
        pytest.param(
            "skunk1 parrot1 giraffe1",
            "skunk1 giraffe1 parrot1 zebra0",
            "",
            id="giraffe jumps once",
        ),
    ],
)
def test_recurring_animals_act_in_every_turn(queue: str, after: str, thats_it: str) -> None:
    state = play_from(queue, "zebra")
    assert state.queue == cards(after)
    assert state.thats_it == cards(thats_it)


def test_recurring_animals_act_from_the_gate_to_the_end() -> None:
    # The crocodile behind the hippo eats the seal only after the hippo has passed it.
    state = play_from("seal1 hippo1 crocodile1", "zebra")
    assert state.queue == cards("hippo1 crocodile1 zebra0")
    assert state.thats_it == cards("seal1")


def test_a_recurring_animal_acts_though_others_have_moved_it() -> None:
    state = play_from("seal1 crocodile1 skunk1 giraffe0", "zebra")
    assert state.queue == cards("crocodile1 giraffe0 skunk1 zebra0")
    assert state.thats_it == cards("seal1")


def test_the_animal_just_played_does_not_act_again() -> None:
    assert play_from("skunk1 parrot1", "giraffe").queue == cards("skunk1 giraffe0 parrot1")


def test_a_recurring_animal_acts_after_the_seal_has_turned_the_queue() -> None:
    state = play_from("skunk1 zebra1 crocodile1", "seal")
    assert state.queue == cards("crocodile1 zebra1 skunk1")
    assert state.thats_it == cards("seal0")


def test_an_animal_played_earlier_of_the_same_species_acts() -> None:
    # The giraffe played cannot pass its equal, which then jumps itself.
    state = play_from("skunk1 giraffe1", "giraffe")
    assert state.queue == cards("giraffe1 skunk1 giraffe0")


# --- Five animals -----------------------------------------------------------------------------


def test_the_gate_opens_at_five_animals() -> None:
    state = play_from("lion0 seal1 skunk0 parrot1", "zebra")
    assert state.bar == cards("lion0 seal1")
    assert state.thats_it == cards("zebra0")
    assert state.queue == cards("skunk0 parrot1")


def test_four_animals_do_not_open_the_gate() -> None:
    state = play_from("lion0 seal1 skunk0", "zebra")
    assert state.queue == cards("lion0 seal1 skunk0 zebra0")
    assert state.bar == ()


def test_the_gate_opens_after_the_recurring_actions() -> None:
    state = play_from("seal1 skunk0 parrot1 hippo1", "zebra")
    assert state.bar == cards("hippo1 seal1")
    assert state.thats_it == cards("zebra0")
    assert state.queue == cards("skunk0 parrot1")


def test_a_crocodile_can_keep_the_gate_shut() -> None:
    state = play_from("lion1 seal1 skunk0 crocodile0", "zebra")
    assert state.queue == cards("lion1 crocodile0 zebra0")
    assert state.thats_it == cards("skunk0 seal1")
    assert state.bar == ()


def test_what_the_action_sends_out_does_not_count_among_the_five() -> None:
    state = play_from("lion1 seal1 skunk0 parrot1", "lion")
    assert state.queue == cards("lion1 seal1 skunk0 parrot1")
    assert state.thats_it == cards("lion0")


# --- Drawing and passing the turn -------------------------------------------------------------


def test_the_mover_draws_the_next_card_of_the_deck() -> None:
    state = State(
        hands=(cards("skunk0 lion0"), cards("seal1")),
        decks=(cards("zebra0 parrot0"), cards("hippo1")),
    )
    after = step(state, Action("lion"))
    assert after.hands == (cards("skunk0 zebra0"), cards("seal1"))
    assert after.decks == (cards("parrot0"), cards("hippo1"))
    assert (after.turn, after.to_move) == (1, 1)


def test_nothing_is_drawn_from_an_empty_deck() -> None:
    state = State(hands=(cards("skunk0 lion0"), cards("seal1")))
    assert step(state, Action("lion")).hands == (cards("skunk0"), cards("seal1"))


@pytest.mark.parametrize("num_players", [2, 3, 4])
def test_turns_go_clockwise_from_the_first_player(num_players: int) -> None:
    state = new_game(5, first_player=num_players - 1, num_players=num_players)
    movers = []
    while not is_terminal(state):
        movers.append(state.to_move)
        state = step(state, legal_actions(state)[0])
    assert movers == [(turn - 1) % num_players for turn in range(12 * num_players)]


def test_a_player_without_cards_is_passed_over() -> None:
    state = State(hands=(cards("skunk0 seal0"), (), cards("lion2"), ()))
    movers = []
    while not is_terminal(state):
        movers.append(state.to_move)
        state = step(state, legal_actions(state)[0])
    assert movers == [0, 2, 0]


# --- The end ----------------------------------------------------------------------------------


@pytest.mark.parametrize("num_players", [2, 3, 4])
def test_a_game_ends_when_all_cards_are_played(num_players: int) -> None:
    states = random_game(num_players, num_players)
    assert [is_terminal(state) for state in states] == [False] * 12 * num_players + [True]
    assert states[-1].turn == 12 * num_players
    assert legal_actions(states[-1]) == []
    open_cards = (*states[-1].queue, *states[-1].bar, *states[-1].thats_it)
    assert len(set(open_cards)) == len(open_cards) == 12 * num_players


@pytest.mark.parametrize(
    ("hands", "decks", "queue", "decided"),
    [
        ("lion0 hippo0", "", "seal0 zebra0", True),
        ("lion0 hippo0", "snake0", "seal0 zebra0", False),
        ("lion0 hippo0", "snake0 skunk0", "", True),
        ("lion0", "", "seal0 zebra0 seal1 zebra1", False),
        ("", "", "seal0 zebra0 seal1 zebra1", True),
    ],
)
def test_decided_means_fewer_than_five_cards_left(
    hands: str, decks: str, queue: str, decided: bool
) -> None:
    state = State(hands=(cards(hands), ()), decks=(cards(decks), ()), queue=cards(queue))
    assert is_decided(state) is decided


@pytest.mark.parametrize("num_players", [2, 3, 4])
def test_scores_are_final_once_decided(num_players: int) -> None:
    for seed in range(30):
        states = random_game(seed, num_players)
        decided = [state for state in states if is_decided(state)]
        assert {state.bar for state in decided} == {states[-1].bar}
        assert states[-5 * num_players :][-len(decided) :] == decided


# --- Scores -----------------------------------------------------------------------------------


def test_the_points_of_the_animals() -> None:
    assert dict(zip(SPECIES, POINTS, strict=True)) == {
        "lion": 2,
        "hippo": 2,
        "crocodile": 3,
        "snake": 2,
        "giraffe": 3,
        "zebra": 4,
        "seal": 2,
        "chameleon": 3,
        "monkey": 3,
        "kangaroo": 4,
        "parrot": 4,
        "skunk": 4,
    }
    assert sum(POINTS) == 36


def over(bar: str, num_players: int = 2) -> State:
    """A finished game with these animals in the bar and one in the queue, which scores nothing."""
    return State(hands=((),) * num_players, queue=cards("crocodile0"), bar=cards(bar))


def test_points_and_animals_may_have_different_winners() -> None:
    state = over("lion0 hippo0 snake0 zebra1 skunk1")
    assert scores(state) == scores(state, "points") == (6, 8)
    assert scores(state, "animals") == (3, 2)
    assert (winner(state), winner(state, "animals")) == (1, 0)


def test_equal_points_are_a_draw() -> None:
    state = over("lion0 hippo0 zebra1")
    assert scores(state) == (4, 4)
    assert winner(state) is None
    assert ranking(state) == (1, 1)


def test_equal_animals_go_to_the_lower_strength() -> None:
    state = over("lion0 skunk0 hippo1 skunk1")
    assert scores(state, "animals") == (2, 2)
    assert winner(state, "animals") == 1
    assert ranking(state, "animals") == (2, 1)


def test_equal_animals_of_equal_strength_are_a_draw() -> None:
    assert winner(over("hippo0 monkey0 lion1 kangaroo1"), "animals") is None


def test_equal_scores_share_a_place() -> None:
    state = over("zebra0 skunk1 lion2 lion3", num_players=4)
    assert ranking(state) == (1, 1, 3, 3)
    assert winner(state) is None
    assert ranking(state, "animals") == (2, 1, 3, 3)
    assert winner(state, "animals") == 1


def test_an_unknown_scoring_is_named() -> None:
    with pytest.raises(ValueError, match="medals"):
        scores(over("lion0"), "medals")


# --- Actions ----------------------------------------------------------------------------------


def test_the_33_actions_in_their_order() -> None:
    plain = ["skunk", "monkey", "seal", "zebra", "giraffe", "snake", "crocodile", "hippo", "lion"]
    expected: list[tuple[str, tuple[str | int, ...]]] = [(species, ()) for species in plain]
    expected += [("kangaroo", ()), ("kangaroo", (1,)), ("kangaroo", (2,))]
    expected += [("parrot", ()), *(("parrot", (index,)) for index in range(4))]
    expected += [("chameleon", ()), *(("chameleon", (species,)) for species in plain)]
    expected += [("chameleon", ("kangaroo", hop)) for hop in (1, 2)]
    expected += [("chameleon", ("parrot", index)) for index in range(4)]
    assert [(action.species, action.params) for action in ACTIONS] == expected
    assert len(set(ACTIONS)) == NUM_ACTIONS == 33
    assert [action_id(action) for action in ACTIONS] == list(range(33))


def test_at_most_15_actions_are_legal() -> None:
    state = State(
        hands=(cards("parrot0 kangaroo0 chameleon0 lion0"), ()),
        queue=cards("kangaroo1 parrot1 zebra1 seal1"),
    )
    assert len(legal_actions(state)) == 15
    for seed in range(30):
        for played in random_game(seed):
            assert len(legal_actions(played)) <= 15


def test_every_card_in_the_hand_is_playable() -> None:
    for seed in range(30):
        for state in random_game(seed)[:-1]:
            playable = {action.species for action in legal_actions(state)}
            assert playable == {card.species for card in state.hands[state.to_move]}


@pytest.mark.parametrize(
    ("action", "named"),
    [
        (Action("lion"), "lion"),
        (Action("kangaroo"), "kangaroo without a choice"),
        (Action("kangaroo", (2,)), "kangaroo hopping 2"),
        (Action("chameleon", ("parrot", 0)), "chameleon as parrot at queue index 0"),
    ],
)
def test_an_illegal_action_is_named_and_changes_nothing(action: Action, named: str) -> None:
    state = State(hands=(cards("kangaroo0 chameleon0"), cards("lion1")), queue=cards("seal1"))
    before = str(state)
    with pytest.raises(ValueError, match=rf"{named}\) is not legal for player 0"):
        step(state, action)
    assert str(state) == before


def test_no_action_is_legal_when_the_game_is_over() -> None:
    with pytest.raises(ValueError, match=r"skunk.*the game is over"):
        step(over("lion0"), Action("skunk"))


# --- The deal ---------------------------------------------------------------------------------


@pytest.mark.parametrize("num_players", [2, 3, 4])
def test_a_deal_gives_each_player_the_12_species(num_players: int) -> None:
    state = new_game(2**64 - 1, num_players=num_players)
    for player in range(num_players):
        assert len(state.hands[player]) == 4
        assert len(state.decks[player]) == 8
        dealt = (*state.hands[player], *state.decks[player])
        assert set(dealt) == {Card(player, species) for species in SPECIES}


def test_the_deal_depends_on_the_seed_alone() -> None:
    first, second = new_game(11), new_game(11, first_player=1)
    assert first == new_game(11)
    assert (first.hands, first.decks) == (second.hands, second.decks)
    assert (first.to_move, second.to_move) == (0, 1)
    assert len({new_game(seed).hands for seed in range(100)}) > 95


@pytest.mark.parametrize("seed", [-1, 2**64, 10**30])
def test_a_seed_out_of_range_is_refused(seed: int) -> None:
    with pytest.raises(ValueError, match=f"seed.*{seed}"):
        new_game(seed)


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({"num_players": 1}, "num_players"),
        ({"num_players": 5}, "num_players"),
        ({"first_player": 2}, "first_player"),
        ({"first_player": -1}, "first_player"),
    ],
)
def test_a_game_of_impossible_players_is_refused(arguments: dict[str, int], name: str) -> None:
    with pytest.raises(ValueError, match=name):
        new_game(0, **arguments)


def test_a_seed_that_is_no_integer_is_refused() -> None:
    with pytest.raises(TypeError, match=r"seed must be an integer, not 1\.5"):
        new_game(1.5)  # type: ignore[arg-type]
