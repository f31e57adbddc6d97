"""The expert of expert iteration, which decides in an iteration's games."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from bb_jax.expert.step import ExpertStep
from bb_sim.arena import MAX_DECISIONS
from bb_sim.rules.engine import NUM_ACTIONS
from bb_sim.rules.observation import TURN_BYTE
from eval.matches.search_session import SearchSession
from train.games.deciders import NetworkDecider, PendingPass, SamplingSettings, WaitingGames
from train.games.plan import NO_TRAJECTORY, GamePlan
from train.games.rollout import ExpertRecord, Rollout


class ExpertDecider(NetworkDecider):
    """Chooses the actions of the learner and the members by the values of afterstates.

    It records the expert's values and policy for the learner's decisions.
    """

    def __init__(
        self,
        expert_step: ExpertStep,
        expert: Any,
        member_step: ExpertStep,
        members: Sequence[Any],
        settings: SamplingSettings,
        plan: GamePlan,
        search: SearchSession | None = None,
    ):
        """Begins an iteration's games.

        Args:
          expert_step: the compiled expert of the learner; see `make_expert_step`.
          expert: the parameters of the expert's network.
          member_step: the compiled expert of the checkpoint opponents.
          members: the parameters of the checkpoint opponents.
          settings: how actions are chosen; the temperature is in units of the objective.
          plan: the games.
          search: the search for the learner's decisions; without it the values alone decide.
        """
        super().__init__(member_step, expert, members, settings)
        self._expert_step = expert_step
        self._member_step = member_step
        self._trajectories = plan.trajectories
        self._search = search
        shape = (plan.num_trajectories, MAX_DECISIONS)
        self._record = ExpertRecord(
            best=np.zeros(shape, bool),
            values=np.zeros((*shape, 2), np.float32),
            played_values=np.zeros((*shape, 2), np.float32),
            policy=np.zeros((*shape, NUM_ACTIONS), np.float16),
        )

    def complete(self, rollout: Rollout) -> Rollout:
        """Adds the expert's record of the learner's decisions to the rollout."""
        return dataclasses.replace(rollout, expert=self._record)

    def _learner_pass(self, waiting: WaitingGames) -> PendingPass:
        slots = np.flatnonzero(waiting.deciders == 0)
        games, rows = waiting.games[slots], waiting.observations[slots]
        objectives = None
        if self._search is not None:
            objectives = np.zeros((len(waiting.deciders), NUM_ACTIONS), np.float32)
            objectives[slots] = self._search.look(games, rows).values
        choice = self._expert_step(
            self._learner,
            waiting.observations,
            self._key(waiting, 0),
            self._temperature,
            self._sampled_plies,
            objectives,
        )
        turns = rows[:, TURN_BYTE]
        trajectories = self._trajectories[games, turns & 1]
        recorded = trajectories != NO_TRAJECTORY
        recorded_slots = slots[recorded]
        decisions = trajectories[recorded], turns[recorded] >> 1

        def result() -> tuple[np.ndarray, np.ndarray]:
            chosen = jax.device_get(choice)
            if self._search is not None:
                self._search.played(games, rows, chosen.actions[slots])
            self._record.best[decisions] = chosen.best[recorded_slots]
            self._record.values[decisions] = chosen.values[recorded_slots]
            self._record.played_values[decisions] = chosen.played_values[recorded_slots]
            self._record.policy[decisions] = chosen.policy[recorded_slots]
            return chosen.actions, np.zeros(len(waiting.deciders), np.float32)

        return result

    def _pass(self, params: Any, rows: np.ndarray, key: np.ndarray) -> PendingPass:
        choice = self._member_step(params, rows, key, self._temperature, self._sampled_plies)
        return lambda: (jax.device_get(choice.actions), np.zeros(len(rows), np.float32))
