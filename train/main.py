"""Trains: `python -m train.main --config configs/quickstart.yaml`.

Nothing heavy is imported at the top: a spawned worker imports this module again.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from eval.matches.match import MatchResult
    from train.config import Config
    from train.hosts.connected import Hosts
    from train.interrupt import StopSignals
    from train.runs.start import Origin
    from train.runs.store import RunStore

# How long the loss of a host may take to be noticed after a collective has failed.
_LOSS_SECONDS = 5.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit code (128 + number after a signal)."""
    from train.interrupt import StopSignals

    _replace_closed_outputs()
    options = _parser().parse_args(arguments)
    with StopSignals() as stop:
        code = _main(options, stop)
    _flush()
    return code


def _main(options: argparse.Namespace, stop: StopSignals) -> int:
    from bb_jax.errors import UserError
    from train.config import load_config
    from train.hosts.connected import HostError
    from train.hosts.rendezvous import cluster_options

    overrides = list(options.set)
    if options.device:
        overrides.append(f"device={options.device}")
    try:
        config = load_config(options.config, overrides)
        cluster = cluster_options(options)
    except UserError as error:
        return _fail(error)

    from jax.errors import JaxRuntimeError

    from bb_jax.errors import DeviceError, one_line
    from eval.console import show
    from train.hosts.connected import Hosts
    from train.hosts.rendezvous import connect_hosts
    from train.interrupt import Interrupted

    hosts = Hosts()
    try:
        if cluster is not None:
            hosts = connect_hosts(cluster, stop)
        _train(config, options, stop, hosts)
    except UserError as error:
        hosts.leave(str(error))
        _leave(_fail(error))
    except JaxRuntimeError as error:
        # A collective fails when a host is lost; otherwise most often a GPU has too little memory.
        lost = hosts.why_lost(_LOSS_SECONDS)
        failure = HostError(lost) if lost else DeviceError(f"the device failed: {one_line(error)}")
        hosts.leave(str(failure))
        # The traceback is in the run's log.
        _leave(_fail(failure))
    except Interrupted as interruption:
        show(f"{interruption}; the same command goes on from here", file=sys.stderr)
        hosts.leave()
        _leave(128 + interruption.signal_number)
    if hosts.count > 1:
        hosts.leave()
        _leave(0)
    return 0


def _parser() -> argparse.ArgumentParser:
    from eval.command_line import Parser

    parser = Parser(
        prog="python -m train.main",
        description="Trains a Beasty Bar player. The same command resumes a run that was stopped.",
    )
    parser.add_argument("--config", required=True, metavar="FILE", help="YAML configuration")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE",
        help="override a key, such as ppo_config.gamma=0.99; may be given again",
    )  # fmt: skip
    parser.add_argument(
        "--resume", type=_step, metavar="STEP",
        help="go on from this checkpoint of the run instead of the newest; later ones are removed",
    )  # fmt: skip
    parser.add_argument("--device", help="auto, cpu or cuda; overrides the configuration")
    parser.add_argument(
        "--profile", type=_count, nargs="?", const=3, default=0, metavar="N",
        help="trace N iterations (default: 3), once they are warm, into the run's folder",
    )  # fmt: skip
    from train.hosts.rendezvous import add_options

    add_options(parser)
    return parser


