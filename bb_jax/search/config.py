"""What a search may spend, and what it assumes of the opponent. No JAX."""

import dataclasses
import difflib
import math
from dataclasses import dataclass

from bb_sim.rules.actions import OPPONENTS

KNOWN, UNKNOWN, NETWORK = "known", "unknown", "network"
MODELS = (*OPPONENTS, NETWORK)
MAX_SAMPLES = 1_000_000
MAX_DEPTH = 12


@dataclass(frozen=True)
class SearchConfig:
    """A search, given on command lines as "samples=200,opponent=unknown".

    Attributes:
      samples: worlds a move; 0 judges the afterstates and plays out nothing. None with a budget in
        milliseconds.
      milliseconds: time a move instead, on average over the moves of a batch.
      opponent: "known" (each game says who it is), "unknown" (inferred during the game from the
        moves seen), "network" (one that plays as the searching network does) or a named opponent.
      margin_weight: what is maximised is outcome + margin_weight * margin (in points, or animals
        under that scoring).
      draw_reward: the outcome of a draw, beside 1 for a win and -1 for a loss; by default a draw is
        as bad as a loss, since win rates count wins.
      depth: moves of the mover in a simulation, the candidate action among them; the others are
        the best ones of the network's policy.

    Raises:
      ValueError: a value is impossible; the message is one sentence that names it.
    """

    samples: int | None = None
    milliseconds: float | None = None
    opponent: str = UNKNOWN
    margin_weight: float = 0.02
    draw_reward: float = -1.0
    depth: int = 2

    def __post_init__(self) -> None:
        if self.samples is None and self.milliseconds is None:
            object.__setattr__(self, "samples", 200)
        if self.samples is not None and self.milliseconds is not None:
            raise ValueError("search: the budget is either samples or milliseconds, not both")
        if self.samples is not None and not 0 <= self.samples <= MAX_SAMPLES:
            raise ValueError(f"search: samples must be 0 to {MAX_SAMPLES}, not {self.samples}")
        if self.milliseconds is not None and not 0 < self.milliseconds < math.inf:
            raise ValueError(f"search: milliseconds must be above 0, not {self.milliseconds:g}")
        if not 0 <= self.margin_weight <= 1:
            raise ValueError(f"search: margin_weight must be 0 to 1, not {self.margin_weight:g}")
        if not -1 <= self.draw_reward <= 1:
            raise ValueError(f"search: draw_reward must be -1 to 1, not {self.draw_reward:g}")
        if not 1 <= self.depth <= MAX_DEPTH:
            raise ValueError(f"search: depth must be 1 to {MAX_DEPTH}, not {self.depth}")
        choices = (KNOWN, UNKNOWN, *MODELS)
        if self.opponent not in choices:
            raise ValueError(
                f"search: unknown opponent {self.opponent!r} ({_nearest(self.opponent, choices)})"
            )

    def __str__(self) -> str:
        """The text that `parse_search` reads back; what has its default is left out."""
        budget = (
            f"samples={self.samples}"
            if self.milliseconds is None
            else f"milliseconds={self.milliseconds!r}"
        )
        parts = [budget, f"opponent={self.opponent}"]
        for field in dataclasses.fields(self)[3:]:
            value = getattr(self, field.name)
            if value != field.default:
                parts.append(f"{field.name}={value!r}")
        return ",".join(parts)


_TYPES: dict[str, type[int] | type[float] | type[str]] = {
    "samples": int,
    "milliseconds": float,
    "opponent": str,
    "margin_weight": float,
    "draw_reward": float,
    "depth": int,
}


def parse_search(text: str) -> SearchConfig:
    """The configuration that a text such as "milliseconds=20,opponent=known" describes.

    Raises:
      ValueError: an unknown key, one that is given twice, or an impossible value, in one sentence
        that names it.
    """
    values: dict[str, int | float | str] = {}
    for part in text.split(","):
        key, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or not value:
            raise ValueError(f"search: {part.strip()!r} in {text!r} is not of the form key=value")
        if key not in _TYPES:
            raise ValueError(f"search: unknown key {key!r} ({_nearest(key, tuple(_TYPES))})")
        if key in values:
            raise ValueError(f"search: {key} stands twice in {text!r}")
        try:
            values[key] = _TYPES[key](value)
        except ValueError:
            kind = "an integer" if _TYPES[key] is int else "a number"
            raise ValueError(f"search: {key} must be {kind}, not {value!r}") from None
    return SearchConfig(**values)  # type: ignore[arg-type]


def _nearest(given: str, choices: tuple[str, ...]) -> str:
    close = difflib.get_close_matches(given, choices, n=1)
    return f"nearest: {close[0]}" if close else f"there are {', '.join(choices)}"
