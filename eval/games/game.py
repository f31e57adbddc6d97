"""A game of a person against an opponent. It holds all cards; `shown_record` is what the person may
know of it.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from bb_jax.errors import UserError
from bb_sim import Action, State, is_terminal, legal_actions, step
from bb_sim.rules.actions import Scoring
from eval.analysis.record import GameRecord
from eval.games.opponents import Offer


class GameError(UserError):
    """Something that cannot be done in a game, or a game that is not there."""


def check_scoring(opponent: Offer, scoring: str) -> None:
    """Raises GameError where an opponent was trained for another scoring."""
    if opponent.scoring not in (None, scoring):
        raise GameError(f"{opponent.label} plays for {opponent.scoring}, not for {scoring}")


@dataclass(eq=False)
class Game:
    """A game of a person against an opponent.

    Attributes:
      opponent: who plays the other seat.
      seat: the person's seat, 0 moves first.
      scoring: "points" or "animals".
      states: the positions, with all cards, before each move and after the last.
      moves: what was played.
      seed: the opponent's random numbers.

    Raises:
      GameError: the opponent was trained for another scoring.
    """

    opponent: Offer
    seat: int
    scoring: Scoring
    states: list[State]
    moves: list[Action] = field(default_factory=list)
    seed: int = field(default_factory=lambda: secrets.randbits(64))

    def __post_init__(self) -> None:
        check_scoring(self.opponent, self.scoring)

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
