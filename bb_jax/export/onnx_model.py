"""Policies as ONNX models, which programs without Python or JAX run."""

from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import jax
import onnx
from onnx import TensorProto, helper

from bb_jax.config import NetworkConfig
from bb_jax.export.encoding import Encoding, encode, flat_features
from bb_jax.export.graph import IR_VERSION, OPSET, Graph
from bb_jax.export.interface import LEGAL, ROWS, VALUES, Tensor, inputs, outputs
from bb_jax.export.torsos import mlp, transformer
from bb_jax.policies.policy_file import Policy

_TYPES = {"uint8": TensorProto.UINT8, "float32": TensorProto.FLOAT, "bool": TensorProto.BOOL}


def onnx_model(policy: Policy, metadata: Mapping[str, str]) -> bytes:
    """A policy as an ONNX model with any number of rows a call.

    It computes in float32, whatever the compute type of the network, and encodes the rows itself.
    `bb_jax.export.interface` says what it takes and gives.

    Args:
      policy: from `load_policy`.
      metadata: texts that are stored with the model.

    Returns:
      The content of the file.
    """
    config, params = policy.network_config, jax.device_get(policy.params)
    graph = Graph()
    encoding = encode(graph, ROWS, policy.scoring)
    hidden = _torso(graph, encoding, "torso", params, config)
    own = hidden
    if config.separate_policy:
        own = _torso(graph, encoding, "policy_torso", params, config)
    results = outputs(config)
    policy_output = results[0].name
    head = graph.dense(own, "policy", params["policy"]["kernel"], params["policy"]["bias"])
    if config.afterstates:
        graph.add("Squeeze", head, graph.constant("score_axis", [1]), result=policy_output)
    else:
        graph.add("Identity", head, result=policy_output)
    values = graph.dense(hidden, "value", params["value"]["kernel"], params["value"]["bias"])
    graph.add("Identity", values, result=VALUES)
    graph.add("Cast", encoding.legal, result=LEGAL, to=TensorProto.BOOL)

    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "beasty_bar_policy",
            [_value_info(tensor) for tensor in inputs()],
            [_value_info(tensor) for tensor in results],
            graph.constants,
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="beasty-bar-trainer",
        producer_version=_version(),
    )
    helper.set_model_props(model, dict(metadata))
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString()


def _torso(
    graph: Graph, encoding: Encoding, name: str, params: Mapping[str, Any], config: NetworkConfig
) -> str:
    """Adds what lies below a head: the name of [B, D]."""
    if config.kind == "transformer":
        return transformer(graph, encoding, name, params[name], config)
    features = flat_features(graph, encoding)
    towers = [tower for tower in (name, f"second_{name}") if tower in params]
    hidden = [mlp(graph, features, tower, params[tower]) for tower in towers]
    return hidden[0] if len(hidden) == 1 else graph.add("Concat", *hidden, axis=1)


def _value_info(tensor: Tensor) -> Any:
    return helper.make_tensor_value_info(
        tensor.name, _TYPES[tensor.dtype], list(tensor.shape), tensor.meaning
    )


def _version() -> str:
    try:
        return version("beasty-bar-trainer")
    except PackageNotFoundError:
        return ""
