"""The species, the 33 actions and the named opponents, with their fixed order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from bb_sim.rules.engine import NUM_ACTIONS, QUEUE_SIZE

SPECIES = (
    "skunk",
    "parrot",
    "kangaroo",
    "monkey",
    "chameleon",
    "seal",
    "zebra",
    "giraffe",
    "snake",
    "crocodile",
    "hippo",
    "lion",
)
"""In order of strength: the strength of `SPECIES[s]` is `s + 1`."""

POINTS = (4, 4, 4, 3, 3, 2, 4, 3, 2, 3, 2, 2)
"""`POINTS[s]` is the value of an animal of `SPECIES[s]` in the bar."""

Scoring = Literal["points", "animals"]
SCORINGS: tuple[Scoring, ...] = get_args(Scoring)
"""The scoring rules. The number of a rule is its index here."""

OPPONENTS = (
    "random",
    "heuristic",
    "aggressive",
    "defensive",
    "queue",
    "skunk",
    "noisy",
    "online",
    "outcome_heuristic",
    "distilled_outcome",
)
"""The names of the opponents. The number of an opponent is its index here."""


@dataclass(frozen=True, slots=True)
class Action:
    """The species played from the hand, and its choice.

    Attributes:
        species: the species of the card played.
        params: the choice: `()` for none, `(hop,)` for a kangaroo, `(index,)` for a parrot (the
            target's queue index before the play), `(copied, *params)` for a chameleon.
    """

    species: str
    params: tuple[str | int, ...] = ()

    def __str__(self) -> str:
        words = [self.species]
        params = self.params
        acts_as = self.species
        if acts_as == "chameleon" and params:
            acts_as = str(params[0])
            params = params[1:]
            words += ["as", acts_as]
        if params and acts_as == "kangaroo":
            words.append(f"hopping {params[0]}")
        elif params and acts_as == "parrot":
            words.append(f"at queue index {params[0]}")
        elif params:
            words.append(str(params))
        elif acts_as in ("kangaroo", "parrot", "chameleon"):
            words.append("without a choice")
        return " ".join(words)


_WITH_CHOICE = ("parrot", "kangaroo", "chameleon")
_PLAIN = tuple(species for species in SPECIES if species not in _WITH_CHOICE)

ACTIONS: tuple[Action, ...] = (
    *(Action(species) for species in _PLAIN),
    Action("kangaroo"),
    *(Action("kangaroo", (hop,)) for hop in (1, 2)),
    Action("parrot"),
    *(Action("parrot", (index,)) for index in range(QUEUE_SIZE)),
    Action("chameleon"),
    *(Action("chameleon", (species,)) for species in _PLAIN),
    *(Action("chameleon", ("kangaroo", hop)) for hop in (1, 2)),
    *(Action("chameleon", ("parrot", index)) for index in range(QUEUE_SIZE)),
)
"""`ACTIONS[a]` is the action with id `a`."""

_IDS = {action: number for number, action in enumerate(ACTIONS)}


def action_id(action: Action) -> int:
    """The id of an action, 0 to 32.

    Raises:
        TypeError: `action` is not an `Action`.
        ValueError: the game has no such action.
    """
    if not isinstance(action, Action):
        raise TypeError(f"an Action is needed, not {action!r}")
    try:
        return _IDS[action]
    except (KeyError, TypeError):
        raise ValueError(f"{action!r} is none of the {NUM_ACTIONS} actions of the game") from None


def check_scoring(scoring: str) -> int:
    """The number of a scoring rule.

    Raises:
        ValueError: `scoring` is none of `SCORINGS`.
    """
    if not isinstance(scoring, str) or scoring not in SCORINGS:
        raise ValueError(f"scoring must be one of {', '.join(SCORINGS)}, not {scoring!r}")
    return SCORINGS.index(scoring)
