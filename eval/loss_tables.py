"""The audit of games that were not won, as plain text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from eval.analysis.losses import (
    PLAYOUTS,
    REFERENCE,
    AuditedDecision,
    AuditedGame,
    Mean,
    mean_of,
)
from eval.matches.match import MatchResult
from eval.result_tables import render_results
from eval.text_table import plain_text, text_table


def losses_text(
    results: Sequence[MatchResult],
    judges: Mapping[str, str],
    lost: Sequence[AuditedGame],
    won: Sequence[AuditedGame],
    worst: Sequence[tuple[AuditedGame, AuditedDecision]],
    times: int,
) -> str:
    """Everything that the audit found, for a terminal of 80 columns.

    Args:
      results: the games that were played.
      judges: how each judge differs from the player's search, by name.
      lost: the games that were not won.
      won: games that were, for comparison.
      worst: the decisions to be shown, the dearest first.
      times: how many times the search's samples the judges took.
    """
    parts = [render_results(results)]
    if not lost:
        return "\n\n".join([*parts, "All games were won, so there is nothing to judge."])
    parts += [
        f"{len(lost)} games that were not won, judged with {times} times the samples; in percent "
        f"of win probability, a game\n\n{_course(lost, won)}",
        f"What each judge says that the decisions cost\n\n{_by_judge(judges, lost, won)}",
        _beliefs_and_values(lost),
        *(_position(number, *pair) for number, pair in enumerate(worst, 1)),
    ]
    return "\n\n".join(part for part in parts if part)


def _course(lost: Sequence[AuditedGame], won: Sequence[AuditedGame]) -> str:
    """How the win probability went from the first decision to the end, row by row."""
    table = text_table()
    table.add_column("games", overflow="fold", max_width=24)
    for header in ("number", "first", "regret", "error", "luck", "error", "largest"):
        table.add_column(header, justify="right", no_wrap=True)
    rows = [(f"not won: {name}", group) for name, group in _by_opponent(lost).items()]
    rows.append(("not won: all", list(lost)))
    if won:
        rows.append(("won, for comparison", list(won)))
    for name, games in rows:
        regret, luck = (
            mean_of([-game.regret() for game in games]),
            mean_of([game.luck for game in games]),
        )
        largest = max(one.regret for game in games for one in game.decisions)
        table.add_row(
            name,
            str(len(games)),
            f"{100 * mean_of([game.start for game in games]).mean:.1f}",
            *_percent(regret),
            *_percent(luck),
            f"{100 * largest:.1f}",
        )
    return (
        f"{plain_text(table)}\n"
        "first: win probability at the first decision. first + regret + luck is the result.\n"
        "largest: the dearest single decision."
    )


def _by_judge(
    judges: Mapping[str, str], lost: Sequence[AuditedGame], won: Sequence[AuditedGame]
) -> str:
    table = text_table()
    table.add_column("judge", no_wrap=True)
    table.add_column("differs by", overflow="fold", max_width=26)
    for header in ("not won", "error", "others", "above 3 %", "won", "error", "others"):
        table.add_column(header, justify="right", no_wrap=True)
    for name, what in judges.items():
        *of_lost, dear = _regret_of(name, judges, lost)
        *of_won, _ = _regret_of(name, judges, won) if won else ("", "", "", "")
        table.add_row(name, what, *of_lost, dear, *of_won)
    return (
        f"{plain_text(table)}\n"
        "not won, won: regret a game, in percent, and its error.\n"
        "others: decisions in which it would have played something else.\n"
        "above 3 %: decisions of the games not won that cost more than that."
    )


def _regret_of(
    judge: str, judges: Mapping[str, str], games: Sequence[AuditedGame]
) -> tuple[str, str, str, str]:
    """Regret a game, its error, the share of other choices and the number of dear decisions."""
    # Only decisions that every judge was asked about can be compared.
    asked = [[one for one in game.decisions if set(judges) <= set(one.judged)] for game in games]
    regret = mean_of([-sum(one.judged[judge].regret.mean for one in group) for group in asked])
    every = [one for group in asked for one in group]
    differs = sum(one.judged[judge].best != one.played for one in every)
    dear = sum(one.judged[judge].regret.mean > 0.03 for one in every)
    share = f"{100 * differs / len(every):.0f} %" if every else "-"
    return (*_percent(regret), share, str(dear))


def _beliefs_and_values(lost: Sequence[AuditedGame]) -> str:
    decisions = [one for game in lost for one in game.decisions]
    lines = []
    hidden = [
        (one.believed, one.expected)
        for one in decisions
        if one.believed is not None and one.expected is not None and one.expected < 1
    ]
    if hidden:
        believed, expected = np.mean(hidden, axis=0)
        lines.append(
            f"Cards that the opponent held were given {100 * believed:.1f} % before a decision; if "
            f"all hands were equally probable it would be {100 * expected:.1f} %."
        )
    gaps = [
        one.judged[REFERENCE].played_win - one.judged[PLAYOUTS].played_win
        for one in decisions
        if PLAYOUTS in one.judged
    ]
    if gaps:
        mean = mean_of(gaps)
        root = float(np.sqrt(np.mean(np.square(gaps))))
        low, _ = _percent(mean)
        lines.append(
            f"Values at the leaves against playouts, of the action played: {low} % in the mean, "
            f"{100 * root:.1f} % root mean square, over {len(gaps)} decisions."
        )
    return "\n".join(lines)


def _position(number: int, game: AuditedGame, decision: AuditedDecision) -> str:
    """One decision with its position, as a game in the notation."""
    opinions = [
        f"{name}: {found.best} {100 * found.win:.1f} %, played {100 * found.played_win:.1f} %"
        for name, found in decision.judged.items()
    ]
    return "\n".join(
        [
            f"# {number}. turn {decision.turn} against {game.opponent}, deal {game.deal}, seat "
            f"{game.seat}: {decision.played} cost {100 * decision.regret:.1f} %",
            *(f"#    {opinion}" for opinion in opinions),
            decision.position.rstrip(),
        ]
    )


def _by_opponent(games: Sequence[AuditedGame]) -> dict[str, list[AuditedGame]]:
    found: dict[str, list[AuditedGame]] = {}
    for game in games:
        found.setdefault(game.opponent, []).append(game)
    return found


def _percent(value: Mean) -> tuple[str, str]:
    error = "-" if value.error is None else f"{100 * value.error:.1f}"
    return f"{100 * value.mean:+.1f}", error
