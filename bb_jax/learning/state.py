"""The state of a learner and a gradient step, whatever the algorithm."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from bb_jax.learning.optimizer import make_optimizer
from bb_jax.networks.network import Network, Params, init_params
from bb_sim.rules.engine import NUM_PLIES

Metrics = dict[str, jax.Array]


class LearnerState(NamedTuple):
    """What one update passes on to the next; without a device axis.

    Attributes:
      params: the network's parameters, float32.
      opt_state: the optimizer's state.
      updates: int32 [], the number of minibatches applied since the start.
    """

    params: Params
    opt_state: optax.OptState
    updates: Any


class Hyper(NamedTuple):
    """Coefficients that may change at each iteration without another compilation.

    Attributes:
      learning_rate: float, the step size.
      entropy_coef: float, the weight of the entropy bonus.
      temperature: float, the temperature of the policy that played this iteration's games.
      sampled_plies: int, the turn from which that policy played its best action.
    """

    learning_rate: Any
    entropy_coef: Any
    temperature: Any = 1.0
    sampled_plies: Any = NUM_PLIES

    def as_scalars(self) -> "Hyper":
        """The coefficients in the types that compiled updates take."""
        return Hyper(
            np.float32(self.learning_rate),
            np.float32(self.entropy_coef),
            np.float32(self.temperature),
            np.int32(self.sampled_plies),
        )


def init_state(network: Network, seed: int) -> LearnerState:
    """Fresh parameters, a function of the seed, and a fresh optimizer state."""
    params = init_params(network, seed)
    # The state of the optimizer does not depend on where gradients are clipped.
    return LearnerState(params, make_optimizer(1.0).init(params), jnp.int32(0))


@jax.named_scope("take_step")
def take_step(
    optimizer: optax.GradientTransformation,
    state: LearnerState,
    gradient: Params,
    learning_rate: jax.Array,
    applies: jax.Array,
) -> tuple[LearnerState, jax.Array]:
    """One gradient step where `applies` (bool []) is true; otherwise the state stays as it is.

    Returns:
      The new state, and the norm (float32 []) of the proposed change of the parameters.
    """
    directions, opt_state = optimizer.update(gradient, state.opt_state, state.params)
    changes = jax.tree.map(lambda direction: -learning_rate * direction, directions)
    params = optax.apply_updates(state.params, changes)
    proposed = LearnerState(params, opt_state, state.updates + 1)
    state = jax.tree.map(lambda new, old: jnp.where(applies, new, old), proposed, state)
    return state, optax.tree.norm(changes)
