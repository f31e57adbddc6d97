"""The games that people play. While one goes on, its deal and its seed do not leave this module's
objects: see `eval.web.views` for what does.
"""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from bb_jax.errors import UserError
from bb_sim import ACTIONS, Action, State, is_terminal, legal_actions, new_game, step
from bb_sim.rules.actions import Scoring
from eval.analysis.record import GameRecord
from eval.web.opponents import Offer

MOST_GAMES = 5000
MOST_OF_ONE = 40
# After so many seconds without a request a game is forgotten.
KEPT_FOR = 3 * 24 * 3600.0


class GameError(UserError):
    """Something that cannot be done in a game, or a game that is not there."""


def new_secret() -> str:
    """A name that cannot be guessed, 128 bits."""
    return secrets.token_urlsafe(16)


@dataclass(eq=False)
class Game:
    """A game of a person against an opponent.

    Attributes:
      owner: the secret of the browser that plays it.
      opponent: who the other seat is.
      seat: the person's seat, 0 moves first.
      scoring: "points" or "animals".
      states: the positions, with all cards, before each move and after the last.
      moves: what was played.
      seed: the opponent's random numbers.
      revision: counts the moves taken back, so that an answer to a position that is gone is not
        played.
      listeners: called with what the game has to say to the pages that show it.
    """

    owner: str
    opponent: Offer
    seat: int
    scoring: Scoring
    states: list[State]
    moves: list[Action] = field(default_factory=list)
    seed: int = field(default_factory=lambda: secrets.randbits(64))
    id: str = field(default_factory=new_secret)
    revision: int = 0
    listeners: set[Callable[[dict[str, object]], None]] = field(default_factory=set)
    used: float = field(default_factory=time.monotonic)
    thinking: bool = False

    @property
    def state(self) -> State:
        return self.states[-1]

    @property
    def is_over(self) -> bool:
        return is_terminal(self.state)

    @property
    def is_persons_turn(self) -> bool:
        return not self.is_over and self.state.to_move == self.seat

    @property
    def is_opponents_turn(self) -> bool:
        return not self.is_over and self.state.to_move != self.seat

    @property
    def record(self) -> GameRecord:
        """The whole game, with all cards."""
        names = ["you", "you"]
        names[1 - self.seat] = self.opponent.label
        return GameRecord(self.states[0], tuple(self.moves), self.scoring, (names[0], names[1]))

    @property
    def shown_record(self) -> GameRecord:
        """What the person may know: the whole game once it is over, before that the seat's view."""
        return self.record if self.is_over else self.record.seen_by(self.seat)

    def play(self, action: Action) -> None:
        """Plays a move of whoever is to move.

        Raises:
          GameError: it is not legal.
        """
        if action not in legal_actions(self.state):
            raise GameError(f"{action} cannot be played now")
        self.states.append(step(self.state, action))
        self.moves.append(action)

    def play_of_person(self, turn: int, action: int) -> None:
        """Plays the person's move.

        Raises:
          GameError: it is not the person's turn, or the move is not legal.
        """
        if self.is_over:
            raise GameError("the game is over")
        if turn != self.state.turn:
            raise GameError(
                f"turn {turn + 1} is not the present one, which is {self.state.turn + 1}"
            )
        if not self.is_persons_turn:
            raise GameError("it is the opponent's turn")
        self.play(ACTIONS[action])

    @property
    def undo_turn(self) -> int | None:
        """The turn of the person's last decision; None where there is none to take back."""
        if self.is_over:
            return None
        turns = [turn for turn in range(len(self.moves)) if self.states[turn].to_move == self.seat]
        return turns[-1] if turns else None

    def undo(self) -> None:
        """Takes back the person's last move and what the opponent has played since.

        Raises:
          GameError: there is no move to take back.
        """
        turn = self.undo_turn
        if turn is None:
            raise GameError(
                "a game that is over stays as it is"
                if self.is_over
                else "there is no move of yours"
            )
        del self.states[turn + 1 :], self.moves[turn:]
        self.revision += 1

    def say(self, message: dict[str, object]) -> None:
        """Tells the pages that show the game."""
        for listener in list(self.listeners):
            listener(message)


class Games:
    """All games, by their ids. The oldest give way when there are too many."""

    def __init__(self) -> None:
        self._games: OrderedDict[str, Game] = OrderedDict()

    def __len__(self) -> int:
        return len(self._games)

    def begin(
        self,
        owner: str,
        opponent: Offer,
        seat: int | None,
        scoring: Scoring,
        start: State | None = None,
    ) -> Game:
        """A new game, with cards of its own unless a start is given.

        Raises:
          GameError: the opponent was trained for another scoring.
        """
        if opponent.scoring not in (None, scoring):
            raise GameError(f"{opponent.label} plays for {opponent.scoring}, not for {scoring}")
        if seat is None:
            seat = secrets.randbelow(2)
        start = start or new_game(secrets.randbits(64))
        game = Game(owner, opponent, seat, scoring, [start])
        self._games[game.id] = game
        self._make_room(owner)
        return game

    def find(self, game_id: str, owner: str) -> Game:
        """The game of an id.

        Raises:
          GameError: the browser plays no such game; whether another one does is not said.
        """
        game = self._games.get(game_id)
        if game is None or not secrets.compare_digest(game.owner, owner):
            raise GameError("there is no such game: it is another browser's, or was forgotten")
        game.used = time.monotonic()
        self._games.move_to_end(game_id)
        return game

    def _make_room(self, owner: str) -> None:
        own = [game for game in self._games.values() if game.owner == owner]
        for game in own[: max(0, len(own) - MOST_OF_ONE)]:
            del self._games[game.id]
        while len(self._games) > MOST_GAMES:
            self._games.popitem(last=False)
        old = time.monotonic() - KEPT_FOR
        while self._games and next(iter(self._games.values())).used < old:
            self._games.popitem(last=False)
