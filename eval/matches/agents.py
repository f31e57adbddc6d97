"""Python agents: objects that look at a State and name an Action."""

import importlib
import re
import traceback
from collections.abc import Sequence
from typing import Protocol, cast

from bb_jax.errors import EvaluationError
from bb_sim import Action, State, legal_actions
from bb_sim.rules.actions import action_id

_SPECIFICATION = re.compile(r"(?P<module>[A-Za-z_][\w.]*):(?P<name>[A-Za-z_]\w*)")


class Agent(Protocol):
    """A player written in Python.

    An agent is given `state.seen_by(player)`, without hidden cards. With a true attribute
    `sees_all` it is given the whole state.
    """

    def select_action(self, state: State, legal_actions: Sequence[Action]) -> Action:
        """Chooses one of `legal_actions` for the player `state.to_move`."""
        ...


def is_agent_specification(text: str) -> bool:
    """Whether `text` has the form package.module:Class."""
    return _SPECIFICATION.fullmatch(text) is not None


def load_agent(specification: str) -> Agent:
    """Imports a class given as "package.module:Class" and makes an instance.

    Raises:
      EvaluationError: there is no such module or class, the class needs arguments, or it has no
        `select_action`.
    """
    match = _SPECIFICATION.fullmatch(specification)
    if match is None:
        raise EvaluationError(f"agent {specification!r} is not of the form package.module:Class")
    try:
        module = importlib.import_module(match["module"])
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise EvaluationError(
            f"agent {specification}: cannot import {match['module']} ({_describe(error)})"
        ) from error
    factory = getattr(module, match["name"], None)
    if not callable(factory):
        raise EvaluationError(
            f"agent {specification}: module {match['module']} has no class {match['name']}"
        )
    try:
        agent = factory()
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise EvaluationError(
            f"agent {specification} cannot be made without arguments ({_describe(error)})"
        ) from error
    if not callable(getattr(agent, "select_action", None)):
        raise EvaluationError(f"agent {specification} has no method select_action")
    return cast(Agent, agent)


def select_action_id(name: str, agent: Agent, state: State) -> int:
    """Asks an agent for its action in the complete `state` and checks the answer.

    Raises:
      EvaluationError: the agent raised an error, or did not return a legal action.
    """
    seen = state if getattr(agent, "sees_all", False) else state.seen_by(state.to_move)
    legal = legal_actions(seen)
    try:
        action = agent.select_action(seen, legal)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise EvaluationError(
            f"agent {name} failed in select_action ({_describe(error)})"
        ) from error
    if not isinstance(action, Action):
        raise EvaluationError(
            f"agent {name} must return one of the legal actions, not {type(action).__name__} "
            f"{action!r:.80}"
        )
    if action not in legal:
        raise EvaluationError(
            f"agent {name} returned {action}, which is not legal at turn {state.turn}"
        )
    return action_id(action)


def _describe(error: BaseException) -> str:
    """An error's kind, text and place in one line."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    try:
        text = " ".join(str(error).split())
    except Exception:
        text = "without a text"
    return f"{type(error).__name__}: {text}; {frame.filename}, line {frame.lineno}"
