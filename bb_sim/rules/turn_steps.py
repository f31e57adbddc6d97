"""A turn step by step: what each animal does, for a picture or in words."""

from __future__ import annotations

from dataclasses import dataclass

from bb_sim.rules.actions import Action, action_id
from bb_sim.rules.conversion import open_steps_of
from bb_sim.rules.state import Card, Cards, State


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence about animals.

    Attributes:
        text: the sentence, in which "{0}", "{1}", ... stand for animals.
        cards: the animals.
    """

    text: str
    cards: Cards

    def __str__(self) -> str:
        return self.text.format(*self.cards)


@dataclass(frozen=True, slots=True)
class TurnStep:
    """One step of a turn.

    Attributes:
        kind: "join" (the played animal stands at the end of the queue), "act" (its action), "recur"
            (the recurring action of an animal) or "gate".
        card: the animal that acts; None for the gate.
        queue: the queue after the step.
        to_bar: the animals that entered the bar in this step.
        to_thats_it: the animals that went to THAT'S IT in this step.
        told: the step in words.
    """

    kind: str
    card: Card | None
    queue: Cards
    to_bar: Cards
    to_thats_it: Cards
    told: Sentence


def turn_steps(state: State, action: Action) -> list[TurnStep]:
    """The steps of a turn, as the rules carry them out.

    Args:
        state: the position before, in which no card is hidden.
        action: a legal action of the player to move.

    Raises:
        ValueError: the action is not legal, or cards of the state are hidden.
    """
    found = open_steps_of(state, action_id(action))
    played = Card(state.to_move, action.species)
    queue = (*state.queue, played)
    steps = [TurnStep("join", played, queue, (), (), _tell("{} joins the queue.", played))]
    for number, (card, after, to_bar, to_thats_it) in enumerate(found):
        if card is None:
            kind = "gate"
            told = _tell(
                "The gate opens: {} and {} get into the bar, {} is thrown out.",
                *to_bar,
                *to_thats_it,
            )
        elif number == 0:
            kind = "act"
            told = _tell_action(action, card, state.queue, after, to_thats_it)
        else:
            kind = "recur"
            told = _tell_move(card.species, card, queue, after, to_thats_it)
        steps.append(TurnStep(kind, card, after, to_bar, to_thats_it, told))
        queue = after
    return steps


def _tell(text: str, *cards: Card) -> Sentence:
    """A sentence; each "{}" of the text stands for the next card."""
    return Sentence(text.format(*(f"{{{number}}}" for number in range(len(cards)))), cards)


def _list(count: int) -> str:
    """Places for so many cards: "{}", "{} and {}", "{}, {} and {}"."""
    return " and ".join(part for part in (", ".join(["{}"] * (count - 1)), "{}") if part)


def _tell_action(
    action: Action, card: Card, before: Cards, after: Cards, to_thats_it: Cards
) -> Sentence:
    """The action of the played animal; `before` is the queue without it."""
    if action.species != "chameleon":
        return _tell_move(action.species, card, (*before, card), after, to_thats_it)
    if not action.params:
        return _tell("{} finds nobody to copy.", card)
    copied = str(action.params[0])
    told = _tell_move(copied, card, (*before, card), after, to_thats_it)
    return Sentence(told.text.replace("{0}", f"{{0}}, as a {copied},", 1), told.cards)


def _tell_move(
    acts_as: str, card: Card, before: Cards, after: Cards, to_thats_it: Cards
) -> Sentence:
    """What a species' action did; the acting card is in both queues unless it was driven away."""
    others = [other for other in before if other != card]
    if acts_as in ("hippo", "crocodile", "giraffe"):
        return _tell_advance(acts_as, card, before, after, to_thats_it)
    if acts_as == "lion":
        if card in to_thats_it:
            lion = next(other for other in others if other.species == "lion")
            return _tell("{} finds {} in the queue and goes to THAT'S IT.", card, lion)
        if to_thats_it:
            text = f"{{}} chases {_list(len(to_thats_it))} away and goes to the front."
            return _tell(text, card, *to_thats_it)
        return _tell("{} goes to the front." if others else "{} is the first in the queue.", card)
    if acts_as == "monkey":
        if not any(other.species == "monkey" for other in others):
            return _tell("{} is the only monkey and does nothing.", card)
        driven = f" chase {_list(len(to_thats_it))} away and" if to_thats_it else ""
        monkeys = [other for other in after[1:] if other.species == "monkey"]
        text = f"{{}} and {_list(len(monkeys))}{driven} go to the front."
        return _tell(text, card, *monkeys, *to_thats_it)
    if acts_as == "kangaroo":
        passed = after[after.index(card) + 1 :]
        if not passed:
            return _tell("{} has nobody to jump over.", card)
        return _tell(f"{{}} jumps over {_list(len(passed))}.", card, *passed)
    if acts_as in ("parrot", "skunk"):
        if not to_thats_it:
            return _tell("{} drives nobody away.", card)
        verb = "sends" if acts_as == "parrot" else "drives"
        text = f"{{}} {verb} {_list(len(to_thats_it))} to THAT'S IT."
        return _tell(text, card, *to_thats_it)
    plain = {
        "snake": "{} sorts the queue by strength.",
        "seal": "{} reverses the queue.",
        "zebra": "{} stands firm: no hippo and no crocodile passes."
        if card.species == "zebra"
        else "{} does nothing.",
    }
    return _tell(plain[acts_as] if others else "{} is alone in the queue.", card)


def _tell_advance(acts_as: str, card: Card, before: Cards, after: Cards, eaten: Cards) -> Sentence:
    """The way forward of a hippo, a crocodile or a giraffe."""
    start, end = before.index(card), after.index(card)
    passed = eaten or before[end:start]
    ahead = after[end - 1] if end else None
    if start == 0:
        return _tell("{} already stands at the gate.", card)
    verb = {"hippo": "pushes past", "crocodile": "eats", "giraffe": "jumps over"}[acts_as]
    if passed:
        text = f"{{}} {verb} {_list(len(passed))}"
        if ahead is None or acts_as == "giraffe":
            return _tell(f"{text}.", card, *passed)
        stops = "stops at" if acts_as == "crocodile" else "stops behind"
        return _tell(f"{text} and {stops} {{}}.", card, *passed, ahead)
    assert ahead is not None, "an animal that passed nobody has somebody ahead"
    if ahead.species == "zebra" and acts_as != "giraffe":
        return _tell("{} gets no further: {} stands.", card, ahead)
    verb = {"hippo": "push past", "crocodile": "eat", "giraffe": "jump over"}[acts_as]
    return _tell(f"{{}} cannot {verb} {{}}, who is not weaker.", card, ahead)
