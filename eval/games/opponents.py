"""Whom a person can play against, and how each of them chooses its moves.

A chooser looks at a game as a list of positions and says what it plays in the last one. It
remembers nothing between two calls, so a move can be taken back and a game can be resumed.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Protocol

import numpy as np

from bb_jax.errors import EvaluationError
from bb_sim import (
    ACTIONS,
    OPPONENTS,
    Action,
    GameBatch,
    State,
    action_id,
    observe,
    python_to_c_state,
    select_opponent_action_from,
)
from eval.matches.agents import is_agent_specification, select_action_id
from eval.matches.levels import LEVELS, level_player
from eval.matches.players import (
    AgentPlayer,
    NamedPlayer,
    Player,
    PolicyPlayer,
    SearchPlayer,
    decide,
    make_player,
    search_player,
)
from eval.matches.streams import mixed_seeds
from eval.runs.layout import RUNS_ROOT, SHIPPED_RUNS, is_run, policy_files
from eval.runs.references import find_policy
from eval.statistics.reference import named_ratings

if TYPE_CHECKING:
    from bb_jax.search import Beliefs

_AFTERSTATES, _SEARCH = 0, 200
# Networks kept in memory.
_LOADED = 12
# Rows of one forward pass. One position at a time is asked for; a larger pass would only cost time.
_BATCH = 8


@dataclass(frozen=True)
class Offer:
    """Somebody to play against.

    Attributes:
      key: what programs call it.
      label: what people call it.
      group: "level", "checkpoint", "named" or "agent".
      how: how it plays, in a few words.
      elo: its rating; None where it has none.
      scoring: the scoring that it was trained for; None if it plays either.
    """

    key: str
    label: str
    group: str
    how: str
    elo: int | None = None
    scoring: str | None = None


class Chooser(Protocol):
    """How somebody plays. One thread at a time may call it."""

    def __call__(self, seed: int, states: Sequence[State], moves: Sequence[Action]) -> Action:
        """The move of the player to move in the last of the positions of a game.

        Args:
          seed: the random numbers of the player in this game.
          states: the positions, with all cards.
          moves: the moves between them.
        """
        ...


class Opponents:
    """Everybody who is offered, loaded when first needed. For several threads."""

    def __init__(self, checkpoint: str, agents: Sequence[str] = ()) -> None:
        """Looks at what there is, and loads nothing.

        Args:
          checkpoint: RUN or RUN@STEP, offered before the other runs.
          agents: Python agents as package.module:Class.

        Raises:
          bb_jax.CheckpointError: there is no such checkpoint.
        """
        find_policy(checkpoint)
        self._makers: dict[str, Callable[[], Player]] = {}
        self._offers: list[Offer] = []
        self._loaded: OrderedDict[str, Player] = OrderedDict()
        self._loading = threading.Lock()
        runs = {name.partition("@")[0] for name in (checkpoint, *_runs())}
        for level in LEVELS:
            if level.checkpoint in runs:
                self._add(
                    Offer(level.name, level.name, "level", level.how, level.elo, "points"),
                    partial(level_player, level, _BATCH),
                )
        for name in dict.fromkeys((checkpoint, *_runs())):
            self._add_checkpoint(name)
        ratings = named_ratings("points")
        for name in OPPONENTS:
            self._add(
                Offer(name, name, "named", "one of the ten", round(ratings[name])),
                partial(NamedPlayer, name),
            )
        for name in agents:
            if not is_agent_specification(name):
                raise EvaluationError(f"agent {name!r} is not of the form package.module:Class")
            make_player(name)
            self._add(Offer(name, name, "agent", "a Python agent"), partial(make_player, name))

    @property
    def offers(self) -> list[Offer]:
        return list(self._offers)

    def offer(self, key: str) -> Offer:
        """The offer of a key.

        Raises:
          EvaluationError: nobody has it.
        """
        for offer in self._offers:
            if offer.key == key:
                return offer
        raise EvaluationError("there is no such opponent")

    def checkpoint_offer(self, name: str) -> Offer:
        """The offer of a checkpoint by its name, such as RUN, RUN@STEP or RUN+search.

        Raises:
          EvaluationError: nobody is called so.
        """
        run = name.partition("+")[0].strip()
        ways = {
            offer.label.replace(" ", ""): offer
            for offer in self._offers
            if offer.group == "checkpoint" and offer.label.partition(" + ")[0] == run
        }
        if name.replace(" ", "") not in ways:
            raise EvaluationError(f"there is no opponent {name!r}; there are {', '.join(ways)}")
        return ways[name.replace(" ", "")]

    def chooser(self, key: str) -> Chooser:
        """How the opponent of a key plays; see `player`."""
        return _chooser_of(self.player(key))

    def player(self, key: str) -> Player:
        """The player of a key; loads it, which may take seconds.

        Raises:
          UserError: it cannot be loaded.
        """
        with self._loading:
            if key not in self._loaded:
                self._loaded[key] = self._makers[key]()
                if len(self._loaded) > _LOADED:
                    self._loaded.popitem(last=False)
            self._loaded.move_to_end(key)
            return self._loaded[key]

    def _add(self, offer: Offer, make: Callable[[], Player]) -> None:
        self._offers.append(offer)
        self._makers[offer.key] = make

    def _add_checkpoint(self, name: str) -> None:
        ways: tuple[tuple[str, str, int | None], ...] = (
            ("", "its best move", None),
            (" + afterstates", "judges where each move leads", _AFTERSTATES),
            (" + search", f"search of {_SEARCH} samples", _SEARCH),
        )
        for suffix, how, samples in ways:
            self._add(
                Offer(f"run:{name}{suffix}", f"{name}{suffix}", "checkpoint", how),
                partial(_network, name, samples),
            )


def _runs() -> list[str]:
    """The names of the runs that hold a policy."""
    found = [path for root in (RUNS_ROOT, SHIPPED_RUNS) for path in sorted(root.glob("*"))]
    return list(dict.fromkeys(path.name for path in found if is_run(path) and policy_files(path)))


def _network(name: str, samples: int | None) -> Player:
    from bb_jax import load_policy
    from bb_jax.search import SearchConfig

    if samples is None:
        return make_player(name, batch_size=_BATCH)
    return search_player(name, load_policy(find_policy(name)), SearchConfig(samples=samples))


def _chooser_of(player: Player) -> Chooser:
    if isinstance(player, NamedPlayer):
        return _NamedChooser(player.name)
    if isinstance(player, PolicyPlayer):
        return _PolicyChooser(player)
    if isinstance(player, SearchPlayer):
        return _SearchChooser(player)
    return _AgentChooser(player)


def _seed_of_turn(seed: int, turn: int) -> np.ndarray:
    return mixed_seeds(np.array([seed], np.uint64), np.array([turn], np.uint8))


class _NamedChooser:
    def __init__(self, name: str) -> None:
        self._name = name

    def __call__(self, seed: int, states: Sequence[State], moves: Sequence[Action]) -> Action:
        batch = GameBatch(1)
        batch.reset(_seed_of_turn(seed, states[-1].turn))
        python_to_c_state(states[-1], batch, 0)
        return select_opponent_action_from(batch, 0, self._name)


class _PolicyChooser:
    def __init__(self, player: PolicyPlayer) -> None:
        self._player = player

    def __call__(self, seed: int, states: Sequence[State], moves: Sequence[Action]) -> Action:
        uniforms = None
        if self._player.samples:
            bits = _seed_of_turn(seed, states[-1].turn) >> np.uint64(40)
            uniforms = ((bits + 0.5) / 2**24).astype(np.float32)
        return ACTIONS[int(decide(self._player, observe(states[-1])[None], uniforms)[0])]


class _SearchChooser:
    def __init__(self, player: SearchPlayer) -> None:
        self._player = player

    def __call__(self, seed: int, states: Sequence[State], moves: Sequence[Action]) -> Action:
        from bb_jax.search import Beliefs
        from bb_jax.search.config import MODELS, NETWORK

        search, params = self._player.search, self._player.params
        beliefs = Beliefs(search, params, np.array([MODELS.index(NETWORK)]))
        row, shares = _replay(beliefs, states, moves)
        result = search(params, row, shares, _seed_of_turn(seed, states[-1].turn))
        return ACTIONS[int(result.actions[0])]


def _replay(
    beliefs: Beliefs, states: Sequence[State], moves: Sequence[Action]
) -> tuple[np.ndarray, np.ndarray]:
    """The row uint8 [1, 19] of the last position, and what its mover believes by then."""
    seat = np.array([0])
    mover = states[-1].to_move
    for state, move in zip(states, moves, strict=False):
        if state.to_move == mover:
            row = observe(state)[None]
            beliefs.at(seat, row)
            beliefs.played(seat, row, np.array([action_id(move)], np.uint8))
    row = observe(states[-1])[None]
    return row, beliefs.at(seat, row)


class _AgentChooser:
    def __init__(self, player: AgentPlayer) -> None:
        self._player = player

    def __call__(self, seed: int, states: Sequence[State], moves: Sequence[Action]) -> Action:
        return ACTIONS[select_action_id(self._player.name, self._player.agent, states[-1])]
