"""What updates are given and leave behind, whatever the algorithm."""

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
    """What one update leaves to the next; without a device axis.

    Attributes:
      params: float32 parameters of the network.
      opt_state: state of the optimizer.
      updates: int32 [], minibatches applied since the start.
    """

    params: Params
    opt_state: optax.OptState
    updates: Any


class Hyper(NamedTuple):
    """Coefficients that may change at each iteration without compiling anew.

    Attributes:
      learning_rate: float.
      entropy_coef: float.
      temperature: float, that of the policy that played this rollout.
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
    """Fresh parameters, a function of the seed, with an optimizer that has seen nothing."""
    params = init_params(network, seed)
    # The state of the optimizer does not depend on where gradients are clipped.
    return LearnerState(params, make_optimizer(1.0).init(params), jnp.int32(0))
