"""What a run keeps on disk: training states, exports, checkpoint opponents; and its origin."""

from __future__ import annotations

import platform
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jax

from bb_jax import (
    CheckpointError,
    Policy,
    load_policy,
    policy_hash,
    resolve_checkpoint,
    save_policy,
)
from eval.errors import EvaluationError
from eval.manifest import record_evaluation, record_failure, update_manifest
from eval.matches import MatchResult
from train.checkpointing import Checkpoints, SavedState, write_json
from train.config import Config
from train.config_loading import config_to_dict, differences
from train.packing import unpack_state
from train.run_folder import RunFolder, parse_reference, read_json
from train.run_state import RunState, Totals

RUNS_ROOT = Path("checkpoints")
_CONFIGS = Path("configs")


@dataclass(frozen=True)
class Origin:
    """Where a run begins.

    Attributes:
      description: for messages, such as "a fresh network" or "checkpoint 600 of iter0_to_600".
      state: the run's state after its last completed iteration.
      arrays: the arrays that belong to it; None for a fresh network.
    """

    description: str
    state: RunState
    arrays: dict[str, Any] | None = None


@dataclass(frozen=True)
class Start:
    """The beginning of a new run, before anything of it is written.

    Attributes:
      origin: where it begins.
      source: the run that it starts from and whose checkpoint opponents come along, if any.
      fixed_opponents: policy files of the opponents that never leave the pool.
    """

    origin: Origin
    source: RunFolder | None = None
    fixed_opponents: tuple[Path, ...] = ()


