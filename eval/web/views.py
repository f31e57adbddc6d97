"""What the page is sent: positions, turns and games as JSON, seen from one seat.

Cards are `[owner, species]`. A card that the seat cannot know is never among them: other hands and
the decks are numbers.
"""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

from bb_jax.errors import EvaluationError
from bb_sim import (
    POINTS,
    SPECIES,
    Action,
    Card,
    State,
    action_id,
    is_decided,
    is_terminal,
    legal_actions,
    scores,
    turn_steps,
    winner,
)
from eval.analysis.errors import AnalysisError
from eval.analysis.notation import game_text, link_text, move_text, parse_link
from eval.analysis.record import GameRecord
from eval.games.game import Game, GameError
from eval.games.opponents import Offer
from eval.web.hosted_games import HostedGame

Json = dict[str, Any]


def cards_json(cards: tuple[Card, ...]) -> list[list[int | str]]:
    """Open cards."""
    return [[card.owner, card.species] for card in cards]


def _held(cards: tuple[Card, ...]) -> list[str | None]:
    return [None if card.is_hidden else card.species for card in cards]


def action_json(action: Action) -> Json:
    """An action by its id, its parts and its text in the notation."""
    return {
        "id": action_id(action),
        "species": action.species,
        "params": list(action.params),
        "text": move_text(action),
    }


def position_json(state: State, scoring: str) -> Json:
    """A position; hidden cards are null, so a state `seen_by` a seat tells no more than it saw."""
    over = is_terminal(state)
    known = not any(card.is_hidden for card in state.hands[state.to_move])
    return {
        "turn": state.turn,
        "toMove": state.to_move,
        "queue": cards_json(state.queue),
        "bar": cards_json(state.bar),
        "thatsIt": cards_json(state.thats_it),
        "hands": [_held(hand) for hand in state.hands],
        "decks": [len(deck) for deck in state.decks],
        "scores": list(scores(state, scoring)),
        "decided": is_decided(state),
        "over": over,
        "winner": winner(state, scoring) if over else None,
        "legal": [action_json(action) for action in legal_actions(state)]
        if known and not over
        else [],
    }


def turn_json(before: State, action: Action) -> Json:
    """What everybody at the table sees of a turn, step by step."""
    return {
        "turn": before.turn,
        "mover": before.to_move,
        "action": action_json(action),
        "steps": [
            {
                "kind": step.kind,
                "card": cards_json((step.card,))[0] if step.card else None,
                "queue": cards_json(step.queue),
                "toBar": cards_json(step.to_bar),
                "toThatsIt": cards_json(step.to_thats_it),
                "text": step.told.text,
                "cards": cards_json(step.told.cards),
            }
            for step in turn_steps(before, action)
        ],
    }


def game_json(game: HostedGame) -> Json:
    """A game as its person may see it."""
    seen = game.state if game.is_over else game.state.seen_by(game.seat)
    position = position_json(seen, game.scoring)
    if not game.is_persons_turn:
        position["legal"] = []
    record = game.shown_record
    return {
        "game": game.id,
        "seat": game.seat,
        "scoring": game.scoring,
        "opponent": offer_json(game.opponent),
        "position": position,
        "moves": [move_text(move) for move in game.moves],
        "canUndo": game.undo_turn is not None,
        "thinking": game.thinking,
        "revision": game.revision,
        "link": link_text(record),
        "text": game_text(record),
        "cards": seal_cards(game) if game.is_over else None,
    }


def game_turns(game: Game) -> list[Json]:
    """All turns played so far."""
    return [turn_json(state, move) for state, move in zip(game.states, game.moves, strict=False)]


def offer_json(offer: Offer) -> Json:
    """An opponent as the page lists it."""
    return {
        "key": offer.key,
        "label": offer.label,
        "group": offer.group,
        "how": offer.how,
        "elo": offer.elo,
        "scoring": offer.scoring,
    }


def record_json(record: GameRecord) -> Json:
    """A loaded game: every position as far as it is known, and every turn.

    Cards that are not known are null in it, whatever the record filled in for them.
    """
    known = _known_states(record)
    return {
        "players": list(record.players),
        "scoring": record.scoring,
        "complete": record.is_complete,
        "start": record.start.turn,
        "positions": [position_json(state, record.scoring) for state in known],
        "turns": [
            turn_json(state, move) for state, move in zip(record.states, record.moves, strict=False)
        ],
        "moves": [move_text(move) for move in record.moves],
        "link": link_text(record),
        "text": game_text(record),
    }


def _known_states(record: GameRecord) -> list[State]:
    """The record's states with those cards hidden that the record does not name."""
    if record.is_complete:
        return list(record.states)
    known = {
        card
        for cards in (*record.start.hands, *record.start.decks)
        for card in cards
        if not card.is_hidden
    }

    def hide(cards: tuple[Card, ...]) -> tuple[Card, ...]:
        return tuple(card if card in known else Card(card.owner, "hidden") for card in cards)

    return [
        State(
            tuple(hide(hand) for hand in state.hands),
            tuple(hide(deck) for deck in state.decks),
            state.queue,
            state.bar,
            state.thats_it,
            state.to_move,
            state.turn,
        )
        for state in record.states
    ]


def seal_cards(game: Game) -> str:
    """The cards of a game for a friend, in a form that nobody reads by mistake."""
    record = GameRecord(game.states[0], (), game.scoring)
    content = {"deal": link_text(record), "seat": game.seat, "opponent": game.opponent.key}
    return base64.urlsafe_b64encode(json.dumps(content).encode()[::-1]).decode().rstrip("=")


def open_cards(text: str) -> tuple[GameRecord, int, str]:
    """The deal, the seat and the opponent's key that `seal_cards` wrote.

    Raises:
      GameError: the text is nothing of the kind.
    """
    fault = GameError("this link holds no cards")
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))[::-1]
        content = json.loads(data)
        deal, seat, opponent = content["deal"], content["seat"], content["opponent"]
        record = parse_link(deal)
    except (binascii.Error, ValueError, TypeError, KeyError, RecursionError, AttributeError):
        raise fault from None
    except (AnalysisError, EvaluationError):
        raise fault from None
    if seat not in (0, 1) or not isinstance(opponent, str) or not record.is_complete:
        raise fault
    if record.moves or record.start.turn:
        raise fault
    return record, int(seat), opponent


def animals_json(descriptions: dict[str, str]) -> list[Json]:
    """The species in order of strength, with what their cards say."""
    return [
        {
            "name": species,
            "strength": strength,
            "points": POINTS[strength - 1],
            "rule": descriptions[species],
        }
        for strength, species in enumerate(SPECIES, 1)
    ]
