"""A slow second implementation of the rules and the opponents, and the way to the simulator."""

from bb_sim import Action, State
from bb_sim import Card as StateCard
from tests.reference.rules import MOVES, Card, Move, Position, strength


def from_state(state: State) -> Position:
    """The position that a State shows."""
    return Position(
        hands=[[card.species for card in hand] for hand in state.hands],
        decks=[[card.species for card in deck] for deck in state.decks],
        queue=[Card(card.owner, card.species) for card in state.queue],
        bar=[Card(card.owner, card.species) for card in state.bar],
        thats_it=[Card(card.owner, card.species) for card in state.thats_it],
        to_move=state.to_move,
        turn=state.turn,
    )


def to_state(position: Position) -> State:
    """The State that shows a position."""

    def of_player(piles: list[list[str]]) -> tuple[tuple[StateCard, ...], ...]:
        return tuple(
            tuple(StateCard(player, species) for species in pile)
            for player, pile in enumerate(piles)
        )

    def in_the_open(pile: list[Card]) -> tuple[StateCard, ...]:
        return tuple(StateCard(card.owner, card.species) for card in pile)

    return State(
        hands=of_player(position.hands),
        decks=of_player(position.decks),
        queue=in_the_open(position.queue),
        bar=in_the_open(position.bar),
        thats_it=in_the_open(position.thats_it),
        to_move=position.to_move,
        turn=position.turn,
    )


def to_action(move: Move) -> Action:
    return Action(*move)


def id_of(move: Move) -> int:
    return MOVES.index(move)


def assert_shows(state: State, position: Position) -> None:
    """Every field of the state is that of the position, the piles in order of arrival."""
    shown = from_state(state)
    position = position.copy()
    for hand in position.hands:
        hand.sort(key=strength)
    assert shown == position
