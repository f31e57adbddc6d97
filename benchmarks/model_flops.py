"""The floating-point operations of an update, and the peak rates of devices."""

from __future__ import annotations

from itertools import pairwise

from bb_jax import features
from bb_jax.config import NetworkConfig, PPOConfig
from bb_sim.rules.engine import HAND_SIZE, NUM_ACTIONS, QUEUE_SIZE

# Dense products without sparsity, in TFLOP/s, from NVIDIA's data sheets (SXM versions). The float32
# column is TF32, which XLA uses for float32 products on these devices.
PEAK_TFLOPS = {
    "H200": {"bfloat16": 989.0, "float32": 494.0},
    "H100": {"bfloat16": 989.0, "float32": 494.0},
    "A100": {"bfloat16": 312.0, "float32": 156.0},
    "L40S": {"bfloat16": 362.0, "float32": 183.0},
    "L4": {"bfloat16": 121.0, "float32": 60.0},
}


def forward_flops(config: NetworkConfig, scoring: str = "points") -> float:
    """Floating-point operations of one position; a multiply-add counts as two.

    Only products of matrices are counted, which leaves out a few percent. A transformer has one
    token for the context and one for each place of the queue and of the hand. In its last layer
    only the first token has a query.
    """
    torsos = 2 if config.separate_policy else 1
    if config.kind == "mlp":
        flops = 0
        for tower in filter(None, (config.hidden_layers, config.second_tower)):
            widths = (features.flat_size(scoring), *tower, NUM_ACTIONS)
            flops += sum(2 * a * b for a, b in pairwise(widths))
        return float(torsos * flops)
    width, tokens = config.hidden_dim, 1 + QUEUE_SIZE + HAND_SIZE

    def layer(queries: int) -> int:
        query_and_mix = queries * 2 * 2 * width * width
        key_and_value = tokens * 2 * 2 * width * width
        attention = queries * 2 * 2 * tokens * width
        feed_forward = queries * 2 * 2 * 4 * width * width
        return query_and_mix + key_and_value + attention + feed_forward

    return float(torsos * ((config.num_layers - 1) * layer(tokens) + layer(1)))


def update_flops(network: NetworkConfig, ppo: PPOConfig) -> float:
    """Floating-point operations of an iteration's update on one position, over all epochs.

    The proximal pass is a forward pass. A gradient step is a forward pass and a backward pass of
    twice its cost. With dropout it takes one more forward pass, for the divergence without dropout.
    """
    passes = 1 + ppo.ppo_epochs * (4 if network.dropout else 3)
    return passes * forward_flops(network)


def peak_tflops(device_kind: str, dtype: str) -> float | None:
    """The device's peak rate for products in a type, in TFLOP/s; None if it is not known."""
    for name, peaks in PEAK_TFLOPS.items():
        if name in device_kind.replace("-", " ").split() or name in device_kind:
            return peaks[dtype]
    return None
