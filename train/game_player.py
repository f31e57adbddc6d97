"""Generates the games of iterations: from shares and parameters to a plan and its rollout."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax

from bb_jax import Policy, make_policy_step
from bb_sim.rules.engine import NUM_PLIES
from train.games.deciders import NetworkDecider, SamplingSettings
from train.games.generator import GenerationShape, Generator
from train.games.plan import GamePlan, groups_of_host, plan_games, share_of_host
from train.games.pool import OpponentPool
from train.games.rollout import Rollout
from train.interrupt import Task
from train.runs.state import GameSource

Games = tuple[GamePlan, Rollout]

# Makes the decider of a plan's games from the learner's parameters, those of the checkpoint
# opponents, the settings and the plan; see `Learner.decider`.
MakeDecider = Callable[[Any, Sequence[Any], SamplingSettings, GamePlan], NetworkDecider]


class GamePlayer:
    """Generates games; keeps the parameters of the checkpoint opponents in use on the device."""

    def __init__(
        self,
        generator: Generator,
        make_decider: MakeDecider,
        load_member: Callable[[str], Any],
        *,
        num_games: int,
        num_groups: int,
        python_agents: Sequence[str] = (),
        sampled_plies: int = NUM_PLIES,
        host: int = 0,
        num_hosts: int = 1,
    ):
        """Prepares for any number of iterations.

        Args:
          generator: plays this host's part of the games.
          make_decider: makes the decider of an iteration's games.
          load_member: returns the parameters of a checkpoint opponent, given its hash.
          num_games: games an iteration, of all hosts.
          num_groups: groups that they are divided into, of all hosts.
          python_agents: names of the Python agents, in the workers' order.
          sampled_plies: plies of a game whose actions are sampled.
          host: this host's index.
          num_hosts: the number of hosts.
        """
        self._generator = generator
        self._make_decider = make_decider
        self._load_member = load_member
        self._num_games = num_games
        self._num_groups = num_groups
        self._python_agents = tuple(python_agents)
        self._sampled_plies = sampled_plies
        self._host = host
        self._num_hosts = num_hosts
        self._members: dict[str, Any] = {}

    def begin(
        self, source: GameSource, params: Any, temperature: float, seed: Sequence[int]
    ) -> Task[Games]:
        """Generates an iteration's games in the background; see `prepare`."""
        return Task(self.prepare(source, params, temperature, seed))

    def prepare(
        self, source: GameSource, params: Any, temperature: float, seed: Sequence[int]
    ) -> Callable[[], Games]:
        """Plans an iteration's games and loads their checkpoint opponents.

        Args:
          source: the shares of the opponents, and the checkpoint opponents.
          params: the learner's parameters, which nobody may change meanwhile.
          temperature: the temperature at which networks sample.
          seed: integers; the games depend on them and the other arguments alone.

        Returns:
          A function that generates the games, one iteration at a time. It returns the plan of all
          games and the rollout of this host's part of them.
        """
        plan = plan_games(
            source.shares,
            num_games=self._num_games,
            num_groups=self._num_groups,
            members=source.members,
            python_agents=self._python_agents,
            seed=(*seed, 0),
        )
        part = share_of_host(plan, self._host, self._num_hosts) if self._num_hosts > 1 else plan
        loaded = self._members
        self._members = {
            name: loaded[name] if name in loaded else self._load_member(name)
            for name in source.members
        }
        settings = SamplingSettings(
            seed=(*seed, 1),
            temperature=temperature,
            sampled_plies=self._sampled_plies,
            first_group=groups_of_host(self._num_groups, self._host, self._num_hosts).start,
        )
        decider = self._make_decider(params, list(self._members.values()), settings, part)
        return lambda: (plan, self._generator.generate(part, decider))


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
) -> Games:
    """Generates games of a network against a pool as an iteration does, outside of a training run.

    The decisions that wait for one network are batched: the learner needs one forward pass a ply
    and group, and so does each checkpoint opponent.

    Args:
      network: the learner's policy, which also gives the scoring.
      num_games: the number of games.
      opponent_pool: its shares say who is played against.
      policies: the pool's checkpoint opponents, by hash.
      python_agents: the Python agents among the pool's named opponents.
      seed: the games depend on it, not on `num_workers`.
      temperature: the temperature at which networks sample.
      num_workers: processes that step the games.
      num_groups: groups that the games are divided into.

    Returns:
      The plan of the games, and the learner's decisions with the results.

    Raises:
      KeyError: `policies` lacks a checkpoint opponent of the pool.
      GenerationError: a worker failed.
    """
    known = policies or {}
    num_groups = min(num_groups, num_games)
    step = make_policy_step(network.network, jax.local_devices()[:1])
    shape = GenerationShape(
        games=num_games,
        groups=num_groups,
        slots=-(-num_games // num_groups),
        trajectories=2 * num_games,
    )
    with Generator(
        shape,
        num_workers=num_workers,
        scoring=network.scoring,
        stop_when_decided=True,
        python_agents=tuple(python_agents),
    ) as generator:
        player = GamePlayer(
            generator,
            lambda params, members, settings, _: NetworkDecider(step, params, members, settings),
            lambda policy_hash: known[policy_hash].params,
            num_games=num_games,
            num_groups=num_groups,
            python_agents=python_agents,
        )
        source = GameSource(0, opponent_pool.shares(), opponent_pool.hashes())
        return player.prepare(source, network.params, temperature, (seed,))()
