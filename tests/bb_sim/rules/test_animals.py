"""Every animal and every use of the chameleon, on positions set up by hand.

A card is written `lion0`: the species and the owner. Player 0 plays, from a hand of one card, so
that nothing is drawn; a queue that reaches five animals is left to `test_rules_turns`.
"""

import pytest

from bb_sim import Action, Card, State, legal_actions, step


def cards(text: str) -> tuple[Card, ...]:
    return tuple(Card(int(word[-1]), word[:-1]) for word in text.split())


def position(queue: str, species: str) -> State:
    """Player 0 to move with one card."""
    return State(hands=((Card(0, species),), ()), queue=cards(queue))


def check(queue: str, action: Action, expected_queue: str, expected_thats_it: str = "") -> None:
    after = step(position(queue, action.species), action)
    assert (after.queue, after.thats_it) == (cards(expected_queue), cards(expected_thats_it))
    assert after.bar == ()


def cases(table: dict[str, tuple[str, ...]]) -> pytest.MarkDecorator:
    """Parametrizes by named cases of (queue, queue after[, THAT'S IT after])."""
    rows = [(*case, "")[:3] for case in table.values()]
    return pytest.mark.parametrize(("queue", "after", "thats_it"), rows, ids=list(table))


@cases(
    {
        "enters an empty queue": ("", "lion0"),
        "moves to the front past everything": (
            "hippo1 zebra0 snake1",
            "lion0 hippo1 zebra0 snake1",
        ),
        "drives out one monkey": ("zebra1 monkey1 seal0", "lion0 zebra1 seal0", "monkey1"),
        "drives out monkeys of both players": (
            "monkey0 parrot1 monkey1",
            "lion0 parrot1",
            "monkey0 monkey1",
        ),
        "goes out itself where a lion is, the monkeys stay": (
            "monkey1 lion1 seal0",
            "monkey1 lion1 seal0",
            "lion0",
        ),
    }
)
def test_lion(queue: str, after: str, thats_it: str) -> None:
    check(queue, Action("lion"), after, thats_it)


@cases(
    {
        "enters an empty queue": ("", "hippo0"),
        "passes weaker animals": ("seal1 snake0", "hippo0 seal1 snake0"),
        "passes a crocodile": ("crocodile1 seal1", "hippo0 crocodile1 seal1"),
        "stops behind a zebra": ("seal1 zebra1 snake0", "seal1 zebra1 hippo0 snake0"),
        "stops behind an equal animal": ("hippo1 seal0", "hippo1 hippo0 seal0"),
        "stops behind a stronger animal": ("lion1 seal0", "lion1 hippo0 seal0"),
        "stays where a zebra is directly ahead": ("seal1 zebra1", "seal1 zebra1 hippo0"),
    }
)
def test_hippo(queue: str, after: str, thats_it: str) -> None:
    check(queue, Action("hippo"), after, thats_it)


@cases(
    {
        "enters an empty queue": ("", "crocodile0"),
        "eats all weaker animals, the nearest first": (
            "seal1 snake0",
            "crocodile0",
            "snake0 seal1",
        ),
        "stops at a zebra": ("seal1 zebra1 snake0", "seal1 zebra1 crocodile0", "snake0"),
        "stops at an equal animal": ("crocodile1 monkey0", "crocodile1 crocodile0", "monkey0"),
        "stops at a stronger animal": ("hippo1 skunk1", "hippo1 crocodile0", "skunk1"),
        "eats nothing behind a stronger animal": ("parrot1 lion1", "parrot1 lion1 crocodile0"),
    }
)
def test_crocodile(queue: str, after: str, thats_it: str) -> None:
    check(queue, Action("crocodile"), after, thats_it)


@cases(
    {
        "enters an empty queue": ("", "snake0"),
        "sorts by strength, the strongest at the gate": (
            "skunk1 lion1 seal0",
            "lion1 snake0 seal0 skunk1",
        ),
        "sorts a zebra like the others": ("zebra1 monkey1 seal1", "snake0 zebra1 seal1 monkey1"),
        "keeps the order of equals": ("seal1 zebra1 seal0", "snake0 zebra1 seal1 seal0"),
        "comes behind an equal snake": ("skunk0 snake1", "snake1 snake0 skunk0"),
    }
)
def test_snake(queue: str, after: str, thats_it: str) -> None:
    check(queue, Action("snake"), after, thats_it)


@cases(
    {
        "enters an empty queue": ("", "giraffe0"),
        "jumps over one weaker animal only": ("skunk1 parrot1", "skunk1 giraffe0 parrot1"),
        "jumps over a zebra": ("zebra1", "giraffe0 zebra1"),
        "does not jump over an equal animal": ("giraffe1", "giraffe1 giraffe0"),
        "does not jump over a stronger animal": ("skunk1 snake1", "skunk1 snake1 giraffe0"),
    }
)
def test_giraffe(queue: str, after: str, thats_it: str) -> None:
    check(queue, Action("giraffe"), after, thats_it)


