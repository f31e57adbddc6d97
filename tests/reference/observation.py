"""An observation row in plain Python, byte by byte as docs/simulator.md has it."""

from tests.reference.rules import (
    ANIMALS,
    MOVES,
    Card,
    Position,
    bar_animals,
    bar_points,
    bar_strength,
    legal_moves,
)

_SPECIES = list(ANIMALS)
_MOVE_IDS = {move: number for number, move in enumerate(MOVES)}


def mask_of(position: Position) -> int:
    """The legal moves of the player to move: bit a is set if the move with id a is legal."""
    return sum(1 << _MOVE_IDS[move] for move in legal_moves(position))


def row_of(position: Position, viewer: int, mask: int | None = None) -> bytes:
    """The 19 bytes that a player of a two-player game sees.

    Args:
      position: the position.
      viewer: the player, 0 or 1.
      mask: its `mask_of`, where it is known already.
    """
    other = 1 - viewer
    if mask is None:
        mask = mask_of(position)
    queue = [_code(card, viewer) for card in position.queue]
    margins = [
        count(position, viewer) - count(position, other) + zero
        for count, zero in ((bar_points, 36), (bar_animals, 12), (bar_strength, 78))
    ]
    return b"".join(
        (
            bytes(queue + [0] * (4 - len(queue))),
            _set_of(position.hands[viewer]),
            _set_of(position.decks[viewer]),
            _set_of(position.hands[other] + position.decks[other]),
            bytes([*margins, position.turn]),
            (mask if viewer == position.to_move else 0).to_bytes(5, "little"),
        )
    )


def _code(card: Card, viewer: int) -> int:
    return (1 if card.owner == viewer else 13) + _SPECIES.index(card.species)


def _set_of(species: list[str]) -> bytes:
    return sum(1 << _SPECIES.index(name) for name in species).to_bytes(2, "little")
