"""A turn told step by step agrees with the turn itself, and with the rules in words."""

from itertools import pairwise
from random import Random

import pytest

from bb_sim import Action, Card, State, legal_actions, new_game, step, turn_steps


def cards(text: str) -> tuple[Card, ...]:
    return tuple(Card(int(word[-1]), word[:-1]) for word in text.split())


def told(queue: str, action: Action, owner: int = 0) -> list[str]:
    """The sentences of a turn of player `owner`, whose only card is played."""
    hands: list[tuple[Card, ...]] = [(), ()]
    hands[owner] = (Card(owner, action.species),)
    state = State(hands=tuple(hands), queue=cards(queue), to_move=owner)
    return [str(part.told) for part in turn_steps(state, action)][1:]


def test_the_steps_lead_to_the_state_that_the_turn_leads_to():
    random = Random(4)
    for seed in range(300):
        state = new_game(seed, num_players=2 + seed % 3)
        while state.cards_left:
            action = random.choice(legal_actions(state))
            after = step(state, action)
            steps = turn_steps(state, action)
            assert steps[0].queue == (*state.queue, Card(state.to_move, action.species))
            assert steps[-1].queue == after.queue
            bar = [card for part in steps for card in part.to_bar]
            thats_it = [card for part in steps for card in part.to_thats_it]
            assert (*state.bar, *bar) == after.bar
            assert (*state.thats_it, *thats_it) == after.thats_it
            for before, part in pairwise(steps):
                left = {*part.queue, *part.to_bar, *part.to_thats_it}
                assert left == set(before.queue)
                assert all("{" not in str(one.told) for one in (before, part))
            state = after


def test_the_kinds_of_steps_come_in_the_order_of_a_turn():
    state = State(hands=((Card(0, "zebra"),), ()), queue=cards("giraffe1 seal0 crocodile1 parrot0"))
    steps = turn_steps(state, Action("zebra"))
    assert [part.kind for part in steps] == ["join", "act", "recur", "recur"]
    assert [part.card for part in steps[2:]] == [Card(1, "giraffe"), Card(1, "crocodile")]
    state = State(hands=((Card(0, "zebra"),), ()), queue=cards("giraffe1 seal0 snake1 parrot0"))
    gate = turn_steps(state, Action("zebra"))[-1]
    assert (gate.kind, gate.card) == ("gate", None)
    assert gate.to_bar == cards("giraffe1 seal0")
    assert gate.to_thats_it == cards("zebra0")


@pytest.mark.parametrize(
    ("queue", "action", "sentences"),
    [
        ("", Action("lion"), ["lion(0) is the first in the queue."]),
        ("seal1 monkey1 monkey0", Action("lion"),
         ["lion(0) chases monkey(1) and monkey(0) away and goes to the front."]),
        ("monkey1 lion1", Action("lion"),
         ["lion(0) finds lion(1) in the queue and goes to THAT'S IT."]),
        ("lion1 skunk0 seal1", Action("hippo"),
         ["hippo(0) pushes past skunk(0) and seal(1) and stops behind lion(1)."]),
        ("seal1 zebra0", Action("crocodile"), ["crocodile(0) gets no further: zebra(0) stands."]),
        ("lion1 seal1 skunk0", Action("crocodile"),
         ["crocodile(0) eats skunk(0) and seal(1) and stops at lion(1)."]),
        ("snake1", Action("giraffe"), ["giraffe(0) cannot jump over snake(1), who is not weaker."]),
        ("snake1 zebra1", Action("giraffe"), ["giraffe(0) jumps over zebra(1)."]),
        ("hippo1 monkey1 seal0", Action("monkey"),
         ["monkey(0) and monkey(1) chase hippo(1) away and go to the front."]),
        ("seal0", Action("monkey"), ["monkey(0) is the only monkey and does nothing."]),
        ("seal0 snake1", Action("kangaroo", (2,)),
         ["kangaroo(0) jumps over seal(0) and snake(1)."]),
        ("seal0 snake1", Action("parrot", (1,)), ["parrot(0) sends snake(1) to THAT'S IT."]),
        ("seal0 snake1 lion1", Action("skunk"),
         ["skunk(0) drives snake(1) and lion(1) to THAT'S IT."]),
        ("seal1 snake1", Action("seal"), ["seal(0) reverses the queue."]),
        ("seal0", Action("snake"), ["snake(0) sorts the queue by strength."]),
        ("chameleon1", Action("chameleon"), ["chameleon(0) finds nobody to copy."]),
        ("lion1 skunk1", Action("chameleon", ("lion",)),
         ["chameleon(0), as a lion, finds lion(1) in the queue and goes to THAT'S IT."]),
        ("zebra1 skunk1", Action("chameleon", ("parrot", 0)), None),
    ],
)  # fmt: skip
def test_what_is_told(queue: str, action: Action, sentences: list[str] | None) -> None:
    if sentences is None:
        with pytest.raises(ValueError, match="not legal"):
            told(queue, action)
    else:
        assert told(queue, action) == sentences
