"""The named opponents' scores of positions worked by hand.

"My" cards are those of the mover, player 0. Unless it says otherwise the hand holds only the card
played and the decks are empty, so that no card in the hand counts. With the default weights, an
animal in the queue counts its points times 1.1 alone, 1.1 and 0.7 of two, 1.1, 5/6 and 17/30 of
three, 1.1, 0.9, 0.7 and 0.5 of four.
"""

from dataclasses import replace

import pytest

from bb_sim import OPPONENTS, Action, Card, GameBatch, State, c_state_to_python
from bb_sim.opponents.choice import opponent_scores
from tests.bb_sim.positions import parsed, position

HEURISTICS = ("heuristic", "aggressive", "defensive", "queue", "skunk", "noisy")
OUTCOME_OPPONENTS = ("outcome_heuristic", "distilled_outcome")


def score(opponent, action, queue="", **places):
    action = parsed(action)
    return opponent_scores(position(action.species, queue, **places), opponent)[action]


# Material


@pytest.mark.parametrize(
    ("opponent", "zebra", "seal"),
    [
        # bar 2 (6 - 4), queue 1.1 x 4 or 1.1 x 2, THAT'S IT -0.5 x 4 + 0.5 x 2, hand 0.1 x 2 or
        # 0.1 x 4, and -0.5 for a zebra that blocks nobody.
        ("heuristic", 4 + 4.4 - 1 + 0.2 - 0.5, 4 + 2.2 - 1 + 0.4),
        ("noisy", 4 + 4.4 - 1 + 0.2 - 0.5, 4 + 2.2 - 1 + 0.4),
        ("aggressive", 6 + 4.4 - 1 + 0.2 - 0.5, 6 + 2.2 - 1 + 0.4),
        ("defensive", 2 + 4.4 - 1 + 0.2 - 0.5, 2 + 2.2 - 1 + 0.4),
        ("queue", 4 + 8.0 - 1 + 0.2 - 0.5, 4 + 4.0 - 1 + 0.4),
        ("skunk", 2 * (6 - 8) + 4.4 - 1 + 0.2 - 0.5, 2 * (6 - 8) + 2.2 - 1 + 0.4),
        ("online", 4 + 4.4 - 1 + 0.2, 4 + 2.2 - 1 + 0.4),
        # Only what changed counts: the queue value, and an own card at the front.
        ("outcome_heuristic", 1.5 * 0.53 * 4 + 2.0, 1.5 * 0.53 * 2 + 2.0),
        ("distilled_outcome", 1.8 * 0.53 * 4 + 2.5, 1.8 * 0.53 * 2 + 2.5),
        ("random", 0.0, 0.0),
    ],
)
def test_every_place_has_its_weight(opponent, zebra, seal):
    state = position(
        "zebra seal",
        bar="my lion, my parrot, their skunk",
        thats_it="my kangaroo, their hippo",
    )
    assert opponent_scores(state, opponent) == pytest.approx(
        {Action("seal"): seal, Action("zebra"): zebra}
    )


@pytest.mark.parametrize(
    ("opponent", "expected"),
    [
        ("heuristic", -2 * 1.1 + 4 * (5 / 6) + 3 * (17 / 30)),
        ("queue", -2 * 2.0 + 4 * (43 / 30) + 3 * (26 / 30)),
        ("skunk", -2 * 1.1 + 8 * (5 / 6) + 3 * (17 / 30)),
        ("online", -2 * 1.1 + 4 * (5 / 6) + 3 * (17 / 30)),
    ],
)
def test_queue_weights_fall_from_the_gate_to_the_end(opponent, expected):
    assert score(opponent, "monkey", "their lion, my skunk") == pytest.approx(expected)


def test_skunk_weight_acts_everywhere():
    places = {"deck": "skunk", "thats_it": "their skunk"}
    assert score("heuristic", "seal", **places) == pytest.approx(2.2 + 2.0 + 0.4)
    assert score("skunk", "seal", **places) == pytest.approx(2.2 + 4.0 + 0.8)


def test_the_drawn_card_counts():
    assert score("heuristic", "seal", deck="lion zebra") == pytest.approx(2.2 + 0.2)
    assert score("heuristic", "seal", deck="zebra lion") == pytest.approx(2.2 + 0.4)


# Species bonuses

