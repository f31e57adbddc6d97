"""The training loop.

An iteration, in this order:
  1. An exploiter of the policy is trained, after every `exploit_patch_interval` iterations. The
     iteration that the run started from gets none: this run has not completed it.
  2. The acting parameters play games against the pool.
  3. The learner updates its parameters from the games.
  4. Every `eval_frequency` iterations the policy is evaluated, which moves the adaptive weights.
  5. Every `checkpoint_frequency` iterations the policy joins the pool.
  6. The row of metrics is written, and then the checkpoint.

Under asynchronous generation, the games of iteration i + 1 are played while iteration i learns,
with the parameters that iteration i started from: a policy lag of exactly one. The very first
iteration has no lag; its games come from its own parameters.

Resumed, in this order:
  1. The learner's arrays and the run's state (iteration, totals, pool, evaluations) after the last
     completed iteration.
  2. Under a lag of one, the parameters and the shares of the next iteration's games.
  3. The exploiter, if one was in training.
Every random stream is a function of (seed, start, iteration), so this is all it takes to repeat the
same games and updates.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import replace
from typing import Any

import numpy as np

from bb_jax import Hyper
from bb_jax.errors import CheckpointError, EvaluationError
from eval.heartbeat import Games
from eval.matches.match import MatchResult
from eval.runs.metric_keys import MEAN_WIN_RATE, opponent_key
from eval.runs.metrics_file import MetricsError
from train.coefficients import coefficients_of, sampled_plies, temperature_of
from train.config import Config
from train.display import Display
from train.evaluation import evaluate
from train.exploit import ExploitPatch
from train.game_player import GamePlayer
from train.game_player import Games as PlayedGames
from train.games.generator import Generator
from train.games.pool import make_opponent_pool
from train.games.rollout import Rollout
from train.hosts.base import HostError, Hosts
from train.interrupt import Interrupted, StopSignals, Task
from train.learning.divergence import DivergedError, why_diverged
from train.learning.learner import Learner
from train.metric_rows import Row, evaluation_row, gather_games, learning_row, time_row
from train.runs.metrics import Metrics
from train.runs.start import Origin
from train.runs.state import GameSource, RunState
from train.runs.steps import SavedState
from train.runs.store import Store

# The purposes of random streams; each purpose has numbers of its own.
INITIALISATION, GAMES, UPDATE, EVALUATION, EXPLOIT, FINAL_EVALUATION = range(6)


class Trainer:
    """Trains one run to its last iteration, from a new start or from a saved state."""

    def __init__(
        self,
        config: Config,
        origin: Origin,
        *,
        store: Store,
        learner: Learner,
        generator: Generator,
        metrics: Metrics,
        display: Display,
        stop: StopSignals,
        hosts: Hosts | None = None,
        before_iteration: Callable[[], None] | None = None,
    ):
        self._config = config
        self._before_iteration = before_iteration or (lambda: None)
        self._hosts = hosts or Hosts()
        self._store = store
        self._learner = learner
        self._generator = generator
        self._metrics = metrics
        self._display = display
        self._phase = display.phase
        # Whether the update has been compiled, which may take minutes.
        self._compiled = False
        self._stop = stop
        self._player = GamePlayer(
            generator,
            learner.decider,
            self._load_member,
            num_games=config.games_per_iteration,
            num_groups=config.groups,
            python_agents=config.python_agents,
            sampled_plies=sampled_plies(config),
            host=self._hosts.index,
            num_hosts=self._hosts.count,
        )
        self._exploit = ExploitPatch(
            config, config.scoring, learner, self._player, store, stop, self._hosts
        )
        self._games: Task[PlayedGames] | None = None
        # The time of the exploiter trained since the last iteration, for the next row.
        self._exploit_seconds = 0.0

        #: The run's state after its last completed iteration, and the arrays of that state.
        self.state: RunState = origin.state
        self._arrays = origin.arrays or learner.initial_arrays(self._fresh_seed())
        #: The results of that iteration's evaluation, if it had one.
        self._results: list[MatchResult] = []
        self._learner_state = learner.state_of(self._arrays, origin.description)
        self._pool = make_opponent_pool(config, config.exploit_patch_max, self.state.pool)

    def _fresh_seed(self) -> int:
        words = np.random.SeedSequence(list(self._seed(INITIALISATION, 0))).generate_state(1)
        return int(words[0])

    def _seed(self, purpose: int, iteration: int) -> tuple[int, ...]:
        return (self._config.seed, self.state.start_iteration, purpose, iteration)

    def run(self) -> None:
        """Iterates to `total_iterations`. An early end saves the completed iterations first.

        Raises:
          Interrupted: a signal came.
          HostError: another host is lost or has failed.
          GenerationError: games cannot be generated.
          MetricsError: metrics cannot be written.
          CheckpointError: a checkpoint cannot be written.
          DivergedError: an update has diverged. Its state is not saved.
        """
        try:
            while self.state.iteration < self._config.total_iterations:
                self._patch_exploits()
                self._before_iteration()
                self._iterate()
            with self._phase("saving"):
                self._store.wait()
        except CheckpointError:
            raise
        except Exception as error:
            # The error may be a full disk.
            with suppress(MetricsError):
                if isinstance(error, HostError | DivergedError):
                    self._metrics.log.error("stopped: %s", error)
                elif not isinstance(error, Interrupted):
                    self._metrics.log.exception("stopped by an error")
            # Of a run that diverged, only checkpoints from before are sure to be sound.
            diverged = isinstance(error, DivergedError)
            if self.state.iteration > self.state.start_iteration and not diverged:
                self._save(None)
                self._store.wait()
            raise

    def final_evaluation(self) -> list[MatchResult]:
        """Evaluates the policy, playing its best action, against `eval_opponents` at the end.

        The results are stored in the run's folder, where the same command finds them again.
        """
        iteration, params = self.state.iteration, self._arrays["learner"]["params"]
        policy, games = self._learner.greedy(params), self._config.final_eval_games
        try:
            results = self._evaluate(policy, games, FINAL_EVALUATION)
        except EvaluationError as error:
            self._store.note_failed_evaluation(iteration, str(error))
            raise
        seed = self._deals_seed(FINAL_EVALUATION)
        self._store.note_in_manifest(
            iteration, results, params=params, seed=seed, source="final evaluation"
        )
        self._store.note_final_evaluation(iteration, results)
        return results

    # ---------------------------------------------------------------------------------------
    # One iteration
    # ---------------------------------------------------------------------------------------

    def _iterate(self) -> None:
        config, began = self._config, time.perf_counter()
        iteration = self.state.iteration + 1

        # Games.
        if self._games is None:
            self._games = self._begin_games(*self._next_source())
        with self._playing(iteration):
            plan, rollout = self._games.result(self._stop)
        self._games = None
        with self._phase(f"iteration {iteration}: waiting for the other hosts"):
            games = gather_games(self._hosts, rollout)
        waited = time.perf_counter()
        next_source = None
        if config.async_game_generation:
            next_source = self._current_source(iteration + 1)
            if iteration < config.total_iterations:
                self._games = self._begin_games(next_source, self._arrays["learner"]["params"])

        # Learning.
        hyper, learner_state = self._hyper(iteration), self._learner_state
        seed = self._seed(UPDATE, iteration)
        update = Task(lambda: self._learner.learn(learner_state, rollout, hyper, seed))
        compiling = "" if self._compiled else "compiling, and "
        with self._phase(f"iteration {iteration}: {compiling}learning"):
            self._learner_state, measured = update.result(self._stop)
        self._compiled = True
        arrays = self._learner.arrays_of(self._learner_state)
        if next_source is not None:
            arrays["acting"] = self._arrays["learner"]["params"]
        self._check_update(iteration, rollout, arrays["learner"]["params"], measured)
        learned = time.perf_counter()

        # Evaluation, which updates the pool's weights.
        row = learning_row(iteration, plan, games, hyper, measured)
        row |= {opponent_key("weight", name): share for name, share in self._pool.shares().items()}
        results: list[MatchResult] = []
        if iteration % config.eval_frequency == 0:
            policy = self._learner.greedy(arrays["learner"]["params"])
            results = self._evaluate(policy, config.eval_games, EVALUATION)
            row |= evaluation_row(results)
            self._pool.note_win_rates({result.opponent: result.win_rate for result in results})
        evaluated = time.perf_counter()

        # The state that is saved if a signal comes from now on.
        due = iteration % config.checkpoint_frequency == 0
        if due:
            self._pool.add_checkpoint(self._store.add_opponent(arrays["learner"]["params"]))
        state = self._state_after(row, results, next_source)
        row |= time_row(
            seconds=time.perf_counter() - began,
            waiting=waited - began,
            learning=learned - waited,
            evaluation=evaluated - learned,
            games=games,
        )
        row["time/workers_finished"] = self._generator.num_workers
        row["time/workers_replaced"] = self._generator.workers_replaced
        row["time/exploit_seconds"], self._exploit_seconds = self._exploit_seconds, 0.0
        last = iteration == config.total_iterations
        row["checkpoint"] = iteration if due or last else None
        self._display.update(self._metrics.write(row))
        # The row is written first, so that a saved state has all its metrics.
        self._arrays, self.state, self._results = arrays, state, results
        if row["checkpoint"] is not None:
            self._save(row.get(MEAN_WIN_RATE))

    def _check_update(
        self, iteration: int, rollout: Rollout, params: Any, measured: Mapping[str, float]
    ) -> None:
        """Raises DivergedError where the network after an update is of no use any more."""
        finite = all(self._hosts.gather(self._learner.outputs_are_finite(params, rollout)))
        reason = why_diverged(measured, finite)
        if reason is not None:
            section = "ppo_config" if self._config.algorithm == "ppo" else "expert_config"
            raise DivergedError(
                f"iteration {iteration} diverged: {reason}; nothing of it is saved, and the same "
                f"command goes on from the newest checkpoint: try --set {section}.learning_rate=X "
                f"with X below {self._config.learning_rate:g}, a smaller {section}.max_grad_norm, "
                "or an earlier checkpoint with --resume STEP"
            )

    def _state_after(
        self, row: Row, results: list[MatchResult], next_source: GameSource | None
    ) -> RunState:
        """The run's state after the iteration of `row`; adds the totals to the row."""
        row["updates"] = int(row["train/minibatches_applied"])
        totals = self.state.totals.plus(row["games"], row["positions"], row["updates"])
        row |= {"total/games": totals.games, "total/positions": totals.positions}
        row["total/updates"] = totals.updates
        exploit = self.state.exploit
        if exploit is not None and exploit["iteration"] == self.state.iteration:
            row |= {f"exploit/{name}": value for name, value in exploit.items()}
        evaluations = self.state.evaluations
        if results:
            win_rates = {result.opponent: result.win_rate for result in results}
            evaluations += ({"iteration": row["iteration"], "win_rates": win_rates},)
        return replace(
            self.state,
            iteration=row["iteration"],
            totals=totals,
            pool=self._pool.state_dict(),
            next_games=next_source,
            evaluations=evaluations,
        )

    def _save(self, mean_win_rate: float | None) -> None:
        self._store.save(SavedState(self._arrays, self.state.as_json()), mean_win_rate)
        self._store.note_in_manifest(
            self.state.iteration,
            self._results,
            params=self._arrays["learner"]["params"],
            seed=self._deals_seed(EVALUATION),
        )

    def _schedule_position(self, iteration: int) -> tuple[int, int]:
        """Iterations completed before an iteration, and in all, both counted from the start."""
        start = self.state.start_iteration
        return iteration - 1 - start, self._config.total_iterations - start

    def _hyper(self, iteration: int) -> Hyper:
        return coefficients_of(self._config, *self._schedule_position(iteration))

    def _evaluate(self, policy: Any, games: int, purpose: int) -> list[MatchResult]:
        opponents, scoring = self._config.eval_opponents, self._config.scoring
        seed = self._deals_seed(purpose)
        played = Games()
        with self._phase(lambda: f"evaluating, {played}"):
            return evaluate(
                self._hosts, policy, opponents, games, seed, scoring, self._stop, played.note
            )

    def _playing(self, iteration: int) -> AbstractContextManager[None]:
        return self._phase(
            lambda: f"iteration {iteration}: playing games, {self._generator.describe()}"
        )

    def _deals_seed(self, purpose: int) -> int:
        """The seed of evaluations, always the same, so that they differ by the policy alone."""
        words = np.random.SeedSequence([self._config.seed, purpose]).generate_state(1)
        return int(words[0])

    # ---------------------------------------------------------------------------------------
    # Games and exploiters
    # ---------------------------------------------------------------------------------------

    def _current_source(self, iteration: int) -> GameSource:
        """The source of games that begin with the present pool."""
        return GameSource(iteration, self._pool.shares(), self._pool.hashes())

    def _next_source(self) -> tuple[GameSource, Any]:
        """The source and the parameters of the next iteration's games, if none have begun."""
        if self.state.next_games is not None:
            return self.state.next_games, self._arrays["acting"]
        source = self._current_source(self.state.iteration + 1)
        return source, self._arrays["learner"]["params"]

    def _load_member(self, policy_hash: str) -> Any:
        policy = self._store.opponent(policy_hash)
        return self._learner.member_params(policy, f"opponent {policy_hash}")

    def _begin_games(self, source: GameSource, params: Any) -> Task[PlayedGames]:
        done, total = self._schedule_position(source.iteration)
        temperature = temperature_of(self._config, done, total)
        seed = self._seed(GAMES, source.iteration)
        return self._player.begin(source, params, temperature, seed)

    def _patch_exploits(self) -> None:
        """Trains an exploiter of the last completed iteration if one is due."""
        iteration, done = self.state.iteration, self.state.exploit
        if not self._exploit.due(iteration, self.state.start_iteration):
            return
        if done and done["iteration"] == iteration:
            return
        began = time.perf_counter()
        self._stop.check()
        if self._games is not None:
            # The workers play one iteration's games at a time. The task keeps the result.
            with self._playing(iteration + 1):
                self._games.result(self._stop)
        found = self._exploit.train(
            iteration,
            self._arrays["learner"],
            self._hyper(iteration + 1),
            self._seed(EXPLOIT, iteration),
            self._metrics.log.info,
            self._display.phase,
        )
        verdict = "joins the pool" if found.joined else "does not join the pool"
        text = (
            f"exploiter of iteration {iteration}: win rate {found.win_rate:.3f} "
            f"over {found.games} games, {verdict}"
        )
        self._metrics.log.info(text)
        self._display.message(text)
        if found.joined:
            self._pool.add_exploiter(found.joined)
        self.state = replace(self.state, pool=self._pool.state_dict(), exploit=found.as_json())
        self._exploit_seconds = time.perf_counter() - began
