"""One iteration's games: workers play them, the networks on the device decide in large batches."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import numpy as np

from bb_jax import Policy, make_policy_step
from bb_sim import OBSERVATION_SIZE
from bb_sim.arena import MAX_DECISIONS
from train.games.deciders import ALL_PLIES, Acting, ActingSettings, PendingDecisions, WaitingGames
from train.games.plan import GamePlan, plan_games
from train.games.pool import OpponentPool
from train.games.rollout import Rollout
from train.games.shared_arrays import SharedArrays
from train.games.worker import WorkerSpec
from train.games.worker_pool import Actors, GenerationError


@dataclass(frozen=True)
class GenerationShape:
    """Sizes that are fixed for a run; results depend on them, never on the number of workers.

    Attributes:
      games: games an iteration.
      groups: groups the games are divided into; each is inferred as one padded batch.
      slots: games that a group plays at the same time.
      trajectories: capacity of the rollout, in learner seats.
    """

    games: int
    groups: int
    slots: int
    trajectories: int


class Generator:
    """Plays the games of one plan after the other; owns the workers and their shared memory."""

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
                "lengths": ((n,), np.int32),
                "rewards": ((n, 2), np.float32),
            }
        )
        worker_spec = WorkerSpec(
            layout=self._shared.layout,
            slots=shape.slots,
            scoring=scoring,
            stop_when_decided=stop_when_decided,
            python_agents=python_agents,
        )
        try:
            self._actors = Actors(min(num_workers, shape.groups), worker_spec)
        except BaseException:
            self._shared.close()
            raise

    @property
    def num_workers(self) -> int:
        """Worker processes that play."""
        return self._actors.num_workers

    @property
    def workers_replaced(self) -> int:
        """Workers that died and were replaced since the start."""
        return self._actors.replaced

    @partial(jax.profiler.annotate_function, name="games")
    def generate(self, plan: GamePlan, acting: Acting) -> Rollout:
        """Plays all games of a plan to their end.

        Raises:
          GenerationError: a worker failed, or workers die again and again.
        """
        began = time.perf_counter()
        for name in ("seeds", "controllers", "trajectories", "group_bounds"):
            self._shared[name][:] = getattr(plan, name)
        self._shared["lengths"][:] = 0
        seconds = self._play_groups(acting)
        copies: dict[str, Any] = {
            "observations": self._shared["rollout_observations"].copy(),
            "actions": self._shared["rollout_actions"].copy(),
            "log_probs": self._shared["rollout_log_probs"].copy(),
        }
        for name in ("lengths", "rewards", "margins", "outcomes"):
            copies[name] = self._shared[name].copy()
        seconds["generation"] = time.perf_counter() - began
        return acting.complete(Rollout(seconds=seconds, **copies))

    def _play_groups(self, acting: Acting) -> dict[str, float]:
        """Answers the groups' decisions until all games are over; returns where the time went."""
        seconds = {"simulation": 0.0, "inference": 0.0}
        answered = [0] * self._shape.groups
        under_way: deque[tuple[int, PendingDecisions]] = deque()
        actors = self._actors
        actors.begin_iteration()
        for group in range(self._shape.groups):
            actors.start(group)
        while actors.in_progress:
            began = time.perf_counter()
            # Simulation and inference overlap: only an idle device waits for workers.
            for group, pending, restarted in actors.replies(block=not under_way):
                if restarted:
                    answered[group] = 0
                    under_way = deque(entry for entry in under_way if entry[0] != group)
                elif pending:
                    waiting = WaitingGames(
                        group=group,
                        ply=answered[group],
                        observations=self._shared["observations"][group],
                        deciders=self._shared["deciders"][group],
                        games=self._shared["games"][group] + self._shared["group_bounds"][group],
                    )
                    under_way.append((group, acting.decide(waiting)))
            waited = time.perf_counter()
            seconds["simulation"] += waited - began
            if under_way:
                group, decisions = under_way.popleft()
                actions, log_probs = decisions.result()
                self._shared["actions"][group] = actions
                self._shared["log_probs"][group] = log_probs
                answered[group] += 1
                actors.step(group)
                seconds["inference"] += time.perf_counter() - waited
        return seconds

    def close(self) -> int:
        """Stops the workers and removes the shared memory; returns how many ended by themselves."""
        finished = self._actors.close()
        self._shared.close()
        return finished

    def __enter__(self) -> Generator:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def generate_games_batched_by_opponent(
    network: Policy,
    num_games: int,
    opponent_pool: OpponentPool,
    *,
    policies: Mapping[str, Policy] | None = None,
    python_agents: Sequence[str] = (),
    seed: int = 0,
    temperature: float = 1.0,
    num_workers: int = 1,
    num_groups: int = 4,
) -> tuple[GamePlan, Rollout]:
    """Plays games of a network against a pool, outside of a training run.

    The games waiting for one network are answered together: the learner costs one forward pass a
    ply and group, and so does each checkpoint opponent.

    Args:
      network: plays as the learner, and gives the scoring.
      num_games: G.
      opponent_pool: its shares say who is played against.
      policies: the checkpoint opponents in the pool, by hash.
      python_agents: the Python agents among the pool's named opponents.
      seed: the games depend on it alone, not on `num_workers`.
      temperature: at which networks sample.
      num_workers: processes that play.
      num_groups: groups that the games are divided into.

    Returns:
      The games as planned, and the learner's decisions with the results.

    Raises:
      KeyError: `policies` lacks a checkpoint opponent of the pool.
      GenerationError: a worker failed.
    """
    hashes = opponent_pool.hashes()
    num_groups = min(num_groups, num_games)
    plan = plan_games(
        opponent_pool.shares(),
        num_games=num_games,
        num_groups=num_groups,
        members=hashes,
        python_agents=python_agents,
        seed=(seed, 0),
    )
    shape = GenerationShape(
        games=num_games,
        groups=num_groups,
        slots=-(-num_games // num_groups),
        trajectories=int(plan.trajectories.max()) + 1,
    )
    acting = Acting(
        make_policy_step(network.network, jax.local_devices()[:1]),
        network.params,
        [(policies or {})[policy_hash].params for policy_hash in hashes],
        ActingSettings(seed=(seed, 1), temperature=temperature, sampled_plies=ALL_PLIES),
    )
    with Generator(
        shape,
        num_workers=num_workers,
        scoring=network.scoring,
        stop_when_decided=True,
        python_agents=tuple(python_agents),
    ) as generator:
        return plan, generator.generate(plan, acting)


def _shared_arrays(specification: dict[str, tuple[tuple[int, ...], type]]) -> SharedArrays:
    try:
        return SharedArrays.create(specification)
    except OSError as error:
        raise GenerationError(
            f"the shared memory for an iteration's games cannot be had: {error.strerror}"
        ) from error
