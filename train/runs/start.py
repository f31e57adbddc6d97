"""What a new run begins with: a fresh network, or a state that another run has left."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bb_jax import NetworkConfig, load_policy, policy_hash
from bb_jax.errors import CheckpointError
from bb_jax.networks.merging import merge_learners
from eval.runs.layout import packed_states
from eval.runs.references import find_policy, find_run, named_file, parse_reference
from train.config import Config, config_to_dict, differences, known_configs
from train.runs.folder import RunFolder
from train.runs.packing import unpack_state
from train.runs.state import RunState, Totals
from train.runs.steps import SavedState, TrainingSteps


@dataclass(frozen=True)
class Origin:
    """The state that training begins with, in a new run or a resumed one.

    Attributes:
      description: names it in messages: "a fresh network", "checkpoint 600 of iter0_to_600".
      state: the run's state after its last completed iteration.
      arrays: the arrays of that state; None for a fresh network.
    """

    description: str
    state: RunState
    arrays: dict[str, Any] | None = None


@dataclass(frozen=True)
class NewRun:
    """Everything that a new run begins with, before any of it is written.

    Attributes:
      origin: the state that its training begins with.
      source: the run whose checkpoint opponents it takes over, if any.
      fixed_opponents: policy files of the opponents that never leave the pool.
      teacher: the teacher's policy file, if there is one.
    """

    origin: Origin
    source: RunFolder | None = None
    fixed_opponents: tuple[Path, ...] = ()
    teacher: Path | None = None


def find_new_run(config: Config) -> NewRun:
    """Finds what a new run begins with: a fresh network, or the state that `resume_from` names.

    The named state gives parameters, optimizer state, iteration, totals and pool members. Random
    streams, adaptive weights and metrics are the new run's own. `merge_with` gives the parameters
    and the optimizer state of a second network; the pool then begins empty, since its members are
    narrower. Nothing is written.

    Raises:
      CheckpointError: the named state is missing, damaged, of another architecture, lacks a
        checkpoint opponent or has all iterations already; a fixed opponent is missing or of another
        architecture; or the teacher is missing or cannot judge afterstates.
    """
    teacher = _teacher(config.expert_config.teacher, config.scoring)
    fixed_paths, fixed = _fixed_opponents(config.fixed_opponents, config.network_config)
    if config.resume_from is None:
        pool: dict[str, Any] = {"members": [], "exploiters": [], "win_rates": {}, "fixed": fixed}
        origin = Origin("a fresh network", RunState(0, 0, Totals(), pool))
        return NewRun(origin, fixed_opponents=fixed_paths, teacher=teacher)
    source, description, saved = _read_start("resume_from", config.resume_from)
    state, saved_config = read_host(saved, description)
    learner = saved.arrays["learner"]
    if config.merge_with is None:
        _check_architecture(saved_config, config, description)
    else:
        first, second = _apart(config)
        _check_architecture(saved_config, first, description)
        _, other, saved = _read_start("merge_with", config.merge_with)
        _check_architecture(read_host(saved, other)[1], second, other)
        learner = merge_learners(learner, saved.arrays["learner"])
        description = f"{description} merged with {other}"
        state = replace(state, pool={"members": [], "exploiters": []})
        source = None
    if state.iteration >= config.total_iterations:
        raise CheckpointError(
            f"{description} has {state.iteration} iterations, and total_iterations "
            f"({config.total_iterations}) counts those too"
        )
    for opponent in [*state.pool["members"], *state.pool["exploiters"]]:
        if source is not None and not source.opponent(opponent).exists():
            raise CheckpointError(f"{description} lacks its opponent {source.opponent(opponent)}")
    begun = RunState(
        iteration=state.iteration,
        start_iteration=state.iteration,
        totals=state.totals,
        pool=state.pool | {"win_rates": {}, "fixed": fixed},
    )
    return NewRun(Origin(description, begun, {"learner": learner}), source, fixed_paths, teacher)


def _read_start(key: str, reference: str) -> tuple[RunFolder | None, str, SavedState]:
    """Reads the state that a key of the configuration names; the error says what would make it."""
    try:
        return read_state(reference)
    except CheckpointError as error:
        run = Path(parse_reference(reference).run).name
        made_by = [name for name, path in known_configs().items() if _experiment(path) == run]
        command = f"python -m train.main --config configs/{made_by[0]}.yaml" if made_by else ""
        hint = f"; `{command}` makes it" if made_by else ""
        raise CheckpointError(f"{key} {reference}: {error}{hint}") from error


def _apart(config: Config) -> tuple[Config, Config]:
    """Configurations of the two networks that are merged into the configured one."""
    network = config.network_config
    return (
        config.replace(merge_with=None, network_config=network.replace(second_tower=())),
        config.replace(
            merge_with=None,
            network_config=network.replace(hidden_layers=network.second_tower, second_tower=()),
        ),
    )


def _fixed_opponents(
    references: Sequence[str], network_config: NetworkConfig
) -> tuple[tuple[Path, ...], list[str]]:
    """The fixed opponents' policy files, and the hashes of their parameters."""
    paths, hashes = [], []
    for reference in references:
        try:
            path = find_policy(reference)
            policy = load_policy(path, network_config)
        except CheckpointError as error:
            raise CheckpointError(f"fixed_opponents {reference}: {error}") from error
        paths.append(path)
        hashes.append(policy_hash(policy.params))
    return tuple(paths), hashes


