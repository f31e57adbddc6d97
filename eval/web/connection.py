"""One page's connection: requests in, answers and news out.

A connection holds nothing that matters: after a break the page asks for its game again.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from bb_jax.errors import UserError
from eval.games.game import GameError
from eval.web import messages
from eval.web.hosted_games import HostedGame, new_secret
from eval.web.messages import BadMessageError, read_request
from eval.web.reviews import review_json
from eval.web.table import Table, read_record
from eval.web.thinking import BusyError
from eval.web.views import Json, game_json, game_turns, record_json

MOST_CONNECTIONS = 300
# Requests of one page that are worked on at once.
_MOST_AT_ONCE = 32
# Messages that a page has not taken yet; beyond that it is cut off, and may come back.
_MOST_UNSENT = 500


class Connection:
    """A page that talks to the server."""

    def __init__(self, socket: WebSocket, table: Table) -> None:
        self._socket, self._table = socket, table
        self._player = ""
        self._outbox: asyncio.Queue[str] = asyncio.Queue(_MOST_UNSENT)
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._shown: set[HostedGame] = set()
        self._overrun = asyncio.Event()

    async def run(self) -> None:
        """Talks until the page is gone."""
        await self._socket.accept()
        sender = asyncio.create_task(self._send())
        reader = asyncio.create_task(self._read())
        overrun = asyncio.create_task(self._overrun.wait())
        try:
            await asyncio.wait((sender, reader, overrun), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for game in self._shown:
                game.listeners.discard(self._say)
            for task in (sender, reader, overrun, *self._tasks.values()):
                task.cancel()
            with suppress(RuntimeError, WebSocketDisconnect):
                await self._socket.close()

    # --- In and out -----------------------------------------------------------------------------

    async def _read(self) -> None:
        with suppress(WebSocketDisconnect, RuntimeError):
            while True:
                message = await self._socket.receive()
                if message["type"] == "websocket.disconnect":
                    return
                self._take(message.get("text") or message.get("bytes") or "")

    def _take(self, text: str | bytes) -> None:
        try:
            request = read_request(text)
        except BadMessageError as error:
            self._say({"id": error.id, "error": str(error)})
            return
        if isinstance(request, messages.Stop):
            task = self._tasks.get(request.request)
            if task is not None:
                task.cancel()
            self._say({"id": request.id, "result": {}})
            return
        if request.id in self._tasks:
            self._say({"id": request.id, "error": "a request of this id is still being answered"})
            return
        if len(self._tasks) >= _MOST_AT_ONCE:
            self._say({"id": request.id, "error": "busy: too many requests at once", "busy": True})
            return
        task = asyncio.create_task(self._answer(request))
        self._tasks[request.id] = task
        task.add_done_callback(lambda _: self._tasks.pop(request.id, None))

    async def _answer(self, request: Any) -> None:
        try:
            result = await self._result_of(request)
            self._say({"id": request.id, "result": result})
        except asyncio.CancelledError:
            self._say({"id": request.id, "error": "stopped", "stopped": True})
        except BusyError as error:
            self._say({"id": request.id, "error": str(error), "busy": True})
        except UserError as error:
            self._say({"id": request.id, "error": str(error)})
        except Exception:
            self._say({"id": request.id, "error": "the server failed at this request"})
            raise

    def _say(self, message: Json) -> None:
        try:
            self._outbox.put_nowait(json.dumps(message, separators=(",", ":")))
        except asyncio.QueueFull:
            self._overrun.set()

    async def _send(self) -> None:
        with suppress(WebSocketDisconnect, RuntimeError):
            while True:
                await self._socket.send_text(await self._outbox.get())

    # --- Requests -------------------------------------------------------------------------------

    async def _result_of(self, request: Any) -> Json:
        if isinstance(request, messages.Hello):
            self._player = request.player or new_secret()
            return {"player": self._player}
        if not self._player:
            raise GameError("say hello first")
        return await _ANSWERS[type(request)](self, request)

    async def _new(self, request: messages.NewGame) -> Json:
        game = await self._table.new_game(
            self._player, request.opponent, request.seat, request.scoring
        )
        return self._show(game)

    async def _cards(self, request: messages.NewFromCards) -> Json:
        return self._show(await self._table.game_from_cards(self._player, request.cards))

    async def _of_game(self, request: messages.OfGame) -> Json:
        game = self._table.games.find(request.game, self._player)
        if request.do == "resume":
            self._table.wake(game)
            return self._show(game)
        if request.do == "undo":
            return self._table.undo(game)
        if request.do == "exchange":
            return self._show(self._table.exchanged(game))
        return await self._table.hint(game)

    async def _play(self, request: messages.Play) -> Json:
        game = self._table.games.find(request.game, self._player)
        return self._table.play(game, request.turn, request.action)

    async def _record(self, request: messages.Read) -> Json:
        return record_json(read_record(request.text))

    async def _analyse(self, request: messages.Analyse) -> Json:
        record = read_record(request.text)
        return await self._table.analyse(
            self._player, record, request.turn, request.samples, request.everything
        )

    async def _review(self, request: messages.Review) -> Json:
        record = read_record(request.text)

        def say(part: Json) -> None:
            self._say({"push": "review", "request": request.id, **part})

        return await review_json(self._table, self._player, record, request.samples, say)

    async def _watch(self, request: messages.Watch) -> Json:
        return await self._table.watch(self._player, request.players, request.scoring)

    async def _next(self, request: messages.Next) -> Json:
        return await self._table.next_move(self._player, request.watch)

    async def _match(self, request: messages.Match) -> Json:
        def say(part: Json) -> None:
            self._say({"push": "match", "request": request.id, **part})

        return await self._table.match(
            self._player, request.players, request.games, request.scoring, say
        )

    def _show(self, game: HostedGame) -> Json:
        """The whole game as far as it may be seen; what happens in it is told from now on."""
        for other in self._shown - {game}:
            other.listeners.discard(self._say)
        self._shown = {game}
        game.listeners.add(self._say)
        return {**game_json(game), "turns": game_turns(game)}


_ANSWERS: dict[type, Callable[[Connection, Any], Awaitable[Json]]] = {
    messages.NewGame: Connection._new,
    messages.NewFromCards: Connection._cards,
    messages.OfGame: Connection._of_game,
    messages.Play: Connection._play,
    messages.Read: Connection._record,
    messages.Analyse: Connection._analyse,
    messages.Review: Connection._review,
    messages.Watch: Connection._watch,
    messages.Next: Connection._next,
    messages.Match: Connection._match,
}
