"""Adam on clipped gradients, with a learning rate given anew at each step."""

import jax
import optax

from bb_jax.networks.network import Params

# As in the reference implementations of PPO: with optax's default of 1e-8, parameters that rarely
# get a gradient take steps of full size from the noise in it.
_ADAM_EPSILON = 1e-5


def make_optimizer(max_grad_norm: float) -> optax.GradientTransformation:
    """Clipping to a global norm, then Adam's direction, without a learning rate.

    The rate is applied by `apply_gradients`: the state then holds nothing but Adam's moments and
    count, and is restored whatever the schedule.
    """
    return optax.chain(
        optax.clip_by_global_norm(max_grad_norm), optax.scale_by_adam(eps=_ADAM_EPSILON)
    )


def apply_gradients(
    optimizer: optax.GradientTransformation,
    params: Params,
    opt_state: optax.OptState,
    gradients: Params,
    learning_rate: jax.Array,
) -> tuple[Params, optax.OptState, jax.Array]:
    """One step.

    Returns:
      The new parameters, the new state, and the norm (float32 []) of the change of the parameters.
    """
    directions, opt_state = optimizer.update(gradients, opt_state, params)
    updates = jax.tree.map(lambda direction: -learning_rate * direction, directions)
    return optax.apply_updates(params, updates), opt_state, optax.tree.norm(updates)
