"""Hostile files: every public reader refuses them in one sentence, or takes them."""

from __future__ import annotations

import faulthandler
import os
import random
import resource
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from attack.mutations import write_hostile
from attack.samples import EVALUATION, PAIRINGS, STEP, Sample, make_samples, sample_config
from attack.tally import Tally
from bb_jax import load_policy
from bb_jax.errors import UserError
from eval.ladder import read_ladder
from eval.matches.resumable import PartialResults
from eval.report.data import read_runs
from eval.runs.layout import METRICS, STEPS, is_shipped
from eval.runs.metrics_file import read_metrics
from eval.statistics.manifest import read_manifest, update_manifest
from train.config import load_config
from train.jobs.record import read_record
from train.jobs.status import job_status
from train.runs.machine import cpu_devices, saved_machine
from train.runs.metrics import MetricsWriter
from train.runs.packing import unpack_state
from train.runs.start import find_new_run, read_host
from train.runs.steps import TrainingSteps, quiet_libraries

DEFAULT_COUNT = 20_000
SECONDS = 2.0
MEGABYTES = 500
# Beyond this a reader hangs: it is interrupted, and at last the process ends with a traceback.
_HANGS, _HANGS_FOR_EVER = 10, 120
# In characters, with what it quotes and escapes.
_LONGEST_SENTENCE = 50_000

Reader = Callable[[Path], object]


def _open_metrics(file: Path) -> None:
    with MetricsWriter(file.parent) as metrics:
        metrics.cut_back(2)


def _start_from(file: Path) -> object:
    changes = {"resume_from": str(file), "total_iterations": 10**9}
    return find_new_run(sample_config().replace(**changes))


def _report(file: Path) -> None:
    """Reads a run as the report does, with sound metrics unless they are what is hostile."""
    run = file.parent
    if file.name != METRICS:
        (run / METRICS).write_text('{"iteration": 1}\n')
    (data,) = read_runs([run])
    data.ratings()
    data.checkpoint_win_rates()
    data.iterations()
    data.shares()
    data.met()


def _partial(file: Path) -> object:
    return PartialResults(file, lambda text: None).read(EVALUATION, PAIRINGS)


def _run_of(file: Path) -> Path:
    """The run of a file in a saved step."""
    return next(parent.parent for parent in file.parents if parent.name == STEPS)


def _restore(file: Path) -> object:
    steps = TrainingSteps(_run_of(file) / STEPS, keep=None)
    try:
        return read_host(steps.restore(STEP), "the state")
    finally:
        steps.close()


def _resume(file: Path) -> None:
    """What a training does with its steps when it starts again."""
    run = _run_of(file)
    cpu_devices(saved_machine(run, None), 2048)
    steps = TrainingSteps(run / STEPS, keep=2)
    try:
        steps.restore(steps.newest)
    finally:
        steps.close()


READERS: dict[str, tuple[Reader, ...]] = {
    "policy": (load_policy, unpack_state),
    "packed state": (load_policy, unpack_state, _start_from, lambda file: is_shipped(file.parent)),
    "metrics": (read_metrics, _open_metrics, _report),
    "manifest": (lambda f: read_manifest(f.parent), lambda f: update_manifest(f.parent), _report),
    "ladder": (lambda file: read_ladder(file.parent), _report),
    "job record": (lambda f: read_record(f.parent), lambda f: job_status(f.parent)),
    "final evaluation": (lambda file: job_status(file.parent), _report),
    "saved configuration": (lambda file: job_status(file.parent), _report),
    "partial results": (_partial,),
    "configuration": (load_config,),
    **{
        f"saved step, {part}": (_restore, _resume)
        for part in ("handlers", "host", "names", "index", "win rate", "arrays")
    },
}


class _HangError(BaseException):
    """The reader took far too long."""


def attack_files(count: int, seed: int, only: int | None = None) -> Tally:
    """Has every reader read hostile files.

    Args:
      count: number of files.
      seed: file i is a function of the seed and i.
      only: the number of the one file to try.
    """
    tally = Tally()
    numbers = range(count) if only is None else (only,)
    with tempfile.TemporaryDirectory(prefix="attack") as name, _limits():
        top = Path(name)
        (top / "sound").mkdir()
        samples = make_samples(top / "sound")
        quiet_libraries()
        _warm_up(top, samples)
        for number in numbers:
            _try_file(top, samples, number, seed, tally)
            if number % 1000 == 999:
                print(f"{number + 1} files, {len(tally.findings)} findings", flush=True)
    return tally


