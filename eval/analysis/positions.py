"""Positions that are set up by hand, and the checks that they can come up in a game.

Two-player games alone. Seat 0 moves first, so the turn says who is to move and how many cards each
player has in the hand and in the deck.
"""

from __future__ import annotations

from collections.abc import Sequence

from bb_sim import HIDDEN, SPECIES, Card, State
from bb_sim.rules.engine import HAND_SIZE, NUM_SPECIES
from eval.analysis.errors import AnalysisError


def cards_played(turn: int, seat: int) -> int:
    """The number of cards that a seat has played before a turn."""
    return (turn + 1 - seat) // 2


def hand_size(turn: int, seat: int) -> int:
    """The number of cards in a seat's hand at a turn."""
    return min(HAND_SIZE, NUM_SPECIES - cards_played(turn, seat))


def deck_size(turn: int, seat: int) -> int:
    """The number of cards in a seat's deck at a turn."""
    return NUM_SPECIES - cards_played(turn, seat) - hand_size(turn, seat)


def position_at(
    *,
    hands: Sequence[Sequence[str] | None] = (None, None),
    decks: Sequence[Sequence[str] | None] = (None, None),
    queue: Sequence[Card] = (),
    bar: Sequence[Card] = (),
    thats_it: Sequence[Card] = (),
    field: str = "position",
) -> State:
    """A position by its cards; the turn follows from the cards that have been played.

    Args:
      hands: the species in each hand; `hidden` for one that is not known, None for none known.
      decks: the species of each deck, the next card first. What is missing at the end is hidden.
      queue: the queue from Heaven's Gate.
      bar, thats_it: the cards on the piles.
      field: what errors call the position.

    Raises:
      AnalysisError: the position cannot come up in a game.
    """
    turn = len(queue) + len(bar) + len(thats_it)
    if turn > 2 * NUM_SPECIES:
        raise AnalysisError(f"{turn} animals cannot have been played", field)
    full_hands, full_decks = [], []
    for seat in range(2):
        _check_played((*queue, *bar, *thats_it), seat, field)
        size, left = hand_size(turn, seat), deck_size(turn, seat)
        hand, deck = hands[seat], list(decks[seat] or ())
        hand = [HIDDEN] * size if hand is None else list(hand)
        if len(hand) != size:
            raise AnalysisError(
                f"after {turn} turns player {seat} holds {size} cards, not {len(hand)}",
                f"{field}.hands" if field == "position" else field,
            )
        if len(deck) > left:
            raise AnalysisError(
                f"after {turn} turns the deck of player {seat} has {left} cards, not {len(deck)}",
                f"{field}.decks" if field == "position" else field,
            )
        deck += [HIDDEN] * (left - len(deck))
        full_hands.append(tuple(Card(seat, species) for species in hand))
        full_decks.append(tuple(Card(seat, species) for species in deck))
    try:
        state = State(
            tuple(full_hands),
            tuple(full_decks),
            tuple(queue),
            tuple(bar),
            tuple(thats_it),
            turn % 2,
            turn,
        )
    except ValueError as error:
        raise AnalysisError(str(error), field) from error
    check_position(state, field)
    return state


def check_position(state: State, field: str = "position") -> None:
    """Refuses a position between turns that no two-player game can reach, as far as counts tell.

    Raises:
      AnalysisError: it cannot come up; the message says why.
    """
    if state.num_players != 2:
        raise AnalysisError(
            f"only games of two players are analysed, not of {state.num_players}", field
        )
    turn = state.turn
    table = (*state.queue, *state.bar, *state.thats_it)
    if len(table) != turn:
        raise AnalysisError(
            f"at turn {turn} as many animals have been played, not {len(table)}", field
        )
    if state.to_move != turn % 2 and turn < 2 * NUM_SPECIES:
        raise AnalysisError(f"at turn {turn} player {turn % 2} is to move", field)
    for seat in range(2):
        _check_seat(state, seat, field)
    if turn and not state.queue:
        raise AnalysisError("the queue cannot be empty once an animal has been played", field)
    if sum(card.species == "lion" for card in state.queue) > 1:
        raise AnalysisError("two lions cannot be in the queue", field)
    if len(state.bar) % 2:
        raise AnalysisError(
            f"animals enter the bar two at a time, so it cannot hold {len(state.bar)}", field
        )
    if len(state.thats_it) < len(state.bar) // 2:
        raise AnalysisError(
            "whenever two animals enter the bar one goes to THAT'S IT: "
            f"{len(state.bar)} in the bar and {len(state.thats_it)} on THAT'S IT do not fit",
            field,
        )


def _check_seat(state: State, seat: int, field: str) -> None:
    table = (*state.queue, *state.bar, *state.thats_it)
    own = _check_played(table, seat, field)
    hand, deck = len(state.hands[seat]), len(state.decks[seat])
    sizes = hand_size(state.turn, seat), deck_size(state.turn, seat)
    if (hand, deck) != sizes:
        raise AnalysisError(
            f"after {state.turn} turns player {seat} has {sizes[0]} cards in the hand and "
            f"{sizes[1]} in the deck, not {hand} and {deck}",
            field,
        )
    known = [*own, *state.hands[seat], *state.decks[seat]]
    if not any(card.is_hidden for card in known):
        missing = set(SPECIES) - {card.species for card in known}
        if missing:
            raise AnalysisError(
                f"player {seat} lacks {', '.join(sorted(missing))}: each has one of every species",
                field,
            )


def _check_played(table: Sequence[Card], seat: int, field: str) -> list[Card]:
    """The cards of a seat among all that were played, whose number is checked."""
    own = [card for card in table if card.owner == seat]
    played = cards_played(len(table), seat)
    if len(own) != played:
        raise AnalysisError(
            f"after {len(table)} turns player {seat} has played {played} animals, not {len(own)}",
            field,
        )
    return own
