"""Inference exports of policies: one small file each."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import numpy as np
from flax import serialization, traverse_util

from bb_jax.config import NetworkConfig
from bb_jax.networks import build_network, init_params

_FORMAT = "beasty-bar policy"
_VERSION = 1


class CheckpointError(Exception):
    """A checkpoint that cannot be used; the text is one clear sentence."""


class Policy(NamedTuple):
    network: nn.Module
    params: Any
    network_config: NetworkConfig
    scoring: str
    metadata: dict[str, Any]


def save_policy(path, params, network_config, scoring, metadata) -> None:
    content = {
        "format": _FORMAT,
        "version": _VERSION,
        "network_config": json.dumps(dataclasses.asdict(network_config)),
        "scoring": scoring,
        "metadata": json.dumps(metadata),
        "params": serialization.to_state_dict(jax.device_get(params)),
    }
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        temporary.write_bytes(serialization.msgpack_serialize(content))
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def load_policy(path) -> Policy:
    content = serialization.msgpack_restore(Path(path).read_bytes())
    config = NetworkConfig(**json.loads(content["network_config"]))
    return Policy(
        build_network(config, content["scoring"]), content["params"], config, content["scoring"],
        json.loads(content["metadata"]),
    )


def policy_hash(params: Any) -> str:
    digest = hashlib.sha256()
    for name, leaf in sorted(traverse_util.flatten_dict(dict(params), sep="/").items()):
        digest.update(name.encode() + np.asarray(leaf).tobytes())
    return digest.hexdigest()[:16]


def resolve_checkpoint(reference: str, root="checkpoints") -> Path:
    name, _, step = reference.partition("@")
    for folder in (Path(root) / name, Path(name)):
        found = sorted((folder / "policies").glob("*.policy"))
        if step:
            found = [p for p in found if int(p.stem) == int(step)]
        if found:
            return found[-1]
    raise CheckpointError(f"there is no checkpoint {reference}")
