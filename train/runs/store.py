"""What a run stores: training states, exports, checkpoint opponents, its teacher, its record."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

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
from train.runs.machine import machine
from train.runs.start import NewRun, Origin, read_host
from train.runs.steps import SavedState, TrainingSteps


class Store(Protocol):
    """What the training loop stores; where several hosts train, host 0 alone writes it."""

    def add_opponent(self, params: Any) -> str:
        """Exports parameters as a checkpoint opponent; returns their hash."""
        ...

    def opponent(self, policy_hash: str) -> Policy:
        """A checkpoint opponent by its hash.

        Raises:
          CheckpointError: its file is missing or damaged.
        """
        ...

    def teacher(self) -> Policy:
        """The policy that plays as the expert, where `expert_config.teacher` names one.

        Raises:
          CheckpointError: its file is missing or damaged.
        """
        ...

    def exploiter_steps(self, iteration: int) -> TrainingSteps | None:
        """The saved states of an iteration's exploiter; None on a host that does not write.

        Those of other iterations are removed.

        Raises:
          CheckpointError: the file system refuses.
        """
        ...

    def save(self, saved: SavedState, mean_win_rate: float | None) -> None:
        """Begins to save the run's state; `wait` ends it.

        Args:
          saved: arrays with a "learner", and a RunState as JSON.
          mean_win_rate: result of this state's evaluation, if there was one.

        Raises:
          CheckpointError: this save, or the one before it, cannot be written.
        """
        ...

    def wait(self) -> None:
        """Waits until the pending save is complete on disk.

        Raises:
          CheckpointError: it cannot be written.
        """
        ...

    def note_configuration(self) -> None:
        """Leaves the configuration beside the checkpoints, for people.

        Raises:
          CheckpointError: it cannot be written.
        """
        ...

    def note_in_manifest(
        self,
        step: int,
        results: Sequence[MatchResult] = (),
        *,
        params: Any = None,
        seed: int = 0,
        source: str = "training",
    ) -> None:
        """Brings the manifest in line with the policies that are kept, and enters an evaluation.

        Args:
          step: a saved step.
          results: its evaluation; empty where there was none.
          params: the parameters that were evaluated.
          seed: the seed of the deals.
          source: "training" or "final evaluation".

        Raises:
          CheckpointError: the manifest cannot be written.
        """
        ...

    def note_failed_evaluation(self, step: int, why: str) -> None:
        """Enters into the manifest that the final evaluation failed.

        Raises:
          CheckpointError: the manifest cannot be written.
        """
        ...

    def note_final_evaluation(self, iteration: int, results: Sequence[MatchResult]) -> None:
        """Leaves the final table for the next start of the finished run.

        Raises:
          CheckpointError: it cannot be written.
        """
        ...


class RunStore:
    """The `Store` on disk, in the run's folder; holds the folder's lock until closed."""

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
            self._steps = TrainingSteps(self.folder.steps, config.keep_checkpoints)
        except BaseException:
            self._lock.close()
            raise

    def resume(self, step: int | None, note: Callable[[str], None]) -> Origin:
        """Reads this run's state at a step, by default the newest; later steps are removed.

        Args:
          step: completed iterations.
          note: called with a sentence for every configuration key that has changed since.

        Raises:
          CheckpointError: the step is missing or damaged, or keys have changed whose change would
            break the meaning of the run; all of them are named.
        """
        chosen = self._steps.newest if step is None else step
        saved = self._steps.restore(chosen)
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
        self._steps.delete_after(chosen)
        self.folder.drop_policies_except(self._steps.steps)
        self.note_in_manifest(chosen)
        self.folder.drop_exploiters_except(range(chosen + 1))
        return Origin(description, state, saved.arrays)

    def begin(self, new_run: NewRun) -> Origin:
        """Begins a new run: copies the checkpoint opponents and the teacher that it begins with.

        Raises:
          CheckpointError: they cannot be copied.
        """
        self.folder.drop_exploiters_except(range(0))
        if new_run.source is not None:
            pool = new_run.origin.state.pool
            for name in [*pool["members"], *pool["exploiters"]]:
                self.folder.adopt_opponent(new_run.source.opponent(name), name)
        for path, name in zip(
            new_run.fixed_opponents, new_run.origin.state.pool.get("fixed", ()), strict=True
        ):
            self.folder.adopt_opponent(path, name)
        if new_run.teacher is not None:
            self.folder.adopt_teacher(new_run.teacher)
        return new_run.origin

    def add_opponent(self, params: Any) -> str:
        name = policy_hash(params)
        path = self.folder.opponent(name)
        if not path.exists():
            self._export(path, params, {"run": self._config.experiment_name})
        return name

    def opponent(self, policy_hash: str) -> Policy:
        return load_policy(self.folder.opponent(policy_hash))

    def teacher(self) -> Policy:
        return load_policy(self.folder.teacher)

    def exploiter_steps(self, iteration: int) -> TrainingSteps | None:
        self.folder.drop_exploiters_except(range(iteration, iteration + 1))
        return TrainingSteps(self.folder.exploiter_steps(iteration), keep=1, keep_best=False)

    def save(self, saved: SavedState, mean_win_rate: float | None) -> None:
        # The export for inference is written at once, the training state in the background.
        step, totals = saved.host["iteration"], saved.host["totals"]
        metadata = {"run": self._config.experiment_name, "step": step}
        metadata |= {"games": totals["games"], "positions": totals["positions"]}
        config = self._config
        metadata |= meaning_of_values(config_to_dict(config))
        self._export(self.folder.policy(step), saved.arrays["learner"]["params"], metadata)
        host = {"run": saved.host, "config": config_to_dict(self._config), "made_on": machine()}
        self._steps.save(step, SavedState(saved.arrays, host), mean_win_rate)
        self.folder.drop_policies_except([*self._steps.steps, step])

    def _export(self, path: Path, params: Any, metadata: dict[str, Any]) -> None:
        network, scoring = self._config.network_config, self._config.scoring
        save_policy(path, params, network, scoring, metadata)

    def wait(self) -> None:
        self._steps.wait()

    def note_configuration(self) -> None:
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
        try:
            record_failure(self.folder.path, step, why, "final evaluation")
        except EvaluationError as error:
            raise CheckpointError(str(error)) from error

    def note_final_evaluation(self, iteration: int, results: Sequence[MatchResult]) -> None:
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
        """Finishes the pending save and releases the lock."""
        try:
            self._steps.close()
        finally:
            self._lock.close()


def meaning_of_values(config: Mapping[str, Any]) -> dict[str, Any]:
    """The keys of a configuration that a network's players need.

    "policy_temperature" is among them where the policy is a softmax over objectives.
    """
    meaning = {key: config[key] for key in ("algorithm", "margin_weight", "draw_reward")}
    if config["algorithm"] == "expert_iteration":
        meaning["policy_temperature"] = config["expert_config"]["policy_temperature"]
    return meaning