SPECIES_BONUSES = [
    # (action, queue before, material after, bonus)
    ("skunk", "their parrot, their kangaroo", 4.4 + 0.5 * 8, 3.0),
    ("skunk", "their giraffe", 4.4 + 0.5 * 3, 1.5),
    ("skunk", "my lion", 4.4 - 0.5 * 2, -2.0),
    ("skunk", "their lion", 4.4 + 0.5 * 2, 0.0),
    ("skunk", "their lion, my zebra", 4.4 + 0.5 * 2 - 0.5 * 4, 0.0),
    ("parrot 0", "their zebra", 4.4 + 0.5 * 4, 0.5 * 4),
    ("parrot 0", "my lion", 4.4 - 0.5 * 2, -0.5 * 2),
    ("parrot", "", 4.4, 0.0),
    ("lion", "their snake", 2.2 - 1.4, 2.0),
    ("lion", "their lion", -2.2 - 0.5 * 2, 0.0),
    # The lion passes the gate together with their seal; my kangaroo is thrown out.
    (
        "lion",
        "their seal, my snake, their parrot, my kangaroo",
        2 * (2 - 2) - 0.5 * 4 + 2.2 - 2.8,
        0.0,
    ),
    ("monkey", "their monkey, their hippo, their crocodile", 3.3 - 2.1 + 0.5 * 5, 2.5),
    ("monkey", "their monkey, their crocodile", 3.3 - 2.1 + 0.5 * 3, 0.0),
    # Reversed: my seal and my snake enter the bar, their parrot is thrown out.
    (
        "seal",
        "their parrot, their skunk, my monkey, my snake",
        2 * 4 + 0.5 * 4 + 3.3 - 2.8,
        1.5,
    ),
    # Reversed: my seal and their zebra enter, my parrot is thrown out.
    (
        "seal",
        "my parrot, their skunk, my monkey, their zebra",
        2 * (2 - 4) - 0.5 * 4 + 3.3 - 2.8,
        -1.0,
    ),
    ("seal", "their snake", 2.2 - 1.4, 0.0),
    # Lion, snake, parrot: of mine only the snake is among the first two.
    ("snake", "their lion, my parrot", -2.2 + 2 * (5 / 6) + 4 * (17 / 30), 0.5 * 2),
    # My lion and the snake enter the bar: one card of mine is left of two, though at index 1.
    (
        "snake",
        "my lion, their monkey, my parrot, their skunk",
        2 * 4 + 0.5 * 4 - 3.3 + 2.8,
        0.0,
    ),
    ("zebra", "their hippo", -2.2 + 2.8, 1.5),
    ("zebra", "their crocodile", -3.3 + 2.8, 1.5),
    ("zebra", "my crocodile", 3.3 + 2.8, -0.5),
    ("kangaroo 1", "their seal", 4.4 - 1.4, 1.0),
    ("kangaroo 2", "their seal, my snake, their zebra", -2.2 + 3.6 + 1.4 - 2.0, 1.0),
    ("kangaroo 1", "their seal, my snake, their zebra", -2.2 + 1.8 + 2.8 - 2.0, 0.0),
    ("giraffe", "their seal", 3.3 - 1.4, 1.5),
    ("giraffe", "their lion", -2.2 + 2.1, 0.5),
    ("giraffe", "their lion, their snake", -2.2 - 2 * (5 / 6) + 3 * (17 / 30), 0.0),
    ("crocodile", "their kangaroo, their seal", 3.3 + 0.5 * 6, 0.3 * 6),
    ("crocodile", "my seal", 3.3 - 0.5 * 2, 0.0),
    ("hippo", "their seal", 2.2 - 1.4, 0.0),
    ("chameleon", "", 3.3, 0.0),
    ("chameleon giraffe", "their giraffe", -3.3 + 2.1, 0.1 * 8),
    # As a parrot the chameleon has the chameleon's bonus, not the parrot's.
    ("chameleon parrot 0", "their zebra, their parrot", -4.4 + 2.1 + 0.5 * 4, 0.1 * 2),
]


@pytest.mark.parametrize(("action", "queue", "material", "bonus"), SPECIES_BONUSES)
def test_species_bonuses(action, queue, material, bonus):
    assert score("heuristic", action, queue) == pytest.approx(material + bonus)


@pytest.mark.parametrize("opponent", HEURISTICS)
def test_all_variants_have_the_species_bonuses(opponent):
    # Nothing is in the bar and no skunk about; at the front alone only `queue` weighs otherwise.
    front = 2.0 if opponent == "queue" else 1.1
    assert score(opponent, "parrot 0", "their zebra") == pytest.approx(4 * front + 2.0 + 2.0)


