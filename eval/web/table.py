"""What the server does for the pages: games, analyses and matches, one method a request."""

from __future__ import annotations

import asyncio
import secrets
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

from bb_jax.errors import EvaluationError, UserError
from bb_sim import Action, State, is_terminal, new_game, step
from bb_sim.rules.actions import Scoring
from eval.analysis.engine import Engine
from eval.analysis.notation import link_text, parse_game, parse_link
from eval.analysis.record import GameRecord
from eval.analysis.results import Analysis
from eval.games.game import GameError, check_scoring
from eval.games.opponents import Opponents
from eval.matches.players import common_scoring
from eval.web.hosted_games import Games, HostedGame, new_secret
from eval.web.matches import Match
from eval.web.thinking import BusyError, Thinker
from eval.web.views import Json, game_json, open_cards, position_json, turn_json

# A Python agent that has not answered by then is taken for stuck.
_AGENT_SECONDS = 60.0
_MOST_WATCHED = 500

Say = Callable[[Json], None]


@dataclass
class Watched:
    """A game between two agents, whose cards the spectator sees.

    Attributes:
      players: the agents' keys.
      scoring: "points" or "animals".
      states, moves: as in `Game`.
      seed: the agents' random numbers.
    """

    players: tuple[str, str]
    scoring: Scoring
    states: list[State]
    moves: list[Action] = field(default_factory=list)
    seed: int = field(default_factory=lambda: secrets.randbits(64))
    busy: bool = False


