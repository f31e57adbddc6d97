"""How strong a player is: mean win rate, Elo and a label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bb_sim import OPPONENTS
from eval.matches.match import MatchResult
from eval.statistics.reference import rate_against_named

# A player's label is the first whose number it reaches with the mean of its strict win rates
# against the nine named opponents other than `random`. The public baseline's mean is 0.737.
LABELS = (
    (0.97, "grandmaster"),
    (0.90, "master"),
    (0.75, "expert"),
    (0.50, "advanced"),
    (0.25, "intermediate"),
    (0.0, "beginner"),
)
LABEL_OPPONENTS = tuple(name for name in OPPONENTS if name != "random")


@dataclass(frozen=True)
class Strength:
    """A player's strength, as its results against some opponents show it.

    Attributes:
      mean_win_rate: the mean over all opponents met, each counting the same.
      elo: the Elo on the fixed scale of the named opponents; None if none of them was met.
      elo_error: the Elo's standard error.
      dispersion: how badly one number describes the results; see `eval.statistics.ratings.Ratings`.
      label: a word from LABELS; None unless all of LABEL_OPPONENTS were met.
    """

    mean_win_rate: float
    elo: float | None
    elo_error: float | None
    dispersion: float | None
    label: str | None

    def as_json(self) -> dict[str, Any]:
        """JSON-able values."""
        elo = None
        if self.elo is not None:
            elo = {"rating": self.elo, "error": self.elo_error, "dispersion": self.dispersion}
        return {"mean_win_rate": self.mean_win_rate, "elo": elo, "label": self.label}

    def describe(self) -> str:
        """One line for people."""
        parts = [f"mean win rate {100 * self.mean_win_rate:.2f} %"]
        if self.elo is not None and self.elo_error is not None:
            parts.append(f"Elo {self.elo:.0f} ± {1.96 * self.elo_error:.0f} (random is 0)")
        if self.label is not None:
            parts.append(self.label)
        return ", ".join(parts)


def strength_of(results: Sequence[MatchResult], scoring: str = "points") -> Strength:
    """The strength of a player from all its results, at least one, under a scoring."""
    player = results[0].player
    ratings = rate_against_named(player, results, scoring)
    return Strength(
        mean_win_rate=sum(result.win_rate for result in results) / len(results),
        elo=None if ratings is None else ratings.rating(player),
        elo_error=None if ratings is None else ratings.standard_error(player),
        dispersion=None if ratings is None else ratings.dispersion,
        label=label_of(results),
    )


def label_of(results: Sequence[MatchResult]) -> str | None:
    """The label for a player's results; None if one of LABEL_OPPONENTS is missing."""
    rates = {result.opponent: result.win_rate for result in results}
    if not rates.keys() >= set(LABEL_OPPONENTS):
        return None
    mean = sum(rates[name] for name in LABEL_OPPONENTS) / len(LABEL_OPPONENTS)
    # Rounding must not keep a mean of exactly 0.97 below it.
    return next(label for least, label in LABELS if mean >= least - 1e-12)
