"""The configuration of a run: what can be set, and how a file of settings is read."""

from train.config.comparison import config_to_dict, differences
from train.config.evaluation import EvaluationConfig
from train.config.games import GamesConfig
from train.config.learning import LearningConfig
from train.config.loading import ConfigError, load_config
from train.config.locating import find_config, known_configs
from train.config.opponents import ExploitConfig, OpponentConfig, PoolConfig
from train.config.run import RunConfig
from train.config.settings import Config, RolloutConfig

__all__ = [
    "Config",
    "ConfigError",
    "EvaluationConfig",
    "ExploitConfig",
    "GamesConfig",
    "LearningConfig",
    "OpponentConfig",
    "PoolConfig",
    "RolloutConfig",
    "RunConfig",
    "config_to_dict",
    "differences",
    "find_config",
    "known_configs",
    "load_config",
]
