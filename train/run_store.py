"""What a run keeps on disk: training states, exports, checkpoint opponents; and its origin."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bb_jax import CheckpointError, Policy, load_policy, policy_hash, save_policy
from eval.matches import MatchResult
from train.checkpointing import Checkpoints, SavedState, write_json
from train.config import Config
from train.config_loading import config_to_dict, differences
from train.run_folder import RunFolder, parse_reference, read_json
from train.run_state import RunState, Totals

RUNS_ROOT = Path("checkpoints")


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
          CheckpointError: the step is missing or damaged, or a key has changed whose change would
            break the meaning of the run.
        """
        steps = self._checkpoints.steps
        if not steps:
            raise CheckpointError(f"{self.folder.path} has no complete checkpoint to resume from")
        chosen = steps[-1] if step is None else step
        saved = self._checkpoints.restore(chosen)
        description = f"checkpoint {chosen} of {self.folder.path}"
        for changed in differences(saved.host["config"], config_to_dict(self._config)):
            if changed.refused:
                raise CheckpointError(
                    f"{changed.key} was {changed.old!r} in {description} and is {changed.new!r} "
                    "now, which would make it another experiment; restore the value or give the "
                    "run another experiment_name"
                )
            note(f"{changed.key} has changed from {changed.old!r} to {changed.new!r}")
        self._checkpoints.delete_after(chosen)
        self.folder.drop_policies_except(self._checkpoints.steps)
        return Origin(description, RunState.from_json(saved.host["run"]), saved.arrays)

    def begin(self) -> Origin:
        """The beginning of a new run: fresh, or from another run where `resume_from` names one.

        From another run come parameters, optimizer state, iteration, totals and pool members;
        random streams, adaptive weights and metrics are the new run's own.

        Raises:
          CheckpointError: the other run's checkpoint is missing, damaged or of another
            architecture.
        """
        empty_pool: dict[str, Any] = {"members": [], "exploiters": [], "win_rates": {}}
        if self._config.resume_from is None:
            return Origin("a fresh network", RunState(0, 0, Totals(), empty_pool))
        source, step = find_start(self._config.resume_from)
        other = Checkpoints(source.steps, keep=1_000_000)
        try:
            saved = other.restore(other.steps[-1] if step is None else step)
        finally:
            other.close()
        state = RunState.from_json(saved.host["run"])
        description = f"checkpoint {state.iteration} of {source.path}"
        _check_architecture(saved.host["config"], self._config, description)
        members = [*state.pool["members"], *state.pool["exploiters"]]
        self.folder.adopt_opponents(source, members)
        if state.iteration >= self._config.total_iterations:
            raise CheckpointError(
                f"{description} has {state.iteration} iterations, and total_iterations "
                f"({self._config.total_iterations}) counts those too"
            )
        begun = RunState(
            iteration=state.iteration,
            start_iteration=state.iteration,
            totals=state.totals,
            pool=state.pool | {"win_rates": {}},
        )
        return Origin(description, begun, {"learner": saved.arrays["learner"]})

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
        self._export(self.folder.policy(step), saved.arrays["learner"]["params"], metadata)
        host = {"run": saved.host, "config": config_to_dict(self._config)}
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


def find_start(reference: str) -> tuple[RunFolder, int | None]:
    """The run folder and step that `resume_from` names.

    Raises:
      CheckpointError: it is not there; a configuration that would make it is named.
    """
    try:
        return parse_reference(reference, RUNS_ROOT)
    except CheckpointError as error:
        name = reference.partition("@")[0]
        config = Path("configs") / f"{Path(name).name}.yaml"
        hint = f"; `python -m train.main --config {config}` makes it" if config.exists() else ""
        raise CheckpointError(f"resume_from {reference}: {error}{hint}") from error


def _check_architecture(saved_config: dict[str, Any], config: Config, description: str) -> None:
    """Raises CheckpointError naming the field in which the networks differ."""
    for changed in differences(saved_config, config_to_dict(config)):
        # Dropout has no parameters, so another value fits.
        architecture = changed.key.startswith("network_config.") or changed.key == "scoring"
        if architecture and changed.key != "network_config.dropout":
            raise CheckpointError(
                f"{description} is of another architecture: {changed.key} is {changed.old!r} there "
                f"and {changed.new!r} in this configuration"
            )
