"""Whom the server answers, and what it lets a page do.

The server is meant for the machine that it runs on. A page of another site, open in the same
browser, can send requests to it too: so a request must name one of the server's own hosts, and
what says where it comes from must name them as well. No other site may read an answer, and the
page itself may load nothing from elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "manifest-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}


class Guard:
    """ASGI middleware that refuses strangers and adds the headers to every answer."""

    def __init__(self, app: ASGIApp, hosts: Iterable[str]) -> None:
        """Wraps an application.

        Args:
          app: the application.
          hosts: the names, without a port, by which the server may be called.
        """
        self._app = app
        self._hosts = frozenset(host.lower() for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        fault = self._fault(Headers(scope=scope), scope["type"] == "websocket")
        if fault is None:
            await self._app(scope, receive, _with_headers(send))
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008, "reason": fault})
        else:
            answer = PlainTextResponse(f"{fault}\n", status_code=403)
            await answer(scope, receive, _with_headers(send))

    def _fault(self, headers: Headers, needs_origin: bool) -> str | None:
        """Why a request is refused; None where it is not."""
        host = headers.get("host", "")
        if len(headers.getlist("host")) != 1 or _name(f"//{host}") not in self._hosts:
            return "this server does not answer to that host name"
        origins = headers.getlist("origin")
        if not origins and not needs_origin:
            site = headers.get("sec-fetch-site", "none")
            # A link from elsewhere may open the page; nothing else may come from there.
            opens = headers.get("sec-fetch-mode") == "navigate"
            return None if site in ("none", "same-origin") or opens else "cross-site request"
        if origins != [f"http://{host}"] and origins != [f"https://{host}"]:
            return "this server answers to its own page alone"
        return None


def _name(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").lower()
    except ValueError:
        return ""


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers[name] = value
        await send(message)

    return sending


def local_hosts(host: str, more: Sequence[str] = ()) -> list[str]:
    """The names that a server bound to an address answers to."""
    loopback = ["localhost", "127.0.0.1", "::1"]
    return [host, *loopback, *more]
