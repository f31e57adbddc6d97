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
    from eval.matches import MatchResult
    from train.config import Config
    from train.run_store import Origin, RunStore

EXIT_BAD_INPUT = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit code (128 + number after a signal)."""
    options = _parser().parse_args(arguments)

    from train.config_loading import ConfigError, load_config

    overrides = list(options.set)
    if options.device:
        overrides.append(f"device={options.device}")
    try:
        config = load_config(options.config, overrides)
    except ConfigError as error:
        return _fail(error)

    from bb_jax import CheckpointError
    from bb_jax.devices import DeviceError
    from eval.errors import EvaluationError
    from train.actors import GenerationError
    from train.interrupt import Interrupted
    from train.metrics import MetricsError

    try:
        _train(config, options.resume)
    except (CheckpointError, DeviceError, EvaluationError, GenerationError, MetricsError) as error:
        _leave(_fail(error))
    except Interrupted as interruption:
        print(f"{interruption}; the same command goes on from here", file=sys.stderr)
        _leave(128 + interruption.signal_number)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
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
    return parser


def _step(text: str) -> int | None:
    if text == "latest":
        return None
    if not text.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is neither a step nor 'latest'")
    return int(text)


def _fail(error: Exception) -> int:
    print(f"error: {error}", file=sys.stderr)
    return EXIT_BAD_INPUT


def _leave(code: int) -> None:
    """Ends the process even while an abandoned computation runs in a thread."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _train(config: Config, resume_step: int | None) -> None:
    from bb_jax.devices import select_devices
    from train.run_folder import RunFolder
    from train.run_store import find_start

    # All that can be wrong is looked at before anything is written.
    devices = select_devices(config.device, deterministic=config.deterministic)
    folder = RunFolder(config.run_dir)
    resuming = folder.has_steps()
    if resume_step is not None and not resuming:
        from bb_jax import CheckpointError

        raise CheckpointError(f"{folder.path} has no checkpoints to resume from")
    if not resuming and config.resume_from is not None:
        find_start(config.resume_from)

    from train.run_store import RunStore

    # Orbax warns at every step that was not evaluated.
    logging.getLogger("absl").setLevel(logging.ERROR)
    store = RunStore(config)
    try:
        origin = store.resume(resume_step, _note) if resuming else store.begin()
        if resume_step is None and _show_finished(config, store, origin):
            return
        _run(config, devices, store, origin)
    finally:
        store.close()


def _note(text: str) -> None:
    print(f"note: {text}", file=sys.stderr)


def _show_finished(config: Config, store: RunStore, origin: Origin) -> bool:
    """Shows the table of a run that has nothing left to do."""
    from eval.matches import MatchResult

    iteration = origin.state.iteration
    rows = store.final_evaluation(iteration)
    if iteration < config.total_iterations or rows is None:
        return False
    print(f"{store.folder.path} is finished: {iteration} iterations.")
    _show_results(config, [MatchResult.from_json(row) for row in rows])
    return True


def _run(config: Config, devices: Any, store: RunStore, origin: Origin) -> None:
    from train.display import Display
    from train.generation import GenerationShape, Generator
    from train.interrupt import StopSignals
    from train.learning import Learning
    from train.metrics import MetricsWriter
    from train.trainer import Trainer

    state = origin.state
    shape = GenerationShape(
        games=config.games_per_iteration,
        groups=config.groups,
        slots=config.slots,
        trajectories=config.max_trajectories,
    )
    workers = min(config.async_num_workers, os.cpu_count() or 1)
    with (
        StopSignals() as stop,
        MetricsWriter(store.folder.path) as metrics,
        Generator(
            shape,
            num_workers=workers,
            scoring=config.scoring,
            stop_when_decided=config.stop_when_decided,
            margin_weight=config.margin_weight,
            python_agents=config.python_agents,
        ) as generator,
        Display(config.total_iterations, state.iteration, config.experiment_name) as display,
    ):
        logging.getLogger("train").handlers = metrics.log.handlers
        logging.getLogger("train").propagate = False
        metrics.cut_back(state.iteration)
        store.note_configuration()
        begins = f"begins with {origin.description} at iteration {state.iteration}"
        metrics.log.info("%s %s on %s", config.experiment_name, begins, devices)
        display.message(f"{config.experiment_name} {begins} on {_named(devices)}.")
        trainer = Trainer(
            config,
            origin,
            store=store,
            learning=Learning(config, devices),
            generator=generator,
            metrics=metrics,
            display=display,
            stop=stop,
        )
        trainer.run()
        results = trainer.final_evaluation()
        metrics.log.info("finished")
    _show_results(config, results)


def _named(devices: Any) -> str:
    kind = devices[0].device_kind
    return kind if len(devices) == 1 else f"{len(devices)} x {kind}"


def _show_results(config: Config, results: list[MatchResult]) -> None:
    from eval.table import render_results

    print(render_results(results, config.scoring))


if __name__ == "__main__":
    sys.exit(main())
