"""Records of games: the position that a game began from, its moves, and what each seat saw.

Cards that are not known are hidden cards of a `bb_sim.State`. So a game seen from one seat and a
game with all its cards are values of one type.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from bb_sim import HIDDEN, SPECIES, Action, Card, State, is_terminal, legal_actions, observe, step
from bb_sim.rules.actions import Scoring
from bb_sim.rules.engine import DECK_SIZE, HAND_SIZE, NUM_SPECIES
from eval.analysis.errors import AnalysisError
from eval.analysis.positions import check_position, position_at

SEATS = (0, 1)


@dataclass(frozen=True)
class GameRecord:
    """A game, or a part of one.

    Attributes:
      start: the position that it began from; cards that are not known are hidden.
      moves: what was played from there on.
      scoring: "points" or "animals".
      players: the names of seat 0, which moves first in a whole game, and of seat 1; "" where there
        is none.

    Raises:
      AnalysisError: the position cannot come up in a game, or a move is not legal.
    """

    start: State
    moves: tuple[Action, ...] = ()
    scoring: Scoring = "points"
    players: tuple[str, str] = ("", "")

    def __post_init__(self) -> None:
        object.__setattr__(self, "moves", tuple(self.moves))
        check_position(self.start)
        _ = self.states

    @property
    def end_turn(self) -> int:
        """The turn after the last move."""
        return self.start.turn + len(self.moves)

    @property
    def is_complete(self) -> bool:
        """Whether no card of it is hidden."""
        return not any(card.is_hidden for card in _unplayed(self.start))

    def knows_hand(self, turn: int, seat: int) -> bool:
        """Whether the cards that a seat holds at a turn, and those it held before, are known."""
        moves = self.moves[: turn - self.start.turn]
        own_moves = _moves_of(self.start, moves, seat)
        drawn = self.start.decks[seat][: len(own_moves)]
        return not any(card.is_hidden for card in (*self.start.hands[seat], *drawn))

    @cached_property
    def states(self) -> tuple[State, ...]:
        """The positions before each move and after the last.

        Hidden cards are filled in such that the moves are legal; how tells nothing. What a seat saw
        of these positions (`row`) does not depend on it.
        """
        states = [_completed(self.start, self.moves)]
        for move in self.moves:
            _check_move(states[-1], move)
            states.append(step(states[-1], move))
        return tuple(states)

    def state(self, turn: int) -> State:
        """The position at a turn; see `states`.

        Raises:
          AnalysisError: the record does not contain the turn.
        """
        if not self.start.turn <= turn <= self.end_turn:
            raise AnalysisError(
                f"the game has the turns {self.start.turn} to {self.end_turn}, not {turn}"
            )
        return self.states[turn - self.start.turn]

    def row(self, turn: int, seat: int) -> np.ndarray:
        """The observation uint8 [19] of a seat, whose own hand is known, at a turn."""
        return observe(self.state(turn), seat)

    def until(self, turn: int) -> GameRecord:
        """The record up to a turn."""
        self.state(turn)
        return replace(self, moves=self.moves[: turn - self.start.turn])

    def seen_by(self, seat: int) -> GameRecord:
        """The record as a seat knows it at its end: its own cards as far as it has drawn them."""
        own_moves = _moves_of(self.start, self.moves, seat)
        hands, decks = list(self.start.hands), list(self.start.decks)
        drawn = decks[seat][: len(own_moves)]
        decks[seat] = drawn + _hidden(seat, len(decks[seat]) - len(drawn))
        hands[1 - seat] = _hidden(1 - seat, len(hands[1 - seat]))
        decks[1 - seat] = _hidden(1 - seat, len(decks[1 - seat]))
        return replace(self, start=replace(self.start, hands=tuple(hands), decks=tuple(decks)))

    def after(self, move: Action) -> GameRecord:
        """The record with one more move."""
        return replace(self, moves=(*self.moves, move))


def dealt_record(
    dealt: Sequence[Sequence[str]], moves: Iterable[Action] = (), scoring: Scoring = "points"
) -> GameRecord:
    """A game from its beginning, with all cards.

    Args:
      dealt: the twelve species of each player in the order dealt: the hand, then the deck.
      moves: what was played.
      scoring: "points" or "animals".

    Raises:
      AnalysisError: these are not the cards of two players, or a move is not legal.
    """
    for seat, cards in enumerate(dealt):
        if len(cards) != NUM_SPECIES:
            raise AnalysisError(
                f"player {seat} is dealt {NUM_SPECIES} cards, not {len(cards)}", "deal"
            )
    return GameRecord(_dealt_state(dealt, "deal"), tuple(moves), scoring)


def seen_record(
    seat: int, dealt: Sequence[str], moves: Iterable[Action] = (), scoring: Scoring = "points"
) -> GameRecord:
    """A game from its beginning, as one seat saw it.

    Args:
      seat: 0, which moves first, or 1.
      dealt: the species that the seat was dealt so far, in order: four, and one more for each of
        its moves while its deck lasted.
      moves: what both played.
      scoring: "points" or "animals".

    Raises:
      AnalysisError: the number of cards does not fit the moves, or a move is not legal.
    """
    moves = tuple(moves)
    own_moves = (len(moves) + 1 - seat) // 2
    seen = min(HAND_SIZE + own_moves, NUM_SPECIES)
    if len(dealt) != seen:
        raise AnalysisError(
            f"after {own_moves} moves of its own, player {seat} has seen {seen} of its cards, not "
            f"{len(dealt)}",
            "seen",
        )
    both: list[Sequence[str]] = [(), ()]
    both[seat] = dealt
    return GameRecord(_dealt_state(both, "seen"), moves, scoring)


def _dealt_state(dealt: Sequence[Sequence[str]], field: str) -> State:
    full = [(*cards, *[HIDDEN] * (NUM_SPECIES - len(cards))) for cards in dealt]
    return position_at(
        hands=[cards[:HAND_SIZE] for cards in full],
        decks=[cards[HAND_SIZE : HAND_SIZE + DECK_SIZE] for cards in full],
        field=field,
    )


# --- Hidden cards ---------------------------------------------------------------------------------


def _hidden(seat: int, number: int) -> tuple[Card, ...]:
    return (Card(seat, HIDDEN),) * number


def _unplayed(state: State) -> list[Card]:
    return [card for cards in (*state.hands, *state.decks) for card in cards]


def _moves_of(start: State, moves: Sequence[Action], seat: int) -> Sequence[Action]:
    return moves[(start.to_move != seat) :: 2]


def _completed(start: State, moves: Sequence[Action]) -> State:
    """The position with its hidden cards filled in: those played first are dealt first."""
    hands, decks = [], []
    on_table = {*start.queue, *start.bar, *start.thats_it}
    for seat in SEATS:
        hand, deck = start.hands[seat], start.decks[seat]
        known = on_table | set(hand) | set(deck)
        free = [card for species in SPECIES if (card := Card(seat, species)) not in known]
        played = [move.species for move in _moves_of(start, moves, seat)]
        order = {species: number for number, species in reversed([*enumerate(played)])}
        free.sort(key=lambda card: order.get(card.species, NUM_SPECIES))
        filled = iter(free)
        cards = [next(filled) if card.is_hidden else card for card in (*hand, *deck)]
        hands.append(tuple(cards[: len(hand)]))
        decks.append(tuple(cards[len(hand) :]))
    return replace(start, hands=tuple(hands), decks=tuple(decks))


def _check_move(state: State, move: Action) -> None:
    legal = legal_actions(state)
    if move in legal:
        return
    if is_terminal(state):
        raise AnalysisError(f"{move} cannot be played at turn {state.turn}: the game is over")
    same = [str(action) for action in legal if action.species == move.species]
    reason = f"legal are {'; '.join(same)}" if same else "that card is not in the hand"
    raise AnalysisError(
        f"{move} is not legal for player {state.to_move} at turn {state.turn}: {reason}", "moves"
    )
