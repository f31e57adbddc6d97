"""Search on top of a network: what each action leads to in sampled worlds.

Names are imported from their modules on first use, so that a configuration can be read without
importing JAX.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bb_jax.search.beliefs import Beliefs as Beliefs
    from bb_jax.search.config import SearchConfig as SearchConfig
    from bb_jax.search.config import parse_search as parse_search
    from bb_jax.search.sampler import SearchResult as SearchResult
    from bb_jax.search.search import Search as Search

_MODULE_OF = {
    "Beliefs": "beliefs",
    "Search": "search",
    "SearchConfig": "config",
    "SearchResult": "sampler",
    "parse_search": "config",
}

__all__ = list(_MODULE_OF)


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'bb_jax.search' has no attribute {name!r}")
    return getattr(importlib.import_module(f"bb_jax.search.{_MODULE_OF[name]}"), name)
