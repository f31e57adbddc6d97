"""The position and the choices as lines of text, from one seat. Hidden cards are only counted."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from bb_sim import Action, Card, State, scores
from bb_sim.rules.engine import NUM_SPECIES
from eval.terminal.screen import Screen
from eval.terminal.words import animal, choice_words, species_list, style_of

_PLACES = 5
_TURNS = 2 * NUM_SPECIES


def show_board(screen: Screen, state: State, seat: int, scoring: str, opponent: str) -> None:
    """Shows a position.

    Args:
      screen: where to.
      state: the position; what the seat has not seen of it may be hidden.
      seat: who looks at it.
      scoring: "points" or "animals".
      opponent: the other player's name.
    """
    screen.title(f"Turn {min(state.turn + 1, _TURNS)} of {_TURNS}")
    for owner in (1 - seat, seat):
        _show_player(screen, state, owner, "You" if owner == seat else opponent, scoring)
    screen.say("Queue (of five, 1 and 2 get in and 5 is thrown out)", hang=2)
    for place in range(_PLACES):
        card = state.queue[place] if place < len(state.queue) else None
        screen.say(_place(place, card, seat), indent=2, hang=6)


def show_choices(screen: Screen, state: State, choices: Sequence[Action], seat: int) -> None:
    """Shows the legal actions of the player to move, numbered from 1."""
    screen.say("Your choices (strength, points)")
    for number, action in enumerate(choices, 1):
        card = Card(seat, action.species)
        line = Text(f"{number:2}  ").append(f"{action.species:9}", style_of(seat))
        line.append(f" {card.strength:2}  {card.points}")
        choice = choice_words(action, state.queue, seat)
        if choice:
            line.append("  ").append(choice)
        screen.say(line, indent=1, hang=5)


def count_words(number: int, scoring: str) -> str:
    """A score, such as "3 points"."""
    unit = "animal" if scoring == "animals" else "point"
    return f"{number} {unit}{'' if number == 1 else 's'}"


def _show_player(screen: Screen, state: State, owner: int, name: str, scoring: str) -> None:
    score = count_words(scores(state, scoring)[owner], scoring)
    line = Text().append(name, style_of(owner))
    line.append(f": {score}, {len(state.hands[owner])} in hand, {len(state.decks[owner])} in deck")
    screen.say(line, hang=2)
    for place, cards in (("bar", state.bar), ("out", state.thats_it)):
        if any(card.owner == owner for card in cards):
            screen.say(Text(f"{place}: ").append(species_list(cards, owner)), indent=2, hang=7)


def _place(place: int, card: Card | None, seat: int) -> Text:
    line = Text(f"{place + 1}  ")
    if card is None:
        line.append("-", "dim")
    else:
        words = animal(card, seat)
        line.append(words).append(" " * (15 - len(words))).append(f" {card.strength:2}")
    notes = {0: "gate", _PLACES - 1: "exit"}
    if place in notes:
        line.append(" " * (23 - len(line))).append(notes[place], "dim")
    return line