def _count(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of iterations")
    return int(text)


def _step(text: str) -> int | None:
    if text == "latest":
        return None
    if not text.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is neither a step nor 'latest'")
    return int(text)


def _fail(error: Exception) -> int:
    from eval.command_line import EXIT_BAD_INPUT
    from eval.console import complain

    complain(error)
    return EXIT_BAD_INPUT


def _flush() -> None:
    """Empties the buffers; an output that nobody reads any more is no error of the run."""
    from eval.console import ForgivingOutput

    for stream in (sys.stdout, sys.stderr):
        ForgivingOutput(stream).flush()


def _replace_closed_outputs() -> None:
    """Has a process that was started without outputs write to nowhere.

    A file opened later would take the number of the missing one, and what a library prints.
    """
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115 - for the process's life


def _leave(code: int) -> None:
    """Ends the process even while an abandoned computation runs in a thread."""
    _flush()
    os._exit(code)


def _train(config: Config, options: argparse.Namespace, stop: StopSignals, hosts: Hosts) -> None:
    from bb_jax.devices import cpu_devices_for_learning, select_devices
    from eval.matches.agents import is_agent_specification, load_agent

    # All that can be wrong is looked at before anything is written.
    for name in dict.fromkeys([*config.python_agents, *config.eval_opponents]):
        if is_agent_specification(name):
            load_agent(name)
    learns_by_ppo = config.algorithm == "ppo"
    learns = config.ppo_config if learns_by_ppo else config.expert_config
    devices = select_devices(
        config.device,
        deterministic=config.deterministic,
        # Hosts must have equally many devices, whatever their cores.
        cpu_devices=cpu_devices_for_learning(learns.minibatch_size) if hosts.count == 1 else 1,
    )

    from train.runs.steps import quiet_libraries
    from train.sharing import FollowerStore, check_hosts

    quiet_libraries()
    if hosts.count > 1:
        check_hosts(hosts, config, len(devices))
    if hosts.first:
        _lead(config, options, devices, stop, hosts)
        return
    origin: Any = hosts.share(lambda: None)
    if origin is not None:
        _run(config, devices, FollowerStore(config, hosts), origin, stop, hosts, profile=0)


def _lead(
    config: Config, options: argparse.Namespace, devices: Any, stop: StopSignals, hosts: Hosts
) -> None:
    """Begins or resumes the run and trains; other hosts learn where it begins, or None."""
    from bb_jax.errors import CheckpointError
    from eval.console import note
    from train.runs.folder import RunFolder
    from train.runs.start import find_start
    from train.sharing import LeaderStore

    folder, resume_step = RunFolder(config.run_dir), options.resume
    resuming = folder.has_steps()
    if resume_step is not None and not resuming:
        raise CheckpointError(f"{folder.path} has no checkpoints to resume from")
    start = None if resuming else find_start(config)
    stop.check()
    store = LeaderStore(config, hosts)
    try:
        origin = store.resume(resume_step, note) if start is None else store.begin(start)
        if resume_step is None and _show_finished(config, store, origin):
            hosts.share(lambda: None)
            return
        hosts.share(lambda: origin)
        _run(config, devices, store, origin, stop, hosts, profile=options.profile)
    finally:
        store.close()


def _show_finished(config: Config, store: RunStore, origin: Origin) -> bool:
    """Shows the table of a run that has nothing left to do."""
    from eval.console import show
    from eval.matches.match import MatchResult

    iteration = origin.state.iteration
    rows = store.final_evaluation(iteration)
    if iteration < config.total_iterations or rows is None:
        return False
    show(f"{store.folder.path} is finished: {iteration} iterations.")
    _show_results(config, [MatchResult.from_json(row) for row in rows])
    return True


def _run(
    config: Config,
    devices: Any,
    store: RunStore,
    origin: Origin,
    stop: StopSignals,
    hosts: Hosts,
    profile: int,
) -> None:
    from eval.runs.layout import PROFILE
    from train.display import Display
    from train.games.generator import GenerationShape, Generator
    from train.games.plan import games_of_host, groups_of_host, host_trajectories
    from train.learning.expert_learner import ExpertLearner
    from train.learning.ppo_learner import PPOLearner
    from train.profiling import Profiler
    from train.runs.metrics import MetricsWriter
    from train.sharing import FollowerMetrics
    from train.trainer import Trainer

    share = (config.groups, hosts.index, hosts.count)
    state = origin.state
    shape = GenerationShape(
        games=games_of_host(config.games_per_iteration, *share),
        groups=len(groups_of_host(*share)),
        slots=config.slots,
        trajectories=host_trajectories(config, hosts.count),
    )
    learner = (
        PPOLearner(config, devices, hosts.count)
        if config.algorithm == "ppo"
        else ExpertLearner(config, devices, hosts.count, hosts.gather, store.teacher())
    )
    workers = min(config.async_num_workers, os.cpu_count() or 1)
    with (
        open(os.devnull, "w") as nowhere,
        MetricsWriter(store.folder.path) if hosts.first else FollowerMetrics() as metrics,
        Generator(
            shape,
            num_workers=workers,
            scoring=config.scoring,
            stop_when_decided=config.stop_when_decided,
            python_agents=config.python_agents,
        ) as generator,
        Display(
            config.total_iterations,
            state.iteration,
            config.experiment_name,
            file=None if hosts.first else nowhere,
        ) as display,
    ):
        logging.getLogger("train").handlers = metrics.log.handlers
        logging.getLogger("train").propagate = False
        metrics.cut_back(state.iteration)
        store.note_configuration()
        begins = f"begins with {origin.description} at iteration {state.iteration}"
        metrics.log.info(
            "%s %s on %s, %d hosts", config.experiment_name, begins, devices, hosts.count
        )
        display.message(f"{config.experiment_name} {begins} on {_named(devices, hosts)}.")
        profiler = Profiler(store.folder.path / PROFILE, profile, display.message)
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
    if hosts.first:
        _show_results(config, results)


def _named(devices: Any, hosts: Hosts) -> str:
    kind = devices[0].device_kind
    several = len(devices) > 1 and devices[0].platform != "cpu"
    named = f"{len(devices)} x {kind}" if several else kind
    return named if hosts.count == 1 else f"{named} on each of {hosts.count} hosts"


def _show_results(config: Config, results: list[MatchResult]) -> None:
    from eval.console import show
    from eval.report.table import render_results

    show(render_results(results, config.scoring))


if __name__ == "__main__":
    sys.exit(main())
