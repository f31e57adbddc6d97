"""Two-player Beasty Bar as a PettingZoo AEC environment; needs the extra `pettingzoo`.

An observation is a dict of `observation`, the uint8 [19] row that `bb_sim.decode_observation`
reads, and `action_mask`, int8 [33], all zero for the agent that is not to move.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from bb_sim.rules.actions import ACTIONS, action_id, check_scoring
from bb_sim.rules.arguments import checked_int
from bb_sim.rules.engine import NUM_ACTIONS, NUM_PLIES, NUM_SPECIES, QUEUE_SIZE
from bb_sim.rules.game import (
    is_decided,
    is_terminal,
    legal_actions,
    new_game,
    observe,
    scores,
    step,
    winner,
)
from bb_sim.rules.observation import (
    ANIMALS_ZERO,
    LEGAL_BYTE,
    OBSERVATION_SIZE,
    OPPONENT_CARD,
    POINTS_ZERO,
    STRENGTH_ZERO,
    legal_mask_of,
)
from bb_sim.rules.rendering import render
from bb_sim.rules.state import State

try:
    from gymnasium import spaces
    from pettingzoo import AECEnv
    from pettingzoo.utils import wrappers
except ImportError as error:
    raise ImportError(
        "bb_sim.interfaces.pettingzoo_env needs PettingZoo: "
        "install the project with its extra `pettingzoo`"
    ) from error

AGENTS = ("player_0", "player_1")
RENDER_MODES = ("human", "ansi")
HIGHEST_OBSERVATION = np.array(
    [OPPONENT_CARD + NUM_SPECIES - 1] * QUEUE_SIZE
    + [255, 15] * 3
    + [2 * POINTS_ZERO, 2 * ANIMALS_ZERO, 2 * STRENGTH_ZERO, NUM_PLIES]
    + [255, 255, 255, 255, 1],
    np.uint8,
)
"""The highest value of each byte of an observation row."""

Observation = dict[str, NDArray[Any]]


def env(
    *,
    scoring: str = "points",
    margin_weight: float = 0.0,
    stop_when_decided: bool = False,
    render_mode: str | None = None,
    illegal_reward: float | None = None,
) -> AECEnv[str, Observation, int]:
    """The environment in PettingZoo's wrapper that checks the order of calls.

    Args:
        scoring, margin_weight, stop_when_decided, render_mode: see `BeastyBarEnv`.
        illegal_reward: the reward for an illegal action. The action ends the game, and the other
            agent gets 0 (PettingZoo's `TerminateIllegalWrapper`). With None an illegal action
            raises a ValueError and changes nothing.
    """
    wrapped: AECEnv[str, Observation, int] = BeastyBarEnv(
        scoring=scoring,
        margin_weight=margin_weight,
        stop_when_decided=stop_when_decided,
        render_mode=render_mode,
    )
    if illegal_reward is not None:
        reward = _finite("illegal_reward", illegal_reward)
        wrapped = wrappers.TerminateIllegalWrapper(wrapped, illegal_reward=reward)
        wrapped = wrappers.AssertOutOfBoundsWrapper(wrapped)
    return wrappers.OrderEnforcingWrapper(wrapped)


class BeastyBarEnv(AECEnv[str, Observation, int]):
    """The environment. Its agents are `player_0`, who begins, and `player_1`.

    Actions are the ids 0 to 32. Rewards are paid at the end: +1 for a win, 0 for a draw, -1 for a
    loss, and `margin_weight` times the margin (own minus the opponent's) in the bar.
    `infos[agent]["action_names"]` maps the ids of the legal actions to words, for the agent to
    move.

    Args:
        scoring: `points` or `animals`, for the outcome and the margin.
        margin_weight: the reward for each unit of the margin.
        stop_when_decided: end the game as soon as no gate can open any more, up to four turns
            before all cards are played. The outcome is the same.
        render_mode: with `ansi`, `render()` returns the position as text; with `human` the position
            is printed after each turn. Both show both hands.

    Raises:
        ValueError: an argument is out of range or unknown.
    """

    metadata: ClassVar[dict[str, Any]] = {
        "name": "beasty_bar_v0",
        "render_modes": list(RENDER_MODES),
        "is_parallelizable": False,
        "render_fps": 1,
    }

    def __init__(
        self,
        *,
        scoring: str = "points",
        margin_weight: float = 0.0,
        stop_when_decided: bool = False,
        render_mode: str | None = None,
    ) -> None:
        super().__init__()
        check_scoring(scoring)
        if render_mode is not None and render_mode not in RENDER_MODES:
            raise ValueError(
                f"render_mode must be None or one of {', '.join(RENDER_MODES)}, not {render_mode!r}"
            )
        self.scoring = scoring
        self.margin_weight = _finite("margin_weight", margin_weight)
        self.stop_when_decided = bool(stop_when_decided)
        self.render_mode = render_mode
        self.possible_agents = list(AGENTS)
        self.agents: list[str] = []
        self.observation_spaces = {agent: _observation_space() for agent in AGENTS}
        self.action_spaces = {agent: spaces.Discrete(NUM_ACTIONS) for agent in AGENTS}
        self._seeds = np.random.default_rng()
        self._position: State | None = None

    @property
    def position(self) -> State:
        """The whole position, with the hidden cards.

        Raises:
            ValueError: the environment has not been reset.
        """
        if self._position is None:
            raise ValueError("the environment must be reset before it is used")
        return self._position

    def observation_space(self, agent: str) -> spaces.Space[Any]:
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> spaces.Space[Any]:
        return self.action_spaces[agent]

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> None:
        """Deals a new game.

        Args:
            seed: 0 to 2**64 - 1 deals the game of `bb_sim.new_game(seed)`, and fixes the games of
                later resets without a seed. None deals the next of these games.
            options: ignored; there are none.

        Raises:
            TypeError: `seed` is not an integer.
            ValueError: `seed` is out of range.
        """
        if seed is None:
            deal = int(self._seeds.integers(2**64, dtype=np.uint64))
        else:
            deal = checked_int("seed", seed, 0, 2**64 - 1)
            self._seeds = np.random.default_rng(deal)
        self.agents = list(AGENTS)
        self.rewards = dict.fromkeys(AGENTS, 0.0)
        self._cumulative_rewards = dict.fromkeys(AGENTS, 0.0)
        self.terminations = dict.fromkeys(AGENTS, False)
        self.truncations = dict.fromkeys(AGENTS, False)
        self._skip_agent_selection = None
        self._show(new_game(deal))

    def step(self, action: Any) -> None:
        """Plays a whole turn of `agent_selection`.

        Args:
            action: an action id, 0 to 32; None for an agent that is done.

        Raises:
            TypeError: the action is not an integer. Nothing has changed.
            ValueError: the action is not legal. Nothing has changed.
        """
        position = self.position
        if not self.agents:
            raise ValueError("the game is over: the environment must be reset")
        agent = self.agent_selection
        if self.terminations[agent]:
            self._was_dead_step(action)
            return
        position = step(
            position, ACTIONS[checked_int(f"the action of {agent}", action, 0, NUM_ACTIONS - 1)]
        )
        self._cumulative_rewards[agent] = 0.0
        self._clear_rewards()
        if is_decided(position) if self.stop_when_decided else is_terminal(position):
            self.terminations = dict.fromkeys(AGENTS, True)
            self.rewards = self._final_rewards(position)
            self._accumulate_rewards()
        self._show(position)

    def observe(self, agent: str) -> Observation:
        """The observation of an agent, see the module.

        Raises:
            ValueError: there is no such agent.
        """
        if agent not in AGENTS:
            raise ValueError(f"the agents are {' and '.join(AGENTS)}, there is no {agent!r}")
        row = observe(self.position, AGENTS.index(agent))
        if self.terminations.get(agent, True):
            row[LEGAL_BYTE:] = 0
        return {"observation": row, "action_mask": legal_mask_of(row).astype(np.int8)}

    def render(self) -> str | None:
        """Returns the position as text in mode `ansi`, or prints it in mode `human`."""
        if self.render_mode == "ansi":
            return render(self.position)
        if self.render_mode == "human":
            print(render(self.position), flush=True)
        return None

    def close(self) -> None:
        """There is nothing to release."""

    def _show(self, position: State) -> None:
        """Makes this the current position."""
        self._position = position
        self.agent_selection = AGENTS[position.to_move]
        self.infos: dict[str, dict[str, Any]] = {
            agent: {"action_names": {}} for agent in self.agents
        }
        if not any(self.terminations.values()):
            self.infos[self.agent_selection]["action_names"] = {
                action_id(action): str(action) for action in legal_actions(position)
            }
        if self.render_mode == "human":
            self.render()

    def _final_rewards(self, position: State) -> dict[str, float]:
        own, other = scores(position, self.scoring)
        first = winner(position, self.scoring)
        outcome = 0 if first is None else 1 - 2 * first
        reward = outcome + self.margin_weight * (own - other)
        return dict(zip(AGENTS, (reward, -reward), strict=True))


raw_env = BeastyBarEnv


def _observation_space() -> spaces.Dict:
    lowest = np.zeros(OBSERVATION_SIZE, np.uint8)
    return spaces.Dict(
        {
            "observation": spaces.Box(lowest, HIGHEST_OBSERVATION, dtype=np.uint8),
            "action_mask": spaces.Box(0, 1, (NUM_ACTIONS,), np.int8),
        }
    )


def _finite(name: str, value: float) -> float:
    if not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError(f"{name} must be a finite number, not {value!r}")
    return float(value)
