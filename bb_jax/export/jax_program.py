"""Policies as programs of JAX that need none of this project's code: `jax.export`."""

from typing import Any

import jax
import jax.export
import jax.numpy as jnp

from bb_jax import features
from bb_jax.export.interface import LEGAL, ROWS, VALUES, inputs, outputs
from bb_jax.networks.network import build_network
from bb_jax.policies.policy_file import Policy

# The platforms that one file runs on.
PLATFORMS = ("cpu", "cuda")


def jax_program(policy: Policy) -> bytes:
    """A policy as a serialized function of rows, for CPUs and CUDA devices and any number of rows.

    It computes in float32, whatever the compute type of the network. The function takes rows
    uint8 [batch, 19] and returns a dict with the outputs of `bb_jax.export.interface`.

    Args:
      policy: from `load_policy`.

    Returns:
      The content of the file; `jax.export.deserialize` reads it.
    """
    config = policy.network_config.replace(compute_dtype="float32")
    # One program serves both platforms, so it is written in the form for GPUs, with products in
    # place of look-ups.
    network = build_network(config, policy.scoring, "cuda")
    names = [tensor.name for tensor in outputs(config)]
    params = jax.tree.map(jnp.asarray, policy.params)

    def evaluate(rows: jax.Array) -> dict[str, Any]:
        # GPUs would round the factors of float32 products to 11 bits.
        with jax.default_matmul_precision("float32"):
            policy_head, values = network.apply({"params": params}, rows)
        if config.afterstates:
            policy_head = policy_head[:, 0]
        legal = features.legal_mask(rows)
        found = {names[0]: policy_head, VALUES: values, LEGAL: legal}
        return {name: found[name] for name in names}

    (rows,) = inputs()
    assert rows.name == ROWS
    shape = jax.export.symbolic_shape(", ".join(map(str, rows.shape)))
    exported = jax.export.export(jax.jit(evaluate), platforms=PLATFORMS)(
        jax.ShapeDtypeStruct(shape, rows.dtype)
    )
    return bytes(exported.serialize())
