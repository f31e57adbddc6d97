"""The torsos of `bb_jax.networks.network` as nodes of a graph, in float32.

`B` denotes rows, `F` features, `K` tokens, `D` the width of a token or of a last layer. Names of
weights are those of the parameters.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from bb_jax.config import NetworkConfig
from bb_jax.export.encoding import Encoding, context, hand_one_hot, queue_one_hot
from bb_jax.export.graph import Graph

# Flax's own.
_NORM_EPSILON = 1e-6
_HIDDEN_SCORE = -1e9


def mlp(graph: Graph, features: str, name: str, params: Mapping[str, Any]) -> str:
    """Adds a stack of dense layers: all features [B, F] -> [B, D]."""
    hidden = features
    for index in range(len(params)):
        layer = f"dense_{index}"
        hidden = _dense(graph, hidden, f"{name}/{layer}", params[layer])
        hidden = graph.add("Relu", hidden)
    return hidden


def transformer(
    graph: Graph, encoding: Encoding, name: str, params: Mapping[str, Any], config: NetworkConfig
) -> str:
    """Adds attention over the class token, the queue and the hand: [B, D]."""
    axis = graph.constant("token_axis", [1])
    cards = params["species"] @ params["species_projection"]["kernel"]
    own, theirs = (cards + owner for owner in params["owner"])
    queue, hand = queue_one_hot(graph, encoding), hand_one_hot(graph, encoding)
    queue_cards = graph.constant(f"{name}/queue_cards", np.concatenate([own, theirs]))
    queue_tokens = graph.add(
        "Add",
        graph.add("MatMul", queue, queue_cards),
        graph.constant(f"{name}/queue_position", params["queue_position"]),
    )
    hand_tokens = graph.add("MatMul", hand, graph.constant(f"{name}/hand_cards", own))
    class_token = _dense(graph, context(graph, encoding), f"{name}/context", params["context"])
    class_token = graph.add("Unsqueeze", class_token, axis)
    tokens = graph.add("Concat", class_token, queue_tokens, hand_tokens, axis=1)

    last = graph.constant("last_axis", [-1])
    places = [graph.add("ReduceSum", one_hot, last, keepdims=0) for one_hot in (queue, hand)]
    # The class token is always there.
    one_in_front, one = graph.constant("one_in_front", [0, 1, 0, 0]), graph.constant("there", 1.0)
    present = graph.add("Pad", graph.add("Concat", *places, axis=1), one_in_front, one)
    present = graph.add("Unsqueeze", present, graph.constant("head_and_query_axes", [1, 2]))
    visible = graph.add("Greater", present, graph.constant("nothing", 0.0))
    for index in range(config.num_layers):
        layer = f"layer_{index}"
        class_only = index == config.num_layers - 1
        tokens = _attention_layer(
            graph, tokens, visible, f"{name}/{layer}", params[layer], config, class_only
        )
    hidden = graph.add("Squeeze", tokens, axis)
    return _norm(graph, hidden, f"{name}/final_norm", params["final_norm"])


def _attention_layer(
    graph: Graph,
    tokens: str,
    visible: str,
    name: str,
    params: Mapping[str, Any],
    config: NetworkConfig,
    class_only: bool,
) -> str:
    """Adds `bb_jax.networks.network.AttentionLayer`: [B, K, D] -> [B, K or 1, D].

    Args:
      graph: what it is added to.
      tokens: [B, K, D].
      visible: bool [B, 1, 1, K], which tokens are there.
      name: the layer's.
      params: its parameters.
      config: the architecture.
      class_only: whether token 0 alone has a query.
    """
    heads, width = config.num_heads, config.hidden_dim
    head_shape = graph.constant("head_shape", [0, 0, heads, width // heads])

    def first_token(tensor: str) -> str:
        bounds = [graph.constant(what, [at]) for what, at in (("from", 0), ("to", 1), ("along", 1))]
        return graph.add("Slice", tensor, *bounds)

    def split(tensor: str, order: list[int], layer: str) -> str:
        dense = _dense(graph, tensor, f"{name}/{layer}", params[layer])
        return graph.add("Transpose", graph.add("Reshape", dense, head_shape), perm=order)

    normed = _norm(graph, tokens, f"{name}/attention_norm", params["attention_norm"])
    asking = first_token(normed) if class_only else normed
    residual = first_token(tokens) if class_only else tokens
    query = split(asking, [0, 2, 1, 3], "query")
    key = split(normed, [0, 2, 3, 1], "key")
    value = split(normed, [0, 2, 1, 3], "value")
    scale = graph.constant("score_scale", (width // heads) ** -0.5)
    scores = graph.add("Mul", graph.add("MatMul", query, key), scale)
    hidden_score = graph.constant("hidden_score", _HIDDEN_SCORE)
    weights = graph.add("Softmax", graph.add("Where", visible, scores, hidden_score), axis=-1)
    mixed = graph.add("Transpose", graph.add("MatMul", weights, value), perm=[0, 2, 1, 3])
    mixed = graph.add("Reshape", mixed, graph.constant("token_shape", [0, 0, width]))
    residual = graph.add("Add", residual, _dense(graph, mixed, f"{name}/mix", params["mix"]))

    normed = _norm(graph, residual, f"{name}/feed_forward_norm", params["feed_forward_norm"])
    hidden = _gelu(graph, _dense(graph, normed, f"{name}/expand", params["expand"]))
    return graph.add("Add", residual, _dense(graph, hidden, f"{name}/contract", params["contract"]))


def _dense(graph: Graph, tensor: str, name: str, params: Mapping[str, Any]) -> str:
    return graph.dense(tensor, name, params["kernel"], params.get("bias"))


def _norm(graph: Graph, tensor: str, name: str, params: Mapping[str, Any]) -> str:
    """Adds a layer normalisation over the last axis."""
    scale, bias = (graph.constant(f"{name}/{part}", params[part]) for part in ("scale", "bias"))
    return graph.add("LayerNormalization", tensor, scale, bias, axis=-1, epsilon=_NORM_EPSILON)


def _gelu(graph: Graph, tensor: str) -> str:
    """Adds the approximation by tanh of Hendrycks and Gimpel, "Gaussian error linear units"."""
    cube = graph.add("Mul", graph.add("Mul", tensor, tensor), tensor)
    bent = graph.add("Mul", cube, graph.constant("cubic", 0.044715))
    inner = graph.add(
        "Mul", graph.add("Add", tensor, bent), graph.constant("slope", math.sqrt(2 / math.pi))
    )
    share = graph.add("Add", graph.add("Tanh", inner), graph.constant("unit", 1.0))
    return graph.add("Mul", graph.add("Mul", tensor, graph.constant("half", 0.5)), share)
