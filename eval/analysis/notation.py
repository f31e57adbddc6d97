"""The text notation of games, which a person can read and type, and its short form for links.

    Beasty Bar
    scoring: points
    player 0: Anna
    player 1: champion
    hand 0: lion zebra skunk parrot
    deck 0: hippo seal
    hand 1: ? ? ? ?

    1. lion zebra
    2. parrot@1 kangaroo+1

A `?` is a card that is not known; decks begin with the next card, and what is missing at their end
is not known. A game that begins in the middle has `queue:`, `bar:` and `thats it:` with cards such
as `lion(0)`, the lion of player 0. Moves are in the order played; their numbers may be left out. A
species may be shortened to any beginning that no other has, and `#` begins a comment.

    lion                        a species without a choice
    kangaroo+2                  jumps over two
    parrot@1                    sends the animal at the first place from the gate to THAT'S IT
    chameleon=lion              copies a lion
    chameleon=kangaroo+1        copies a kangaroo and jumps over one
    chameleon=parrot@3          copies a parrot and sends away the animal at the third place
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterable, Sequence
from typing import NoReturn
from urllib.parse import quote, unquote

from bb_sim import ACTIONS, HIDDEN, SCORINGS, SPECIES, Action, Card, action_id
from bb_sim.rules.actions import Scoring
from eval.analysis.errors import AnalysisError
from eval.analysis.positions import position_at
from eval.analysis.record import SEATS, GameRecord

TITLE = "Beasty Bar"
UNKNOWN = "?"
# What somebody can paste by mistake is refused before it is read.
MAX_TEXT = 20_000

# --- Species, cards and moves ---------------------------------------------------------------------


def move_text(action: Action) -> str:
    """A move in the notation."""
    name, params = action.species, list(action.params)
    if name == "chameleon" and params:
        name += f"={params[0]}"
        params = params[1:]
    if not params:
        return name
    copied = name.rpartition("=")[2]
    return f"{name}+{params[0]}" if copied == "kangaroo" else f"{name}@{int(params[0]) + 1}"


_MOVES = {move_text(action): action for action in ACTIONS}
_MOVE = re.compile(r"([a-z]+)(?:=([a-z]+))?([+@]\d)?")


def parse_move(text: str) -> Action:
    """The move that a text of the notation names.

    Raises:
      AnalysisError: there is no such move.
    """
    match = _MOVE.fullmatch(text.strip().lower())
    if match is None:
        _refuse(
            f"{_shown(text)} is no move; moves look like lion, kangaroo+2, parrot@1, "
            "chameleon=lion or chameleon=parrot@3",
            "moves",
        )
    species, copied, choice = match.groups(default="")
    name = parse_species(species, "moves")
    if copied:
        name += f"={parse_species(copied, 'moves')}"
    if name + choice not in _MOVES:
        possible = ", ".join(move for move in _MOVES if re.split("[+@]", move)[0] == name)
        hint = f"; there are {possible}" if possible else ""
        _refuse(f"there is no move {_shown(text)}{hint}", "moves")
    return _MOVES[name + choice]


def parse_species(text: str, field: str | None = None) -> str:
    """The species whose name begins with a text.

    Raises:
      AnalysisError: no species, or more than one, begins so.
    """
    name = text.strip().lower()
    found = [species for species in SPECIES if name and species.startswith(name)]
    if not found:
        _refuse(f"there is no animal {_shown(text)}; there are {', '.join(SPECIES)}", field)
    if len(found) > 1:
        _refuse(f"{_shown(text)} may be {' or '.join(found)}", field)
    return found[0]


def card_text(card: Card) -> str:
    """A card in the notation, such as `lion(0)`."""
    return str(card)


def parse_card(text: str, field: str | None = None) -> Card:
    """The card that a text such as `lion(0)` or `lion0` names.

    Raises:
      AnalysisError: it is no card.
    """
    match = re.fullmatch(r"([a-z]+)(?:\(([01])\)|([01]))", text.strip().lower())
    if match is None:
        _refuse(
            f"{_shown(text)} is no card; the lion of player 0 is lion(0), that of player 1 lion(1)",
            field,
        )
    return Card(int(match[2] or match[3]), parse_species(match[1], field))


def parse_held(text: str, field: str | None = None) -> str:
    """The species of a card in a hand or a deck; `hidden` for `?`."""
    return HIDDEN if text == UNKNOWN else parse_species(text, field)


def _refuse(text: str, field: str | None) -> NoReturn:
    raise AnalysisError(text, field)


def _shown(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:39]}…")


# --- Games ----------------------------------------------------------------------------------------


def game_text(record: GameRecord) -> str:
    """A game in the notation; `parse_game` reads it back."""
    start = record.start
    lines = [TITLE, f"scoring: {record.scoring}"]
    lines += [f"player {seat}: {name}" for seat, name in enumerate(record.players) if name]
    for seat in SEATS:
        for place, cards in (("hand", start.hands[seat]), ("deck", start.decks[seat])):
            words = [UNKNOWN if card.is_hidden else card.species for card in cards]
            if set(words) - {UNKNOWN}:
                lines.append(f"{place} {seat}: {' '.join(words)}")
    for key, cards in (("queue", start.queue), ("bar", start.bar), ("thats it", start.thats_it)):
        if cards:
            lines.append(f"{key}: {' '.join(map(card_text, cards))}")
    lines.append("")
    moves = [move_text(move) for move in record.moves]
    if moves and start.turn % 2:
        lines.append(f"{start.turn // 2 + 1}. ... {moves.pop(0)}")
    first = (start.turn + 1) // 2 + 1
    for number in range(0, len(moves), 2):
        lines.append(f"{first + number // 2}. {' '.join(moves[number : number + 2])}")
    return "\n".join(lines) + "\n"


_KEYS = ("scoring", "player 0", "player 1", "hand 0", "deck 0", "hand 1", "deck 1", "queue", "bar")
_THATS_IT = "thats it"
_NUMBER = re.compile(r"\d+\.+|\.\.\.")


def parse_game(text: str) -> GameRecord:
    """The game that a text of the notation describes.

    Raises:
      AnalysisError: the text is not in the notation, or the game is impossible. The message says in
        which line.
    """
    if len(text) > MAX_TEXT:
        _refuse(f"the text has {len(text)} characters, more than {MAX_TEXT}", None)
    values: dict[str, str] = {}
    moves: list[Action] = []
    for number, line in enumerate(text.splitlines(), 1):
        content = line.partition("#")[0].strip()
        if not content or content.lower() == TITLE.lower():
            continue
        try:
            if ":" in content:
                _add_value(values, content)
            else:
                words = [word for word in content.split() if not _NUMBER.fullmatch(word)]
                moves += [parse_move(_NUMBER.sub("", word, count=1)) for word in words]
        except AnalysisError as error:
            raise AnalysisError(f"line {number}: {error}", error.field) from error
    return _record_of(values, moves)


def _add_value(values: dict[str, str], line: str) -> None:
    key, _, value = line.partition(":")
    key = " ".join(key.lower().replace("'", "").split())
    known = (*_KEYS, _THATS_IT)
    if key not in known:
        _refuse(f"there is no key {_shown(key)}; there are {', '.join(known)}", None)
    if key in values:
        _refuse(f"{key} stands twice", None)
    values[key] = value.strip()
    # What cannot be read is refused here, where the line is known.
    if key.startswith(("hand", "deck")):
        _held(value)
    elif key in ("queue", "bar", _THATS_IT):
        _cards(value)
    elif key == "scoring" and value.strip() not in SCORINGS:
        _refuse(f"scoring is {' or '.join(SCORINGS)}, not {_shown(value.strip())}", "scoring")


def _words(value: str | None) -> list[str]:
    return (value or "").replace(",", " ").split()


def _held(value: str | None) -> list[str] | None:
    return None if value is None else [parse_held(word, None) for word in _words(value)]


def _cards(value: str | None) -> list[Card]:
    return [parse_card(word) for word in _words(value)]


def _record_of(values: dict[str, str], moves: Sequence[Action]) -> GameRecord:
    start = position_at(
        hands=[_held(values.get(f"hand {seat}")) for seat in SEATS],
        decks=[_held(values.get(f"deck {seat}")) for seat in SEATS],
        queue=_cards(values.get("queue")),
        bar=_cards(values.get("bar")),
        thats_it=_cards(values.get(_THATS_IT)),
    )
    scoring: Scoring = "animals" if values.get("scoring") == "animals" else "points"
    names = (values.get("player 0", ""), values.get("player 1", ""))
    return GameRecord(start, tuple(moves), scoring, names)


# --- Links ----------------------------------------------------------------------------------------

# Parts joined by dots: version and scoring; both hands and decks; queue, bar, THAT'S IT; moves;
# names. A card is a letter by strength, of player 1 a capital one; a move is a character by its id.
_VERSION = "1"
_UNKNOWN_IN_LINK = "-"
_CARD_LETTERS = string.ascii_lowercase[: len(SPECIES)]
_MOVE_LETTERS = string.digits + string.ascii_letters
_NUM_PARTS = 11


def link_text(record: GameRecord) -> str:
    """A game in characters that the fragment of a URL may have; `parse_link` reads it back."""
    start = record.start
    places = [*start.hands, *start.decks, start.queue, start.bar, start.thats_it]
    return ".".join(
        [
            _VERSION + record.scoring[0],
            *("".join(map(_letter_of, cards)) for cards in places),
            "".join(_MOVE_LETTERS[action_id(move)] for move in record.moves),
            *(quote(name, safe="").replace(".", "%2E") for name in record.players),
        ]
    )


def parse_link(text: str) -> GameRecord:
    """The game that the fragment of a link describes.

    Raises:
      AnalysisError: it is no such link, or the game is impossible.
    """
    parts = text.strip().removeprefix("#").split(".")
    scorings = {_VERSION + scoring[0]: scoring for scoring in SCORINGS}
    if len(text) > MAX_TEXT or len(parts) != _NUM_PARTS or parts[0] not in scorings:
        _refuse("this is no link to a game", None)
    hands, decks = parts[1:3], parts[3:5]
    queue, bar, thats_it = ([_card_of(letter) for letter in part] for part in parts[5:8])
    if not set(parts[8]) <= set(_MOVE_LETTERS[: len(ACTIONS)]):
        _refuse("the link holds a move that does not exist", "moves")
    start = position_at(
        hands=[_held_in_link(hand, seat) for seat, hand in enumerate(hands)],
        decks=[_held_in_link(deck, seat) for seat, deck in enumerate(decks)],
        queue=queue,
        bar=bar,
        thats_it=thats_it,
    )
    moves = tuple(ACTIONS[_MOVE_LETTERS.index(letter)] for letter in parts[8])
    return GameRecord(start, moves, scorings[parts[0]], (unquote(parts[9]), unquote(parts[10])))


def _letter_of(card: Card) -> str:
    if card.is_hidden:
        return _UNKNOWN_IN_LINK
    letter = _CARD_LETTERS[card.strength - 1]
    return letter.upper() if card.owner else letter


def _card_of(letter: str) -> Card:
    if letter.lower() not in _CARD_LETTERS:
        _refuse("the link holds a card that does not exist", None)
    return Card(int(letter.isupper()), SPECIES[_CARD_LETTERS.index(letter.lower())])


def _held_in_link(letters: Iterable[str], seat: int) -> list[str]:
    held = []
    for letter in letters:
        card = None if letter == _UNKNOWN_IN_LINK else _card_of(letter)
        if card is not None and card.owner != seat:
            _refuse("the link gives a player a card of the other one", None)
        held.append(HIDDEN if card is None else card.species)
    return held
