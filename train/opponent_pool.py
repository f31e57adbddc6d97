"""The opponent pool under the name that its users know; `train.games.pool` makes it."""

from train.games.pool import AdaptiveOpponentPool, OpponentPool

__all__ = ["AdaptiveOpponentPool", "OpponentPool"]
