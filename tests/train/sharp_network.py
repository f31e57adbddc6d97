"""A small network with clear preferences, and its log-probabilities computed independently."""

import jax
import numpy as np

from bb_jax import NetworkConfig, build_network, init_params, legal_mask

CONFIG = NetworkConfig(kind="mlp", hidden_layers=(16,), dropout=0.3)
NETWORK = build_network(CONFIG)


def params(seed):
    """Parameters whose policy is far from uniform: a fresh one hardly prefers anything."""
    return jax.tree.map(lambda leaf: 30 * leaf, init_params(NETWORK, seed))


def log_softmax(parameters, observations, temperature):
    """float64 [B, 33], written anew: no masks of the library, no float32."""
    logits, _ = NETWORK.apply({"params": parameters}, observations)
    legal = np.asarray(legal_mask(observations))
    scaled = np.where(legal, np.asarray(logits, np.float64) / temperature, -np.inf)
    scaled -= scaled.max(axis=1, keepdims=True)
    return scaled - np.log(np.exp(scaled).sum(axis=1, keepdims=True))
