"""A position as immutable Python values."""

from __future__ import annotations

import operator
from collections.abc import Iterable
from dataclasses import dataclass
from typing import SupportsIndex

from bb_sim.rules.actions import POINTS, SPECIES
from bb_sim.rules.engine import DECK_SIZE, HAND_SIZE, MAX_PLAYERS, NUM_SPECIES, QUEUE_SIZE

HIDDEN = "hidden"
"""The species of a card that the viewer in `State.seen_by` does not know."""

_INDEX = {species: index for index, species in enumerate(SPECIES)} | {HIDDEN: -1}


@dataclass(frozen=True, slots=True)
class Card:
    """One animal of one player.

    Attributes:
        owner: player 0 to 3.
        species: one of `SPECIES`, or `"hidden"`.
    """

    owner: int
    species: str

    def __post_init__(self) -> None:
        if self.species not in _INDEX:
            raise ValueError(f"there is no species {self.species!r}")
        object.__setattr__(self, "owner", _check_range("the owner", self.owner, MAX_PLAYERS - 1))

    @property
    def is_hidden(self) -> bool:
        return self.species == HIDDEN

    @property
    def strength(self) -> int:
        """1 (skunk) to 12 (lion)."""
        return self._known_index() + 1

    @property
    def points(self) -> int:
        """The animal's value in the bar: 2, 3 or 4."""
        return POINTS[self._known_index()]

    def _known_index(self) -> int:
        if self.is_hidden:
            raise ValueError(f"the species of this card of player {self.owner} is hidden")
        return _INDEX[self.species]

    def __str__(self) -> str:
        return f"{self.species}({self.owner})"


Cards = tuple[Card, ...]


@dataclass(frozen=True, slots=True)
class State:
    """A position between turns, for 2 to 4 players.

    `str(state)` is the position as a few lines of text, in which a card is `species(owner)`. A
    position made by hand may lack cards, but no card may be in it twice. Iterables of cards are
    stored as tuples. Without `decks` every deck is empty.

    Attributes:
        hands: the hand of each player, sorted by strength; at most 4 cards each.
        decks: the deck of each player, the next card first; at most 8 cards each.
        queue: the queue from Heaven's Gate to the exclusion end; at most 4 cards.
        bar: the cards in the bar, in order of arrival.
        thats_it: the cards on THAT'S IT, in order of arrival.
        to_move: the player to move; after the last card, the next seat.
        turn: plies played.

    Raises:
        ValueError: such a position is impossible. The message names the fault.
    """

    hands: tuple[Cards, ...]
    decks: tuple[Cards, ...] = ()
    queue: Cards = ()
    bar: Cards = ()
    thats_it: Cards = ()
    to_move: int = 0
    turn: int = 0

    def __post_init__(self) -> None:
        hands = tuple(
            tuple(sorted(_cards("a hand", hand), key=lambda card: _INDEX[card.species]))
            for hand in self.hands
        )
        decks = tuple(_cards("a deck", deck) for deck in self.decks) or ((),) * len(hands)
        object.__setattr__(self, "hands", hands)
        object.__setattr__(self, "decks", decks)
        for name in ("queue", "bar", "thats_it"):
            object.__setattr__(self, name, _cards(f"the {name}", getattr(self, name)))
        _check_places(self)
        all_turns = NUM_SPECIES * len(hands)
        object.__setattr__(self, "to_move", check_player(self.to_move, len(hands)))
        object.__setattr__(self, "turn", _check_range("turn", self.turn, all_turns))
        _check_card_sets(self)
        _check_turn(self)

    @property
    def num_players(self) -> int:
        return len(self.hands)

    @property
    def cards_left(self) -> int:
        """The number of cards in all hands and decks together."""
        return sum(map(len, self.hands)) + sum(map(len, self.decks))

    def seen_by(self, player: int) -> State:
        """The state as a player knows it: other hands and all decks become hidden cards.

        Raises:
            ValueError: there is no such player.
        """
        player = check_player(player, self.num_players)
        return unchecked_state(
            tuple(
                hand if owner == player else (_HIDDEN_CARDS[owner],) * len(hand)
                for owner, hand in enumerate(self.hands)
            ),
            tuple((_HIDDEN_CARDS[owner],) * len(deck) for owner, deck in enumerate(self.decks)),
            self.queue,
            self.bar,
            self.thats_it,
            self.to_move,
            self.turn,
        )

    def __str__(self) -> str:
        lines = [
            f"turn {self.turn}, "
            + (f"player {self.to_move} to move" if self.cards_left else "the game is over"),
            f"  gate > {_words(self.queue)} > exclusion end",
        ]
        for player, (hand, deck) in enumerate(zip(self.hands, self.decks, strict=True)):
            own_bar = [card for card in self.bar if card.owner == player]
            points = sum(card.points for card in own_bar)
            known = [card.species for card in hand if not card.is_hidden]
            hidden = len(hand) - len(known)
            held = known + ([f"{hidden} hidden"] if hidden else [])
            lines.append(
                f"  player {player}: hand {', '.join(held) or '-'}; {len(deck)} in the deck; "
                f"{points} points with {len(own_bar)} in the bar"
            )
        lines.append(f"  bar: {_words(self.bar)}")
        lines.append(f"  that's it: {_words(self.thats_it)}")
        return "\n".join(lines)


