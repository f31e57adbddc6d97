"""What a loop on the device carries on: trees of arrays, or one vector for each tree.

A GPU starts a kernel for nearly every array that a step changes, and small networks wait for these
starts most of the time. A vector takes one kernel. A CPU has no such cost and keeps the trees,
whose sums round as they always did.
"""

from collections.abc import Callable
from typing import Any

import jax
from jax.flatten_util import ravel_pytree

from bb_jax.learning.state import LearnerState
from bb_jax.networks.network import Params


class Carried:
    """How a learner's state, and other trees beside it, are carried from step to step."""

    def __init__(self, state: LearnerState, as_vectors: bool) -> None:
        """Nothing is computed.

        Args:
          state: the state before the loop, as a tree.
          as_vectors: whether each tree is carried as one vector.
        """
        self._state = state
        self._as_vectors = as_vectors

    def pack(self, tree: Any) -> Any:
        """The form in which a tree of arrays is carried; flags are numbers in a vector."""
        return ravel_pytree(tree)[0] if self._as_vectors else tree

    def unpack(self, packed: Any, like: Any) -> Any:
        """The tree of a packed one; `like` has its structure, shapes and types."""
        return ravel_pytree(like)[1](packed) if self._as_vectors else packed

    def pack_state(self) -> LearnerState:
        """The state before the loop, with parameters and moments packed, each tree for itself.

        An optimizer that treats all parameters alike works on it as on the state itself.
        """
        return self._map_trees(self.pack, self._state)

    def unpack_state(self, packed: LearnerState) -> LearnerState:
        """The state of a packed one."""
        return self._map_trees(lambda like, vector: self.unpack(vector, like), self._state, packed)

    def params(self, packed: LearnerState) -> Params:
        """The parameters of a packed state."""
        return self.unpack(packed.params, self._state.params)

    def _map_trees(self, function: Callable[..., Any], *states: LearnerState) -> LearnerState:
        """Applies a function to those parts of states that are built like the parameters.

        Everything else is that of the last state.
        """
        structure: Any = jax.tree.structure(self._state.params)

        def is_tree(part: Any) -> bool:
            return bool(structure == jax.tree.structure(part))

        def apply(*parts: Any) -> Any:
            return function(*parts) if is_tree(parts[0]) else parts[-1]

        return jax.tree.map(apply, *states, is_leaf=is_tree) if self._as_vectors else states[-1]