def _teacher(reference: str | None, scoring: str) -> Path | None:
    """The teacher's policy file, after a look into it."""
    if reference is None:
        return None
    what = f"expert_config.teacher {reference}"
    try:
        path = find_policy(reference)
        policy = load_policy(path)
    except CheckpointError as error:
        raise CheckpointError(f"{what}: {error}") from error
    if policy.metadata.get("algorithm") != "expert_iteration":
        raise CheckpointError(
            f"{what}: {path} was not trained by expert iteration, so its values know no afterstates"
        )
    if policy.scoring != scoring:
        raise CheckpointError(
            f"{what}: {path} was trained for scoring by {policy.scoring}, not by {scoring}"
        )
    return path


def _experiment(config: Path) -> str | None:
    found = re.search(r"^experiment_name: *(\S+)", config.read_text(errors="replace"), re.MULTILINE)
    return found and found[1]


def read_state(reference: str) -> tuple[RunFolder | None, str, SavedState]:
    """Reads the state that RUN, RUN@STEP or the file of a packed state names.

    Returns:
      The run's folder (None for a packed state, which has no opponents), a description for
      messages, and the state.

    Raises:
      CheckpointError: it is missing or damaged.
    """
    file = named_file(reference)
    if file is not None:
        return None, reference, unpack_state(file)[0]
    run, step = parse_reference(reference)
    source = RunFolder(find_run(run))
    if not source.has_steps():
        packed = packed_states(source.path)
        if not packed:
            raise CheckpointError(f"run {run} has no checkpoints")
        step = max(packed) if step is None else step
        if step not in packed:
            there = ", ".join(map(str, packed))
            raise CheckpointError(f"{source.path} has no checkpoint {step}; there are: {there}")
        return None, f"checkpoint {step} of {source.path}", unpack_state(packed[step])[0]
    checkpoints = TrainingSteps(source.steps, keep=None)
    try:
        step = checkpoints.newest if step is None else step
        saved = checkpoints.restore(step)
    finally:
        checkpoints.close()
    return source, f"checkpoint {step} of {source.path}", saved


def read_host(saved: SavedState, description: str) -> tuple[RunState, dict[str, Any]]:
    """The run's state and configuration from a saved step."""
    try:
        return RunState.from_json(saved.host["run"]), dict(saved.host["config"])
    except KeyError as error:
        raise CheckpointError(
            f"{description} was written by another version of this program: it lacks {error}"
        ) from error
    except (AttributeError, TypeError, ValueError) as error:
        raise CheckpointError(f"{description} holds no state of a run: {error}") from error


def _check_architecture(saved_config: dict[str, Any], config: Config, description: str) -> None:
    """Raises CheckpointError naming the fields in which the networks differ."""
    different = [
        f"{changed.key} is {changed.old!r} there and {changed.new!r} in this configuration"
        for changed in differences(saved_config, config_to_dict(config))
        if changed.key.startswith("network_config.") or changed.key == "scoring"
        # Neither has parameters, so another value fits.
        if changed.key not in ("network_config.dropout", "network_config.compute_dtype")
    ]
    if different:
        raise CheckpointError(f"{description} is of another architecture: {', '.join(different)}")
