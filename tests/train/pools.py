"""Shares of opponent pools, for tests."""

from train.config import OpponentConfig


def opponent_config(
    current: float, checkpoint: float, random: float, heuristic: float
) -> OpponentConfig:
    """The configuration with these shares of the games."""
    return OpponentConfig(
        current_weight=current,
        checkpoint_weight=checkpoint,
        random_weight=random,
        heuristic_weight=heuristic,
    )
