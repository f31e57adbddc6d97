"""Game generation under the name that its users know; `train.games` makes it."""

from train.games.generator import (
    GenerationShape,
    Generator,
    generate_games_batched_by_opponent,
)

__all__ = ["GenerationShape", "Generator", "generate_games_batched_by_opponent"]
