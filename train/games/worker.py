"""The worker process: steps the games of its groups and asks the main process for decisions.

This module must not import JAX, which would cost every worker seconds and hundreds of megabytes.
"""

from __future__ import annotations

import signal
import struct
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection

import numpy as np

from bb_jax.errors import EvaluationError
from bb_sim import State
from bb_sim.arena import EXTERNAL, NO_ACTION, Arena, RolloutBuffer
from eval.matches.agents import Agent, load_agent, select_action_id
from train.games.shared_arrays import SharedArrays
from train.interrupt import STOP_SIGNALS

# External policies with this index or a higher one are Python agents, which run in the worker.
FIRST_PYTHON_AGENT = 128

START, STEP, QUIT = 0, 1, 2
COMMAND = struct.Struct("<BI")  # command, group
READY, THINKING, FAILED = b"R", b"T", b"E"
REPLY = struct.Struct("<II")  # group, pending decisions
# While Python agents think, a worker sends THINKING about this often.
_THINKING_SECONDS = 1.0


@dataclass(frozen=True)
class WorkerSpec:
    """What a worker needs to know; it is the same for all workers of a run.

    Attributes:
      shared: the arrays that the worker shares with the main process.
      slots: games that a group plays at the same time.
      scoring: the scoring, see `bb_sim.SCORINGS`.
      stop_when_decided: whether a game ends as soon as its result is certain.
      python_agents: names of the Python agents, "package.module:Class".
    """

    shared: SharedArrays
    slots: int
    scoring: str
    stop_when_decided: bool
    python_agents: tuple[str, ...]


class _Agents:
    """The Python agents; each is created when it first decides."""

    def __init__(self, names: tuple[str, ...]):
        self._names = names
        self._agents: dict[int, Agent] = {}

    def decide(self, index: int, state: State) -> int:
        """Returns the action id that agent `index` chooses.

        Raises:
          EvaluationError: the agent cannot be created, raises, or chooses an illegal action.
        """
        name = self._names[index]
        try:
            if index not in self._agents:
                self._agents[index] = load_agent(name)
            return select_action_id(name, self._agents[index], state)
        except KeyboardInterrupt as error:
            # Workers ignore Ctrl-C, so it is the agent's own.
            raise EvaluationError(f"agent {name} raised KeyboardInterrupt") from error


class _Group:
    """One group's arena, on the group's part of the shared arrays."""

    def __init__(self, index: int, spec: WorkerSpec, shared: SharedArrays, rollout: RolloutBuffer):
        self._shared = shared
        self._rollout = rollout
        self._index = index
        self._arena = Arena(
            spec.slots,
            spec.scoring,
            spec.stop_when_decided,
            observations=shared["observations"][index],
            deciders=shared["deciders"][index],
        )
        self._games = slice(0, 0)

    def start(self) -> None:
        first, last = self._shared["group_bounds"][self._index : self._index + 2]
        self._games = slice(int(first), int(last))
        self._arena.start(
            self._shared["seeds"][self._games],
            self._shared["controllers"][self._games],
            rollout=self._rollout,
            trajectories=self._shared["trajectories"][self._games],
        )

    def step(self) -> None:
        self._arena.step(
            self._shared["actions"][self._index], self._shared["log_probs"][self._index]
        )

    def ask_agents(self, agents: _Agents, thinking: Callable[[], None]) -> None:
        """Plays the decisions of Python agents until all waiting decisions are for networks.

        Args:
          agents: the Python agents.
          thinking: called before each decision.
        """
        arena = self._arena
        while True:
            deciders = arena.deciders
            asked = np.flatnonzero((deciders >= FIRST_PYTHON_AGENT) & (arena.games >= 0))
            if not asked.size:
                return
            actions = np.full(arena.num_slots, NO_ACTION, np.uint8)
            for slot in asked:
                thinking()
                agent = int(deciders[slot]) - FIRST_PYTHON_AGENT
                actions[slot] = agents.decide(agent, arena.state(int(slot)))
            arena.step(actions, np.zeros(arena.num_slots, np.float32))

    def report(self) -> tuple[int, int]:
        """Writes the slots' games, and the results after the last game.

        Returns:
          The group's index and its number of pending decisions.
        """
        self._shared["games"][self._index] = self._arena.games
        if self._arena.pending == 0:
            self._shared["margins"][self._games] = self._arena.margins
            self._shared["outcomes"][self._games] = self._arena.outcomes
        return self._index, self._arena.pending


def run_worker(connection: Connection, path: list[str], spec: WorkerSpec) -> None:
    """Serves START and STEP commands until QUIT or until the main process is gone.

    Args:
      connection: a duplex connection. It receives COMMANDs. It sends READY + REPLY, THINKING while
        Python agents think for long, or FAILED + a sentence in the first line and a traceback below
        it.
      path: the main process's `sys.path`, so that the worker finds the same Python agents.
      spec: the worker's specification.
    """
    # The main process decides when a run ends, but a terminal's signals reach all processes.
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    sys.path[:] = path
    try:
        shared = spec.shared
        rollout = RolloutBuffer(
            len(shared["rollout_lengths"]),
            observations=shared["rollout_observations"],
            actions=shared["rollout_actions"],
            log_probs=shared["rollout_log_probs"],
            lengths=shared["rollout_lengths"],
            rewards=shared["rollout_rewards"],
        )
        agents = _Agents(spec.python_agents)
        last_sent = time.monotonic()

        def thinking() -> None:
            nonlocal last_sent
            if time.monotonic() - last_sent > _THINKING_SECONDS:
                last_sent = time.monotonic()
                connection.send_bytes(THINKING)

        groups: dict[int, _Group] = {}
        while True:
            command, index = COMMAND.unpack(connection.recv_bytes())
            if command == QUIT:
                return
            if index not in groups:
                groups[index] = _Group(index, spec, shared, rollout)
            group = groups[index]
            if command == START:
                group.start()
            else:
                group.step()
            group.ask_agents(agents, thinking)
            connection.send_bytes(READY + REPLY.pack(*group.report()))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return
    except BaseException as error:
        kind = "" if isinstance(error, EvaluationError) else f"{type(error).__name__}: "
        text = f"{kind}{' '.join(str(error).split())}\n{traceback.format_exc()}"
        # The main process may have ended or have replaced this worker.
        with suppress(OSError):
            connection.send_bytes(FAILED + text.encode())


def external(policy: int) -> int:
    """Returns the arena's controller code of external policy number `policy`."""
    return EXTERNAL + policy
