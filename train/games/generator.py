"""Generates an iteration's games: workers step them, networks on the device decide in batches."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import numpy as np

from bb_sim import OBSERVATION_SIZE
from bb_sim.arena import MAX_DECISIONS
from train.games.deciders import NetworkDecider, PendingDecisions, WaitingGames
from train.games.plan import GamePlan
from train.games.rollout import Rollout
from train.games.shared_arrays import SharedArrays
from train.games.worker import WorkerSpec
from train.games.worker_pool import GenerationError, WorkerPool


@dataclass(frozen=True)
class GenerationShape:
    """The sizes of generation on one host, which are fixed for a run.

    Results do not depend on the number of workers, but on these sizes.

    Attributes:
      games: games an iteration.
      groups: groups that the games are divided into. A forward pass has one group's slots as rows.
      slots: games that a group plays at the same time.
      trajectories: capacity of the rollout.
    """

    games: int
    groups: int
    slots: int
    trajectories: int


class Generator:
    """Generates the games of plans; owns the workers and the memory they share."""

    def __init__(
        self,
        shape: GenerationShape,
        *,
        num_workers: int,
        scoring: str,
        stop_when_decided: bool,
        python_agents: tuple[str, ...] = (),
    ):
        self._shape = shape
        n, t, g, s = shape.trajectories, MAX_DECISIONS, shape.groups, shape.slots
        self._shared = _shared_arrays(
            {
                "seeds": ((shape.games,), np.uint64),
                "controllers": ((shape.games, 2), np.uint8),
                "trajectories": ((shape.games, 2), np.int32),
                "group_bounds": ((g + 1,), np.int64),
                "observations": ((g, s, OBSERVATION_SIZE), np.uint8),
                "deciders": ((g, s), np.uint8),
                "games": ((g, s), np.int32),
                "actions": ((g, s), np.uint8),
                "log_probs": ((g, s), np.float32),
                "margins": ((shape.games,), np.int8),
                "outcomes": ((shape.games,), np.int8),
                "rollout_observations": ((n, t, OBSERVATION_SIZE), np.uint8),
                "rollout_actions": ((n, t), np.uint8),
                "rollout_log_probs": ((n, t), np.float32),
                "rollout_lengths": ((n,), np.int32),
                "rollout_rewards": ((n, 2), np.float32),
            }
        )
        worker_spec = WorkerSpec(
            shared=self._shared,
            slots=shape.slots,
            scoring=scoring,
            stop_when_decided=stop_when_decided,
            python_agents=python_agents,
        )
        try:
            self._workers = WorkerPool(min(num_workers, shape.groups), worker_spec)
        except BaseException:
            self._shared.close()
            raise

    @property
    def num_workers(self) -> int:
        """The number of worker processes."""
        return self._workers.num_workers

    @property
    def workers_replaced(self) -> int:
        """The number of workers replaced so far."""
        return self._workers.replaced

    def describe(self) -> str:
        """How far the games that are being played are, such as "3 of 16 groups are done"."""
        groups = self._shape.groups
        return f"{groups - len(self._workers.in_progress)} of {groups} groups are done"

    @partial(jax.profiler.annotate_function, name="games")
    def generate(self, plan: GamePlan, decider: NetworkDecider) -> Rollout:
        """Plays all games of a plan to their end.

        Args:
          plan: the games, as many as the shape has.
          decider: decides for the networks.

        Raises:
          GenerationError: a worker failed, or too many workers died.
        """
        began = time.perf_counter()
        for name in ("seeds", "controllers", "trajectories", "group_bounds"):
            self._shared[name][:] = getattr(plan, name)
        self._shared["rollout_lengths"][:] = 0
        seconds = self._play_groups(decider)
        arrays: dict[str, Any] = {
            name: self._shared[f"rollout_{name}"][: plan.num_trajectories].copy()
            for name in ("observations", "actions", "log_probs", "lengths", "rewards")
        }
        for name in ("margins", "outcomes"):
            arrays[name] = self._shared[name].copy()
        seconds["generation"] = time.perf_counter() - began
        return decider.complete(Rollout(seconds=seconds, **arrays))

    def _play_groups(self, decider: NetworkDecider) -> dict[str, float]:
        """Answers the groups' decisions until all games are over; returns `Rollout.seconds`."""
        seconds = {"simulation": 0.0, "inference": 0.0}
        answered = [0] * self._shape.groups
        queue: deque[tuple[int, PendingDecisions]] = deque()
        workers = self._workers
        workers.begin_iteration()
        for group in range(self._shape.groups):
            workers.start(group)
        while workers.in_progress:
            began = time.perf_counter()
            # Simulation and inference overlap: the loop waits for workers while the device is idle.
            for group, pending, restarted in workers.replies(block=not queue):
                if restarted:
                    answered[group] = 0
                    queue = deque(entry for entry in queue if entry[0] != group)
                elif pending:
                    waiting = WaitingGames(
                        group=group,
                        ply=answered[group],
                        observations=self._shared["observations"][group],
                        deciders=self._shared["deciders"][group],
                        games=self._shared["games"][group] + self._shared["group_bounds"][group],
                    )
                    queue.append((group, decider.decide(waiting)))
            waited = time.perf_counter()
            seconds["simulation"] += waited - began
            if queue:
                group, decisions = queue.popleft()
                actions, log_probs = decisions.result()
                self._shared["actions"][group] = actions
                self._shared["log_probs"][group] = log_probs
                answered[group] += 1
                workers.step(group)
                seconds["inference"] += time.perf_counter() - waited
        return seconds

    def close(self) -> int:
        """Stops the workers and removes the shared memory; returns `WorkerPool.close()`."""
        finished = self._workers.close()
        self._shared.close()
        return finished

    def __enter__(self) -> Generator:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def _shared_arrays(specification: dict[str, tuple[tuple[int, ...], type]]) -> SharedArrays:
    try:
        return SharedArrays.create(specification)
    except OSError as error:
        raise GenerationError(
            f"the shared memory for an iteration's games cannot be allocated: {error.strerror}"
        ) from error
