"""Calls every public function of the simulator with arguments of every kind.

A call has to raise one of the documented exceptions, and change nothing, or to return what it
returns for the same values in plain arrays. `attack.simulator` runs this module on a copy of the
simulator that is built with sanitizers; it needs nothing but `bb_sim` and numpy.
"""

from __future__ import annotations

import argparse
import json
import operator
import os
import time
import warnings
from collections import Counter
from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any

import numpy as np

import bb_sim
from attack.hostile_values import (
    HostileError,
    any_value,
    hostile_array,
    hostile_number,
    hostile_text,
)
from attack.simulator_targets import Parameter, Sound, Target, find_targets
from bb_sim.arena import RolloutBuffer
from bb_sim.search.simulator import Simulator

_DOCUMENTED = (ValueError, TypeError, IndexError, OverflowError, MemoryError, HostileError)
# The arguments that a function writes to, as its documentation says; a class keeps its arrays.
_WRITTEN = {"observations.out", "play_random.observations", "update_posterior.posterior"}
# Parameters that say how much work is asked for: what is accepted has to be done.
_WORK = ("samples", "count", "num_games", "num_slots", "num_trajectories", "capacity")
_MOST_WORK = 500
_CALLS_OF_AN_INSTANCE = 8
# Cases between two reports to the attack.
_REPORT_EVERY = 200

Outcome = tuple[str, Any]


class Wrong(Exception):
    """What must not happen."""


def run_case(targets: list[Target], seed: int, number: int) -> tuple[str, str]:
    """Runs one case, which is a function of the seed and its number.

    Returns:
      The target's name, and the outcome: "refused" or "accepted".

    Raises:
      Wrong: something must not happen.
    """
    target = targets[number % len(targets)]
    key = f"{seed}:{number}"
    if target.methods:
        outcomes = _run_instance(target, Random(key), None)
        plain = _run_instance(target, Random(key), outcomes)
    else:
        name = target.name.rpartition(".")[2]
        outcomes = [_call(target.call, name, target.parameters, Random(key), Sound, None)]
        plain = [_call(target.call, name, target.parameters, Random(key), Sound, outcomes[0])]
    if hasattr(target.call, "__dataclass_fields__"):
        # It shows what it was given, whose layout is no matter of its own.
        outcomes, plain = ([(outcome, None) for outcome, _ in o] for o in (outcomes, plain))
    for one, other in zip(outcomes, plain, strict=True):
        if _shown(one) != _shown(other):
            raise Wrong(
                f"{str(_shown(one))[:300]}, but {str(_shown(other))[:300]} for plain arrays"
            )
    accepted = any(outcome[0] == "accepted" for outcome in outcomes)
    return target.name, "accepted" if accepted else "refused"


# --- Calls ----------------------------------------------------------------------------------------


def _run_instance(target: Target, rng: Random, before: list[Outcome] | None) -> list[Outcome]:
    """Makes an instance and calls its methods.

    Args:
      target: the class.
      rng: chooses all that happens.
      before: the outcomes of the same calls, to be repeated with plain arrays; calls that were
        refused are left out.
    """
    class_name = target.name.rpartition(".")[2]
    expected = iter(before or ())

    def call(function: Callable[..., Any], name: str, parameters: tuple[Parameter, ...]) -> Any:
        outcome = next(expected) if before is not None else None
        seed = rng.getrandbits(64)
        receiver = instance if outcomes else None
        found = _call(
            function, name, parameters, Random(seed),
            lambda stream: Sound(stream, receiver), outcome, receiver, name == class_name,
        )  # fmt: skip
        outcomes.append(found)
        return found[1]

    outcomes: list[Outcome] = []
    extension = not hasattr(target.call, "__dataclass_fields__")
    make = target.call
    if extension and rng.random() < 0.05:
        # As a subclass makes it that forgets to call the constructor of its base.
        make = partial(target.call.__new__, target.call)  # type: ignore[arg-type]

    instance = call(make, class_name, target.parameters)
    if outcomes[0][0] != "accepted":
        return outcomes
    for _ in range(rng.randint(1, _CALLS_OF_AN_INSTANCE)):
        names = [*target.methods, *target.methods, *target.properties]
        name = rng.choice(names) if names else "__repr__"
        if extension and rng.random() < 0.03:
            call(instance.__init__, class_name, target.parameters)
        elif name in target.methods:
            method = getattr(instance, name)
            call(method, f"{class_name}.{name}", target.methods[name])
        else:
            call(lambda name=name: getattr(instance, name), name, ())
    outcomes.append(("accepted", instance))
    return outcomes


