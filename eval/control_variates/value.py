"""A network's values, as the baseline that luck is measured by."""

import jax
import numpy as np

from bb_jax import Policy
from eval.analysis.evaluator import PartsEvaluator
from eval.control_variates.luck import ValueFunction


def value_of(policy: Policy) -> ValueFunction:
    """Win probabilities and margins of rows by a policy's own value head.

    Results that are certain are exact.
    """
    evaluator = PartsEvaluator(policy.network, margin_weight=0.0, draw_reward=-1.0)
    params = jax.tree.map(jax.numpy.array, policy.params)

    def value(rows: np.ndarray) -> np.ndarray:
        return evaluator.parts(params, rows)[:, 1:].astype(np.float64)

    return value
