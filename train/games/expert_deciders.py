"""The expert as the one who decides in an iteration's games."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from bb_jax.expert.step import ExpertStep
from bb_jax.features import NUM_ACTIONS, NUM_PLIES
from eval.matches.search_session import SearchSession
from train.games.deciders import Acting, ActingSettings, Pass, WaitingGames
from train.games.rollout import ExpertRecord, Rollout

_TURN = 13
_DECISIONS = NUM_PLIES // 2


class ExpertActing(Acting):
    """Plays the learner's and the members' decisions by the values of afterstates.

    What the expert thinks of the learner's decisions is noted beside the rollout.
    """

    def __init__(
        self,
        expert_step: ExpertStep,
        expert: Any,
        member_step: ExpertStep,
        members: Sequence[Any],
        settings: ActingSettings,
        trajectories: np.ndarray,
        num_trajectories: int,
        search: SearchSession | None = None,
    ):
        """See `Acting`.

        Args:
          expert_step: of the network that plays for the learner; see `make_expert_step`.
          expert: its parameters.
          member_step: of the checkpoint opponents.
          members: parameters of the checkpoint opponents.
          settings: how actions are drawn; the temperature is in units of the objective.
          trajectories: int32 [G, 2], the trajectory of each seat of each game, -1 for none.
          num_trajectories: N of the rollout.
          search: searches the learner's decisions; without it the values alone decide.
        """
        super().__init__(member_step, expert, members, settings)
        self._expert_step = expert_step
        self._member_step = member_step
        self._trajectories = trajectories
        self._search = search
        shape = (num_trajectories, _DECISIONS)
        self._record = ExpertRecord(
            best=np.zeros(shape, bool),
            values=np.zeros((*shape, 2), np.float32),
            played_values=np.zeros((*shape, 2), np.float32),
            policy=np.zeros((*shape, NUM_ACTIONS), np.float16),
        )

    def complete(self, rollout: Rollout) -> Rollout:
        """The rollout with what the expert thought of its decisions."""
        return dataclasses.replace(rollout, expert=self._record)

    def _learner_pass(self, waiting: WaitingGames) -> Pass:
        slots = np.flatnonzero(waiting.deciders == 0)
        games, rows = waiting.games[slots], waiting.observations[slots]
        objectives = None
        if self._search is not None:
            objectives = np.zeros((len(waiting.deciders), NUM_ACTIONS), np.float32)
            objectives[slots] = self._search.look(games, rows).values
        key = self._key(waiting, 0)
        choice = self._expert_step(
            self._learner,
            waiting.observations,
            key,
            self._temperature,
            self._sampled_plies,
            objectives,
        )
        searched = slots
        turns = waiting.observations[slots, _TURN]
        trajectories = self._trajectories[waiting.games[slots], turns & 1]
        slots, turns = slots[trajectories >= 0], turns[trajectories >= 0]
        places = trajectories[trajectories >= 0], turns >> 1

        def result() -> tuple[np.ndarray, np.ndarray]:
            found = jax.device_get(choice)
            if self._search is not None:
                self._search.played(games, rows, found.actions[searched])
            self._record.best[places] = found.best[slots]
            self._record.values[places] = found.values[slots]
            self._record.played_values[places] = found.played_values[slots]
            self._record.policy[places] = found.policy[slots]
            return found.actions, np.zeros(len(waiting.deciders), np.float32)

        return result

    def _pass(self, params: Any, rows: np.ndarray, key: np.ndarray) -> Pass:
        choice = self._member_step(params, rows, key, self._temperature, self._sampled_plies)
        return lambda: (jax.device_get(choice.actions), np.zeros(len(rows), np.float32))
