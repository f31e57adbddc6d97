"""Policy files: a network's parameters and all that is needed to play, in one file.

A file is a MessagePack map: "format" and "version", "network" (the configuration), "scoring",
"metadata" (JSON text), "hash" (of the parameters) and "params" (as flax serializes them). It holds
no optimizer state and no device layout, is read without orbax, and is written whole or not at all.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import flax.serialization
import jax
import numpy as np

from bb_jax.arrays import all_finite
from bb_jax.config import NetworkConfig
from bb_jax.errors import CheckpointError, one_line
from bb_jax.files import named_errors, read_whole, write_whole
from bb_jax.networks.network import Network, Params, build_network, init_params
from bb_jax.policies.packed_state import PACKED_FORMAT

_FORMAT = "beasty-bar-policy"
_VERSION = 1


class Policy(NamedTuple):
    """A network that can play.

    Attributes:
      network: the module.
      params: the network's parameters, numpy arrays.
      network_config: the network's configuration.
      scoring: "points" or "animals".
      metadata: the metadata that was saved with it.
    """

    network: Network
    params: Params
    network_config: NetworkConfig
    scoring: str
    metadata: dict[str, Any]


def _leaves(tree: Any) -> list[tuple[str, np.ndarray]]:
    paths, _ = jax.tree_util.tree_flatten_with_path(tree)
    return [("/".join(str(entry.key) for entry in path), np.asarray(leaf)) for path, leaf in paths]


def policy_hash(params: Params) -> str:
    """A hash of the parameters' names, types, shapes and values: 16 hexadecimal digits."""
    digest = hashlib.sha256()
    for name, leaf in _leaves(jax.device_get(params)):
        digest.update(f"{name} {leaf.dtype} {leaf.shape} ".encode())
        digest.update(np.ascontiguousarray(leaf).tobytes())
    return digest.hexdigest()[:16]


def save_policy(
    path: str | os.PathLike[str],
    params: Params,
    network_config: NetworkConfig,
    scoring: str,
    metadata: Mapping[str, Any],
) -> None:
    """Writes a policy file, replacing an old one.

    Args:
      path: the file; its folder is made if it is missing.
      params: the network's parameters.
      network_config: the network's configuration.
      scoring: "points" or "animals".
      metadata: anything that JSON can hold.

    Raises:
      CheckpointError: the file cannot be written, for example on a full disk. Nothing is left
        behind, and an old file is unchanged.
    """
    write_content(path, policy_content(params, network_config, scoring, metadata))


def policy_content(
    params: Params,
    network_config: NetworkConfig,
    scoring: str,
    metadata: Mapping[str, Any],
    file_format: str = _FORMAT,
) -> dict[str, Any]:
    """The content of a policy file; the arguments are those of `save_policy`."""
    params = jax.device_get(params)
    return {
        "format": file_format,
        "version": _VERSION,
        "network": json.dumps(network_config.model_dump(mode="json")),
        "scoring": scoring,
        "metadata": json.dumps(dict(metadata)),
        "hash": policy_hash(params),
        "params": params,
    }


def write_content(path: str | os.PathLike[str], content: Mapping[str, Any]) -> None:
    """Writes a map as MessagePack, as `save_policy` does.

    Raises:
      CheckpointError: see `save_policy`.
    """
    path = Path(path)
    with named_errors(path, kind=CheckpointError):
        path.parent.mkdir(parents=True, exist_ok=True)
    data = flax.serialization.msgpack_serialize(dict(content))
    write_whole(path, data, kind=CheckpointError)