@cases(
    {
        "enters an empty queue": ("", "zebra0"),
        "stays at the end": ("skunk1 lion0 parrot1", "skunk1 lion0 parrot1 zebra0"),
    }
)
def test_zebra(queue: str, after: str, thats_it: str) -> None:
    check(queue, Action("zebra"), after, thats_it)


@cases(
    {
        "enters an empty queue": ("", "seal0"),
        "reverses the queue, itself included": ("lion1 skunk0 zebra1", "seal0 zebra1 skunk0 lion1"),
    }
)
def test_seal(queue: str, after: str, thats_it: str) -> None:
    check(queue, Action("seal"), after, thats_it)


@cases(
    {
        "enters an empty queue": ("", "monkey0"),
        "alone it does nothing": ("hippo1 seal0", "hippo1 seal0 monkey0"),
        "a chameleon is no second monkey": ("hippo1 chameleon1", "hippo1 chameleon1 monkey0"),
        "two drive out a hippo and go to the front": (
            "hippo1 zebra0 monkey1",
            "monkey0 monkey1 zebra0",
            "hippo1",
        ),
        "two drive out all hippos and crocodiles, own ones too": (
            "crocodile1 monkey1 hippo0",
            "monkey0 monkey1",
            "crocodile1 hippo0",
        ),
        "two go to the front where there is nothing to drive out": (
            "lion1 monkey1 seal1",
            "monkey0 monkey1 lion1 seal1",
        ),
    }
)
def test_monkey(queue: str, after: str, thats_it: str) -> None:
    check(queue, Action("monkey"), after, thats_it)


def test_monkey_reverses_the_other_monkeys() -> None:
    state = State(hands=(cards("monkey0"), (), ()), queue=cards("seal1 monkey1 crocodile2 monkey2"))
    after = step(state, Action("monkey"))
    assert after.queue == cards("monkey0 monkey2 monkey1 seal1")
    assert after.thats_it == cards("crocodile2")


@pytest.mark.parametrize(
    ("queue", "hop", "after"),
    [
        ("lion1", 1, "kangaroo0 lion1"),
        ("lion1 zebra1", 1, "lion1 kangaroo0 zebra1"),
        ("lion1 zebra1", 2, "kangaroo0 lion1 zebra1"),
        ("lion1 zebra1 seal1", 1, "lion1 zebra1 kangaroo0 seal1"),
        ("lion1 zebra1 seal1", 2, "lion1 kangaroo0 zebra1 seal1"),
    ],
)
def test_kangaroo_jumps_over_the_last_animals(queue: str, hop: int, after: str) -> None:
    check(queue, Action("kangaroo", (hop,)), after)


@pytest.mark.parametrize(
    ("queue", "choices"),
    [
        ("", [()]),
        ("lion1", [(1,)]),
        ("lion1 zebra1", [(1,), (2,)]),
        ("lion1 zebra1 hippo1 seal1", [(1,), (2,)]),
    ],
)
def test_kangaroo_must_jump_as_far_as_there_are_animals(
    queue: str, choices: list[tuple[int, ...]]
) -> None:
    legal = legal_actions(position(queue, "kangaroo"))
    assert legal == [Action("kangaroo", params) for params in choices]


def test_kangaroo_enters_an_empty_queue() -> None:
    check("", Action("kangaroo"), "kangaroo0")


@pytest.mark.parametrize(
    ("target", "after", "thats_it"),
    [
        (0, "zebra1 skunk0 parrot0", "lion1"),
        (1, "lion1 skunk0 parrot0", "zebra1"),
        (2, "lion1 zebra1 parrot0", "skunk0"),
    ],
)
def test_parrot_sends_out_its_target(target: int, after: str, thats_it: str) -> None:
    check("lion1 zebra1 skunk0", Action("parrot", (target,)), after, thats_it)


@pytest.mark.parametrize(
    ("queue", "choices"),
    [("", [()]), ("lion1", [(0,)]), ("lion1 zebra1 hippo1 seal1", [(0,), (1,), (2,), (3,)])],
)
def test_parrot_must_aim_at_another_animal(queue: str, choices: list[tuple[int, ...]]) -> None:
    legal = legal_actions(position(queue, "parrot"))
    assert legal == [Action("parrot", params) for params in choices]


def test_parrot_enters_an_empty_queue() -> None:
    check("", Action("parrot"), "parrot0")


@cases(
    {
        "enters an empty queue": ("", "skunk0"),
        "drives out the two strongest species": (
            "monkey1 seal0 lion1",
            "monkey1 skunk0",
            "seal0 lion1",
        ),
        "drives out all animals of a species": (
            "zebra0 seal1 zebra1 monkey0",
            "monkey0 skunk0",
            "zebra0 seal1 zebra1",
        ),
        "drives out the one other species": ("parrot0 parrot1", "skunk0", "parrot0 parrot1"),
        "spares a skunk": ("skunk1 lion1", "skunk1 skunk0", "lion1"),
        "does nothing to skunks alone": ("skunk1", "skunk1 skunk0"),
        "counts a chameleon as 5": (
            "seal1 chameleon1 monkey1",
            "monkey1 skunk0",
            "seal1 chameleon1",
        ),
    }
)
def test_skunk(queue: str, after: str, thats_it: str) -> None:
    check(queue, Action("skunk"), after, thats_it)


