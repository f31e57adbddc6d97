"""Play and analyse in the browser: python -m eval.web [--checkpoint RUN[@STEP]] [--port N]."""

from __future__ import annotations

import argparse
import socket
import sys
from collections.abc import Sequence

from bb_jax.errors import EvaluationError
from bb_jax.extras import require_extra
from eval.command_line import Parser, run_command, run_program, start_jax
from eval.console import note, show


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line and returns its exit code."""
    options = _parser().parse_args(arguments)
    return run_command(lambda: _serve(options))


def _parser() -> Parser:
    parser = Parser(
        prog="python -m eval.web",
        description="Serves a page on this machine: play against a checkpoint, an opponent or an "
        "agent, with hints and review; watch games; analyse positions.",
    )
    parser.add_argument(
        "--checkpoint", default="champion", metavar="RUN[@STEP]",
        help="plays, and judges positions (default: champion)",
    )  # fmt: skip
    parser.add_argument(
        "--agent", action="append", default=[], metavar="MODULE:CLASS",
        help="offer a Python agent too; may be repeated",
    )  # fmt: skip
    parser.add_argument("--port", type=int, default=8000, metavar="N", help="default: 8000")
    parser.add_argument(
        "--host", default="127.0.0.1", metavar="ADDRESS",
        help="the address to listen at (default: 127.0.0.1, this machine alone)",
    )  # fmt: skip
    parser.add_argument("--no-browser", action="store_true", help="open no browser")
    parser.add_device()
    return parser


def _serve(options: argparse.Namespace) -> int:
    require_extra("browser", "the page")
    listening = _listen(options.host, options.port)
    start_jax(options.device)
    from eval.web.serving import load_table, serve

    note(f"loading {options.checkpoint}")
    table = load_table(options.checkpoint, options.agent)
    host = f"[{options.host}]" if ":" in options.host else options.host
    address = f"http://{host}:{listening.getsockname()[1]}/"
    show(f"Beasty Bar is at {address} (Ctrl-C ends it)")
    serve(table, listening, options.host, None if options.no_browser else address)
    return 0


def _listen(host: str, port: int) -> socket.socket:
    """A socket at the address, where browsers wait from now on until they are served.

    Raises:
      EvaluationError: the address cannot be had.
    """
    if not 0 <= port <= 65535:
        raise EvaluationError(f"--port must be 0 to 65535, not {port}")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen()
    except OSError as error:
        listening.close()
        reason = error.strerror or str(error)
        raise EvaluationError(
            f"cannot listen at {host}, port {port}: {reason}; --port takes another one"
        ) from error
    return listening


if __name__ == "__main__":
    run_program(lambda: main(sys.argv[1:]))
