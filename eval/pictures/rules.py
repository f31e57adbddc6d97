"""The pictures of the documentation: a position, and turns that show what each animal does.

Only positions and actions are chosen here. What a turn leads to is what the simulator says.
"""

from __future__ import annotations

import bb_sim
from bb_sim import Action, Card, State
from eval.pictures.board import draw_position, draw_turn

_OWNERS = {"b": 0, "o": 1}


def _turn(hand: str, queue: str, *params: str | int, to_move: int = 0) -> tuple[State, Action]:
    """A position in which one card is left to play, and its play.

    Args:
      hand: the species played.
      queue: from the gate, such as "b:lion o:snake", b for Blue and o for Orange.
      params: the action's choice.
      to_move: who plays.
    """
    pairs = [card.split(":") for card in queue.split()]
    cards = tuple(Card(_OWNERS[owner], species) for owner, species in pairs)
    hands: list[tuple[Card, ...]] = [(), ()]
    hands[to_move] = (Card(to_move, hand),)
    return State(hands=tuple(hands), queue=cards, to_move=to_move), Action(hand, params)


TURNS: dict[str, tuple[State, Action]] = {
    "gate": _turn("zebra", "o:giraffe b:seal o:snake b:parrot"),
    "recurring": _turn("zebra", "o:parrot o:monkey b:giraffe", to_move=1),
    "skunk": _turn("skunk", "o:lion b:parrot o:hippo b:monkey"),
    "parrot": _turn("parrot", "o:lion b:zebra o:snake", 0),
    "kangaroo": _turn("kangaroo", "o:snake b:seal o:skunk", 2),
    "monkey": _turn("monkey", "o:hippo o:monkey b:zebra o:crocodile"),
    "chameleon": _turn("chameleon", "o:lion o:crocodile b:monkey o:parrot", "crocodile"),
    "seal": _turn("seal", "o:lion o:snake b:kangaroo"),
    "zebra": _turn("hippo", "b:parrot b:zebra o:kangaroo", to_move=1),
    "giraffe": _turn("giraffe", "o:kangaroo b:monkey o:zebra"),
    "snake": _turn("snake", "b:skunk o:lion o:parrot"),
    "crocodile": _turn("crocodile", "o:parrot o:lion b:monkey o:kangaroo"),
    "hippo": _turn("hippo", "o:lion b:skunk o:kangaroo"),
    "lion": _turn("lion", "o:giraffe o:monkey b:snake"),
    "second_lion": _turn("lion", "o:snake o:lion o:monkey"),
}
"""By picture: what is played where."""


def draw_pictures() -> dict[str, str]:
    """The text of every SVG file, by the file's name."""
    pictures = {f"{name}.svg": draw_turn(*turn) for name, turn in TURNS.items()}
    return pictures | {"board.svg": _draw_board()}


def _draw_board() -> str:
    """A game of two named opponents before its fourteenth turn."""
    state = bb_sim.new_game(seed=5)
    while state.turn < 13:
        state = bb_sim.step(state, bb_sim.best_actions(state, "online")[0])
    return draw_position(state, viewer=state.to_move)
