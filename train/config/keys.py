"""Fields of a configuration with what documentation and checks need to know of them."""

import operator
from collections import Counter
from dataclasses import field, fields
from difflib import get_close_matches
from typing import Any


def key(
    default: Any,
    text: str,
    *,
    may_change: bool = False,
    choices: tuple[str, ...] = (),
    minimum: float | None = None,
    above: float | None = None,
    maximum: float | None = None,
) -> Any:
    """A field of a configuration.

    Args:
      default: its default; `MISSING` if the key must be given.
      text: what it does, for the documentation.
      may_change: whether a run may be resumed with another value. A key that may not is one
        whose change would make the metrics before and after it belong to different experiments.
      choices: all valid values, where they can be listed.
      minimum: the least valid number.
      above: the number that values must be greater than.
      maximum: the greatest valid number.
    """
    metadata = {
        "text": text,
        "may_change": may_change,
        "choices": choices,
        "limits": [
            (word, limit, test)
            for word, limit, test in (
                ("at least", minimum, operator.ge),
                ("above", above, operator.gt),
                ("at most", maximum, operator.le),
            )
            if limit is not None
        ],
    }
    return field(default=default, metadata=metadata)


def check_fields(config: Any) -> None:
    """Raises ValueError, naming the field, on a value outside the limits of its `key`."""
    for entry in fields(config):
        value = getattr(config, entry.name)
        choices = entry.metadata.get("choices", ())
        if choices and value not in choices:
            nearest = get_close_matches(str(value), choices, n=1, cutoff=0.0)[0]
            raise ValueError(
                f"{entry.name} must be one of {', '.join(choices)}, not {value!r}; "
                f"nearest is {nearest!r}"
            )
        limits = entry.metadata.get("limits", ())
        if value is not None and not all(test(value, limit) for _, limit, test in limits):
            expected = " and ".join(f"{word} {limit}" for word, limit, _ in limits)
            raise ValueError(f"{entry.name} must be {expected}, not {value!r}")


def check_distinct(name: str, values: tuple[str, ...]) -> None:
    """Raises ValueError where an entry of the field `name` stands there twice."""
    for value, count in Counter(values).items():
        if count > 1:
            raise ValueError(f"{name} must not repeat an entry, and has {value!r} {count} times")