CHAMELEON_CASES: dict[str, tuple[str, tuple[str | int, ...], str, str]] = {
    "nothing, in an empty queue": ("", (), "chameleon0", ""),
    "nothing, where a chameleon is alone": ("chameleon1", (), "chameleon1 chameleon0", ""),
    "lion, goes out itself and the monkeys stay": (
        "monkey1 lion1",
        ("lion",),
        "monkey1 lion1",
        "chameleon0",
    ),
    "hippo, passes weaker animals up to the hippo": (
        "hippo1 snake1 skunk1",
        ("hippo",),
        "hippo1 chameleon0 snake1 skunk1",
        "",
    ),
    "hippo, stops behind a zebra": (
        "hippo1 zebra1 skunk1",
        ("hippo",),
        "hippo1 zebra1 chameleon0 skunk1",
        "",
    ),
    "crocodile, eats up to the crocodile": (
        "crocodile1 monkey1 snake0",
        ("crocodile",),
        "crocodile1 chameleon0",
        "snake0 monkey1",
    ),
    "crocodile, stops at a hippo": (
        "crocodile1 hippo1",
        ("crocodile",),
        "hippo1 crocodile1 chameleon0",
        "",
    ),
    "snake, sorts itself as 9 behind the snake": (
        "skunk1 snake1 zebra0",
        ("snake",),
        "snake1 chameleon0 zebra0 skunk1",
        "",
    ),
    "giraffe, has 8 and jumps over a zebra": (
        "giraffe1 zebra1",
        ("giraffe",),
        "giraffe1 chameleon0 zebra1",
        "",
    ),
    "giraffe, does not jump over the giraffe": (
        "giraffe1",
        ("giraffe",),
        "giraffe1 chameleon0",
        "",
    ),
    "zebra, does nothing": ("skunk1 zebra1", ("zebra",), "skunk1 zebra1 chameleon0", ""),
    "seal, reverses the queue": ("seal1 lion1", ("seal",), "chameleon0 lion1 seal1", ""),
    "monkey, is the second monkey": (
        "hippo1 zebra1 monkey1",
        ("monkey",),
        "chameleon0 monkey1 zebra1",
        "hippo1",
    ),
    "monkey, reverses the two monkeys": (
        "seal1 monkey0 monkey1",
        ("monkey",),
        "chameleon0 monkey1 monkey0 seal1",
        "",
    ),
    "kangaroo, hops 1": ("kangaroo1 lion1", ("kangaroo", 1), "kangaroo1 chameleon0 lion1", ""),
    "kangaroo, hops 2": ("kangaroo1 lion1", ("kangaroo", 2), "chameleon0 kangaroo1 lion1", ""),
    "parrot, sends out another animal": (
        "parrot1 lion1",
        ("parrot", 1),
        "parrot1 chameleon0",
        "lion1",
    ),
    "parrot, sends out the parrot": ("parrot1 lion1", ("parrot", 0), "lion1 chameleon0", "parrot1"),
    "skunk, is spared where other chameleons count as 5": (
        "skunk1 lion1 chameleon1 monkey1",
        ("skunk",),
        "skunk1 monkey1 chameleon0",
        "lion1 chameleon1",
    ),
    "skunk, skunks alone": ("skunk1", ("skunk",), "skunk1 chameleon0", ""),
}


@pytest.mark.parametrize(
    ("queue", "params", "after", "thats_it"), CHAMELEON_CASES.values(), ids=list(CHAMELEON_CASES)
)
def test_chameleon_as(queue: str, params: tuple[str | int, ...], after: str, thats_it: str) -> None:
    check(queue, Action("chameleon", params), after, thats_it)


@pytest.mark.parametrize(
    ("queue", "choices"),
    [
        ("", [()]),
        ("chameleon1", [()]),
        ("lion1", [("lion",)]),
        ("lion0 chameleon1 lion1", [("lion",)]),
        ("kangaroo1", [("kangaroo", 1)]),
        (
            "hippo1 parrot0 skunk0",
            [("skunk",), ("hippo",), ("parrot", 0), ("parrot", 1), ("parrot", 2)],
        ),
    ],
)
def test_chameleon_copies_a_species_in_the_queue(
    queue: str, choices: list[tuple[str | int, ...]]
) -> None:
    legal = legal_actions(position(queue, "chameleon"))
    assert legal == [Action("chameleon", params) for params in choices]


def test_chameleon_as_zebra_gives_no_protection() -> None:
    state = State(hands=(cards("chameleon0"), cards("crocodile1")), queue=cards("zebra1"))
    after = step(step(state, Action("chameleon", ("zebra",))), Action("crocodile"))
    assert after.queue == cards("zebra1 crocodile1")
    assert after.thats_it == cards("chameleon0")


def test_chameleon_is_5_again_when_recurring_animals_act() -> None:
    check(
        "giraffe1 snake1 zebra1",
        Action("chameleon", ("snake",)),
        "snake1 giraffe1 chameleon0 zebra1",
    )
