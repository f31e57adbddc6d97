"""The configuration of a run: what can be set, and how a file of settings is read."""

from train.config.loading import ConfigError, config_to_dict, differences, load_config
from train.config.settings import Config, OpponentConfig

__all__ = [
    "Config",
    "ConfigError",
    "OpponentConfig",
    "config_to_dict",
    "differences",
    "load_config",
]