class RunStore:
    """The disk side of one run in training; holds the run's lock until closed."""

    def __init__(self, config: Config):
        """Takes the run's folder.

        Raises:
          CheckpointError: it cannot be written, or another process trains in it.
        """
        self._config = config
        self.folder = RunFolder(config.run_dir)
        self.folder.make()
        self._lock = self.folder.lock()
        try:
            self._checkpoints = Checkpoints(self.folder.steps, config.keep_checkpoints)
        except BaseException:
            self._lock.close()
            raise

    def resume(self, step: int | None, note: Callable[[str], None]) -> Origin:
        """The state of this run at a step, by default the newest; later steps are removed.

        Args:
          step: completed iterations.
          note: told of configuration keys that have changed since.

        Raises:
          CheckpointError: the step is missing or damaged, or keys have changed whose change would
            break the meaning of the run; all of them are named.
        """
        chosen = self._checkpoints.newest if step is None else step
        saved = self._checkpoints.restore(chosen)
        description = f"checkpoint {chosen} of {self.folder.path}"
        state, saved_config = _read_host(saved, description)
        changes = differences(saved_config, config_to_dict(self._config))
        refused = [
            f"{changed.key} was {changed.old!r} and is {changed.new!r} now"
            for changed in changes
            if changed.refused
        ]
        if refused:
            raise CheckpointError(
                f"{description} was made with another configuration, which would make it another "
                f"experiment ({', '.join(refused)}); restore the values or give the run another "
                "experiment_name"
            )
        for changed in changes:
            note(f"{changed.key} has changed from {changed.old!r} to {changed.new!r}")
        self._checkpoints.delete_after(chosen)
        self.folder.drop_policies_except(self._checkpoints.steps)
        self.note_in_manifest(chosen)
        self.folder.drop_exploiters_except(range(chosen + 1))
        return Origin(description, state, saved.arrays)

    def begin(self, start: Start) -> Origin:
        """Begins a new run, with the checkpoint opponents that it starts with.

        Raises:
          CheckpointError: they cannot be copied.
        """
        self.folder.drop_exploiters_except(range(0))
        if start.source is not None:
            pool = start.origin.state.pool
            for name in [*pool["members"], *pool["exploiters"]]:
                self.folder.adopt_opponent(start.source.opponent(name), name)
        for path, name in zip(
            start.fixed_opponents, start.origin.state.pool.get("fixed", ()), strict=True
        ):
            self.folder.adopt_opponent(path, name)
        return start.origin

    def add_opponent(self, params: Any) -> str:
        """Exports parameters as a checkpoint opponent; returns their hash."""
        name = policy_hash(params)
        path = self.folder.opponent(name)
        if not path.exists():
            self._export(path, params, {"run": self._config.experiment_name})
        return name

    def opponent(self, policy_hash: str) -> Policy:
        """A checkpoint opponent by its hash."""
        return load_policy(self.folder.opponent(policy_hash))

    def save(self, saved: SavedState, mean_win_rate: float | None) -> None:
        """Begins to save a run's state: the export for inference at once, the rest behind it.

        Args:
          saved: arrays with a "learner", and a RunState as JSON.
          mean_win_rate: of the evaluation of this very state, if there was one.

        Raises:
          CheckpointError: this save or the one before cannot be written.
        """
        step, totals = saved.host["iteration"], saved.host["totals"]
        metadata = {"run": self._config.experiment_name, "step": step}
        metadata |= {"games": totals["games"], "positions": totals["positions"]}
        config = self._config
        metadata |= {"algorithm": config.algorithm}
        # What the values mean, to those who play by them.
        metadata |= {"margin_weight": config.margin_weight, "draw_reward": config.draw_reward}
        self._export(self.folder.policy(step), saved.arrays["learner"]["params"], metadata)
        host = {"run": saved.host, "config": config_to_dict(self._config), "made_on": machine()}
        self._checkpoints.save(step, SavedState(saved.arrays, host), mean_win_rate)
        self.folder.drop_policies_except([*self._checkpoints.steps, step])

    def _export(self, path: Path, params: Any, metadata: dict[str, Any]) -> None:
        network, scoring = self._config.network_config, self._config.scoring
        try:
            save_policy(path, params, network, scoring, metadata)
        except OSError as error:
            raise CheckpointError(f"cannot write {path}: {error.strerror or error}") from error

    def wait(self) -> None:
        """Waits until what was saved is complete on disk."""
        self._checkpoints.wait()

    def note_configuration(self) -> None:
        """Leaves the configuration beside the checkpoints, for people."""
        self._write_json(self.folder.configuration, config_to_dict(self._config))

    def note_in_manifest(
        self,
        step: int,
        results: Sequence[MatchResult] = (),
        *,
        params: Any = None,
        seed: int = 0,
        source: str = "training",
    ) -> None:
        """Makes the manifest fit the policies that are kept, and enters an evaluation.

        Args:
          step: of a state that is saved.
          results: of its evaluation; none where no evaluation fell on it.
          params: that were evaluated.
          seed: of the deals.
          source: "training" or "final evaluation".

        Raises:
          CheckpointError: the manifest cannot be written.
        """
        try:
            if not results:
                update_manifest(self.folder.path)
                return
            record_evaluation(
                self.folder.path,
                step,
                results,
                policy_hash=policy_hash(params),
                scoring=self._config.scoring,
                seed=seed,
                source=source,
            )
        except EvaluationError as error:
            raise CheckpointError(str(error)) from error

    def note_failed_evaluation(self, step: int, why: str) -> None:
        """Enters into the manifest that the final evaluation failed.

        Raises:
          CheckpointError: the manifest cannot be written.
        """
        try:
            record_failure(self.folder.path, step, why, "final evaluation")
        except EvaluationError as error:
            raise CheckpointError(str(error)) from error

    def note_final_evaluation(self, iteration: int, results: Sequence[MatchResult]) -> None:
        """Leaves the final table, for the next time that the finished run is started."""
        content = {
            "iteration": iteration,
            "scoring": self._config.scoring,
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "results": [result.as_json() for result in results],
        }
        self._write_json(self.folder.final_evaluation, content)

    def final_evaluation(self, iteration: int) -> list[dict[str, Any]] | None:
        """The rows of the final table after an iteration; None where it was not made."""
        if not self.folder.final_evaluation.exists():
            return None
        content = read_json(self.folder.final_evaluation)
        return content["results"] if content.get("iteration") == iteration else None

    def _write_json(self, path: Path, content: Any) -> None:
        try:
            write_json(path, content)
        except OSError as error:
            raise CheckpointError(f"cannot write {path}: {error.strerror}") from error

    def close(self) -> None:
        """Ends what is being saved and gives the folder free."""
        try:
            self._checkpoints.close()
        finally:
            self._lock.close()


