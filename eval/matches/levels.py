"""The levels of play that a person chooses among, from a beginner's to the champion's with search.

Each level is a way to play with a checkpoint that comes with the repository. Their ratings are from
games against each other and against the ten, on the scale where `random` has Elo 0:
`python -m eval.level_ratings --games 100`.
"""

from __future__ import annotations

from dataclasses import dataclass

from bb_jax.errors import EvaluationError
from eval.matches.players import DEFAULT_BATCH_SIZE, Player, network_player, search_player
from eval.runs.references import find_policy


@dataclass(frozen=True)
class Level:
    """A strength to play against.

    Attributes:
      name: one word, for command lines.
      checkpoint: RUN or RUN@STEP.
      temperature: moves are drawn from softmax(logits / temperature); None plays the best one.
      samples: the worlds that a search samples for a move; 0 judges the position after each action,
        None plays without search.
      elo: its rating.
      error: half of the 95 % interval of `elo`.
    """

    name: str
    checkpoint: str
    temperature: float | None
    samples: int | None
    elo: int
    error: int

    @property
    def how(self) -> str:
        """How it plays, in a few words."""
        if self.samples:
            return f"{self.checkpoint}, search of {self.samples} samples"
        if self.samples == 0:
            return f"{self.checkpoint}, judges where each move leads"
        if self.temperature is None:
            return f"{self.checkpoint}, its best move"
        return f"{self.checkpoint}, drawn at temperature {self.temperature:g}"


LEVELS = (
    Level("beginner", "iter0_to_600", 6.0, None, 219, 23),
    Level("novice", "iter0_to_600", 2.0, None, 403, 20),
    Level("casual", "iter0_to_600", 1.0, None, 482, 20),
    Level("club", "iter0_to_600", None, None, 513, 20),
    Level("strong", "champion", 2.0, None, 741, 25),
    Level("expert", "champion", 1.0, None, 952, 33),
    Level("master", "champion", None, None, 1052, 38),
    Level("champion", "champion", None, 200, 1250, 50),
)
"""From the weakest to the strongest."""


def level_named(name: str) -> Level:
    """The level of a name.

    Raises:
      EvaluationError: there is none.
    """
    for level in LEVELS:
        if level.name == name:
            return level
    known = ", ".join(level.name for level in LEVELS)
    raise EvaluationError(f"there is no level {name!r}; there are {known}")


def level_player(level: Level, batch_size: int = DEFAULT_BATCH_SIZE) -> Player:
    """The player of a level.

    Args:
      level: one of `LEVELS`.
      batch_size: rows of one forward pass where it plays without search.

    Raises:
      bb_jax.CheckpointError: its checkpoint is missing or damaged.
    """
    from bb_jax import load_policy
    from bb_jax.search import SearchConfig

    policy = load_policy(find_policy(level.checkpoint))
    if level.samples is None:
        return network_player(
            level.name, policy, temperature=level.temperature, batch_size=batch_size
        )
    return search_player(level.name, policy, SearchConfig(samples=level.samples))
