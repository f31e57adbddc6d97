"""Win rates of checkpoints: python -m eval.main --checkpoint RUN[@STEP] [--json FILE].

Several players can be given, with `--against` or by repeating `--checkpoint` or `--search`. They
all play the same deals, and the first is compared with each of the others deal by deal.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bb_jax.errors import EvaluationError
from bb_jax.search.config import SearchConfig, parse_search
from bb_sim import OPPONENTS
from eval.command_line import Parser, run_command, run_program, start_jax
from eval.console import show
from eval.control_variates.reduction import (
    DealResults,
    ReducedResult,
    reduced_results,
    without_luck,
)
from eval.match_command import MatchCommand, add_match_options, check_match_options
from eval.matches.match import MatchResult
from eval.matches.players import (
    Player,
    common_scoring,
    make_player,
    network_player,
    search_player,
    split_specifications,
)
from eval.matches.resumable import play_in_parts
from eval.result_tables import render_comparisons, render_reduced, render_results
from eval.runs.references import find_policy
from eval.statistics.paired import Comparison, compare, swap_variance_ratio
from eval.statistics.strength import strength_of

if TYPE_CHECKING:
    from bb_jax import Policy

MODULE = "eval.main"


@dataclass(frozen=True)
class _Evaluated:
    """A checkpoint, how it chose its actions, and what it achieved against each opponent."""

    name: str
    path: Path
    player: Player
    search: SearchConfig | None
    results: list[MatchResult]
    without_luck: DealResults | None

    def as_json(self, scoring: str) -> dict[str, Any]:
        found = {
            "checkpoint": self.name,
            "file": str(self.path),
            "search": None if self.search is None else str(self.search),
            **strength_of(self.results, scoring).as_json(),
            "results": [result.as_json() for result in self.results],
        }
        if self.without_luck is not None:
            found["without_luck"] = [row.as_json() for row in reduced_results(self.without_luck)]
        return found

    def minus(self, other: _Evaluated) -> list[ReducedResult]:
        """The differences from another's results without luck; none if that was not asked for."""
        if self.without_luck is None or other.without_luck is None:
            return []
        return reduced_results(self.without_luck, other.without_luck)


