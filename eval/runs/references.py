"""What RUN and RUN@STEP mean, on every command line and in every key of a configuration.

A text that ends in `.policy` is a file. A text with a `/`, or with a `~` in front, is a path.
Anything else is a name: `checkpoints/NAME` if that is a run, else `./NAME`, else a run that comes
with an installed package. A final `@` with digits is the step.
"""

from __future__ import annotations

import os
import re
import sys
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from bb_jax.errors import CheckpointError
from bb_jax.paths import expand_home
from eval.runs.layout import POLICY_SUFFIX, RUNS_ROOT, SHIPPED_RUNS, is_run, policy_files

_STEP = re.compile(r"(.+)@(\d+)", re.DOTALL)


class Reference(NamedTuple):
    """The parts of RUN@STEP; nothing is looked up on the disk.

    Attributes:
      run: a path or a name.
      step: completed iterations; None stands for the newest step.
    """

    run: str
    step: int | None


def parse_reference(text: str) -> Reference:
    """Splits RUN@STEP; a text without a step is all RUN."""
    match = _STEP.fullmatch(text)
    return Reference(text, None) if match is None else Reference(match[1], int(match[2]))


def named_file(text: str) -> Path | None:
    """The policy file whose path a text is; None for a text that names a run.

    Raises:
      CheckpointError: there is no such file.
    """
    if not text.endswith(POLICY_SUFFIX):
        return None
    path = expand_home(text, CheckpointError)
    if not os.path.isfile(path):
        raise CheckpointError(f"there is no policy file {path}")
    return path


def find_run(run: str) -> Path:
    """The folder of a run.

    A note on standard error says which run is taken where a name fits a run in `checkpoints/` and
    one that lies here.

    Args:
      run: a path or a name, without a step.

    Raises:
      CheckpointError: there is no such run; the message lists the runs that exist.
    """
    if "/" in run or run.startswith("~"):
        folder = expand_home(run, CheckpointError)
        if is_run(folder):
            return folder
        missing = "holds no run" if os.path.isdir(folder) else "is no folder"
        raise CheckpointError(f"there is no run {run}: {folder} {missing}")
    found = [folder for folder in (RUNS_ROOT / run, Path(run)) if run and is_run(folder)]
    if not found and run and is_run(SHIPPED_RUNS / run):
        return SHIPPED_RUNS / run
    if not found:
        known, shipped = _runs_in(RUNS_ROOT), _runs_in(SHIPPED_RUNS)
        listed = f"runs under {RUNS_ROOT}: {', '.join(known)}" if known else f"{RUNS_ROOT} has none"
        if shipped:
            listed += f"; runs that come with the program: {', '.join(shipped)}"
        hint = "; a step is a number: RUN@STEP" if "@" in run else ""
        raise CheckpointError(f"there is no run {run or repr(run)}; {listed}{hint}")
    if len(found) > 1 and found[0].resolve() != found[1].resolve():
        # What only shows ends no work.
        with suppress(OSError):
            print(f"note: {run} is {found[0]}, not ./{found[1]}", file=sys.stderr, flush=True)
    return found[0]


def _runs_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*") if is_run(path))


def find_policy(text: str) -> Path:
    """The policy file that RUN, RUN@STEP or the path of a file names.

    Raises:
      CheckpointError: there is no such policy; the message says what there is.
    """
    file = named_file(text)
    if file is not None:
        return file
    reference = parse_reference(text)
    files = policy_files(find_run(reference.run))
    if not files:
        raise CheckpointError(f"run {reference.run} holds no policies")
    step = max(files) if reference.step is None else reference.step
    if step not in files:
        raise CheckpointError(
            f"run {reference.run} has no policy of step {step}; it has {', '.join(map(str, files))}"
        )
    return files[step]