# Reactive bonuses


@pytest.mark.parametrize(
    ("action", "queue", "places", "material", "bonus"),
    [
        ("crocodile", "my chameleon", {}, 3.3 - 0.5 * 3, 5.0),
        ("crocodile", "their seal", {}, 3.3 + 0.5 * 2, -1.0),
        ("crocodile", "their seal", {"bar": "their chameleon"}, 3.3 + 0.5 * 2 - 6, 0.0),
        ("crocodile", "their seal", {"bar": "my chameleon"}, 3.3 + 0.5 * 2 + 6, -1.0),
        ("skunk", "", {}, 4.4, -1.5),
        ("skunk", "my zebra, their zebra", {}, 4.4, -1.5),
        ("skunk", "their lion, their skunk", {}, -4.4 + 2.8 + 0.5 * 2, -1.5),
        ("skunk", "their zebra, their kangaroo", {}, 4.4 + 0.5 * 8, 4.0),
        ("skunk", "their zebra, my seal", {}, 4.4 + 0.5 * 4 - 0.5 * 2, 2.0),
        ("skunk", "their seal, my snake", {}, 4.4, 0.0),
        ("skunk", "my zebra, their seal", {}, 4.4 - 0.5 * 4 + 0.5 * 2, -3.0),
        # My parrot is a third kind and safe.
        ("skunk", "their lion, their hippo, my parrot", {}, 4.4 + 2.8 + 0.5 * 4, 4.0),
        ("lion", "their lion", {}, -2.2 - 0.5 * 2, -5.0),
        ("lion", "", {"thats_it": "their lion"}, 2.2 + 0.5 * 2, 3.0),
        ("lion", "", {}, 2.2, -2.0),
        ("parrot 1", "my seal, their zebra", {}, 2.2 + 2.8 + 0.5 * 4, 0.3 * 4 + 2.0 * 0.5),
        ("parrot 0", "my seal, their zebra", {}, -4.4 + 2.8 - 0.5 * 2, -0.5 * 2),
        ("parrot", "", {}, 4.4, 0.0),
        ("chameleon giraffe", "their giraffe", {}, -3.3 + 2.1, 0.0),
        ("giraffe", "their seal", {}, 3.3 - 1.4, 0.0),
    ],
)
def test_reactive_bonuses(action, queue, places, material, bonus):
    assert score("online", action, queue, **places) == pytest.approx(material + bonus)


# Outcome score

THREE_CARDS = {"bar": "my lion, their lion", "thats_it": "my seal"}
FOUR_CARDS = {"bar": "my lion, their lion", "thats_it": "my seal, their seal"}
SEVEN_CARDS = {"bar": "my lion, their lion, my zebra, their zebra, my snake, their snake, my seal"}
EIGHT_CARDS = SEVEN_CARDS | {"thats_it": "their seal"}


