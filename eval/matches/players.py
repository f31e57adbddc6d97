"""Players: named opponents, policies, searches and Python agents."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bb_jax.errors import EvaluationError
from bb_sim import OPPONENTS
from eval.matches.agents import Agent, is_agent_specification, load_agent
from eval.runs.references import find_policy

if TYPE_CHECKING:
    from bb_jax import Policy
    from bb_jax.search import Search, SearchConfig

# uint8 [B, 19] observations (and float32 [B] uniforms where asked for) -> uint8 [B] action ids.
PolicyFunction = Callable[..., Any]

DEFAULT_BATCH_SIZE = 1024


@dataclass(frozen=True)
class NamedPlayer:
    """A named opponent, which the simulator itself plays."""

    name: str

    def __post_init__(self) -> None:
        if self.name not in OPPONENTS:
            raise EvaluationError(_unknown_opponent(self.name))


@dataclass(frozen=True, eq=False)
class PolicyPlayer:
    """A policy that decides for many games at once.

    B denotes the rows of one call.

    Attributes:
      name: what tables and errors call it.
      act: observations uint8 [B, 19] -> action ids uint8 [B]. With `samples`, its second argument
        is uniforms float32 [B] in (0, 1). B varies from call to call.
      samples: whether the policy draws its actions. Its uniforms depend on the deal and the turn
        alone, so its games are the same in batches of any size.
      identity: differs between policies that would play differently; stored with their results.
      scoring: the scoring that it was trained for; None if that is not known.
    """

    name: str
    act: PolicyFunction
    samples: bool = False
    identity: str = ""
    scoring: str | None = None


@dataclass(frozen=True, eq=False)
class AgentPlayer:
    """A Python agent, asked one position at a time."""

    name: str
    agent: Agent


@dataclass(frozen=True, eq=False)
class SearchPlayer:
    """A network that plays by search.

    Attributes:
      name: what tables and errors call it.
      search: the search with its network.
      params: the network's parameters, on the device.
      identity: differs between players that would play differently.
      scoring: the scoring that the network was trained for.
    """

    name: str
    search: Search
    params: Any
    identity: str
    scoring: str


Player = NamedPlayer | PolicyPlayer | AgentPlayer | SearchPlayer


def make_player(
    specification: str,
    *,
    temperature: float | None = None,
    batch_size: int = DEFAULT_BATCH_SIZE,
) -> Player:
    """The player that a text names.

    Args:
      specification: a named opponent, a checkpoint as RUN or RUN@STEP, or an agent as
        package.module:Class.
      temperature: how checkpoints play: None plays the best action, a number draws from
        softmax(logits / temperature).
      batch_size: rows of one forward pass of a checkpoint.

    Raises:
      EvaluationError: there is nothing of that name, or an agent cannot be loaded.
      bb_jax.CheckpointError: a checkpoint is missing or damaged.
    """
    if specification in OPPONENTS:
        return NamedPlayer(specification)
    if is_agent_specification(specification):
        return AgentPlayer(specification, load_agent(specification))
    from bb_jax import load_policy

    policy = load_policy(find_named_policy(specification))
    return network_player(specification, policy, temperature=temperature, batch_size=batch_size)


def find_named_policy(name: str) -> Path:
    """The policy file of a checkpoint, where a player of any kind may have been meant.

    Raises:
      EvaluationError: there is nothing of that name.
      bb_jax.CheckpointError: a checkpoint is missing or damaged.
    """
    from bb_jax.errors import CheckpointError

    try:
        return find_policy(name)
    except CheckpointError as error:
        if "@" in name or "/" in name:
            raise
        raise EvaluationError(f"{_unknown_opponent(name)}; {error}") from error


def network_player(
    name: str,
    policy: Policy,
    *,
    temperature: float | None = None,
    batch_size: int = DEFAULT_BATCH_SIZE,
) -> PolicyPlayer:
    """A player of a network's best actions, or with `temperature` of actions drawn from it."""
    from bb_jax import make_greedy_policy, make_sampling_policy, policy_hash

    identity = policy_hash(policy.params)
    act: PolicyFunction
    if temperature is None:
        act = make_greedy_policy(policy.network, policy.params, batch_size)
        return PolicyPlayer(name, act, identity=identity, scoring=policy.scoring)
    act = make_sampling_policy(policy.network, policy.params, batch_size, temperature)
    identity = f"{identity} at {temperature!r}"
    return PolicyPlayer(name, act, samples=True, identity=identity, scoring=policy.scoring)