def machine() -> dict[str, Any]:
    """What this process computes on, for the record."""
    return {
        "device": jax.local_devices()[0].device_kind,
        "devices": jax.device_count(),
        "hosts": jax.process_count(),
        "jax": jax.__version__,
        "python": platform.python_version(),
    }


def find_start(config: Config) -> Start:
    """The beginning of a new run: fresh, or from another run where `resume_from` names one.

    From another run come parameters, optimizer state, iteration, totals and pool members;
    random streams, adaptive weights and metrics are the new run's own. Nothing is written.

    Raises:
      CheckpointError: the other run's checkpoint is missing (a configuration that would make it is
        named), damaged, of another architecture, lacks a checkpoint opponent, or has all
        iterations already; or a fixed opponent is missing or of another architecture.
    """
    fixed_paths, fixed = _fixed_opponents(config)
    if config.resume_from is None:
        pool: dict[str, Any] = {"members": [], "exploiters": [], "win_rates": {}, "fixed": fixed}
        origin = Origin("a fresh network", RunState(0, 0, Totals(), pool))
        return Start(origin, fixed_opponents=fixed_paths)
    try:
        source, description, saved = read_state(config.resume_from)
    except CheckpointError as error:
        run = Path(config.resume_from.partition("@")[0]).name
        made_by = [path for path in sorted(_CONFIGS.glob("*.yaml")) if _experiment(path) == run]
        hint = f"; `python -m train.main --config {made_by[0]}` makes it" if made_by else ""
        raise CheckpointError(f"resume_from {config.resume_from}: {error}{hint}") from error
    state, saved_config = _read_host(saved, description)
    _check_architecture(saved_config, config, description)
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
    origin = Origin(description, begun, {"learner": saved.arrays["learner"]})
    return Start(origin, source, fixed_paths)


def _fixed_opponents(config: Config) -> tuple[tuple[Path, ...], list[str]]:
    """Policy files of the fixed opponents, and the hashes of their parameters."""
    paths, hashes = [], []
    for reference in config.fixed_opponents:
        try:
            path = resolve_checkpoint(reference, RUNS_ROOT)
            policy = load_policy(path, config.network_config)
        except CheckpointError as error:
            raise CheckpointError(f"fixed_opponents {reference}: {error}") from error
        paths.append(path)
        hashes.append(policy_hash(policy.params))
    return tuple(paths), hashes


def _experiment(config: Path) -> str | None:
    found = re.search(r"^experiment_name: *(\S+)", config.read_text(errors="replace"), re.MULTILINE)
    return found and found[1]


def read_state(reference: str) -> tuple[RunFolder | None, str, SavedState]:
    """The state that RUN, RUN@STEP or the file of a packed state names; nothing is written.

    Returns:
      The run's folder, None for a packed state, which has no opponents; a description for messages;
      and the state.

    Raises:
      CheckpointError: it is missing or damaged.
    """
    if reference.endswith(".policy"):
        return None, reference, unpack_state(Path(reference))[0]
    source, step = parse_reference(reference, RUNS_ROOT)
    if not source.has_steps():
        packed = source.packed_states()
        step = max(packed) if step is None else step
        if step not in packed:
            there = ", ".join(map(str, packed))
            raise CheckpointError(f"{source.path} has no checkpoint {step}; there are: {there}")
        return None, f"checkpoint {step} of {source.path}", unpack_state(packed[step])[0]
    checkpoints = Checkpoints(source.steps, keep=None)
    try:
        step = checkpoints.newest if step is None else step
        saved = checkpoints.restore(step)
    finally:
        checkpoints.close()
    return source, f"checkpoint {step} of {source.path}", saved


def _read_host(saved: SavedState, description: str) -> tuple[RunState, dict[str, Any]]:
    """The run's state and the configuration that were saved with it."""
    try:
        return RunState.from_json(saved.host["run"]), saved.host["config"]
    except (KeyError, TypeError) as error:
        raise CheckpointError(
            f"{description} was written by another version of this program: it lacks {error}"
        ) from error


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
