"""What a start of a run takes from its mirror."""

from __future__ import annotations

import time
from pathlib import Path

from eval.runs.layout import saved_steps
from train.mirror.mirror import Mirror, Say, TakenOverError
from train.mirror.storage import MirrorError

# Where the folder is empty, an answer is needed: a run that began anew would be another one.
_RETRY_SECONDS = (1.0, 4.0, 10.0)


def restore_newer(mirror: Mirror, run: Path, resume_step: int | None, say: Say) -> None:
    """Restores the run's folder where it is empty, or where the mirror holds a later step.

    Args:
      mirror: the run's mirror.
      run: the run's folder, which exists and in which nobody trains.
      resume_step: the step that the run is told to go on from; the newest where it is None.
      say: called with sentences about what people should know.

    Raises:
      MirrorError: the folder is empty, and the mirror cannot be used or holds no step that is
        whole; or the mirror belongs to another run.
    """
    own = saved_steps(run)
    if resume_step is not None and resume_step in own:
        return
    for seconds in () if own else _RETRY_SECONDS:
        try:
            return _restore_newer(mirror, run, own, say)
        except TakenOverError:
            raise
        except MirrorError as error:
            say(f"{error}; trying again in {seconds:g} seconds")
            time.sleep(seconds)
    try:
        _restore_newer(mirror, run, own, say)
    except TakenOverError:
        raise
    except MirrorError as error:
        if not own:
            raise
        say(f"{error}; the run goes on from its folder")


def _restore_newer(mirror: Mirror, run: Path, own: list[int], say: Say) -> None:
    if own:
        mirror.check_run(run)
    there = mirror.steps()
    if max(there, default=-1) > max(own, default=-1):
        restored = ", ".join(map(str, mirror.restore(run, say)))
        say(f"restored from the mirror {mirror.url}: checkpoints {restored}")
    elif not own:
        # What cannot be written to is found out before the first hour of training.
        mirror.claim(run)
