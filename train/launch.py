"""Assembles a run from its configuration and trains it to its end."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import jax

from bb_jax.devices import select_devices
from bb_jax.errors import CheckpointError
from eval.console import note, show
from eval.heartbeat import Heartbeat
from eval.matches.agents import is_agent_specification, load_agent
from eval.matches.match import MatchResult
from eval.result_tables import render_results
from eval.runs.layout import PROFILE
from train.config import Config
from train.display import Display
from train.games.generator import GenerationShape, Generator
from train.games.plan import games_of_host, groups_of_host, host_trajectories
from train.hosts.agreement import check_hosts
from train.hosts.base import Hosts
from train.hosts.stores import FollowerMetrics, FollowerStore, LeaderStore
from train.interrupt import StopSignals
from train.learning.expert_learner import ExpertLearner
from train.learning.learner import Learner
from train.learning.ppo_learner import PPOLearner
from train.mirror.copier import Copier, copying
from train.mirror.mirror import Mirror
from train.mirror.restoring import restore_newer
from train.mirror.storage import Storage
from train.profiling import Profiler
from train.runs.folder import RunFolder
from train.runs.machine import cpu_devices, saved_machine, why_not_exact
from train.runs.metrics import Metrics, MetricsWriter
from train.runs.start import NewRun, Origin, find_new_run
from train.runs.steps import quiet_libraries
from train.runs.store import RunStore, Store
from train.trainer import Trainer


def launch(
    config: Config, stop: StopSignals, hosts: Hosts, *, resume_step: int | None, profile: int
) -> None:
    """Begins or resumes the run of a configuration, trains it and shows the table at its end.

    Everything that can be wrong is checked before anything is written.

    Args:
      config: what to train.
      stop: signals that end the run early.
      hosts: the hosts that train it; each makes this call.
      resume_step: the checkpoint to resume from; the newest one where it is None.
      profile: number of iterations to trace.

    Raises:
      UserError: something is wrong with the configuration, the machine, the disk or another host.
      Interrupted: a signal came; the state is saved.
    """
    for name in dict.fromkeys([*config.python_agents, *config.eval_opponents]):
        if is_agent_specification(name):
            load_agent(name)
    mirror = _restored_mirror(config, stop, resume_step) if hosts.first else None
    made_on = saved_machine(config.run_dir, resume_step)
    devices = _select_devices(config, hosts, made_on)
    unequal = why_not_exact(made_on)
    if unequal is not None and hosts.first:
        note(unequal)
    quiet_libraries()
    if hosts.count > 1:
        check_hosts(hosts, config, len(devices))
    if hosts.first:
        _lead(config, devices, stop, hosts, resume_step, profile, mirror)
    else:
        _follow(config, devices, stop, hosts)


def _restored_mirror(config: Config, stop: StopSignals, resume_step: int | None) -> Mirror | None:
    """The run's mirror, after the run's folder has been brought up to it."""
    if config.mirror is None:
        return None
    mirror = Mirror(Storage(config.mirror, config.experiment_name))
    mirror.on_progress = stop.check
    folder = RunFolder(config.run_dir)
    folder.make()
    with (
        folder.lock(),
        Heartbeat(note) as heartbeat,
        heartbeat.phase(f"asking the mirror {mirror.url}"),
    ):
        restore_newer(mirror, folder.path, resume_step, note)
    return mirror


def _select_devices(config: Config, hosts: Hosts, made_on: Mapping[str, Any]) -> list[jax.Device]:
    section = config.ppo_config if config.algorithm == "ppo" else config.expert_config
    return select_devices(
        config.device,
        deterministic=config.deterministic,
        # Hosts must have equally many devices, whatever their cores.
        cpu_devices=cpu_devices(made_on, section.minibatch_size) if hosts.count == 1 else 1,
    )


def _lead(
    config: Config,
    devices: Sequence[jax.Device],
    stop: StopSignals,
    hosts: Hosts,
    resume_step: int | None,
    profile: int,
    mirror: Mirror | None,
) -> None:
    """Trains on host 0, which tells the others the origin, or None where nothing is left to do."""
    folder = RunFolder(config.run_dir)
    resuming = folder.has_steps()
    if resume_step is not None and not resuming:
        raise CheckpointError(f"{folder.path} has no checkpoints to resume from")
    new_run: NewRun | None = None if resuming else find_new_run(config)
    stop.check()
    store = LeaderStore(config, hosts)
    try:
        origin = store.resume(resume_step, note) if new_run is None else store.begin(new_run)
        table = _final_table(config, store, origin) if resume_step is None else None
        hosts.share(lambda: origin if table is None else None)
        with copying(mirror, folder.path, note, from_step=resume_step, stop=stop) as copier:
            if table is None:
                with MetricsWriter(folder.path) as metrics:
                    table = _train(
                        config, devices, store, metrics, origin, stop, hosts, profile, copier
                    )
            else:
                show(f"{folder.path} is finished: {origin.state.iteration} iterations.")
        show(render_results(table, config.scoring))
    finally:
        store.close()


def _follow(config: Config, devices: Sequence[jax.Device], stop: StopSignals, hosts: Hosts) -> None:
    """Trains on any other host."""
    origin: Origin | None = hosts.share(lambda: None)
    if origin is not None:
        with FollowerMetrics() as metrics:
            _train(config, devices, FollowerStore(hosts), metrics, origin, stop, hosts, profile=0)


def _final_table(config: Config, store: RunStore, origin: Origin) -> list[MatchResult] | None:
    """The table of a run that has nothing left to do; None for any other."""
    iteration = origin.state.iteration
    rows = store.final_evaluation(iteration)
    if iteration < config.total_iterations or rows is None:
        return None
    return [MatchResult.from_json(row) for row in rows]


def _train(
    config: Config,
    devices: Sequence[jax.Device],
    store: Store,
    metrics: Metrics,
    origin: Origin,
    stop: StopSignals,
    hosts: Hosts,
    profile: int,
    copier: Copier | None = None,
) -> list[MatchResult]:
    """Trains from the origin to the last iteration; returns the final evaluation."""
    share = (config.groups, hosts.index, hosts.count)
    iteration = origin.state.iteration
    shape = GenerationShape(
        games=games_of_host(config.games_per_iteration, *share),
        groups=len(groups_of_host(*share)),
        slots=config.slots,
        trajectories=host_trajectories(config, hosts.count),
    )
    learner = _learner(config, devices, store, hosts)
    workers = min(config.async_num_workers, os.cpu_count() or 1)
    with (
        open(os.devnull, "w") as nowhere,
        Generator(
            shape,
            num_workers=workers,
            scoring=config.scoring,
            stop_when_decided=config.stop_when_decided,
            python_agents=config.python_agents,
        ) as generator,
        Display(
            config.total_iterations,
            iteration,
            config.experiment_name,
            file=None if hosts.first else nowhere,
        ) as display,
    ):
        logging.getLogger("train").handlers = metrics.log.handlers
        logging.getLogger("train").propagate = False
        metrics.cut_back(iteration)
        store.note_configuration()
        begins = f"{config.experiment_name} begins with {origin.description} at iteration"
        metrics.log.info("%s %d on %s, %d hosts", begins, iteration, devices, hosts.count)
        display.message(f"{begins} {iteration} on {_named(devices, hosts)}.")
        if copier is not None:
            copier.say = partial(_tell, display, metrics)
        profiler = Profiler(config.run_dir / PROFILE, profile, display.message)
        with display.phase("preparing the network"):
            trainer = Trainer(
                config,
                origin,
                store=store,
                learner=learner,
                generator=generator,
                metrics=metrics,
                display=display,
                stop=stop,
                hosts=hosts,
                before_iteration=profiler.before_iteration,
            )
        trainer.run()
        profiler.close()
        results = trainer.final_evaluation()
        metrics.log.info("finished")
    return results


def _tell(display: Display, metrics: Metrics, sentence: str) -> None:
    """Tells of what has happened beside the training."""
    display.message(sentence)
    metrics.log.warning("%s", sentence)


def _learner(config: Config, devices: Sequence[jax.Device], store: Store, hosts: Hosts) -> Learner:
    if config.algorithm == "ppo":
        trajectories = host_trajectories(config, hosts.count)
        return PPOLearner(config, config.scoring, trajectories, devices, hosts.count)
    teacher = None if config.expert_config.teacher is None else store.teacher()
    return ExpertLearner(
        config,
        config.scoring,
        config.buffer_size,
        config.max_positions,
        devices,
        hosts.count,
        hosts.gather,
        teacher,
    )


def _named(devices: Sequence[jax.Device], hosts: Hosts) -> str:
    kind = devices[0].device_kind
    several = len(devices) > 1 and devices[0].platform != "cpu"
    named = f"{len(devices)} x {kind}" if several else kind
    return named if hosts.count == 1 else f"{named} on each of {hosts.count} hosts"
