"""Elo ratings of any players: python -m eval.tournament PLAYER... [--games N] [--json FILE].

`--ladder RUN` rates the checkpoints of one run instead: see `eval.ladder`.
"""

from __future__ import annotations

import argparse
import itertools
import shutil
import sys
from collections.abc import Sequence

from bb_jax.errors import EvaluationError
from bb_jax.files import write_json
from bb_sim import SCORINGS
from eval.command_line import Parser, run_command, run_program, start_jax
from eval.console import show
from eval.match_command import MatchCommand, add_match_options, check_match_options
from eval.matches.match import MatchResult, OnProgress
from eval.matches.players import (
    NamedPlayer,
    Player,
    common_scoring,
    make_player,
    split_specifications,
)
from eval.matches.resumable import PartialResults, play_in_parts
from eval.matches.streams import pair_stream
from eval.rating_tables import render_cross_table, render_ratings
from eval.statistics.ratings import Ratings, fit_ratings
from eval.text_table import TABLE_WIDTH

MODULE = "eval.tournament"
ANCHOR = "random"


def play_round_robin(
    players: Sequence[Player],
    games: int,
    seed: int,
    scoring: str = "points",
    *,
    partial: PartialResults | None = None,
    on_progress: OnProgress | None = None,
) -> list[MatchResult]:
    """Plays everybody against everybody else, each pair over its own deals, from both seats.

    Args:
      players: players with different names.
      games: games of each pair, even.
      seed: the seed of the deals.
      scoring: "points" or "animals".
      partial: keeps unfinished results; None keeps nothing.
      on_progress: called with (games finished, games in all).

    Raises:
      EvaluationError: as in `eval.matches.match.play_pairings`.
    """
    pairings = list(itertools.combinations(players, 2))
    return play_in_parts(
        pairings,
        games,
        seed,
        scoring,
        streams=[pair_stream(player.name, opponent.name) for player, opponent in pairings],
        partial=partial,
        on_progress=on_progress,
    )


def rate(results: Sequence[MatchResult], anchor: str | None = None) -> Ratings:
    """Ratings in which one player is 0: the given anchor, else `random`, else the first player."""
    if anchor is None:
        names = [name for result in results for name in (result.player, result.opponent)]
        anchor = ANCHOR if ANCHOR in names else names[0]
    return fit_ratings(results, {anchor: 0.0})


def _parser() -> Parser:
    parser = Parser(
        prog=f"python -m {MODULE}",
        description="Elo ratings: everybody plays everybody else, every deal from both seats.",
    )
    parser.add_argument(
        "players",
        nargs="*",
        metavar="PLAYER",
        help="a named opponent (all: the ten), a checkpoint as RUN or RUN@STEP, or a Python agent "
        "as package.module:Class",
    )
    parser.add_argument(
        "--ladder",
        metavar="RUN",
        help="instead of players: rate the checkpoints of a run against their predecessors and "
        "the named opponents, playing only what is missing in its ladder.json",
    )
    add_match_options(parser, games="games of each pair")
    parser.add_argument(
        "--anchor",
        metavar="PLAYER",
        help=f"the player whose Elo is 0 (default: {ANCHOR} where it plays, else the first)",
    )
    parser.add_argument(
        "--scoring",
        choices=SCORINGS,
        help="default: the checkpoints' own; points if there are no checkpoints",
    )
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line and returns its exit code."""
    options = _parser().parse_args(arguments)
    given = sys.argv[1:] if arguments is None else arguments
    return run_command(lambda: _run(options, given))


def _run(options: argparse.Namespace, arguments: Sequence[str]) -> int:
    check_match_options(options)
    if options.ladder is None:
        return _tournament(options, arguments)
    if options.players or options.anchor or options.scoring or options.temperature:
        raise EvaluationError("--ladder takes a run; players and how they play cannot be given")
    from eval.ladder import complete_ladder

    start_jax(options.device)
    ladder, text = complete_ladder(options.ladder, options.games, options.seed)
    if options.json is not None:
        write_json(options.json, ladder)
    show(text)
    return 0


def _tournament(options: argparse.Namespace, arguments: Sequence[str]) -> int:
    names = split_specifications(",".join(options.players)) if options.players else []
    if len(names) < 2:
        raise EvaluationError(f"a tournament needs at least two players, not {len(names)}")
    if options.anchor is not None and options.anchor not in names:
        raise EvaluationError(f"the anchor {options.anchor} is not among the players")
    players = _make_players(names, options.temperature, options.device)
    scoring = common_scoring(players, options.scoring)
    command = MatchCommand(MODULE, options, arguments)
    with command.playing() as on_progress:
        results = play_round_robin(
            players,
            options.games,
            options.seed,
            scoring,
            partial=command.partial,
            on_progress=on_progress,
        )
    ratings = rate(results, options.anchor)
    command.store(
        {
            **ratings.as_json(),
            "results": [{"player": r.player, **r.as_json()} for r in results],
            "games": options.games,
        },
        scoring,
    )
    show(render(ratings, results, options.games, scoring))
    return 0


def _make_players(names: Sequence[str], temperature: float | None, device: str) -> list[Player]:
    """The players; JAX is started only if one of them needs it."""
    try:
        return [NamedPlayer(name) for name in names]
    except EvaluationError:
        start_jax(device)
    return [make_player(name, temperature=temperature) for name in names]


def render(ratings: Ratings, results: Sequence[MatchResult], games: int, scoring: str) -> str:
    """The ranking, what its numbers mean, and the cross table."""
    width = max(TABLE_WIDTH, shutil.get_terminal_size((TABLE_WIDTH, 24)).columns)
    anchors = " and ".join(f"{name} is {elo:g}" for name, elo in ratings.anchors.items())
    return (
        f"{games} games a pair, every deal from both seats, scoring by {scoring}\n"
        f"Elo by maximum likelihood with draws (Davidson 1970); {anchors}\n\n"
        f"{render_ratings(ratings, results, width)}\n\n"
        f"{render_cross_table(ratings.ranking(), results, width)}"
    )


if __name__ == "__main__":
    run_program(main)
