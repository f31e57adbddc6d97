"""Games between two players in the background, in parts: people's games go on meanwhile."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from bb_sim import Action, is_terminal, new_game, scores, step, winner
from bb_sim.rules.actions import Scoring
from eval.matches.match import deal_seeds, play_pairings
from eval.matches.players import AgentPlayer
from eval.web.views import Json

if TYPE_CHECKING:
    from eval.web.table import Table

_GAMES_AT_ONCE = 10
_SEED_BITS = 32


class Match:
    """A match of two offered players, every deal from both seats.

    Attributes:
      standing: games, wins, draws and losses of the first player, and its mean margin.
    """

    def __init__(self, table: Table, player: str, keys: tuple[str, str], scoring: Scoring) -> None:
        """Plays nothing yet.

        Args:
          table: knows the players, and when each may think.
          player: who asks.
          keys: the keys of the two.
          scoring: "points" or "animals", what both were trained for.
        """
        self._table, self._player, self._keys, self._scoring = table, player, keys, scoring
        self._has_agent = any(table.opponents.offer(key).group == "agent" for key in keys)
        self._seed = secrets.randbits(_SEED_BITS)
        self.standing: dict[str, float] = dict.fromkeys(("games", "wins", "draws", "losses"), 0)
        self.standing["margin"] = 0.0

    async def play(self, games: int, say: Callable[[Json], None]) -> Json:
        """Plays an even number of games, tells how it stands after every part, and at the end.

        Raises:
          BusyError: too much is waiting.
          UserError: a player cannot move.
        """
        at_once = 2 if self._has_agent else _GAMES_AT_ONCE
        while self.standing["games"] < games:
            done = int(self.standing["games"])
            size = min(at_once, games - done)
            if self._has_agent:
                await self._play_deal(done // 2)
            else:
                work = partial(self._play_together, done // 2, size)
                await self._table.thinker.run(self._player, work)
            say(dict(self.standing))
        return dict(self.standing)

    def _play_together(self, first_deal: int, games: int) -> None:
        """Plays a part of the match at once, in the thinking thread."""
        one, other = (self._table.opponents.player(key) for key in self._keys)
        assert not isinstance(one, AgentPlayer) and not isinstance(other, AgentPlayer)
        (part,) = play_pairings(
            [(one, other)], games, self._seed, self._scoring, first_deal=first_deal, slots=64
        )
        self._add(part.wins, part.draws, part.losses, part.mean_margin * part.games)

    async def _play_deal(self, deal: int) -> None:
        """Plays both games of a deal move by move, each player in its own thread."""
        for seat in (0, 1):
            # In the second game the first player has seat 1.
            keys = self._keys if seat == 0 else self._keys[::-1]
            seed = int(deal_seeds(self._seed, deal + 1)[deal])
            states, moves = [new_game(seed)], list[Action]()
            while not is_terminal(states[-1]):
                move = await self._table.choose(
                    self._player, keys[states[-1].to_move], seed, states, moves, urgent=False
                )
                moves.append(move)
                states.append(step(states[-1], move))
            counts = scores(states[-1], self._scoring)
            won = winner(states[-1], self._scoring)
            self._add(won == seat, won is None, won == 1 - seat, counts[seat] - counts[1 - seat])

    def _add(self, wins: int, draws: int, losses: int, margin: float) -> None:
        """Counts games, whose margins have the sum `margin`."""
        standing = self.standing
        total = standing["margin"] * standing["games"] + margin
        standing["games"] += wins + draws + losses
        standing["wins"] += wins
        standing["draws"] += draws
        standing["losses"] += losses
        standing["margin"] = total / standing["games"]
