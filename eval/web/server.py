"""The application: the page, its files and its connections."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from eval.web.connection import MOST_CONNECTIONS, Connection
from eval.web.guard import Guard
from eval.web.page import load_files
from eval.web.table import Table

_FRESH = "no-cache"


def make_app(table: Table, hosts: Sequence[str], *, warm_up: bool = False) -> Starlette:
    """The ASGI application.

    Args:
      table: what is played and thought about.
      hosts: the names that the server answers to.
      warm_up: whether to compile at once what the first games need.
    """
    files = load_files(table.opponents.offers)
    connections: set[Connection] = set()

    async def file(request: Request) -> Response:
        # Names are looked up in what was read at the start; no path comes near the disk.
        found = files.get(request.url.path)
        if found is None:
            return PlainTextResponse("there is no such page\n", status_code=404)
        headers = {"cache-control": _FRESH, "etag": found.etag}
        if request.headers.get("if-none-match") == found.etag:
            return Response(status_code=304, headers=headers)
        if found.zipped is not None and "gzip" in request.headers.get("accept-encoding", ""):
            headers |= {"content-encoding": "gzip", "vary": "accept-encoding"}
            return Response(found.zipped, media_type=found.kind, headers=headers)
        return Response(found.content, media_type=found.kind, headers=headers)

    async def socket(websocket: WebSocket) -> None:
        if len(connections) >= MOST_CONNECTIONS:
            await websocket.accept()
            await websocket.close(1013, "busy: too many pages are open; try again in a moment")
            return
        connection = Connection(websocket, table)
        connections.add(connection)
        try:
            await connection.run()
        finally:
            connections.discard(connection)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        if warm_up:
            table.warm_up()
        yield
        table.close()

    return Starlette(
        routes=[WebSocketRoute("/socket", socket), Route("/{path:path}", file)],
        middleware=[Middleware(Guard, hosts=hosts)],
        lifespan=lifespan,
    )
