"""What a run keeps on disk: training states, exports, checkpoint opponents, its teacher."""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax

from bb_jax import (
    CheckpointError,
    Policy,
    load_policy,
    policy_hash,
    save_policy,
)
from bb_jax.errors import EvaluationError
from bb_jax.files import read_object, timestamp, write_json
from eval.matches.match import MatchResult
from eval.statistics.manifest import record_evaluation, record_failure, update_manifest
from train.config import Config, config_to_dict, differences
from train.runs.folder import RunFolder
from train.runs.start import Origin, Start, read_host
from train.runs.steps import Checkpoints, SavedState


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
        state, saved_config = read_host(saved, description)
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
        """Begins a new run, with the checkpoint opponents and the teacher that it starts with.

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
        if start.teacher is not None:
            self.folder.adopt_teacher(start.teacher)
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

    def teacher(self) -> Policy | None:
        """Who plays as the expert in place of the network that learns, if somebody does.

        Raises:
          CheckpointError: the teacher's file is missing or damaged.
        """
        has_teacher = self._config.expert_config.teacher is not None
        return load_policy(self.folder.teacher) if has_teacher else None

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
        metadata |= meaning_of_values(config_to_dict(config))
        self._export(self.folder.policy(step), saved.arrays["learner"]["params"], metadata)
        host = {"run": saved.host, "config": config_to_dict(self._config), "made_on": machine()}
        self._checkpoints.save(step, SavedState(saved.arrays, host), mean_win_rate)
        self.folder.drop_policies_except([*self._checkpoints.steps, step])

    def _export(self, path: Path, params: Any, metadata: dict[str, Any]) -> None:
        network, scoring = self._config.network_config, self._config.scoring
        save_policy(path, params, network, scoring, metadata)

    def wait(self) -> None:
        """Waits until what was saved is complete on disk."""
        self._checkpoints.wait()

    def note_configuration(self) -> None:
        """Leaves the configuration beside the checkpoints, for people."""
        write_json(self.folder.configuration, config_to_dict(self._config), kind=CheckpointError)

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
            "date": timestamp(),
            "results": [result.as_json() for result in results],
        }
        write_json(self.folder.final_evaluation, content, kind=CheckpointError)

    def final_evaluation(self, iteration: int) -> list[dict[str, Any]] | None:
        """The rows of the final table after an iteration; None where it was not made."""
        content = read_object(self.folder.final_evaluation, CheckpointError)
        if content is None or content.get("iteration") != iteration:
            return None
        return content["results"]

    def close(self) -> None:
        """Ends what is being saved and gives the folder free."""
        try:
            self._checkpoints.close()
        finally:
            self._lock.close()


def meaning_of_values(config: Mapping[str, Any]) -> dict[str, Any]:
    """What those who play by a network have to know of the configuration that trained it.

    "policy_temperature" is there where the policy is a softmax over objectives.
    """
    meaning = {key: config[key] for key in ("algorithm", "margin_weight", "draw_reward")}
    if config["algorithm"] == "expert_iteration":
        meaning["policy_temperature"] = config["expert_config"]["policy_temperature"]
    return meaning


def machine() -> dict[str, Any]:
    """What this process computes on, for the record."""
    return {
        "device": jax.local_devices()[0].device_kind,
        "devices": jax.device_count(),
        "hosts": jax.process_count(),
        "jax": jax.__version__,
        "python": platform.python_version(),
    }