@pytest.mark.parametrize(
    ("action", "queue", "places", "hand_tuned", "distilled"),
    [
        # Their hippo goes: 2 points, threat, recurring, at the gate. Queue value 0.104 to 2.54.
        (
            "parrot 0",
            "their hippo, my seal",
            {},
            2 * 2 + 1.5 * 2.436 + 2 + 1.5 + (0.4 * 2 + 1.5 + 1 + 0.5),
            2.8 * 2 + 1.8 * 2.436 + 2.5 + 2.2 + (0.6 * 2 + 1.5 + 1 + 0.5),
        ),
        # My seal goes; the queue value rises by 0.74 from 0.104.
        (
            "parrot 1",
            "their hippo, my seal",
            {},
            -2.5 * 2 + 1.5 * 0.74 + 2 - 0.8 * 2,
            -3.5 * 2 + 1.8 * 0.74 + 2.5 - 0.8 * 2,
        ),
        # Their zebra, a threat that does not recur, goes from the middle. 0.172 to 2.54.
        (
            "parrot 1",
            "my seal, their zebra",
            {},
            2 * 4 + 1.5 * 2.368 + 2 + 1.5 + (0.4 * 4 + 1.5 + 0.5 * 0.5),
            2.8 * 4 + 1.8 * 2.368 + 2.5 + 2.2 + (0.6 * 4 + 1.5 + 0.5 * 0.5),
        ),
        # Their seal is no threat. -0.636 to 2.12.
        (
            "parrot 0",
            "their seal",
            {},
            2 * 2 + 1.5 * 2.756 + 2 + (0.4 * 2 + 0.5),
            2.8 * 2 + 1.8 * 2.756 + 2.5 + (0.6 * 2 + 0.5),
        ),
        # Their lion (2) and my zebra (4) go. 0.844 to 2.12.
        (
            "skunk",
            "their lion, my zebra",
            {},
            2 * 2 - 2.5 * 4 + 1.5 * 1.276 + 2 + 1.5 + 0.5 * (2 - 4),
            2.8 * 2 - 3.5 * 4 + 1.8 * 1.276 + 2.5 + 2.2 + 0.7 * (2 - 4),
        ),
        # Both combos: hippo and crocodile go, and a monkey of theirs was there. -1.848 to 0.924.
        (
            "monkey",
            "their monkey, their hippo, their crocodile",
            {},
            2 * 5 + 1.5 * 2.772 + 2 + 2 * 1.5 + 15 + 0.8 * 15,
            2.8 * 5 + 1.8 * 2.772 + 2.5 + 2 * 2.2 + 18 + 0.8 * 18,
        ),
        # Only the second combo. -0.954 to 0.924.
        (
            "monkey",
            "their monkey",
            {},
            1.5 * 1.878 + 2 + 0.8 * 15,
            1.8 * 1.878 + 2.5 + 0.8 * 18,
        ),
        # A chameleon as monkey has no combo.
        ("chameleon monkey", "their monkey", {}, 1.5 * 1.878 + 2, 1.8 * 1.878 + 2.5),
        # A lone monkey opens the gate: their hippo and my seal enter, the monkey is thrown out. The
        # number of their hippos fell, so the combo counts. 1.684 to 2.54.
        (
            "monkey",
            "their hippo, my seal, my snake, my parrot",
            {},
            3 * 2 - 2 * 2 - 2.5 * 3 + 1.5 * 0.856 + 2 + 1.5 + 15,
            4.2 * 2 - 2.5 * 2 - 3.5 * 3 + 1.8 * 0.856 + 2.5 + 2.2 + 18,
        ),
        # Nothing of mine among the first two.
        ("zebra", "their lion, their snake", {}, 1.5 * 0.25 * 4, 1.8 * 0.25 * 4),
        # Early game with at most three cards played.
        ("hippo", "", THREE_CARDS, 1.5 * 1.06 + 2 + 0.5, 1.8 * 1.06 + 2.5 + 0.6),
        ("hippo", "", FOUR_CARDS, 1.5 * 1.06 + 2, 1.8 * 1.06 + 2.5),
        ("skunk", "", THREE_CARDS, 1.5 * 2.12 + 2, 1.8 * 2.12 + 2.5),
        # Late game from eight cards on.
        ("crocodile", "", SEVEN_CARDS, 1.5 * 1.59 + 2, 1.8 * 1.59 + 2.5),
        ("crocodile", "", EIGHT_CARDS, 1.5 * 1.59 + 2 + 0.3, 1.8 * 1.59 + 2.5 + 0.4),
        ("hippo", "", EIGHT_CARDS, 1.5 * 1.06 + 2, 1.8 * 1.06 + 2.5),
    ],
)
def test_outcome_score(action, queue, places, hand_tuned, distilled):
    for opponent, expected in zip(OUTCOME_OPPONENTS, (hand_tuned, distilled), strict=True):
        assert score(opponent, action, queue, **places) == pytest.approx(expected)


@pytest.mark.parametrize("opponent", OPPONENTS)
def test_scores_do_not_depend_on_the_seat(opponent):
    def turned(row: tuple[Card, ...]) -> tuple[Card, ...]:
        return tuple(replace(card, owner=1 - card.owner) for card in row)

    batch = GameBatch(50)
    for _ in range(12):
        batch.step_random()
    for index in range(len(batch)):
        state = c_state_to_python(batch, index)
        mirrored = State(
            hands=tuple(map(turned, reversed(state.hands))),
            decks=tuple(map(turned, reversed(state.decks))),
            queue=turned(state.queue),
            bar=turned(state.bar),
            thats_it=turned(state.thats_it),
            to_move=1 - state.to_move,
            turn=state.turn,
        )
        expected = pytest.approx(opponent_scores(state, opponent))
        assert opponent_scores(mirrored, opponent) == expected
