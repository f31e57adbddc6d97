"""Animals, moves and turns in words as one player says them: your lion, their zebra."""

from __future__ import annotations

import re
from itertools import pairwise

from rich.text import Text

from bb_sim import Action, Card, State, turn_steps
from bb_sim.rules.state import Cards
from bb_sim.rules.turn_steps import Sentence, TurnStep

# Blue moves first.
_COLOURS = ("bold dodger_blue1", "bold dark_orange")


def style_of(owner: int) -> str:
    """The colour of a player's animals."""
    return _COLOURS[owner]


def animal(card: Card, seat: int) -> Text:
    """An animal, such as "their zebra"."""
    whose = "your" if card.owner == seat else "their"
    return Text(f"{whose} {card.species}", style_of(card.owner))


def species_list(cards: Cards, owner: int) -> Text:
    """The animals of one player among open cards, such as "lion, zebra"."""
    names = [Text(card.species, style_of(owner)) for card in cards if card.owner == owner]
    return Text(", ").join(names) if names else Text("-")


def move_words(action: Action, queue: Cards, seat: int) -> Text:
    """A move of whoever is to move, such as "parrot, sends away their zebra".

    Args:
      action: the move.
      queue: the queue before it.
      seat: who reads it.
    """
    words = Text(action.species)
    choice = choice_words(action, queue, seat)
    return words.append(", ").append(choice) if choice else words


def choice_words(action: Action, queue: Cards, seat: int) -> Text:
    """What a move chooses beside the card, such as "as a lion"; empty where it chooses nothing."""
    acts_as, params = action.species, list(action.params)
    words = Text()
    if acts_as == "chameleon" and params:
        acts_as = str(params.pop(0))
        words.append(f"as a {acts_as}")
        if params:
            words.append(", ")
    if not params:
        return words
    number = int(params[0])
    if acts_as == "kangaroo":
        passed = [animal(card, seat) for card in queue[-number:]]
        return words.append("jumps over ").append(Text(" and ").join(passed))
    return words.append("sends away ").append(animal(queue[number], seat))


def told_steps(state: State, action: Action, seat: int) -> list[Text]:
    """What happens in a turn after the animal has joined the queue, a sentence a step.

    Recurring actions that change nothing are left out, unless a zebra stands in the way.
    """
    steps = turn_steps(state, action)
    return [
        _sentence(step.told, seat)
        for before, step in pairwise(steps)
        if _is_worth_telling(before, step)
    ]


def _is_worth_telling(before: TurnStep, step: TurnStep) -> bool:
    changes = before.queue != step.queue
    return step.kind != "recur" or changes or step.told.text.endswith("stands.")


def _sentence(told: Sentence, seat: int) -> Text:
    words = Text()
    for part in re.split(r"(\{\d+\})", told.text):
        if part.startswith("{"):
            words.append(animal(told.cards[int(part[1:-1])], seat))
        else:
            words.append(part)
    words.plain = words.plain[:1].upper() + words.plain[1:]
    return words
