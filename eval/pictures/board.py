"""Positions and turns as SVG pictures.

A picture is one text without scripts, ids or references, so it can be a file shown by an `<img>` or
a part of a page. It has a dark ground of its own and reads alike on light and dark pages.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from bb_sim import Action, Card, State, step
from eval.pictures.cards import (
    CARD_HEIGHT,
    CARD_WIDTH,
    FAINT,
    GOLD,
    OWNER_COLOURS,
    TEXT,
    draw_card,
    draw_star,
    draw_text,
)

OWNERS = ("Blue", "Orange", "Green", "Pink")
"""What pictures and captions call the players, by number."""

QUEUE_PLACES = 5

_GROUND, _PANEL, _SLOT = "#17303b", "#1f404d", "#2a515f"
_RED = "#e4675b"
_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', 'DejaVu Sans', sans-serif"

# Cards in the bar and at THAT'S IT; one or two have more room than many.
_SMALL, _LARGER = 0.4, 0.8
_COLUMNS = 4
_GAP = 10
_MARGIN = 16
_ROW_HEIGHT = 186
_SIDE_WIDTH = 158
_DOOR_WIDTH = 40
_QUEUE_X = _MARGIN + _SIDE_WIDTH + _GAP + _DOOR_WIDTH + _GAP
_EXIT_X = _QUEUE_X + QUEUE_PLACES * (CARD_WIDTH + _GAP)
_THATS_IT_X = _EXIT_X + _DOOR_WIDTH + _GAP
_WIDTH = _THATS_IT_X + _SIDE_WIDTH + _MARGIN


def draw_position(state: State, viewer: int) -> str:
    """A position of a two-player game from one side of the table.

    Args:
      state: the position; hidden cards are drawn from the back.
      viewer: the player whose hand is at the bottom; what they cannot know is hidden.

    Returns:
      The text of an SVG file.
    """
    state = state.seen_by(viewer)
    other = 1 - viewer
    hand_height = CARD_HEIGHT + 12
    table_y = 40 + hand_height
    bottom_y = table_y + _ROW_HEIGHT + 14
    turn = f"Turn {state.turn + 1}: {OWNERS[state.to_move]} to move"
    body = [
        draw_text(_MARGIN, 27, turn if state.cards_left else "The game is over", size=17),
        _hand(state, other, 40),
        _table(state, table_y),
        _hand(state, viewer, bottom_y),
    ]
    return draw_document(_in_words(state), _WIDTH, bottom_y + CARD_HEIGHT + _MARGIN, body)


def draw_turn(state: State, action: Action) -> str:
    """A position before and after a turn, the second as `bb_sim.step` makes it.

    Args:
      state: the position before; no card is hidden.
      action: a legal action of the player to move.

    Returns:
      The text of an SVG file.

    Raises:
      ValueError: the action is not legal.
    """
    after = step(state, action)
    played = Card(state.to_move, action.species)
    what = f"{OWNERS[state.to_move]} plays the {describe(action, state)}"
    second_y = 40 + _ROW_HEIGHT + 50
    body = [
        draw_text(_MARGIN, 27, what, size=17),
        _table(state, 40, coming=played, new=(played,)),
        draw_text(_MARGIN, second_y - 13, "After the turn", size=17),
        _table(after, second_y, new=(played,)),
    ]
    words = f"{what}. Before: {_in_words(state)} After: {_in_words(after)}"
    return draw_document(words, _WIDTH, second_y + _ROW_HEIGHT + _MARGIN, body)


def describe(action: Action, state: State) -> str:
    """An action in words, such as "parrot at the lion" or "chameleon as a crocodile"."""
    params = action.params
    words = action.species
    acts_as = action.species
    if acts_as == "chameleon" and params:
        acts_as, params = str(params[0]), params[1:]
        words += f" as a {acts_as}"
    if params and acts_as == "kangaroo":
        words += f" over {params[0]} animal{'s' if params[0] == 2 else ''}"
    elif params:
        words += f" at the {state.queue[int(params[0])].species}"
    return words


def _table(state: State, y: float, *, coming: Card | None = None, new: Sequence[Card] = ()) -> str:
    """Bar, gate, queue, exit and THAT'S IT in one row; a coming card is behind the queue."""
    card_y = y + (_ROW_HEIGHT - CARD_HEIGHT) / 2
    parts = [
        f'<rect x="{_MARGIN / 2}" y="{y:g}" width="{_WIDTH - _MARGIN}" height="{_ROW_HEIGHT}"'
        f' rx="14" fill="{_PANEL}"/>',
        _pile("BAR", state.bar, _MARGIN, y, GOLD, new),
        _points(state, _MARGIN, y + _ROW_HEIGHT - 33),
        _door(_QUEUE_X - _GAP - _DOOR_WIDTH, card_y, "HEAVEN’S GATE", GOLD, "#4a3510"),
        _door(_EXIT_X, card_y, "THE EXIT", _RED, "#4a1713"),
        _pile("THAT’S IT", state.thats_it, _THATS_IT_X, y, _RED, new),
    ]
    shown = [*state.queue, *([coming] if coming else [])]
    for place in range(QUEUE_PLACES):
        x = _QUEUE_X + place * (CARD_WIDTH + _GAP)
        if place < len(shown):
            card = shown[place]
            parts.append(draw_card(card, x, card_y, new=card in new))
        else:
            parts.append(
                f'<rect x="{x + 2:g}" y="{card_y + 2:g}" width="{CARD_WIDTH - 4}"'
                f' height="{CARD_HEIGHT - 4}" rx="10" fill="none" stroke="{_SLOT}"'
                ' stroke-width="3" stroke-dasharray="8 7"/>'
            )
    return "".join(parts)