def _words(cards: Cards) -> str:
    return " ".join(map(str, cards)) or "-"


def unchecked_state(
    hands: tuple[Cards, ...],
    decks: tuple[Cards, ...],
    queue: Cards,
    bar: Cards,
    thats_it: Cards,
    to_move: int,
    turn: int,
) -> State:
    """A State of values that come from a game and need no checks."""
    state = object.__new__(State)
    values = (hands, decks, queue, bar, thats_it, to_move, turn)
    for name, value in zip(State.__slots__, values, strict=True):
        object.__setattr__(state, name, value)
    return state


def check_state(state: State) -> State:
    """`state` itself.

    Raises:
        TypeError: it is no State.
    """
    if not isinstance(state, State):
        raise TypeError(f"a State is needed, not {state!r}")
    return state


def check_player(player: SupportsIndex, num_players: int) -> int:
    """`player` as an int.

    Raises:
        ValueError: `player` is not 0 to `num_players - 1`.
    """
    return _check_range("player", player, operator.index(num_players) - 1)


def _check_range(name: str, value: SupportsIndex, high: int) -> int:
    try:
        number = operator.index(value)
    except TypeError:
        number = -1
    if not 0 <= number <= high:
        raise ValueError(f"{name} must be 0 to {high}, not {value!r}")
    return number


def _cards(place: str, cards: Iterable[Card]) -> Cards:
    cards = tuple(cards)
    for card in cards:
        if not isinstance(card, Card):
            raise ValueError(f"{place} holds {card!r}, which is not a Card")
    return cards


def _check_places(state: State) -> None:
    """Checks the numbers of players and cards, the owners, and that no open card is hidden."""
    num_players = len(state.hands)
    if not 2 <= num_players <= MAX_PLAYERS:
        raise ValueError(f"a game has 2 to {MAX_PLAYERS} hands, not {num_players}")
    if len(state.decks) != num_players:
        raise ValueError(f"{num_players} hands need as many decks, not {len(state.decks)}")
    for player, (hand, deck) in enumerate(zip(state.hands, state.decks, strict=True)):
        for place, cards, limit in (("hand", hand, HAND_SIZE), ("deck", deck, DECK_SIZE)):
            if len(cards) > limit:
                raise ValueError(
                    f"the {place} of player {player} holds {len(cards)} cards, more than {limit}"
                )
            for card in cards:
                if card.owner != player:
                    raise ValueError(f"{card} is in the {place} of player {player}")
        if deck and not hand:
            raise ValueError(f"player {player} has a deck but no hand")
    if len(state.queue) > QUEUE_SIZE:
        raise ValueError(
            f"the queue holds {len(state.queue)} animals between turns, more than {QUEUE_SIZE}"
        )
    for place in ("queue", "bar", "thats_it"):
        for card in getattr(state, place):
            if card.is_hidden:
                raise ValueError(f"a hidden card is in the {place}, where cards lie open")
            if card.owner >= num_players:
                raise ValueError(f"{card} in the {place} belongs to none of {num_players} players")


def _check_card_sets(state: State) -> None:
    """Checks that no card is there twice and that no player has too many cards."""
    seen: set[Card] = set()
    counts = [0] * state.num_players
    open_cards = (*state.queue, *state.bar, *state.thats_it)
    for cards in (*state.hands, *state.decks, open_cards):
        for card in cards:
            if card in seen:
                raise ValueError(f"{card} is in the position twice")
            if not card.is_hidden:
                seen.add(card)
            counts[card.owner] += 1
    for player, count in enumerate(counts):
        if count > NUM_SPECIES:
            raise ValueError(f"player {player} has {count} cards, more than {NUM_SPECIES}")


def _check_turn(state: State) -> None:
    holders = [player for player, hand in enumerate(state.hands) if hand]
    if holders and state.to_move not in holders:
        raise ValueError(
            f"player {state.to_move} is to move without a card, player {holders[0]} holds some"
        )
    all_turns = NUM_SPECIES * state.num_players
    if state.turn + state.cards_left > all_turns:
        raise ValueError(
            f"at turn {state.turn} of {all_turns} there cannot be {state.cards_left} cards to play"
        )


_HIDDEN_CARDS = tuple(Card(owner, HIDDEN) for owner in range(MAX_PLAYERS))
