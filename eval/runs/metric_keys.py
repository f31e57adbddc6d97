"""The keys of a metrics row that speak of one opponent.

`eval/NAME/win_rate` and its like are of an evaluation, `met/NAME/win_rate` and its like of the
games of an iteration, and `weight/NAME` is the opponent's share of these games. A name may hold
slashes, as the path of a checkpoint does.
"""

from __future__ import annotations

from typing import Literal

Kind = Literal["eval", "met", "weight"]

#: The mean of an evaluation's win rates; the best checkpoint is chosen by it.
MEAN_WIN_RATE = "eval/mean_win_rate"


def opponent_key(kind: Kind, opponent: str, quantity: str = "") -> str:
    """The key of a quantity that is measured for one opponent.

    Args:
      kind: "eval", "met" or "weight".
      opponent: its name.
      quantity: such as "win_rate"; empty for a weight.
    """
    return f"{kind}/{opponent}/{quantity}" if quantity else f"{kind}/{opponent}"


def opponent_of(key: str, kind: Kind, quantity: str = "") -> str | None:
    """The opponent in a key that `opponent_key` made of this kind and quantity; None in others."""
    prefix, suffix = f"{kind}/", f"/{quantity}" if quantity else ""
    name = key.removeprefix(prefix).removesuffix(suffix)
    return name if name and key == f"{prefix}{name}{suffix}" else None
