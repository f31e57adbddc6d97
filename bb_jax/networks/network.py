"""Policy and value networks over observation rows.

`B` denotes the batch dimension, `K` the tokens, `D` the width of a token. Both networks map rows
uint8 [B, 19] to a policy and to values float32 [B, 2] from the observing player's point of view:
the expected outcome, and the expected margin in units of `MARGIN_UNIT`. The policy is
logits float32 [B, 33], illegal actions included; in networks over afterstates it is the score
float32 [B, 1] of the afterstate that the row shows, and the scores of a position's afterstates are
its logits (`bb_jax.networks.afterstates`). Parameters are float32 in every compute dtype, and so
are the heads. A new policy is near uniform over the legal actions.
"""

import functools
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from bb_jax import features
from bb_jax.config import NetworkConfig
from bb_sim.rules.actions import check_scoring
from bb_sim.rules.engine import NUM_ACTIONS, NUM_SPECIES, QUEUE_SIZE
from bb_sim.rules.observation import OBSERVATION_SIZE

# A network's parameters: nested dicts of float32 arrays.
Params = Any

# The predictions of the value head, in order. Margins are divided by MARGIN_UNIT.
VALUES = ("outcome", "margin")
MARGIN_UNIT = 10.0

_EMBEDDING_STDDEV = 0.5
_POLICY_SCALE = 0.01
# Rows of a forward pass on a CPU when no backward pass follows.
_CPU_FORWARD_ROWS = 2048
# The platforms that are GPUs, as JAX names them.
_GPUS = ("gpu", "cuda", "rocm")


def compute_dtype(config: NetworkConfig, platform: str | None = None) -> Any:
    """The type of the activations: "auto" is bfloat16 on a GPU and float32 elsewhere.

    Args:
      config: the architecture.
      platform: where the network computes, as JAX names it; JAX's own choice by default.
    """
    name = config.compute_dtype
    if name == "auto":
        name = "bfloat16" if _known(platform) in _GPUS else "float32"
    return jnp.dtype(name)


def _known(platform: str | None) -> str:
    """The platform, or the one that JAX has chosen, which starts it."""
    return platform or jax.default_backend()


class _FeatureDense(nn.Module):
    """Dense layer over `features.flat_features`: uint8 [B, 19] -> [B, width].

    There is no bias, since one margin and one turn are always hot. On a CPU the kernel's rows of
    the categories are looked up, which is three times as fast as a product with one-hot codes. On a
    GPU the product is fast, and its gradient is a sum of fixed order, unlike that of a look-up.
    """

    width: int
    scoring: str
    dtype: Any
    platform: str | None

    @nn.compact
    def __call__(self, observations: jax.Array) -> jax.Array:
        kernel = self.param(
            "kernel",
            nn.initializers.orthogonal(2**0.5),
            (features.flat_size(self.scoring), self.width),
        )

        if _known(self.platform) != "cpu":
            flat = features.flat_features(observations, self.scoring)
            return flat.astype(self.dtype) @ kernel.astype(self.dtype)
        bits = features.bits(observations).astype(jnp.float32)
        hidden = bits @ kernel[-bits.shape[1] :]
        start = 0
        for value, size in features.categories(observations, self.scoring):
            # One more row, of zeros, stands for no value of the category.
            rows = jnp.pad(kernel[start : start + size], [(0, 1), (0, 0)])
            hidden = hidden + jnp.take(rows, value.astype(jnp.int32), axis=0, mode="clip")
            start += size
        return hidden.astype(self.dtype)


class Network(nn.Module):
    """A policy and value network, called `apply({"params": params}, rows, train)`.

    Attributes:
      config: the architecture.
      scoring: "points" or "animals".
      platform: where it computes, as JAX names it ("cpu", "cuda"); None is JAX's own choice. It
        decides how the network computes, not what.
    """

    config: NetworkConfig
    scoring: str
    platform: str | None = None

    @property
    def on_cpu(self) -> bool:
        """Whether the network computes on a CPU."""
        return _known(self.platform) == "cpu"

    @property
    def cpu_slice_rows(self) -> int:
        """Rows of a backward pass on a CPU, where activations should fit into a core's cache."""
        return 64 if self.config.kind == "transformer" else 256

    @nn.compact
    def __call__(self, rows: jax.Array, train: bool = False) -> tuple[jax.Array, jax.Array]:
        def torso(name: str) -> jax.Array:
            config, scoring, platform = self.config, self.scoring, self.platform
            if config.kind == "transformer":
                return _Transformer(config, scoring, platform, name=name)(rows, train)
            towers = {name: config.hidden_layers, f"second_{name}": config.second_tower}
            return jnp.concatenate(
                [
                    _MLP(config, scoring, platform, widths, name=tower)(rows, train)
                    for tower, widths in towers.items()
                    if widths
                ],
                axis=-1,
            )

        hidden = torso("torso")
        # A caller that uses one head pays for one torso: the compiler drops the other.
        own = torso("policy_torso") if self.config.separate_policy else hidden
        policy_init = nn.initializers.orthogonal(_POLICY_SCALE)
        width = 1 if self.config.afterstates else NUM_ACTIONS
        policy = nn.Dense(width, kernel_init=policy_init, name="policy")(own)
        value_init = nn.initializers.orthogonal(1.0)
        values = nn.Dense(len(VALUES), kernel_init=value_init, name="value")(hidden)
        return policy, values