def _call(
    function: Callable[..., Any],
    name: str,
    parameters: tuple[Parameter, ...],
    rng: Random,
    sound: Callable[[Random], Sound],
    before: Outcome | None,
    receiver: Any = None,
    constructs: bool = False,
) -> Outcome:
    """Calls a function with arguments that may be hostile.

    Args:
      function: what to call.
      name: of the function, with its class if it is a method.
      parameters: its parameters.
      rng: chooses the arguments.
      sound: makes sound arguments.
      before: the outcome of the same call, which is repeated with plain arrays.
      receiver: the instance of the method.
      constructs: whether the function makes an instance, which may keep its arrays.
    """
    try:
        values = _arguments(name, parameters, rng, sound(rng), receiver)
    except Exception:
        # An instance without its arrays has no sound arguments.
        values = {parameter.name: None for parameter in parameters if not parameter.optional}
    if before is not None and before[0] != "accepted":
        # Its arguments may lie in the receiver's memory, so they had to be made.
        return before
    if before is not None:
        values = {key: _plain(value) for key, value in values.items()}
    positional = [values[p.name] for p in parameters if p.name in values and not p.keyword_only]
    if any(p.optional and p.name not in values for p in parameters):
        positional = []
    keywords = dict(list(values.items())[len(positional) :])
    arrays = {key: value for key, value in values.items() if _is_small_array(value)}
    contents = {key: _bytes_of(value) for key, value in arrays.items()}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            # Numpy's, about numbers that are too large or none; what comes of them is looked at.
            warnings.simplefilter("ignore", RuntimeWarning)
            result = function(*positional, **keywords)
    except _DOCUMENTED as error:
        if not str(error).strip() and not isinstance(error, MemoryError):
            raise Wrong(
                f"{name}({_words(values)}): {type(error).__name__} without a word"
            ) from None
        changed = [key for key, value in arrays.items() if _bytes_of(value) != contents[key]]
        if changed:
            raise Wrong(f"{name}({_words(values)}) is refused, but {changed} has changed") from None
        return "refused", None
    except AttributeError as error:
        # Python's own: slots without values, and attributes that cannot be set.
        if receiver is not None and "__new__" not in str(error) and _is_bare(receiver):
            return "refused", None
        raise Wrong(f"{name}({_words(values)}): AttributeError: {error}") from None
    except BaseException as error:
        raise Wrong(f"{name}({_words(values)}): {type(error).__name__}: {error}"[:600]) from None
    written = {key for key in arrays if f"{name.rpartition('.')[2]}.{key}" in _WRITTEN}
    if not constructs:
        outputs = [*_arrays_of(receiver), *map(arrays.get, written)]
        for key, value in arrays.items():
            differs = key not in written and _bytes_of(value) != contents[key]
            if differs and not _shares_memory(value, outputs):
                raise Wrong(f"{name}({_words(values)}) has changed {key}")
    return "accepted", result if not written else (result, [arrays[key] for key in written])


def _arguments(
    name: str, parameters: tuple[Parameter, ...], rng: Random, sound: Sound, receiver: Any
) -> dict[str, Any]:
    """Sound arguments, some of them made hostile."""
    values = {}
    for parameter in parameters:
        if not parameter.optional or rng.random() < 0.5:
            short = name if name in ("GameBatch.step", "Arena.step") else name.rpartition(".")[2]
            values[parameter.name] = sound.argument(short, parameter.name)
    for _ in range(rng.choice((0, 0, 1, 1, 1, 1, 2, 3)) if values else 0):
        key = rng.choice(sorted(values))
        others = [value for value in values.values() if isinstance(value, np.ndarray)]
        others += _arrays_of(receiver)
        values[key] = _hostile(values[key], rng, others)
        if key in _WORK:
            values[key] = _little_work(values[key])
    return values


def _hostile(value: Any, rng: Random, others: list[np.ndarray]) -> Any:
    if isinstance(value, np.ndarray):
        return hostile_array(value, rng, [other for other in others if other is not value])
    if isinstance(value, (int, float)):
        return hostile_number(value, rng)
    if isinstance(value, str):
        return hostile_text(rng)
    if isinstance(value, tuple) and rng.random() < 0.5:
        changed = list(value)
        changed.insert(rng.randint(0, len(changed)), any_value(rng))
        return rng.choice((changed, tuple(changed), tuple(changed[1:]), value * 3))
    return any_value(rng)


