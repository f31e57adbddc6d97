"""The files of a step, held as they are while they are copied.

Training goes on meanwhile: it removes old steps and writes on in its metrics.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from eval.runs import layout

# Appended to or replaced while the run goes on.
_CHANGING = (
    layout.CONFIGURATION,
    layout.METRICS,
    layout.DAMAGED_METRICS,
    layout.SUMMARY,
    layout.LOG,
    layout.TENSORBOARD,
    layout.FINAL_EVALUATION,
    layout.MANIFEST,
    layout.DAMAGED_MANIFEST,
    layout.LADDER,
    layout.REPORT,
)
_HELD = "held"


@contextmanager
def held_step(run: Path, step: int) -> Iterator[dict[str, Path]]:
    """Holds the files that a run needs to go on from a step.

    An exploiter in training is not among them: it would be trained again, with the same result.

    Args:
      run: the run's folder.
      step: one of its complete steps.

    Yields:
      The held files, by their paths in the run's folder.

    Raises:
      FileNotFoundError: the step has been removed.
      OSError: the file system refuses.
    """
    top = run / layout.MIRROR / _HELD
    # Another process may have been killed while it held a step.
    shutil.rmtree(top, ignore_errors=True)
    try:
        for path in _lasting(run, step):
            _link(run / path, top / path)
        for path in filter(_made, _below(run, *_CHANGING)):
            _copy(run / path, top / path)
        yield {str(path): top / path for path in sorted(_below(top, ""))}
    finally:
        shutil.rmtree(top, ignore_errors=True)


def _lasting(run: Path, step: int) -> Iterator[Path]:
    """The files that are never changed, only removed."""
    folder = Path(layout.STEPS, str(step))
    if not (run / folder).is_dir():
        raise FileNotFoundError(str(run / folder))
    yield from _below(run, str(folder))
    export = layout.policy_path(run, step).relative_to(run)
    yield from filter(_made, _below(run, str(export), layout.OPPONENTS, layout.TEACHER))


def _below(top: Path, *names: str) -> Iterator[Path]:
    """The files of these names, and all files in the folders of these names."""
    for name in names:
        path = top / name
        found = sorted(path.rglob("*")) if path.is_dir() else [path]
        yield from (file.relative_to(top) for file in found if file.is_file())


def _made(path: Path) -> bool:
    """Whether a file is whole: files in the making have hidden names."""
    return not path.name.startswith(".")


def _link(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except FileNotFoundError:
        raise
    except OSError:
        # Some file systems have no links.
        shutil.copyfile(source, target)


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    # A report is written anew, for one.
    if source.exists():
        shutil.copyfile(source, target)