class Table:
    """Everything that is played and thought about. Used inside one event loop."""

    def __init__(self, opponents: Opponents, engine: Engine) -> None:
        self.opponents = opponents
        self.games = Games()
        self.thinker = Thinker("thinker")
        self._agents = Thinker("agents")
        self._engine = engine
        self._watched: OrderedDict[str, Watched] = OrderedDict()
        self._tasks: set[asyncio.Task[None]] = set()

    def warm_up(self) -> None:
        """Begins to load and compile what the first games need, behind whatever is asked for."""

        def load(key: str) -> None:
            choose = self.opponents.chooser(key)
            states = [new_game(0)]
            moves: list[Action] = []
            for _ in range(3):
                moves.append(choose(0, states, moves))
                states.append(step(states[-1], moves[-1]))

        async def load_all() -> None:
            await self.thinker.run("server", self._engine.warm_up)
            for offer in self.opponents.offers:
                if offer.group == "level":
                    with suppress(UserError):
                        await self.thinker.run("server", partial(load, offer.key))

        self._start(load_all())

    def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        self.thinker.close()
        self._agents.close()

    # --- Playing --------------------------------------------------------------------------------

    async def _admit(self, player: str, keys: Sequence[str], scoring: Scoring) -> None:
        """Loads the checkpoints among the players.

        Raises:
          UserError: there is no such player, or it was trained for another scoring.
        """
        for key in keys:
            offer = self.opponents.offer(key)
            check_scoring(offer, scoring)
            if offer.group == "checkpoint":
                load = partial(self.opponents.player, key)
                common_scoring([await self.thinker.run(player, load, urgent=True)], scoring)

    async def new_game(
        self, player: str, opponent: str, seat: int | None, scoring: Scoring
    ) -> HostedGame:
        """Begins a game; see `Games.begin`."""
        await self._admit(player, (opponent,), scoring)
        game = self.games.begin(player, self.opponents.offer(opponent), seat, scoring)
        self._let_opponent_move(game)
        return game

    async def game_from_cards(self, player: str, cards: str) -> HostedGame:
        """Begins a game with the cards of somebody else's."""
        record, seat, opponent = open_cards(cards)
        await self._admit(player, (opponent,), record.scoring)
        offer = self.opponents.offer(opponent)
        game = self.games.begin(player, offer, seat, record.scoring, record.start)
        self._let_opponent_move(game)
        return game

    def exchanged(self, game: HostedGame) -> HostedGame:
        """Begins a game with the same cards as a finished one, from the other seat.

        Raises:
          GameError: the game is not over.
        """
        if not game.is_over:
            raise GameError("the cards can be played from the other seat once the game is over")
        again = self.games.begin(
            game.owner, game.opponent, 1 - game.seat, game.scoring, game.states[0]
        )
        self._let_opponent_move(again)
        return again

    def play(self, game: HostedGame, turn: int, action: int) -> Json:
        """Plays the person's move and lets the opponent think about its own."""
        before = game.state
        game.play_of_person(turn, action)
        message = self._turn_message(game, before)
        self._let_opponent_move(game)
        message["view"] = game_json(game)
        game.say(message)
        return {}

    def undo(self, game: HostedGame) -> Json:
        game.undo()
        self._let_opponent_move(game)
        game.say({"push": "undone", "game": game.id, "view": game_json(game)})
        return {}

    def wake(self, game: HostedGame) -> None:
        """Lets the opponent move where it has not, for example after an error."""
        self._let_opponent_move(game)

    def _turn_message(self, game: HostedGame, before: State) -> Json:
        return {"push": "turn", "game": game.id, "turn": turn_json(before, game.moves[-1])}

    def _let_opponent_move(self, game: HostedGame) -> None:
        if game.thinking or not game.is_opponents_turn:
            return
        game.thinking = True
        self._start(self._opponent_moves(game))

    async def _opponent_moves(self, game: HostedGame) -> None:
        """Plays for the opponent until it is the person's turn."""
        try:
            while game.is_opponents_turn:
                revision, states, moves = game.revision, list(game.states), list(game.moves)
                action = await self.choose(game.owner, game.opponent.key, game.seed, states, moves)
                if revision != game.revision:
                    continue
                before = game.state
                game.play(action)
                game.thinking = game.is_opponents_turn
                game.say({**self._turn_message(game, before), "view": game_json(game)})
        except BusyError as error:
            game.say({"push": "busy", "game": game.id, "error": str(error)})
        except UserError as error:
            game.say({"push": "failed", "game": game.id, "error": str(error)})
        finally:
            game.thinking = False

    async def choose(
        self,
        player: str,
        key: str,
        seed: int,
        states: Sequence[State],
        moves: Sequence[Action],
        *,
        urgent: bool = True,
    ) -> Action:
        """The move of an offered player.

        Args:
          player: who it is for.
          key: the key of the one who is to move.
          seed, states, moves: see `Chooser`.
          urgent: as in `Thinker.run`.

        Raises:
          BusyError: too much is waiting.
          UserError: it cannot move, or it is an agent that takes forever, which is given up.
        """
        states, moves = list(states), list(moves)

        def choose() -> Action:
            return self.opponents.chooser(key)(seed, states, moves)

        if self.opponents.offer(key).group != "agent":
            return await self.thinker.run(player, choose, urgent=urgent)
        answer = self._agents.run(player, choose, urgent=urgent)
        try:
            return await asyncio.wait_for(answer, _AGENT_SECONDS)
        except TimeoutError:
            raise EvaluationError(
                f"{key} has not moved within {_AGENT_SECONDS:g} seconds"
            ) from None

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # --- Analysing ------------------------------------------------------------------------------

    async def hint(self, game: HostedGame) -> Json:
        """The analysis of the person's position, from what the person has seen.

        Raises:
          GameError: it is not the person's turn.
        """
        if not game.is_persons_turn:
            raise GameError("there is something to choose once it is your turn")
        record = game.record.seen_by(game.seat)
        return await self.analyse(game.owner, record, record.end_turn)

    async def analyse(
        self,
        player: str,
        record: GameRecord,
        turn: int,
        samples: int = 200,
        all_cards: bool = False,
    ) -> Json:
        """The analysis of a position as JSON; see `analysis`."""
        found = await self.analysis(player, record, turn, samples, all_cards)
        return found.model_dump(mode="json", by_alias=True)

    async def analysis(
        self, player: str, record: GameRecord, turn: int, samples: int, all_cards: bool = False
    ) -> Analysis:
        """The analysis of a position, once the player has its turn.

        Raises:
          AnalysisError: there is nothing to analyse.
          BusyError: too much is waiting.
        """

        def work() -> Analysis:
            return self._engine.analyse(
                record, turn=turn, samples=samples, perspective="all" if all_cards else "seat"
            )

        return await self.thinker.run(player, work)

    # --- Watching -------------------------------------------------------------------------------

    async def watch(self, player: str, players: tuple[str, str], scoring: Scoring) -> Json:
        """Begins a game between two agents."""
        await self._admit(player, players, scoring)
        watched = Watched(players, scoring, [new_game(secrets.randbits(64))])
        name = new_secret()
        self._watched[name] = watched
        while len(self._watched) > _MOST_WATCHED:
            self._watched.popitem(last=False)
        return {"watch": name, **self._watched_json(watched)}

    async def next_move(self, player: str, name: str) -> Json:
        """Plays the next move of a watched game.

        Raises:
          GameError: there is no such game, it is over, or the last move is still thought about.
        """
        watched = self._watched.get(name)
        if watched is None:
            raise GameError("there is no such game to watch")
        self._watched.move_to_end(name)
        state = watched.states[-1]
        if is_terminal(state):
            raise GameError("the game is over")
        if watched.busy:
            raise GameError("the last move is still being thought about")
        watched.busy = True
        try:
            key = watched.players[state.to_move]
            action = await self.choose(
                player, key, watched.seed, list(watched.states), list(watched.moves)
            )
        finally:
            watched.busy = False
        watched.moves.append(action)
        watched.states.append(step(state, action))
        return {"turn": turn_json(state, action), **self._watched_json(watched)}

    def _watched_json(self, watched: Watched) -> Json:
        labels = [self.opponents.offer(key).label for key in watched.players]
        record = GameRecord(
            watched.states[0], tuple(watched.moves), watched.scoring, (labels[0], labels[1])
        )
        return {
            "position": position_json(watched.states[-1], watched.scoring),
            "players": labels,
            "scoring": watched.scoring,
            "link": link_text(record),
        }

    async def match(
        self, player: str, keys: tuple[str, str], games: int, scoring: Scoring, say: Say
    ) -> Json:
        """Plays games in the background; see `Match`."""
        await self._admit(player, keys, scoring)
        return await Match(self, player, keys, scoring).play(games, say)


def read_record(text: str) -> GameRecord:
    """The game that a text in the notation, a link or a link's fragment describes.

    Raises:
      AnalysisError: it is none of these.
    """
    stripped = text.strip()
    if "\n" not in stripped and "#" in stripped:
        stripped = stripped.rpartition("#")[2].removeprefix("game=")
    if "\n" not in stripped and stripped.count(".") >= 8 and " " not in stripped:
        return parse_link(stripped)
    return parse_game(text)
