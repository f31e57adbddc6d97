"""The games that people play. While one goes on, its deal and its seed do not leave this module's
objects: see `eval.web.views` for what does.
"""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from bb_sim import ACTIONS, State, new_game
from bb_sim.rules.actions import Scoring
from eval.games.game import Game, GameError
from eval.games.opponents import Offer

MOST_GAMES = 5000
MOST_OF_ONE = 40
# After so many seconds without a request a game is forgotten.
KEPT_FOR = 3 * 24 * 3600.0


def new_secret() -> str:
    """A name that cannot be guessed, 128 bits."""
    return secrets.token_urlsafe(16)


@dataclass(eq=False)
class HostedGame(Game):
    """A game that a browser plays.

    Attributes:
      owner: the secret of the browser.
      revision: counts the moves taken back, so that an answer to a position that is gone is not
        played.
      listeners: called with what the game has to say to the pages that show it.
      used: when the browser asked about it last, by `time.monotonic`.
      thinking: whether the opponent is choosing its move.
    """

    owner: str = field(kw_only=True)
    id: str = field(default_factory=new_secret)
    revision: int = 0
    listeners: set[Callable[[dict[str, object]], None]] = field(default_factory=set)
    used: float = field(default_factory=time.monotonic)
    thinking: bool = False

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

    def undo(self) -> None:
        """Takes back the person's last move and what the opponent has played since.

        Raises:
          GameError: there is no move to take back.
        """
        super().undo()
        self.revision += 1

    def say(self, message: dict[str, object]) -> None:
        """Tells the pages that show the game."""
        for listener in list(self.listeners):
            listener(message)


class Games:
    """All games, by their ids. The oldest give way when there are too many."""

    def __init__(self) -> None:
        self._games: OrderedDict[str, HostedGame] = OrderedDict()

    def __len__(self) -> int:
        return len(self._games)

    def begin(
        self,
        owner: str,
        opponent: Offer,
        seat: int | None,
        scoring: Scoring,
        start: State | None = None,
    ) -> HostedGame:
        """A new game, with cards of its own unless a start is given.

        Raises:
          GameError: the opponent was trained for another scoring.
        """
        if seat is None:
            seat = secrets.randbelow(2)
        start = start or new_game(secrets.randbits(64))
        game = HostedGame(opponent, seat, scoring, [start], owner=owner)
        self._games[game.id] = game
        self._make_room(owner)
        return game

    def find(self, game_id: str, owner: str) -> HostedGame:
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
