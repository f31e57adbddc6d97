"""Game generation, under the name that people import."""

from train.game_player import generate_games_batched_by_opponent
from train.games.generator import GenerationShape, Generator

__all__ = ["GenerationShape", "Generator", "generate_games_batched_by_opponent"]
