"""A disk that fails at the k-th call of a save, for every k: the checkpoint before it loads.

`python -m attack disks` compiles failing_disk.c and runs this module under it.
"""

from __future__ import annotations

import ctypes
import errno
import itertools
import json
import logging
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from attack.samples import sample_config
from attack.small_runs import REPOSITORY
from attack.tally import Finding, Tally
from bb_jax import build_network, load_policy
from bb_jax.arrays import to_arrays
from bb_jax.errors import UserError
from bb_jax.learning.state import init_state
from eval.runs.layout import policy_path
from eval.runs.metrics_file import read_metrics
from eval.statistics.manifest import read_manifest
from train.config import Config
from train.runs.metrics import MetricsWriter
from train.runs.state import RunState, Totals
from train.runs.steps import SavedState, TrainingSteps
from train.runs.store import RunStore

#: Every call is tried.
DEFAULT_SHARE = 1.0

_SOURCE = Path(__file__).with_name("failing_disk.c")
_LIBRARY = "ATTACK_FAILING_DISK"
# As failing_disk.c numbers them.
_KINDS = {"open": 1, "write": 2, "fsync": 3, "rename": 4}
_SHORT = "half a write"
_FAULTS = {
    "open": ("EIO", "ENOSPC", "EINTR"),
    "write": ("EIO", "ENOSPC", "EINTR", _SHORT),
    "fsync": ("EIO", "ENOSPC"),
    "rename": ("EIO", "ENOSPC"),
}
# No save has more calls.
_MOST_CALLS = 2000


def attack_disks(share: float, seed: int, only: str | None = None) -> Tally:
    """Lets the k-th call of each kind fail during a save, for k = 1, 2, ... up to its last one.

    Args:
      share: the part of the calls to try; 1 and above try each.
      seed: says which, if not all are tried.
      only: "KIND:ERROR:K" tries one call alone.
    """
    with tempfile.TemporaryDirectory(prefix="attack") as name:
        library = Path(name) / "failing_disk.so"
        compiler = os.environ.get("CC", "cc")
        flags = ("-shared", "-fPIC", "-O1", "-w", "-o", str(library), str(_SOURCE), "-ldl")
        subprocess.run([compiler, *flags], check=True)
        found = subprocess.run(
            [sys.executable, "-m", "attack.disks", name, str(share), str(seed), only or ""],
            cwd=REPOSITORY,
            env=os.environ | {"LD_PRELOAD": str(library), _LIBRARY: str(library)},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        ).stdout
    content = json.loads(found.splitlines()[-1])
    outcomes = {tried: Counter(counts) for tried, counts in content["outcomes"].items()}
    return Tally(outcomes, [Finding(*finding) for finding in content["findings"]])


def _state(config: Config, iteration: int) -> SavedState:
    learner = init_state(build_network(config.network_config, config.scoring), iteration)
    pool: dict[str, Any] = {"members": [], "exploiters": [], "win_rates": {}, "fixed": []}
    state = RunState(iteration, 0, Totals(iteration, iteration, iteration), pool)
    return SavedState({"learner": to_arrays(learner)}, state.as_json())


def _save(config: Config, state: SavedState) -> None:
    """What training does after an iteration."""
    iteration = state.host["iteration"]
    store = RunStore(config)
    try:
        with MetricsWriter(config.run_dir) as metrics:
            metrics.write({"iteration": iteration, "train/loss": 1.0})
            store.note_configuration()
            store.add_opponent(state.arrays["learner"]["params"])
            store.save(state, None)
            store.wait()
            store.note_in_manifest(iteration)
    finally:
        store.close()


@dataclass(frozen=True)
class _Fault:
    """One call that fails; see failing_disk.c."""

    library: ctypes.CDLL
    kind: int
    call: int
    error_number: int

    def arm(self, folder: Path) -> None:
        """Lets the call under a folder fail."""
        self.library.arm_fault(
            str(folder).encode(), self.kind, ctypes.c_long(self.call), self.error_number
        )

    def disarm(self) -> bool:
        """Lets nothing fail any more; returns whether the call came."""
        came = self.library.fault_came() != 0
        self.library.arm_fault(b"", 0, ctypes.c_long(0), 0)
        return came


def _try_call(config: Config, state: SavedState, fault: _Fault) -> tuple[str | None, str | None]:
    """Saves with one fault; the outcome (None if the fault never came), and what is wrong."""
    run = config.run_dir
    refusal = None
    fault.arm(run)
    try:
        _save(config, state)
    except UserError as error:
        refusal = str(error)
    except Exception as error:
        return "refused", f"{type(error).__name__}: {error}"[:300]
    finally:
        reached = fault.disarm()
    if not reached:
        return None, None
    if refusal is not None and str(run) not in refusal:
        return "refused", f"the message names no file: {refusal}"
    return "refused" if refusal else "saved", _what_was_lost(run, refusal is None)


def _what_was_lost(run: Path, complete: bool) -> str | None:
    """What does not load of the checkpoint before, or of a save that was said to be complete."""
    try:
        steps = TrainingSteps(run / "steps", keep=None)
        try:
            newest = steps.newest
            if newest < (2 if complete else 1):
                return f"checkpoint {newest} is the newest"
            for step in range(1, newest + 1):
                steps.restore(step)
                load_policy(policy_path(run, step))
        finally:
            steps.close()
        read_manifest(run)
        if read_metrics(run)[0]["iteration"] != 1:
            return "the first row of metrics is lost"
    except UserError as error:
        return str(error)
    return None


def _main(folder: Path, share: float, seed: int, only: str) -> Tally:
    # Orbax logs each failure with a traceback.
    logging.disable(logging.CRITICAL)
    library = ctypes.CDLL(os.environ[_LIBRARY])
    tally = Tally()
    sound = sample_config().replace(checkpoint_dir=str(folder / "sound"))
    _save(sound, _state(sound, 1))
    config = sample_config().replace(checkpoint_dir=str(folder / "run"))
    second = _state(config, 2)
    for kind, errors in _FAULTS.items():
        for error in errors:
            number = 0 if error == _SHORT else getattr(errno, error)
            for call in itertools.count(1):
                name = f"{kind}:{error}:{call}"
                if call > _MOST_CALLS or (only and call > int(only.rpartition(":")[2])):
                    break
                if only and name != only:
                    continue
                if not only and random.Random(f"{seed}:{name}").random() >= share:
                    continue
                shutil.rmtree(config.run_dir, ignore_errors=True)
                shutil.copytree(sound.run_dir, config.run_dir)
                fault = _Fault(library, _KINDS[kind], call, number)
                outcome, wrong = _try_call(config, second, fault)
                if outcome is None:
                    break
                tried = f"disk: {kind}, {error}"
                if wrong:
                    tally.find(tried, f"disks --only '{name}'", wrong)
                else:
                    tally.count(tried, outcome)
    return tally


if __name__ == "__main__":
    found = _main(Path(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
    findings = [[finding.tried, finding.repeat, finding.what] for finding in found.findings]
    print(json.dumps({"outcomes": found.outcomes, "findings": findings}))
