"""Packed training states: one file that another run can start from, and that can be played.

A packed state is a policy file (`bb_jax.policies.policy_file`) with two more keys. "training" holds
the rest of the learner's state and the run's state, in MessagePack; the moments may be in bfloat16.
"checksum" is the SHA-256 of everything else. There are no opponents and no random streams in it.
Equal states make equal bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import flax.serialization
import jax
import jax.numpy as jnp
import numpy as np

from bb_jax import NetworkConfig
from bb_jax.errors import CheckpointError, one_line
from bb_jax.policies.packed_state import PACKED_FORMAT, is_packed
from bb_jax.policies.policy_file import (
    check_finite,
    check_tree,
    policy_content,
    read_content,
    write_content,
)
from train.runs.steps import SavedState

MOMENT_DTYPES = ("bfloat16", "float32")
_EMPTY_POOL: dict[str, Any] = {"members": [], "exploiters": [], "win_rates": {}}


def pack_state(
    path: Path, saved: SavedState, metadata: Mapping[str, Any], moments: str = "bfloat16"
) -> None:
    """Packs the learner's part of a training state into a file.

    Args:
      path: the file, ending in ".policy".
      saved: arrays with a "learner"; the host part holds the "run" and its "config".
      metadata: JSON-able values on where the state comes from.
      moments: the optimizer's moments are stored in this type, one of `MOMENT_DTYPES`.

    Raises:
      CheckpointError: the file cannot be written.
    """
    learner, config = saved.arrays["learner"], saved.host["config"]
    run = saved.host["run"] | {"pool": _EMPTY_POOL, "next_games": None, "exploit": None}
    network = NetworkConfig(**config["network_config"])
    training = {
        "opt_state": jax.tree.map(lambda leaf: _stored(leaf, moments), learner["opt_state"]),
        "updates": np.asarray(learner["updates"]),
        "host": json.dumps({"run": run, "config": config}, sort_keys=True),
    }
    content = policy_content(learner["params"], network, config["scoring"], metadata, PACKED_FORMAT)
    content["training"] = flax.serialization.msgpack_serialize(training)
    content["checksum"] = _checksum(content)
    write_content(path, content)


def unpack_state(path: Path) -> tuple[SavedState, dict[str, Any]]:
    """Reads what `pack_state` wrote: the state, with moments in float32, and the metadata.

    Raises:
      CheckpointError: the file is missing, damaged, or a policy without a training state, or its
        parameters are not finite.
    """
    content = read_content(path)
    if not is_packed(path) or not isinstance(content, dict):
        raise CheckpointError(f"{path} holds a policy alone, and no training state to start from")
    if content.pop("checksum", None) != _checksum(content):
        raise CheckpointError(f"{path} is damaged: it does not have its checksum")
    try:
        training = flax.serialization.msgpack_restore(content["training"])
        learner = {
            "params": content["params"],
            "opt_state": jax.tree.map(_restored, training["opt_state"]),
            "updates": training["updates"],
        }
        host, metadata = json.loads(training["host"]), json.loads(content["metadata"])
    except Exception as error:  # msgpack raises many types
        raise CheckpointError(f"{path} holds no usable state: {one_line(error)}") from error
    check_tree(path, learner["params"])
    check_finite(path, learner["params"])
    return SavedState({"learner": learner}, host), metadata


def _is_moment(leaf: Any) -> bool:
    return bool(jnp.issubdtype(np.asarray(leaf).dtype, jnp.floating))


def _stored(leaf: Any, moments: str) -> np.ndarray:
    return np.asarray(leaf).astype(jnp.dtype(moments)) if _is_moment(leaf) else np.asarray(leaf)


def _restored(leaf: Any) -> np.ndarray:
    return np.asarray(leaf).astype(np.float32) if _is_moment(leaf) else np.asarray(leaf)


def _checksum(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(flax.serialization.msgpack_serialize(dict(content))).hexdigest()