def _parser() -> Parser:
    parser = Parser(
        prog=f"python -m {MODULE}",
        description="Plays checkpoints against opponents: every deal from both seats.",
    )
    parser.add_argument(
        "--checkpoint",
        required=True,
        action="append",
        metavar="RUN[@STEP]",
        help="a run's folder, or its name under checkpoints/; the newest step by default; if given "
        "several times, the first is compared with the others",
    )
    parser.add_argument(
        "--against",
        nargs="+",
        default=[],
        metavar="RUN[@STEP]",
        help="further checkpoints to compare the first with, deal by deal",
    )
    parser.add_argument(
        "--opponents",
        default="all",
        metavar="LIST",
        help="comma-separated: all (the ten named ones), their names, RUN[@STEP] of other "
        "checkpoints, package.module:Class of Python agents (default: all)",
    )
    parser.add_argument(
        "--search",
        action="append",
        metavar="TEXT",
        help="let the checkpoints search with samples=N or milliseconds=T a move, and what they "
        "know of the opponent: samples=200,opponent=unknown or samples=200,opponent=known; "
        "if given several times, the first is compared with the others; none is no search",
    )
    add_match_options(parser, games="games against each opponent")
    parser.add_argument(
        "--reduce-variance",
        action="store_true",
        help="give the results without the luck of the cards and of the opponents' moves, too; the "
        "opponents must be named ones",
    )
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line and returns its exit code: 0, 2 for bad input, 130 for Ctrl-C."""
    options = _parser().parse_args(arguments)
    given = sys.argv[1:] if arguments is None else arguments
    return run_command(lambda: _run(options, given))


def _run(options: argparse.Namespace, arguments: Sequence[str]) -> int:
    # Everything that can be refused is refused before JAX starts and before a game is played.
    searches = _check_options(options)
    names = [*options.checkpoint, *options.against]
    entries = [(name, search) for name in names for search in searches]
    if len(entries) > 1 and options.games < 4:
        raise EvaluationError(f"--games must be at least 4 to compare, not {options.games}")
    specifications = split_specifications(options.opponents)
    if options.reduce_variance:
        _check_reducible(options.games, specifications)
    start_jax(options.device)
    policies, paths = _load([name for name, _ in entries])
    players = _players(entries, policies, options.temperature)
    opponents = [make_player(specification) for specification in specifications]
    scoring = common_scoring([*players, *opponents])
    pairings = [(player, opponent) for player in players for opponent in opponents]
    command = MatchCommand(MODULE, options, arguments)
    with command.playing() as on_progress:
        results = play_in_parts(
            pairings,
            options.games,
            options.seed,
            scoring,
            records=options.reduce_variance,
            partial=command.partial,
            on_progress=on_progress,
        )

    width = len(opponents)
    evaluated = []
    begun = time.perf_counter()
    for i, (name, search) in enumerate(entries):
        own = results[i * width : (i + 1) * width]
        luckless = None
        if options.reduce_variance:
            from eval.control_variates.value import value_of

            luckless = without_luck(own, options.seed, scoring, value_of(policies[i]))
        evaluated.append(_Evaluated(name, paths[i], players[i], search, own, luckless))
    seconds = time.perf_counter() - begun if options.reduce_variance else None
    first, *others = evaluated
    comparisons = [compare(first.results, other.results) for other in others]
    reduced = [first.minus(other) for other in others]
    command.store(
        {
            **first.as_json(scoring),
            "compared": [other.as_json(scoring) for other in others],
            "differences": [row.as_json() for rows in comparisons for row in rows],
            **(
                {"differences_without_luck": [row.as_json() for rows in reduced for row in rows]}
                if options.reduce_variance
                else {}
            ),
        },
        scoring,
    )
    show(_report(options, scoring, evaluated, comparisons, reduced, seconds, command))
    return 0


def _check_options(options: argparse.Namespace) -> list[SearchConfig | None]:
    """Checks the options; returns the searches that they ask for."""
    check_match_options(options)
    if options.search is None:
        return [None]
    if options.temperature is not None:
        raise EvaluationError("--search plays the best action: leave out --temperature")
    try:
        return [None if text == "none" else parse_search(text) for text in options.search]
    except ValueError as error:
        raise EvaluationError(str(error)) from error


def _check_reducible(games: int, specifications: Sequence[str]) -> None:
    if games < 4:
        raise EvaluationError(f"--games must be at least 4 for --reduce-variance, not {games}")
    for name in specifications:
        if name not in OPPONENTS:
            raise EvaluationError(
                f"--reduce-variance needs opponents whose moves have known probabilities, which "
                f"are the ten named ones; {name} is none of them"
            )


def _load(names: Sequence[str]) -> tuple[list[Policy], list[Path]]:
    from bb_jax import load_policy

    paths = [find_policy(name) for name in names]
    return [load_policy(path) for path in paths], paths


def _players(
    entries: Sequence[tuple[str, SearchConfig | None]],
    policies: Sequence[Policy],
    temperature: float | None,
) -> list[Player]:
    several = len({search for _, search in entries}) > 1
    players: list[Player] = []
    for (name, search), policy in zip(entries, policies, strict=True):
        shown = f"{name} ({'no search' if search is None else search})" if several else name
        if search is None:
            players.append(network_player(shown, policy, temperature=temperature))
        else:
            players.append(search_player(shown, policy, search))
    return players


def _report(
    options: argparse.Namespace,
    scoring: str,
    evaluated: Sequence[_Evaluated],
    comparisons: Sequence[Sequence[Comparison]],
    reduced: Sequence[Sequence[ReducedResult]],
    seconds: float | None,
    command: MatchCommand,
) -> str:
    parts = [
        f"{options.games} games an opponent: {options.games // 2} deals (seed {options.seed}), "
        f"each from both seats"
    ]
    for one in evaluated:
        parts.append(
            f"{one.name}, {_how_chosen(one, options.temperature)}, scoring by {scoring}\n\n"
            f"{render_results(one.results, scoring)}\n"
            f"{strength_of(one.results, scoring).describe()}"
        )
        if one.without_luck is not None:
            parts.append(
                f"{one.name} without luck\n\n{render_reduced(reduced_results(one.without_luck))}"
            )
    for rows, luckless in zip(comparisons, reduced, strict=True):
        parts.append(
            f"{rows[0].player} minus {rows[0].other}, deal by deal\n\n{render_comparisons(rows)}\n"
            "variance: of the difference of the win rates; independent games have 1"
        )
        if luckless:
            parts.append(
                f"{rows[0].player} minus {rows[0].other} without luck\n\n{render_reduced(luckless)}"
            )
    found = command.games_found
    played = sum(result.games for one in evaluated for result in one.results) - found
    parts.append(
        f"{_swap_effect(evaluated)}{f'{found} games from before; ' if found else ''}"
        f"{played} games in {command.seconds:.1f} s ({played / command.seconds:,.0f} a second)"
        f"{'' if seconds is None else f'; their luck in {seconds:.1f} s'}"
    )
    return "\n\n".join(parts)


def _how_chosen(one: _Evaluated, temperature: float | None) -> str:
    if one.search is not None:
        return f"search ({one.search})"
    if temperature is not None:
        return f"actions drawn at temperature {temperature:g}"
    return "best actions"


def _swap_effect(evaluated: Sequence[_Evaluated]) -> str:
    """A line on how playing every deal from both seats changed the win rates' variance."""
    ratios = [swap_variance_ratio(result) for one in evaluated for result in one.results]
    known = [ratio for ratio in ratios if ratio is not None]
    if not known:
        return ""
    mean = sum(known) / len(known)
    return f"Variance of the win rates: {mean:.2f} of that of independent games\n"


if __name__ == "__main__":
    run_program(main)