def search_player(name: str, policy: Policy, config: SearchConfig) -> SearchPlayer:
    """A player that searches with a network."""
    import jax

    from bb_jax import policy_hash
    from bb_jax.search import Search

    temperature = policy.metadata.get("policy_temperature")
    return SearchPlayer(
        name,
        Search(policy.network, config, policy_temperature=temperature),
        jax.tree.map(jax.numpy.array, policy.params),
        f"{policy_hash(policy.params)} search {config} policy_temperature={temperature}",
        policy.scoring,
    )


def identity_of(player: Player) -> str:
    """A text about a player for stored results: equal for players that play alike."""
    return (isinstance(player, PolicyPlayer | SearchPlayer) and player.identity) or player.name


def common_scoring(players: Sequence[Player], given: str | None = None) -> str:
    """The scoring of a match: the one given, else that of the checkpoints.

    Raises:
      EvaluationError: a checkpoint was trained for another scoring; it is named.
    """
    networks = [p for p in players if isinstance(p, PolicyPlayer | SearchPlayer)]
    known = {p.name: p.scoring for p in networks if p.scoring}
    scoring = given or next(iter(known.values()), "points")
    for name, own in known.items():
        if own != scoring:
            raise EvaluationError(f"{name} was trained for scoring by {own}, not by {scoring}")
    return scoring


def as_player(given: Any, name: str) -> Player:
    """Makes a player of a Player, a text, a bb_jax Policy or a policy function.

    Raises:
      EvaluationError: it is none of these.
    """
    if isinstance(given, Player):
        return given
    if isinstance(given, str):
        return make_player(given)
    if hasattr(given, "network") and hasattr(given, "params"):
        return network_player(name, given)
    if callable(given):
        return PolicyPlayer(name, given)
    raise EvaluationError(f"{name}: a {type(given).__name__} is not a player")


def decide(
    player: PolicyPlayer, observations: np.ndarray, uniforms: np.ndarray | None
) -> np.ndarray:
    """The policy's action ids uint8 [B] for observations uint8 [B, 19], uniforms float32 [B].

    Raises:
      EvaluationError: the policy's answer is not one integer a row.
    """
    arguments = (observations,) if uniforms is None else (observations, uniforms)
    actions = np.asarray(player.act(*arguments))
    if actions.shape != (len(observations),) or actions.dtype.kind not in "iu":
        raise EvaluationError(
            f"policy {player.name} must return one integer action a row, that is "
            f"({len(observations)},), not {actions.dtype} {actions.shape}"
        )
    return actions


def split_specifications(text: str) -> Sequence[str]:
    """The names in a comma-separated list, in order; "all" stands for the ten named opponents.

    Raises:
      EvaluationError: an entry is empty, or stands there twice.
    """
    names: list[str] = []
    for part in text.split(","):
        part = part.strip()
        if not part:
            raise EvaluationError(f"the list of opponents {text!r} has an empty entry")
        names.extend(OPPONENTS if part == "all" else (part,))
    for name in names:
        if names.count(name) > 1:
            raise EvaluationError(f"opponent {name} stands twice in the list {text!r}")
    return names


def _unknown_opponent(name: str) -> str:
    close = difflib.get_close_matches(name, OPPONENTS, n=1)
    hint = f" (nearest: {close[0]})" if close else f" (there are {', '.join(OPPONENTS)})"
    return f"unknown opponent {name!r}{hint}"