@contextmanager
def _limits() -> Iterator[None]:
    """Lets a reader that takes all memory fail instead of the machine; ends one that hangs."""

    def interrupt(*_: object) -> None:
        raise _HangError

    old = signal.signal(signal.SIGALRM, interrupt)
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    # Address space is taken in blocks far larger than what is used of them.
    resource.setrlimit(resource.RLIMIT_AS, (_kilobytes("VmSize") * 1024 + 4_000_000_000, most))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        faulthandler.cancel_dump_traceback_later()
        signal.signal(signal.SIGALRM, old)
        resource.setrlimit(resource.RLIMIT_AS, (most, most))


def _warm_up(top: Path, samples: dict[str, Sample]) -> None:
    """Has every reader read a sound file, so that later ones compile and import nothing."""
    for kind, sample in samples.items():
        for reader in READERS[kind]:
            file = _lay_out(_fresh_folder(top), sample)
            with suppress(UserError):
                reader(file)


def _fresh_folder(top: Path) -> Path:
    for name in ("inside", "outside"):
        shutil.rmtree(top / name, ignore_errors=True)
        (top / name).mkdir()
    (top / "outside" / "victim").write_text("untouched")
    # Names such as ../outside in a file lead here.
    os.chdir(top / "inside")
    return top / "inside"


def _lay_out(folder: Path, sample: Sample) -> Path:
    """Writes a sound file and what belongs to it."""
    for name, content in {**sample.beside, sample.name: sample.content}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder / sample.name


def _try_file(top: Path, samples: dict[str, Sample], number: int, seed: int, tally: Tally) -> None:
    kinds = sorted(samples)
    kind = kinds[number % len(kinds)]
    for reader in READERS[kind]:
        rng = random.Random(f"{seed}:{number}")
        folder = _fresh_folder(top)
        file = _lay_out(folder, samples[kind])
        file.unlink(missing_ok=True)
        done = write_hostile(file, samples[kind], rng)
        repeat = f"files --seed {seed} --only {number}"
        outside = _contents(top)
        outcome, wrong = _read(reader, file)
        # Writers follow a link that people have made.
        if "link" not in done and _contents(top) != outside:
            wrong = "it changed files outside its folder"
        if wrong:
            tally.find(kind, repeat, f"{done}, {_name(reader)}: {wrong}")
        else:
            tally.count(kind, outcome)


def _name(reader: Any) -> str:
    return f"{reader.__module__}.{reader.__name__}, line {reader.__code__.co_firstlineno}"


def _contents(top: Path) -> dict[str, bytes]:
    """All that lies outside the folder of the hostile file."""
    return {
        str(path): path.read_bytes() if path.is_file() else b""
        for path in [*top.iterdir(), *(top / "outside").iterdir()]
    }


def _read(reader: Reader, file: Path) -> tuple[str, str | None]:
    """Reads a file; returns the outcome, and what is wrong with it if anything is."""
    before = _forget_peak()
    faulthandler.dump_traceback_later(_HANGS_FOR_EVER, exit=True)
    signal.setitimer(signal.ITIMER_REAL, _HANGS)
    started, queued = (time.process_time(), time.perf_counter()), _queued()
    outcome, wrong = "accepted", None
    try:
        reader(file)
    except UserError as error:
        outcome, wrong = "refused", _bad_sentence(str(error))
    except _HangError:
        wrong = f"it hangs for more than {_HANGS} s"
    except BaseException as error:
        wrong = f"{type(error).__name__}: {error}"[:200]
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    computed = time.process_time() - started[0]
    waited = time.perf_counter() - started[1]
    # On a busy machine the clock says more about others.
    waited -= _queued() - queued
    if wrong is None and max(computed, waited) > SECONDS:
        wrong = f"it computes for {computed:.1f} s, and takes {waited:.1f} s in all"
    grown = (_kilobytes("VmHWM") - before) // 1024
    if wrong is None and grown > MEGABYTES:
        wrong = f"it takes {grown} MB"
    return outcome, wrong


def _queued() -> float:
    """Seconds that this thread could have run but for others that ran, since its start."""
    return int(Path("/proc/thread-self/schedstat").read_text().split()[1]) / 1e9


def _bad_sentence(text: str) -> str | None:
    if len(text.splitlines()) != 1 or not text.strip().isprintable():
        return f"the refusal is no single printable line: {text!r:.200}"
    if len(text) > _LONGEST_SENTENCE:
        return f"the refusal has {len(text)} characters"
    return None


def _forget_peak() -> int:
    """Sets the peak of this process's memory back to what it uses now, which is returned in kB."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    return _kilobytes("VmRSS")


def _kilobytes(key: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1])
    return 0
