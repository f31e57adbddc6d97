"""Program for tests of several devices: one update and one policy step, saved as numpy arrays.

Usage: device_program.py OUTPUT NUM_DEVICES CASE [PROCESS_INDEX NUM_PROCESSES ADDRESS]
"""

import sys

import jax
import numpy as np

if len(sys.argv) > 4:
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    jax.distributed.initialize(
        coordinator_address=sys.argv[6],
        num_processes=int(sys.argv[5]),
        process_id=int(sys.argv[4]),
        initialization_timeout=600,
    )

from bb_jax import Hyper, LearnerState, PPOConfig, Trajectories, make_policy_step, make_update
from bb_jax.learning.optimizer import make_optimizer
from tests.bb_jax.games import AFTERSTATE_MLP, TINY_MLP, self_play, tiny_network

ALL = PPOConfig(minibatch_size=53, ppo_epochs=2, target_kl=None)
SELECTION = ALL.replace(learn_fraction=0.25, value_fraction=0.3)
CASES = {
    "logits": (TINY_MLP, ALL),
    "afterstates": (AFTERSTATE_MLP, ALL),
    "selection": (TINY_MLP, SELECTION),
    "afterstates, selection": (AFTERSTATE_MLP, SELECTION),
}


def main() -> None:
    """Updates twice and acts once."""
    output, num_devices = sys.argv[1], int(sys.argv[2])
    processes = jax.process_count()
    architecture, config = CASES[sys.argv[3]]
    network, params = tiny_network(architecture)
    params = jax.device_get(params)
    rollout = self_play(network, params, num_games=15)
    # Neither trajectories nor minibatches can be shared out evenly.
    share = len(rollout.lengths) // processes
    own = slice(jax.process_index() * share, (jax.process_index() + 1) * share)
    rollout = Trajectories(*(array[own] for array in rollout))
    devices = jax.devices()[:num_devices]
    update = make_update(
        network,
        config,
        capacity=share + 1,
        devices=devices,
        margin_weight=0.02,
    )
    state = LearnerState(params, make_optimizer(0.5).init(params), np.int32(0))
    for iteration in range(2):
        key = np.array([0, iteration], np.uint32)
        state, metrics = update(state, rollout, Hyper(1e-3, 0.01, 1.0, 20), key)
        jax.block_until_ready(state)
    step = make_policy_step(network, [d for d in devices if d.process_index == jax.process_index()])
    rows = rollout.observations[:4].reshape(-1, 19)
    acted = np.asarray(step(state.params, rows, np.array([3, 4], np.uint32), 0.8, 20))
    leaves = jax.tree.leaves(jax.device_get(state))
    arrays = {f"state_{index}": leaf for index, leaf in enumerate(leaves)}
    arrays |= jax.device_get(metrics)
    np.savez(output, actions=acted[0], log_probs=acted[1].view(np.float32), **arrays)


if __name__ == "__main__":
    main()
