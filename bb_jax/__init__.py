"""Networks, PPO and inference for Beasty Bar, on one device or many.

Names are imported from their modules on first use, so that `bb_jax.config` is available without
importing JAX. Where the extra that a name needs is not installed, the error says which it is.
"""

import importlib
from typing import TYPE_CHECKING, Any

from bb_jax.extras import extra_of, require_extra

if TYPE_CHECKING:
    from bb_jax.config import NetworkConfig as NetworkConfig
    from bb_jax.config import PPOConfig as PPOConfig
    from bb_jax.errors import CheckpointError as CheckpointError
    from bb_jax.features import legal_mask as legal_mask
    from bb_jax.learning.state import Hyper as Hyper
    from bb_jax.learning.state import LearnerState as LearnerState
    from bb_jax.learning.state import init_state as init_state
    from bb_jax.networks.network import build_network as build_network
    from bb_jax.networks.network import init_params as init_params
    from bb_jax.placement import replicate as replicate
    from bb_jax.policies.inference import make_greedy_policy as make_greedy_policy
    from bb_jax.policies.inference import make_policy_step as make_policy_step
    from bb_jax.policies.inference import make_sampling_policy as make_sampling_policy
    from bb_jax.policies.policy_file import Policy as Policy
    from bb_jax.policies.policy_file import load_policy as load_policy
    from bb_jax.policies.policy_file import policy_hash as policy_hash
    from bb_jax.policies.policy_file import save_policy as save_policy
    from bb_jax.ppo.trajectories import Trajectories as Trajectories
    from bb_jax.ppo.update import make_update as make_update

_MODULE_OF = {
    "NetworkConfig": "config",
    "PPOConfig": "config",
    "legal_mask": "features",
    "make_greedy_policy": "policies.inference",
    "make_policy_step": "policies.inference",
    "make_sampling_policy": "policies.inference",
    "Hyper": "learning.state",
    "LearnerState": "learning.state",
    "init_state": "learning.state",
    "make_update": "ppo.update",
    "build_network": "networks.network",
    "init_params": "networks.network",
    "replicate": "placement",
    "CheckpointError": "errors",
    "Policy": "policies.policy_file",
    "load_policy": "policies.policy_file",
    "policy_hash": "policies.policy_file",
    "save_policy": "policies.policy_file",
    "Trajectories": "ppo.trajectories",
}

__all__ = list(_MODULE_OF)


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'bb_jax' has no attribute {name!r}")
    module = f"bb_jax.{_MODULE_OF[name]}"
    try:
        return getattr(importlib.import_module(module), name)
    except ModuleNotFoundError:
        require_extra(extra_of(module), f"bb_jax.{name}")
        raise
