"""The opponent pools, under the name that people import."""

from train.games.pool import AdaptiveOpponentPool, OpponentPool

__all__ = ["AdaptiveOpponentPool", "OpponentPool"]
