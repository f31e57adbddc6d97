"""Running the server in this process."""

from __future__ import annotations

import socket
import threading
import webbrowser
from collections.abc import Sequence

import uvicorn

from bb_jax import load_policy
from eval.analysis.engine import Engine
from eval.games.opponents import Opponents
from eval.runs.references import find_policy
from eval.web.guard import local_hosts
from eval.web.messages import MAX_MESSAGE
from eval.web.server import make_app
from eval.web.table import Table

# A page that answers no ping for so many seconds is gone.
_PING_SECONDS = 20.0


def load_table(checkpoint: str, agents: Sequence[str] = ()) -> Table:
    """The opponents and the engine.

    Raises:
      UserError: the checkpoint or an agent cannot be loaded.
    """
    opponents = Opponents(checkpoint, agents)
    return Table(opponents, Engine(load_policy(find_policy(checkpoint))))


def serve(table: Table, listening: socket.socket, host: str, browse: str | None) -> None:
    """Serves until a signal ends it.

    Args:
      table: what is played and thought about.
      listening: a socket that listens already, so that a browser waits for a slow start.
      host: the address that it is bound to.
      browse: the address to open in a browser; None opens none.
    """
    config = uvicorn.Config(
        make_app(table, local_hosts(host), warm_up=True),
        log_level="warning",
        ws_max_size=MAX_MESSAGE,
        ws_ping_interval=_PING_SECONDS,
        ws_ping_timeout=_PING_SECONDS,
        limit_concurrency=1000,
        h11_max_incomplete_event_size=32 * 1024,
        timeout_keep_alive=10,
        server_header=False,
        timeout_graceful_shutdown=2,
    )
    if browse is not None:
        threading.Thread(target=webbrowser.open, args=(browse,), daemon=True).start()
    uvicorn.Server(config).run(sockets=[listening])
