"""The public functions and classes of the simulator, and sound arguments for each."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

import bb_sim
from attack.hostile_values import any_value
from attack.simulator_positions import bits_of, made_state, random_state, whole_games
from bb_sim.arena import EXTERNAL, NO_ACTION, NO_DECISION, RolloutBuffer
from bb_sim.opponents.posterior import NUM_MODELS, uniform_posterior
from bb_sim.opponents.seen_move import mover_rows
from bb_sim.rules.afterstates import afterstates_of
from bb_sim.rules.observation import legal_mask_of

#: Games of a batch, slots of an arena, rows: all arrays have this length, so that they fit.
SIZE = 3
# Not for callers: it makes a State of values that come from a game, without looking at them.
_TRUSTING = ("unchecked_state",)
# The interfaces connect the simulator to other libraries, which check and break in their own ways.
# The checks of arguments are told by the simulator what to check them for.
_NOT_FUZZED = ("bb_sim.interfaces", "bb_sim.rules.arguments")


@dataclass(frozen=True)
class Parameter:
    """A parameter of a function."""

    name: str
    optional: bool
    keyword_only: bool


@dataclass(frozen=True)
class Target:
    """A public function or class.

    Attributes:
      name: its module and name.
      call: the function or class.
      parameters: of the function, or of the class when it is called.
      methods: public methods and their parameters; empty for a function.
      properties: names of public attributes of the class.
    """

    name: str
    call: Callable[..., Any]
    parameters: tuple[Parameter, ...]
    methods: dict[str, tuple[Parameter, ...]]
    properties: tuple[str, ...]


def find_targets() -> list[Target]:
    """All public functions and classes of the modules of `bb_sim`."""
    found = []
    for module_info in pkgutil.walk_packages(bb_sim.__path__, "bb_sim."):
        if module_info.name.startswith(_NOT_FUZZED):
            continue
        module = importlib.import_module(module_info.name)
        for name, value in sorted(vars(module).items()):
            here = getattr(value, "__module__", None) == module_info.name
            if name.startswith("_") or name in _TRUSTING or not here or not callable(value):
                continue
            full_name = f"{module_info.name}.{name}"
            if not inspect.isclass(value):
                found.append(Target(full_name, value, _parameters(value), {}, ()))
                continue
            public = {n: v for n, v in vars(value).items() if not n.startswith("_")}
            methods = {n: _parameters(v)[1:] for n, v in public.items() if callable(v)}
            properties = tuple(n for n in public if n not in methods)
            constructor = _constructor_parameters(value, Path(str(module.__file__)))
            found.append(Target(full_name, value, constructor, methods, properties))
    return found


def _parameters(function: Callable[..., Any]) -> tuple[Parameter, ...]:
    return tuple(
        Parameter(p.name, p.default is not p.empty, p.kind is p.KEYWORD_ONLY)
        for p in inspect.signature(function).parameters.values()
    )


def _constructor_parameters(of: type, module: Path) -> tuple[Parameter, ...]:
    """Those of a Python class by introspection, those of an extension type from its stub."""
    try:
        return _parameters(of)
    except ValueError:
        pass
    stub = module.with_name(module.name.partition(".")[0] + ".pyi")
    for statement in ast.parse(stub.read_text()).body:
        if isinstance(statement, ast.ClassDef) and statement.name == of.__name__:
            for member in statement.body:
                if isinstance(member, ast.FunctionDef) and member.name == "__init__":
                    return _parameters_of_stub(member.args)
    raise ValueError(f"{stub} lacks the parameters of {of.__name__}")


def _parameters_of_stub(arguments: ast.arguments) -> tuple[Parameter, ...]:
    required = len(arguments.args) - len(arguments.defaults)
    positional = [Parameter(a.arg, i >= required, False) for i, a in enumerate(arguments.args)]
    optional = [default is not None for default in arguments.kw_defaults]
    keywords = [
        Parameter(a.arg, is_optional, True)
        for a, is_optional in zip(arguments.kwonlyargs, optional, strict=True)
    ]
    return (*positional[1:], *keywords)


class Sound:
    """Sound arguments of one call, which fit each other; a function of the random stream."""

    def __init__(self, rng: Random, receiver: Any = None):
        """Begins.

        Args:
          rng: chooses among sound values.
          receiver: the instance whose method is called, if it is one.
        """
        self._rng = rng
        self._receiver = receiver

    def argument(self, function: str, name: str) -> Any:
        """The argument of a function: by both names, or by the argument's alone.

        A name that is unknown here gets a value of any kind.
        """
        make = _SOUND.get(f"{function}.{name}") or _SOUND.get(name)
        return make(self) if make else any_value(self._rng)

    def number(self, low: int, high: int) -> int:
        """Any integer between both."""
        return self._rng.randint(low, high)

    def choice(self, values: Any) -> Any:
        """One of some values."""
        return self._rng.choice(values)

    @cached_property
    def states(self) -> list[bb_sim.State]:
        """States of random games of two players, mostly not over."""
        return [random_state(self._rng, 2) for _ in range(SIZE)]

    @cached_property
    def state(self) -> bb_sim.State:
        """A state of up to four players, whole, seen by one of them, or made by hand."""
        kind = self._rng.randrange(5)
        if kind == 0:
            return made_state(self._rng)
        state = random_state(self._rng, self._rng.choice((2, 2, 2, 3, 4)))
        return state.seen_by(state.to_move) if kind == 1 else state

    @cached_property
    def action(self) -> bb_sim.Action:
        """An action, legal in `state` if any is."""
        return self._rng.choice(bb_sim.legal_actions(self.state) or bb_sim.ACTIONS)

    @cached_property
    def batch(self) -> bb_sim.GameBatch:
        """Games at different turns."""
        players = self._rng.choice((2, 2, 2, 3, 4))
        batch = bb_sim.GameBatch(SIZE, players)
        for index in range(SIZE):
            bb_sim.python_to_c_state(random_state(self._rng, players), batch, index)
        return batch

    @cached_property
    def rows(self) -> np.ndarray:
        """Decision rows, uint8 [SIZE, 19]; now and then those of positions made by hand."""
        states = self.states
        if self._rng.random() < 0.3:
            states = [made_state(self._rng) for _ in range(SIZE)]
        return np.stack([bb_sim.observe(state) for state in states])

    @cached_property
    def endgames(self) -> np.ndarray:
        """Rows of late positions, uint8 [SIZE, 19]."""
        states = [random_state(self._rng, 2, turns=self._rng.randint(14, 24)) for _ in range(SIZE)]
        return np.stack([bb_sim.observe(state) for state in states])

    @cached_property
    def moves(self) -> tuple[np.ndarray, np.ndarray]:
        """Rows before and after a move of the opponent, uint8 [SIZE, 19] each."""
        before: list[np.ndarray] = []
        after: list[np.ndarray] = []
        while len(before) < SIZE:
            state = random_state(self._rng, 2, turns=self._rng.randint(0, 21))
            row = bb_sim.observe(state)
            action = bb_sim.action_id(self._rng.choice(bb_sim.legal_actions(state)))
            later = bb_sim.step(state, bb_sim.ACTIONS[action])
            last = bb_sim.step(later, self._rng.choice(bb_sim.legal_actions(later)))
            before.append(afterstates_of(row[None], np.array([action]))[0])
            after.append(bb_sim.observe(last, state.to_move))
        return np.stack(before), np.stack(after)

    @cached_property
    def games(self) -> dict[str, np.ndarray]:
        """Whole games against named opponents, as `chance_events` takes them."""
        return whole_games(self._rng, self.seeds())

    @cached_property
    def legal(self) -> np.ndarray:
        """A legal action of each decision row, uint8 [SIZE]."""
        return self._legal_of(self.rows)

    def legal_in_receiver(self) -> np.ndarray:
        """A legal action for each game, slot or row of the receiver."""
        receiver = self._receiver
        if isinstance(receiver, bb_sim.GameBatch):
            bits = [bits_of(mask) for mask in receiver.legal_masks()]
            return np.array([self._rng.choice(b) if b else 255 for b in bits], np.uint8)
        if isinstance(receiver, bb_sim.Arena):
            actions = self._legal_of(receiver.observations)
            return np.where(receiver.deciders == NO_DECISION, NO_ACTION, actions).astype(np.uint8)
        return self._legal_of(receiver.rows[: self.rows_of_receiver])

    def _legal_of(self, rows: np.ndarray) -> np.ndarray:
        legal = [np.flatnonzero(mask).tolist() for mask in legal_mask_of(rows)]
        return np.array([self._rng.choice(bits) if bits else 0 for bits in legal], np.uint8)

    @property
    def rows_of_receiver(self) -> int:
        """The rows of a Simulator at the moment: those that hold anything."""
        return int(np.any(self._receiver.rows, axis=1).sum())

    def floats(self, *shape: int) -> np.ndarray:
        """Uniform numbers, float32."""
        values = [self._rng.random() for _ in range(int(np.prod(shape)))]
        return np.array(values, np.float32).reshape(shape)

    def integers(self, high: int, *shape: int) -> np.ndarray:
        """Uniform integers below a limit, int64."""
        values = [self._rng.randrange(high) for _ in range(int(np.prod(shape)))]
        return np.array(values, np.uint64).astype(np.int64).reshape(shape)

    def seeds(self) -> np.ndarray:
        """Seeds, uint64 [SIZE]."""
        return np.array([self._rng.getrandbits(64) for _ in range(SIZE)], np.uint64)

    @cached_property
    def controllers(self) -> np.ndarray:
        """Opponents and external policies, uint8 [SIZE, 2]."""
        values = [self._rng.choice((*range(10), *[EXTERNAL] * 8, 20)) for _ in range(2 * SIZE)]
        return np.array(values, np.uint8).reshape(SIZE, 2)

    def posterior_of(self, rows: np.ndarray) -> np.ndarray:
        """Weights of hands and models, float32 [SIZE, H, M]."""
        return uniform_posterior(rows, self.floats(SIZE, NUM_MODELS).astype(np.float64))

    def candidates(self) -> np.ndarray:
        """Some legal actions of each decision row, uint64 [SIZE]."""
        bits = legal_mask_of(self.rows)
        legal = [sum(1 << int(a) for a in np.flatnonzero(mask)) for mask in bits]
        return np.array([m & self._rng.choice((m, self._rng.getrandbits(33))) for m in legal], "u8")


def _rollout(sound: Sound) -> RolloutBuffer:
    return RolloutBuffer(2 * SIZE)


def _trajectories(sound: Sound) -> np.ndarray:
    used = np.arange(2 * SIZE, dtype=np.int32).reshape(SIZE, 2)
    return np.where(sound.controllers >= EXTERNAL, used, -1).astype(np.int32)


def _new_rows(sound: Sound) -> np.ndarray:
    return np.zeros((SIZE, 19), np.uint8)


def _begin_worlds(high: int) -> Callable[[Sound], np.ndarray]:
    return lambda sound: sound.integers(high, SIZE).astype(np.int32)


# By "function.parameter" or by the parameter alone.
_SOUND: dict[str, Callable[[Sound], Any]] = {
    "state": lambda s: s.state,
    "batch": lambda s: s.batch,
    "index": lambda s: s.number(0, SIZE - 1),
    "slot": lambda s: s.number(0, SIZE - 1),
    "opponent": lambda s: s.choice(bb_sim.OPPONENTS),
    "first": lambda s: s.choice(bb_sim.OPPONENTS),
    "second": lambda s: s.choice(bb_sim.OPPONENTS),
    "scoring": lambda s: s.choice(bb_sim.SCORINGS),
    "stop_when_decided": lambda s: s.choice((False, True)),
    "num_threads": lambda s: s.number(1, 3),
    "num_games": lambda s: SIZE,
    "num_slots": lambda s: SIZE,
    "num_players": lambda s: s.number(2, 4),
    "num_trajectories": lambda s: 2 * SIZE,
    "first_player": lambda s: s.number(0, 1),
    "seed": lambda s: s.number(0, 2**64 - 1),
    "seeds": lambda s: s.seeds(),
    "player": lambda s: s.number(0, 1),
    "viewer": lambda s: s.number(0, 1),
    "samples": lambda s: s.number(1, 40),
    "count": lambda s: s.number(0, 40),
    "name": lambda s: "rows",
    "owner": lambda s: s.number(0, 3),
    "species": lambda s: s.choice((*bb_sim.SPECIES, bb_sim.HIDDEN)),
    "Action.species": lambda s: s.choice(bb_sim.SPECIES),
    "params": lambda s: s.choice(((), (1,), (2,), ("lion",), ("parrot", 3))),
    "action": lambda s: s.action,
    "state_after.action": lambda s: bb_sim.action_id(s.action),
    "open_steps_of.action": lambda s: bb_sim.action_id(s.action),
    "row": lambda s: s.rows[0].copy(),
    "observation": lambda s: s.rows[0].copy(),
    "rows": lambda s: s.choice((s.rows, s.endgames)).copy(),
    "endgame_values.rows": lambda s: s.endgames.copy(),
    "observations": lambda s: s.rows.copy(),
    "actions": lambda s: s.legal.copy(),
    "before_rows": lambda s: s.moves[0].copy(),
    "after_rows": lambda s: s.moves[1].copy(),
    "rows_before_first_move.after_rows": lambda s: np.stack(
        [bb_sim.observe(random_state(s._rng, 2, turns=1)) for _ in range(SIZE)]
    ),
    "shares": lambda s: s.floats(SIZE, NUM_MODELS).astype(np.float64),
    "beliefs": lambda s: s.posterior_of(s.rows),
    "posterior": lambda s: s.posterior_of(s.rows),
    "hand_probabilities.rows": lambda s: s.rows.copy(),
    "endgame_values.posterior": lambda s: s.posterior_of(s.endgames),
    "sample_worlds.posterior": lambda s: s.posterior_of(s.rows)[0],
    "update_posterior.posterior": lambda s: s.posterior_of(s.moves[0]),
    "seats": lambda s: np.arange(SIZE),
    "network": lambda s: s.floats(len(mover_rows(*s.moves)[0])).astype(np.float64),
    "margin_weight": lambda s: s.choice((0.0, 0.02, 1.0)),
    "draw_reward": lambda s: s.choice((0.0, -1.0, 0.5)),
    "expand_afterstates.capacity": lambda s: 15 * SIZE,
    "capacity": lambda s: 15 * 4 * SIZE,
    "candidates": lambda s: s.candidates(),
    "first_worlds": _begin_worlds(2**30),
    "num_worlds": _begin_worlds(5),
    "policies": lambda s: s.floats(s.rows_of_receiver, 33),
    "values": lambda s: s.floats(s.rows_of_receiver),
    "out": _new_rows,
    "play_random.observations": _new_rows,
    "Arena.observations": _new_rows,
    "deciders": lambda s: np.zeros(SIZE, np.uint8),
    "chance_events.seeds": lambda s: s.games["seeds"].copy(),
    "chance_events.seats": lambda s: s.games["seats"].copy(),
    "chance_events.opponents": lambda s: s.games["opponents"].copy(),
    "chance_events.actions": lambda s: s.games["actions"].copy(),
    "GameBatch.step.actions": lambda s: s.legal_in_receiver(),
    "Arena.step.actions": lambda s: s.legal_in_receiver(),
    "advance.actions": lambda s: s.legal_in_receiver(),
    "log_probs": lambda s: s.floats(SIZE),
    "controllers": lambda s: s.controllers.copy(),
    "rollout": _rollout,
    "trajectories": _trajectories,
    "RolloutBuffer.observations": lambda s: np.zeros((2 * SIZE, 12, 19), np.uint8),
    "RolloutBuffer.actions": lambda s: np.zeros((2 * SIZE, 12), np.uint8),
    "RolloutBuffer.log_probs": lambda s: np.zeros((2 * SIZE, 12), np.float32),
    "lengths": lambda s: np.zeros(2 * SIZE, np.int32),
    "rewards": lambda s: np.zeros((2 * SIZE, 2), np.float32),
    "hands": lambda s: s.state.hands,
    "decks": lambda s: s.state.decks,
    "queue": lambda s: s.state.queue,
    "bar": lambda s: s.state.bar,
    "thats_it": lambda s: s.state.thats_it,
    "to_move": lambda s: s.state.to_move,
    "turn": lambda s: s.state.turn,
}