def _pile(
    title: str, cards: Sequence[Card], x: float, y: float, colour: str, new: Sequence[Card]
) -> str:
    """The bar or THAT'S IT: cards in their order of arrival, in at most two rows."""
    scale = _LARGER if len(cards) <= 2 else _SMALL
    columns = max(_COLUMNS, -(-len(cards) // 2))
    step_x = (_SIDE_WIDTH - CARD_WIDTH * _SMALL) / (columns - 1)
    if scale == _LARGER:
        step_x = CARD_WIDTH * scale + 8
    parts = [draw_text(x + _SIDE_WIDTH / 2, y + 24, title, colour=colour, anchor="middle")]
    for number, card in enumerate(cards):
        row, column = divmod(number, columns)
        place_x, place_y = x + column * step_x, y + 34 + row * 56
        parts.append(draw_card(card, place_x, place_y, scale, new=card in new))
    return "".join(parts)


def _points(state: State, x: float, y: float) -> str:
    """Every player's points in the bar, in their colours."""
    space = _SIDE_WIDTH / state.num_players
    width = min(66.0, space - 6)
    parts = []
    for player in range(state.num_players):
        points = sum(card.points for card in state.bar if card.owner == player)
        middle = x + space * (player + 0.5)
        parts += [
            f'<rect x="{middle - width / 2:g}" y="{y:g}" width="{width:g}" height="22" rx="11"'
            f' fill="{OWNER_COLOURS[player]}"/>',
            draw_star(middle - 0.27 * width, y + 11),
            draw_text(middle + 0.12 * width, y + 16, str(points), colour="#fff", anchor="middle"),
        ]
    return "".join(parts)


def _door(x: float, y: float, title: str, colour: str, shade: str) -> str:
    """One end of the queue."""
    middle = x + _DOOR_WIDTH / 2
    turned = y + CARD_HEIGHT / 2
    return (
        f'<path d="M{x:g} {y + CARD_HEIGHT:g} V{y + 18:g} Q{middle:g} {y - 16:g}'
        f' {x + _DOOR_WIDTH:g} {y + 18:g} V{y + CARD_HEIGHT:g}Z" fill="{colour}"/>'
        f'<g transform="rotate(-90 {middle:g} {turned:g})">'
        + draw_text(middle, turned + 5, title, size=13, anchor="middle", colour=shade)
        + "</g>"
    )


def _hand(state: State, player: int, y: float) -> str:
    """A player's name, deck and hand."""
    x = _QUEUE_X
    name = OWNERS[player]
    hand = state.hands[player]
    parts = [
        draw_text(_MARGIN, y + 50, name, size=22, colour=TEXT),
        f'<rect x="{_MARGIN}" y="{y + 60:g}" width="52" height="6" rx="3"'
        f' fill="{OWNER_COLOURS[player]}"/>',
        draw_text(
            _MARGIN, y + 90, "to move" if player == state.to_move and hand else "", colour=GOLD
        ),
    ]
    for number, card in enumerate(hand):
        parts.append(draw_card(card, x + number * (CARD_WIDTH + _GAP), y))
    deck = state.decks[player]
    if deck:
        for layer in range(min(3, len(deck))):
            parts.append(draw_card(deck[0], _THATS_IT_X + 4 * layer, y - 3 * layer))
        parts.append(
            draw_text(_THATS_IT_X + CARD_WIDTH + 16, y + 62, f"{len(deck)} left", colour=FAINT)
        )
    return "".join(parts)


def _in_words(state: State) -> str:
    """The open cards as a sentence or two, for those who do not see the picture."""
    places = {"queue, from the gate": state.queue, "bar": state.bar, "that's it": state.thats_it}
    listed = [
        f"{name}: " + ", ".join(f"{OWNERS[card.owner]} {card.species}" for card in cards)
        for name, cards in places.items()
        if cards
    ]
    text = "; ".join(listed) or "the queue is empty"
    return text[0].upper() + text[1:] + "."


def draw_document(title: str, width: float, height: float, body: Sequence[str]) -> str:
    """An SVG file with the ground of all pictures; `title` is for those who do not see it."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}"'
        f' width="{width:g}" height="{height:g}" role="img" font-family="{_FONT}">\n'
        f"<title>{escape(title, quote=False)}</title>\n"
        f'<rect width="{width:g}" height="{height:g}" rx="20" fill="{_GROUND}"/>\n'
        + "\n".join(part for part in body if part)
        + "\n</svg>\n"
    )
