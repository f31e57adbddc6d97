"""Adam on clipped gradients; each step has its own learning rate."""

import optax

# The value of the reference implementations of PPO. With optax's default, 1e-8, parameters that
# rarely have a gradient take steps of full size from its noise.
_ADAM_EPSILON = 1e-5


def make_optimizer(max_grad_norm: float) -> optax.GradientTransformation:
    """Clipping to a global norm, then Adam's direction, without a learning rate.

    `bb_jax.learning.state.take_step` applies the rate. The state then holds only Adam's moments and
    count, and can be restored under any schedule.
    """
    return optax.chain(
        optax.clip_by_global_norm(max_grad_norm), optax.scale_by_adam(eps=_ADAM_EPSILON)
    )
