"""The programs that training compiles, with the arguments that it calls them with.

The product's own functions are made and called. The call ends where the compiled function would
begin, so the devices do not have to be there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, NoReturn
from unittest import mock

import jax
import numpy as np

from bb_jax import (
    Hyper,
    Trajectories,
    build_network,
    init_state,
    make_policy_step,
    make_update,
    placement,
)
from bb_jax.expert.step import make_expert_step
from bb_jax.expert.update import Lessons, make_expert_update
from bb_sim import GameBatch
from bb_sim.rules.afterstates import afterstates_of
from bb_sim.rules.engine import NUM_PLIES
from bb_sim.rules.observation import OBSERVATION_SIZE, legal_mask_of
from train.config import Config

# A rough mean, with both seats of the self-play half and decided games stopped.
POSITIONS_A_TRAJECTORY = 10
_DECISIONS = 12
_KEY = np.zeros(2, np.uint32)


class Program(NamedTuple):
    """A mapped function that was not called, and the shapes of the arguments of its call.

    Attributes:
      mapped: from `jax.pmap`.
      arguments: trees of `jax.ShapeDtypeStruct`.
    """

    mapped: Any
    arguments: tuple[Any, ...]

    def compile(self, **options: Any) -> Any:
        """Compiles it for its devices, with options of XLA."""
        return self.mapped.lower(*self.arguments).compile(compiler_options=options or None)


class _Called(Exception):
    """Carries a program out of the call."""

    def __init__(self, program: Program) -> None:
        super().__init__("a compiled function was called")
        self.program = program


def program_of(call: Callable[[], object]) -> Program:
    """The first mapped function that is made and called during a call."""
    original = jax.pmap

    def recording(function: Any, **options: Any) -> Callable[..., NoReturn]:
        mapped = original(function, **options)

        def record(*arguments: Any) -> NoReturn:
            shapes = jax.tree.map(
                lambda leaf: jax.ShapeDtypeStruct(np.shape(leaf), np.asarray(leaf).dtype), arguments
            )
            raise _Called(Program(mapped, shapes))

        return record

    with (
        mock.patch.object(jax, "pmap", recording),
        # Copying the state to the devices would need them.
        mock.patch.object(placement, "ensure_replicated", lambda tree, devices: tree),
    ):
        try:
            call()
        except _Called as called:
            return called.program
    raise AssertionError("nothing was compiled")


PROGRAMS = ("PPO update", "expert update", "inference", "afterstates")


def programs(
    config: Config, devices: Sequence[Any], platform: str, only: Sequence[str] = ()
) -> dict[str, Program]:
    """The programs of a configuration's network, by name: both updates, and both ways to act.

    Args:
      config: the configuration.
      devices: one or more.
      platform: of the devices, as JAX names it.
      only: some of `PROGRAMS`; all by default.
    """
    network = build_network(config.network_config, config.scoring, platform)
    state = init_state(network, 0)
    hyper = Hyper(1e-4, 0.01, 1.0, NUM_PLIES)
    size = -(-config.games_per_group // len(devices)) * len(devices)
    rows = random_rows(size)

    def ppo() -> None:
        update = make_update(network, config.ppo_config, config.max_trajectories, devices)
        update(state, usual_trajectories(config), hyper, _KEY)

    def expert() -> None:
        options = {"margin_weight": config.margin_weight, "draw_reward": config.draw_reward}
        update = make_expert_update(network, config.expert_config, devices, **options)
        update(state, *_usual_lessons(config), hyper)

    def acting() -> None:
        step = make_policy_step(network, devices)
        step(state.params, rows, _KEY, 1.0, NUM_PLIES)

    def afterstates() -> None:
        temperature = config.expert_config.policy_temperature
        rewards = config.margin_weight, config.draw_reward
        step = make_expert_step(network, *rewards, temperature, devices)
        step(state.params, rows, _KEY, 1.0, NUM_PLIES)

    calls = dict(zip(PROGRAMS, (ppo, expert, acting, afterstates), strict=True))
    return {name: program_of(call) for name, call in calls.items() if name in (only or PROGRAMS)}


def random_rows(count: int) -> np.ndarray:
    """Observations uint8 [count, 19] of random games."""
    batch = GameBatch(max(1, min(4096, count) // NUM_PLIES))
    batch.reset(np.arange(batch.num_games, dtype=np.uint64))
    rows = []
    while not batch.terminal.all():
        rows.append(batch.observations().copy())
        batch.step_random()
    return np.resize(np.concatenate(rows), (count, OBSERVATION_SIZE))


def usual_trajectories(config: Config) -> Trajectories:
    """Trajectories of a usual number for an iteration."""
    count = min(int(1.5 * config.games_per_iteration), config.max_trajectories)
    rows = np.resize(random_rows(4096), (count, _DECISIONS, OBSERVATION_SIZE))
    legal = legal_mask_of(rows)
    return Trajectories(
        observations=rows,
        actions=legal.argmax(-1).astype(np.uint8),
        log_probs=-np.log(np.maximum(legal.sum(-1), 1)).astype(np.float32),
        lengths=np.full(count, POSITIONS_A_TRAJECTORY, np.int32),
        rewards=np.ones((count, 2), np.float32),
    )


def _usual_lessons(config: Config) -> tuple[Lessons, int]:
    """Minibatches of lessons for an iteration, and their number."""
    size = config.expert_config.minibatch_size
    positions = POSITIONS_A_TRAJECTORY * config.games_per_iteration
    steps = max(1, round(config.expert_config.reuse * positions / size))
    rows = random_rows(size)
    legal = legal_mask_of(rows)
    values = np.zeros((size, 2), np.float32)
    lessons = Lessons(
        observations=rows,
        afterstates=afterstates_of(rows, legal.argmax(-1)),
        policy=(legal / legal.sum(-1, keepdims=True)).astype(np.float16),
        decision_values=values,
        afterstate_values=values,
    )
    return Lessons(*(np.broadcast_to(leaf, (steps, *leaf.shape)) for leaf in lessons)), steps