class _MLP(nn.Module):
    """Dense layers over one-hot features, for fast play on a CPU: [B, 19] -> float32 [B, D]."""

    config: NetworkConfig
    scoring: str
    platform: str | None
    widths: tuple[int, ...]

    @nn.compact
    def __call__(self, rows: jax.Array, train: bool) -> jax.Array:
        dtype = compute_dtype(self.config, self.platform)
        first = _FeatureDense(self.widths[0], self.scoring, dtype, self.platform, name="dense_0")
        hidden = first(rows)
        for index, width in enumerate(self.widths):
            if index > 0:
                init = nn.initializers.orthogonal(2**0.5)
                dense = nn.Dense(width, dtype=dtype, kernel_init=init, name=f"dense_{index}")
                hidden = dense(hidden)
            hidden = nn.relu(hidden)
            hidden = nn.Dropout(self.config.dropout, deterministic=not train)(hidden)
        return hidden.astype(jnp.float32)


class AttentionLayer(nn.Module):
    """Pre-norm attention and feed-forward layer: [B, K, D] -> [B, K, D].

    With `class_only`, only token 0 has a query, and the result is [B, 1, D].
    """

    config: NetworkConfig
    class_only: bool
    platform: str | None = None

    @nn.compact
    def __call__(self, tokens: jax.Array, present: jax.Array, train: bool) -> jax.Array:
        dtype = compute_dtype(self.config, self.platform)
        width, heads = self.config.hidden_dim, self.config.num_heads

        def drop(hidden: jax.Array) -> jax.Array:
            return nn.Dropout(self.config.dropout, deterministic=not train)(hidden)

        def split(hidden: jax.Array) -> jax.Array:
            return hidden.reshape(*hidden.shape[:2], heads, width // heads)

        normed = nn.LayerNorm(dtype=dtype, name="attention_norm")(tokens)
        asking = normed[:, :1] if self.class_only else normed
        residual = tokens[:, :1] if self.class_only else tokens
        # A bias of the keys would shift all scores of a query alike, which softmax ignores.
        query = split(nn.Dense(width, dtype=dtype, name="query")(asking))
        key = split(nn.Dense(width, dtype=dtype, use_bias=False, name="key")(normed))
        value = split(nn.Dense(width, dtype=dtype, use_bias=False, name="value")(normed))
        scores = jnp.einsum("bqhd,bkhd->bhqk", query, key) * (width // heads) ** -0.5
        scores = jnp.where(present[:, None, None, :], scores.astype(jnp.float32), -1e9)
        weights = jax.nn.softmax(scores, axis=-1).astype(dtype)
        mixed = jnp.einsum("bhqk,bkhd->bqhd", weights, value).reshape(residual.shape)
        residual = residual + drop(nn.Dense(width, dtype=dtype, name="mix")(mixed))

        normed = nn.LayerNorm(dtype=dtype, name="feed_forward_norm")(residual)
        hidden = nn.gelu(nn.Dense(4 * width, dtype=dtype, name="expand")(normed))
        return residual + drop(nn.Dense(width, dtype=dtype, name="contract")(hidden))


class _Transformer(nn.Module):
    """Attention over a class token, four queue positions and four hand cards.

    The class token carries the context (`features.context`); policy and values are read from it.
    A card's token is the projected embedding of its species plus the embedding of its owner. Queue
    cards add the embedding of their position. Hand cards do not, since a hand is a set. Empty
    positions are masked out of the attention.

    The last layer's other tokens would be read by nothing. So that layer computes queries,
    attention and feed-forward for the class token alone, as in the class attention of Touvron et
    al., "Going deeper with image transformers".
    """

    config: NetworkConfig
    scoring: str
    platform: str | None

    @nn.compact
    def __call__(self, rows: jax.Array, train: bool) -> jax.Array:
        config = self.config
        dtype = compute_dtype(config, self.platform)
        width = config.hidden_dim
        queue = features.queue_one_hot(rows)
        hand = features.hand_one_hot(rows)
        context = features.context(rows, self.scoring)

        embedding = nn.initializers.normal(_EMBEDDING_STDDEV)
        species = self.param(
            "species",
            nn.initializers.normal(1.0),
            (NUM_SPECIES, config.species_embedding_dim),
        )
        owners = self.param("owner", embedding, (2, width))
        positions = self.param("queue_position", embedding, (QUEUE_SIZE, width))
        cards = nn.Dense(width, use_bias=False, name="species_projection")(species)
        own, theirs = cards + owners[0], cards + owners[1]

        queue_tokens = queue.astype(dtype) @ jnp.concatenate([own, theirs]).astype(dtype)
        queue_tokens = queue_tokens + positions.astype(dtype)
        hand_tokens = hand.astype(dtype) @ own.astype(dtype)
        # One margin and one turn are always hot, so a bias would add nothing.
        class_token = nn.Dense(width, dtype=dtype, use_bias=False, name="context")(
            context.astype(dtype)
        )[:, None]
        tokens = jnp.concatenate([class_token, queue_tokens, hand_tokens], axis=1)
        present = jnp.concatenate(
            [
                jnp.ones((rows.shape[0], 1), bool),
                jnp.any(queue, axis=-1),
                jnp.any(hand, axis=-1),
            ],
            axis=1,
        )
        for index in range(config.num_layers):
            last = index == config.num_layers - 1
            layer = AttentionLayer(config, last, self.platform, name=f"layer_{index}")
            tokens = layer(tokens, present, train)
        return nn.LayerNorm(dtype=jnp.float32, name="final_norm")(tokens[:, 0])


def build_network(
    config: NetworkConfig, scoring: str = "points", platform: str | None = None
) -> Network:
    """The network of a configuration, for games scored by "points" or "animals".

    Args:
      config: the architecture.
      scoring: what the games are scored by.
      platform: where it will compute, as JAX names it; by default where JAX computes. Another one
        is for a program that is compiled here and runs elsewhere.

    Raises:
      ValueError: the scoring is unknown.
    """
    check_scoring(scoring)
    return Network(config, scoring, platform)


def init_params(network: nn.Module, seed: int) -> Params:
    """Fresh float32 parameters, a function of the seed alone."""
    return _init(network, jax.random.PRNGKey(seed))


@functools.partial(jax.jit, static_argnums=0)
def _init(network: nn.Module, key: jax.Array) -> Params:
    observations = jnp.zeros((1, OBSERVATION_SIZE), jnp.uint8)
    return network.init(key, observations)["params"]


def evaluate(
    network: Network,
    params: Params,
    rows: jax.Array,
    dropout_key: jax.Array | None = None,
) -> tuple[jax.Array, jax.Array]:
    """Evaluates rows.

    Without dropout, a CPU takes large batches slice by slice. Activations of tens of megabytes
    would be mapped anew, page by page, at every call.

    Args:
      network: from `build_network`.
      params: the network's parameters.
      rows: uint8 [B, 19].
      dropout_key: uint32 [2]; without it there is no dropout.

    Returns:
      The policy, float32 [B, 33] or [B, 1], and the values, float32 [B, 2].
    """
    if dropout_key is not None:
        policy, values = network.apply(
            {"params": params}, rows, train=True, rngs={"dropout": dropout_key}
        )
        return jnp.asarray(policy), jnp.asarray(values)

    def forward(part: jax.Array) -> tuple[jax.Array, jax.Array]:
        policy, values = network.apply({"params": params}, part)
        return jnp.asarray(policy), jnp.asarray(values)

    whole = len(rows) - len(rows) % _CPU_FORWARD_ROWS
    if whole <= _CPU_FORWARD_ROWS or not network.on_cpu:
        return forward(rows)
    slices = rows[:whole].reshape(-1, _CPU_FORWARD_ROWS, rows.shape[1])
    policy, values = (part.reshape(whole, -1) for part in jax.lax.map(forward, slices))
    if whole < len(rows):
        last_policy, last_values = forward(rows[whole:])
        policy = jnp.concatenate([policy, last_policy])
        values = jnp.concatenate([values, last_values])
    return policy, values


def values_or_results(
    network: Network, params: Params, rows: jax.Array, draw_reward: float
) -> jax.Array:
    """The network's values of rows, and the result itself where it is certain.

    Args:
      network: from `build_network`.
      params: the network's parameters.
      rows: uint8 [B, 19].
      draw_reward: the outcome of a draw.

    Returns:
      float32 [B, 2].
    """
    _, values = evaluate(network, params, rows)
    outcome, margin = features.result(rows, network.scoring, draw_reward)
    certain = jnp.stack([outcome, margin / MARGIN_UNIT], axis=-1)
    return jnp.where(features.decided(rows)[:, None], certain, values)


def objective(values: Any, margin_weight: Any) -> Any:
    """The objective of play, outcome plus weighted margin in points: [..., 2] -> [...]."""
    return values[..., 0] + margin_weight * MARGIN_UNIT * values[..., 1]
