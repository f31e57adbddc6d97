"""Elo of the levels of play: python -m eval.level_ratings [--games N] [--json FILE]."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Sequence

from bb_jax.files import write_json
from bb_sim import OPPONENTS
from eval.command_line import Parser, path_argument, run_command, run_program, start_jax
from eval.console import games_bar, show
from eval.matches.levels import LEVELS, level_player
from eval.matches.match import check_games, play_pairings
from eval.matches.players import NamedPlayer
from eval.matches.streams import pair_stream
from eval.statistics.ratings import fit_ratings
from eval.statistics.reference import named_ratings
from eval.tournament import render

MODULE = "eval.level_ratings"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line and returns its exit code."""
    parser = Parser(
        prog=f"python -m {MODULE}",
        description="Rates the levels of play by games against each other and the named opponents, "
        "whose ratings are given. eval/matches/levels.py keeps the result.",
    )
    parser.add_games("games of each pair")
    parser.add_seed()
    parser.add_device()
    parser.add_argument(
        "--json", type=path_argument, metavar="FILE", help="write the ratings to this file too"
    )
    options = parser.parse_args(arguments)

    def command() -> int:
        check_games(options.games, "--games")
        start_jax(options.device)
        levels = [level_player(level) for level in LEVELS]
        pairings = [
            *itertools.combinations(levels, 2),
            *itertools.product(levels, map(NamedPlayer, OPPONENTS)),
        ]
        streams = [pair_stream(player.name, opponent.name) for player, opponent in pairings]
        with games_bar() as on_progress:
            results = play_pairings(
                pairings, options.games, options.seed, streams=streams, on_progress=on_progress
            )
        ratings = fit_ratings(results, named_ratings("points"))
        if options.json is not None:
            write_json(options.json, {**ratings.as_json(), "games": options.games})
        show(render(ratings, results, options.games, "points"))
        return 0

    return run_command(command)


if __name__ == "__main__":
    run_program(lambda: main(sys.argv[1:]))
