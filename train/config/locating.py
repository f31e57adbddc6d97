"""Which file `--config` names: a path, or the name of a configuration."""

from __future__ import annotations

import os
from pathlib import Path

from bb_jax.paths import SHIPPED
from train.config.loading import ConfigError

#: Where configurations lie that are given by a name; an installed package has its own.
CONFIGS = Path("configs")
_SUFFIX = ".yaml"


def known_configs() -> dict[str, Path]:
    """The configurations that are known by a name: those in `configs/`, then those installed."""
    found: dict[str, Path] = {}
    for folder in (CONFIGS, SHIPPED / CONFIGS):
        for path in sorted(folder.glob(f"*{_SUFFIX}")):
            found.setdefault(path.stem, path)
    return found


def find_config(given: Path) -> Path:
    """The configuration file that `--config` names.

    Args:
      given: a file; or a name such as `quickstart`, which is `configs/quickstart.yaml`. Where that
        file is missing, both stand for the one of an installed package.

    Raises:
      ConfigError: it is a name, and there is no such configuration; the message lists those there
        are.
    """
    if os.path.lexists(given):
        return given
    if given.parent == CONFIGS and given.suffix == _SUFFIX:
        return known_configs().get(given.stem, given)
    if given.parent != Path() or given.suffix:
        return given
    known = known_configs()
    if given.name not in known:
        listed = f"known by name: {', '.join(known)}" if known else f"{CONFIGS}/ has none"
        raise ConfigError(
            f"there is neither a configuration file {given} nor a configuration of that name; "
            f"{listed}"
        )
    return known[given.name]