def _little_work(value: Any) -> Any:
    """What is not refused must be little, or the attack waits for it."""
    try:
        work = operator.index(value)
    except Exception:
        return value
    return _MOST_WORK if _MOST_WORK < work < 2**31 else value


# --- Comparison -----------------------------------------------------------------------------------


def _plain(value: Any) -> Any:
    """The same values in an array of the machine's byte order that nobody else has."""
    if not _is_small_array(value) or value.dtype.hasobject:
        return value
    return np.array(np.asarray(value), value.dtype.newbyteorder("="), order="C", copy=True)


def _bytes_of(array: np.ndarray) -> bytes:
    """The content of an array, whatever its mask; a long double has bytes that mean nothing."""
    return b"" if array.dtype.char in "gG" else np.asarray(array).tobytes()


def _is_small_array(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.size < 10**6 and value.nbytes < 10**6


def _arrays_of(instance: Any) -> list[np.ndarray]:
    if not isinstance(instance, (bb_sim.Arena, RolloutBuffer, Simulator)):
        return []
    names = [name for name in dir(type(instance)) if not name.startswith("_")]
    values = [getattr(instance, name, None) for name in names]
    return [value for value in values if isinstance(value, np.ndarray)]


def _is_bare(instance: Any) -> bool:
    return any(getattr(instance, name, 0) is None for name in ("rows", "observations"))


def _shares_memory(value: np.ndarray, others: list[Any]) -> bool:
    return any(
        isinstance(other, np.ndarray) and np.may_share_memory(value, other) for other in others
    )


def _shown(value: Any) -> Any:
    """What can be compared of a value."""
    if isinstance(value, np.ndarray):
        if not _is_small_array(value):
            return value.dtype.str, value.shape
        native = np.asarray(value).astype(value.dtype.newbyteorder("="))
        return native.dtype.str, value.shape, _bytes_of(native)
    if isinstance(value, bb_sim.GameBatch):
        states = [bb_sim.c_state_to_python(value, index) for index in range(len(value))]
        return [str(state) for state in states], value.legal_masks().tolist()
    if isinstance(value, bb_sim.Arena):
        results = [_shown(getattr(value, name)) for name in ("games", "margins", "outcomes")]
        return value.pending, results
    if isinstance(value, (Simulator, RolloutBuffer)):
        return type(value).__name__
    if isinstance(value, dict):
        return [(_shown(key), _shown(item)) for key, item in value.items()]
    if isinstance(value, (list, tuple)):
        return [_shown(item) for item in value]
    text = repr(value)
    return text if " at 0x" not in text else type(value).__name__


def _words(values: dict[str, Any]) -> str:
    words = []
    for key, value in values.items():
        if isinstance(value, np.ndarray):
            flags = "" if value.flags.c_contiguous else " strided"
            words.append(f"{key}={value.dtype}{list(value.shape)}{flags}")
        else:
            words.append(f"{key}={repr(value)[:120]}")
    return ", ".join(words)


# --- The process ----------------------------------------------------------------------------------


def main() -> None:
    """Runs cases until the time is over; tells each case's number before it begins."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--first", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--most", type=int, required=True)
    parser.add_argument("--progress", required=True)
    options = parser.parse_args()
    targets = find_targets()
    progress = os.open(options.progress, os.O_WRONLY | os.O_CREAT)
    ends = time.monotonic() + options.seconds
    counts: Counter[str] = Counter()
    number = options.first
    while time.monotonic() < ends and number < options.first + options.most:
        name = targets[number % len(targets)].name
        os.pwrite(progress, f"{number:20d} {name:60s}".encode(), 0)
        try:
            name, outcome = run_case(targets, options.seed, number)
        except Wrong as error:
            print(json.dumps({"found": [name, number, str(error)]}), flush=True)
        else:
            counts[f"{name} {outcome}"] += 1
        number += 1
        if number % _REPORT_EVERY == 0:
            print(json.dumps({"counts": counts}), flush=True)
            counts.clear()
    print(json.dumps({"counts": counts, "ended": number}), flush=True)


if __name__ == "__main__":
    main()