def load_policy(path: str | os.PathLike[str], expected: NetworkConfig | None = None) -> Policy:
    """Reads a policy file.

    Args:
      path: a policy file or a packed training state (`bb_jax.policies.packed_state`).
      expected: the architecture that the file must have, if any. Dropout and the compute type are
        not part of an architecture, since they do not change the parameters.

    Raises:
      CheckpointError: the file is missing, torn, of another format or version, of another
        architecture, whose differing fields are named, or its parameters are not finite.
    """
    path = Path(path)
    content = read_content(path)
    if not isinstance(content, dict) or content.get("format") not in (_FORMAT, PACKED_FORMAT):
        raise CheckpointError(f"{path} is not a policy file")
    if content.get("version") != _VERSION:
        raise CheckpointError(
            f"{path} has format version {content.get('version')}, and this program reads {_VERSION}"
        )
    try:
        config = NetworkConfig(**json.loads(content["network"]))
        network = build_network(config, content["scoring"])
        metadata = json.loads(content["metadata"])
        params, stored_hash = content["params"], content["hash"]
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise CheckpointError(
            f"{path} holds no usable description of its network: {error}"
        ) from error
    check_tree(path, params)
    if expected is not None:
        check_architecture(path, config, expected)
    # Each layer has parameters of its own; a description of many more would take long to follow.
    layers = len(config.hidden_layers) + len(config.second_tower) + config.num_layers
    if layers > max(100, len(_leaves(params))):
        raise CheckpointError(f"{path} does not fit its own description of {layers} layers")
    _check_params(path, network, params)
    if policy_hash(params) != stored_hash:
        raise CheckpointError(f"{path} is damaged: its parameters do not match their hash")
    check_finite(path, params)
    return Policy(network, params, config, content["scoring"], metadata)


def check_finite(path: Path, params: Params) -> None:
    """Raises CheckpointError if a parameter of a file is infinite or NaN."""
    if not all_finite(params):
        raise CheckpointError(
            f"{path} cannot play: its training diverged, and its parameters are not finite numbers"
        )


def read_content(path: Path) -> Any:
    """The content of a MessagePack file.

    Raises:
      CheckpointError: the file is missing, cannot be read or is torn.
    """
    try:
        raw = read_whole(path)
    except FileNotFoundError:
        raise CheckpointError(f"there is no policy file {path}") from None
    except OSError as error:
        raise CheckpointError(f"cannot read {path}: {error.strerror or error}") from error
    try:
        return flax.serialization.msgpack_restore(raw)
    except Exception as error:  # msgpack raises many types on damaged input
        raise CheckpointError(f"{path} is torn or not a policy file") from error


def check_architecture(
    source: str | os.PathLike[str], found: NetworkConfig, expected: NetworkConfig
) -> None:
    """Raises CheckpointError if two architectures differ, and names the fields that do."""
    keys = ["kind", "afterstates", "separate_policy"]
    if found.kind == expected.kind == "mlp":
        keys += ["hidden_layers", "second_tower"]
    elif found.kind == expected.kind:
        keys += ["hidden_dim", "num_heads", "num_layers", "species_embedding_dim"]
    differences = [
        f"{key} {getattr(found, key)} instead of {getattr(expected, key)}"
        for key in keys
        if getattr(found, key) != getattr(expected, key)
    ]
    if differences:
        raise CheckpointError(f"{source} is of another architecture: {', '.join(differences)}")


def check_tree(path: Path, params: Any) -> None:
    """Raises CheckpointError unless a file's parameters are a nested dict of arrays."""
    if not (isinstance(params, dict) and _is_tree(params)):
        raise CheckpointError(f"{path} holds no tree of parameters")


def _is_tree(params: Any) -> bool:
    """Whether something is a nested dict of arrays with texts as keys."""
    if isinstance(params, dict):
        return all(isinstance(key, str) and _is_tree(leaf) for key, leaf in params.items())
    return isinstance(params, np.ndarray)


def _check_params(path: Path, network: Network, params: Params) -> None:
    try:
        # Traced once for equal networks.
        template = jax.eval_shape(lambda: init_params(network, 0))
    except (ArithmeticError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"{path} describes a network that cannot be built: {one_line(error)}"
        ) from error
    paths, _ = jax.tree_util.tree_flatten_with_path(template)
    wanted = {
        "/".join(str(entry.key) for entry in keys): (leaf.shape, leaf.dtype) for keys, leaf in paths
    }
    found = {name: (leaf.shape, leaf.dtype) for name, leaf in _leaves(params)}
    for name in sorted(wanted | found):
        if wanted.get(name) != found.get(name):
            raise CheckpointError(
                f"{path} does not fit its own description: parameter {name} is "
                f"{_describe(found.get(name))} instead of {_describe(wanted.get(name))}"
            )


def _describe(shape_and_dtype: tuple[Any, Any] | None) -> str:
    if shape_and_dtype is None:
        return "missing"
    return f"{shape_and_dtype[1]} {list(shape_and_dtype[0])}"
