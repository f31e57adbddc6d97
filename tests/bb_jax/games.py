"""Positions and trajectories of real games for the tests of bb_jax."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from bb_jax import NetworkConfig, Trajectories, build_network, init_params, make_policy_step
from bb_jax.networks import network as networks
from bb_jax.networks.network import Network
from bb_sim import EXTERNAL, Arena, GameBatch
from bb_sim.arena import RolloutBuffer
from bb_sim.rules.afterstates import afterstates_of
from bb_sim.rules.engine import NUM_PLIES
from bb_sim.rules.observation import HAND_BYTE, legal_mask_of

TINY_MLP = NetworkConfig(kind="mlp", hidden_layers=(16,), dropout=0.0)
TINY_TRANSFORMER = NetworkConfig(
    hidden_dim=16, num_heads=2, num_layers=2, species_embedding_dim=4, dropout=0.0
)
AFTERSTATE_MLP = TINY_MLP.replace(afterstates=True)
SEPARATE_AFTERSTATE_MLP = AFTERSTATE_MLP.replace(separate_policy=True)
AFTERSTATE_TRANSFORMER = TINY_TRANSFORMER.replace(afterstates=True)
ALL_PLIES = NUM_PLIES

# Compiled as a whole. Called directly, each of its operations is compiled by itself.
evaluate = jax.jit(networks.evaluate, static_argnums=0)


@functools.cache
def tiny_network(config: NetworkConfig = TINY_MLP, seed: int = 0) -> tuple[Network, dict]:
    """A network and parameters whose logits differ visibly from action to action."""
    network = build_network(config, "points")
    params = jax.device_get(init_params(network, seed))
    random = np.random.default_rng(seed)
    # By numpy: JAX would compile a function for every shape.
    return network, jax.tree.map(
        lambda leaf: jnp.array(leaf + 0.1 * random.normal(size=leaf.shape), jnp.float32), params
    )


def random_positions(num_games: int = 20, seed: int = 0) -> np.ndarray:
    """The mover's observations, uint8 [24 num_games, 19], over whole random games."""
    batch = GameBatch(num_games)
    batch.reset(np.arange(num_games, dtype=np.uint64) + np.uint64(1000 * seed))
    rows = []
    while not batch.terminal.all():
        rows.append(batch.observations().copy())
        batch.step_random()
    return np.concatenate(rows)


def with_hand(row: np.ndarray, *species: int) -> np.ndarray:
    """The row with another own hand."""
    row = row.copy()
    mask = sum(1 << index for index in species)
    row[HAND_BYTE], row[HAND_BYTE + 1] = mask & 255, mask >> 8
    return row


def legal_of(rows: np.ndarray) -> np.ndarray:
    """bool [..., 33], from rows uint8 [..., 19]."""
    return legal_mask_of(rows)


def scores_one_by_one(network: Network, params: dict, rows: np.ndarray) -> np.ndarray:
    """float32 [B, 33]: each legal action's afterstate passed alone through the network."""
    scores = np.zeros((len(rows), 33), np.float32)
    for index, action in zip(*np.nonzero(legal_of(rows)), strict=True):
        afterstate = afterstates_of(rows[index : index + 1], [action])
        scores[index, action] = np.asarray(evaluate(network, params, afterstate)[0])[0, 0]
    return scores


def branching_position() -> np.ndarray:
    """uint8 [19]: a position with more legal actions than almost all others."""
    rows = random_positions(500)
    return rows[legal_mask_of(rows).sum(axis=1).argmax()]


def self_play(
    network: Network,
    params: dict,
    num_games: int = 16,
    seed: int = 0,
    temperature: float = 1.0,
    sampled_plies: int = ALL_PLIES,
) -> Trajectories:
    """Games in which both seats learn: 2 num_games trajectories."""
    step = make_policy_step(network, jax.local_devices()[:1])
    buffer = RolloutBuffer(2 * num_games)
    arena = Arena(num_games)
    arena.start(
        np.arange(num_games, dtype=np.uint64) + np.uint64(1000 * seed),
        np.full((num_games, 2), EXTERNAL, np.uint8),
        rollout=buffer,
        trajectories=np.arange(2 * num_games, dtype=np.int32).reshape(-1, 2),
    )
    ply = 0
    while arena.pending:
        key = np.array([seed, ply], np.uint32)
        result = np.asarray(
            step(params, arena.observations.copy(), key, temperature, sampled_plies)
        )
        arena.step(result[0].astype(np.uint8), result[1].view(np.float32))
        ply += 1
    return Trajectories(
        buffer.observations, buffer.actions, buffer.log_probs, buffer.lengths, buffer.rewards
    )
