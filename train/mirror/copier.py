"""Copies a run's finished steps to its mirror, in a thread beside the training.

Nothing here delays or ends the training: a failure is told in a sentence, once until copying works
again, and is tried again for as long as the training runs.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from bb_jax.errors import one_line
from eval.runs.layout import saved_steps
from train.interrupt import StopSignals
from train.mirror.mirror import Mirror, Say, TakenOverError
from train.mirror.snapshot import held_step
from train.mirror.storage import MirrorError

#: Seconds that the end of a training waits for the last steps. After a signal or an error it has
#: to end soon; otherwise it waits as long as something is copied every so often.
SECONDS_AFTER_SIGNAL, SECONDS_WITHOUT_PROGRESS = 8.0, 300.0

# How often the run's folder is looked at, and the mirror for a request to stop.
_POLL_SECONDS, _REQUEST_SECONDS = 1.0, 15.0
# Between attempts; each is twice as long as the one before.
_FIRST_RETRY_SECONDS, _LAST_RETRY_SECONDS = 1.0, 60.0
_CLOSING_RETRY_SECONDS = 2.0
# Before the folder is looked at again after a step has gone.
_GONE_SECONDS = 0.2
# A longer wait at the end is announced.
_ANNOUNCED_SECONDS = 2.0


class Copier:
    """Copies the steps of a run's folder as they are finished, until it is closed.

    Attributes:
      say: called with a sentence about what people should know; may be replaced at any time.
    """

    def __init__(self, mirror: Mirror, run: Path, say: Say, *, from_step: int | None = None):
        """Begins to copy.

        Args:
          mirror: where to.
          run: the run's folder.
          say: called with a sentence, from another thread.
          from_step: the step that the run was told to go on from; later ones are removed there.
        """
        self.say = say
        self._mirror = mirror
        self._run = run
        self._from_step = from_step
        self._claimed = False
        # The newest step that this process has put there, and whether its records are the last.
        self._put: int | None = None
        self._put_last = False
        # Whether the mirror holds all steps that the folder keeps, and no older ones.
        self._tidy = False
        self._trouble: str | None = None
        self._wake, self._closing = threading.Event(), threading.Event()
        self._ended, self._idle = threading.Event(), threading.Event()
        self._next_request = 0.0
        self._progress = time.monotonic()
        mirror.on_progress = self._note_progress
        threading.Thread(target=self._copy, name="mirror", daemon=True).start()

    def close(
        self, seconds: float, *, while_progress: bool, stop: StopSignals | None = None
    ) -> bool:
        """Copies what is left, and ends the copying.

        Args:
          seconds: how long to wait.
          while_progress: whether to begin the count anew whenever something has been copied.
          stop: signals that end the waiting.

        Returns:
          Whether the mirror holds the newest step of the folder, with its last records.
        """
        began = self._progress = time.monotonic()
        announced = False
        self._closing.set()
        self._wake.set()
        while not self._idle.wait(0.1) and not self._ended.is_set():
            now = time.monotonic()
            if now - (self._progress if while_progress else began) > seconds:
                break
            if stop is not None and stop.received is not None:
                break
            if while_progress and not announced and now - began > _ANNOUNCED_SECONDS:
                announced = True
                self._tell(
                    f"copying the newest checkpoint to the mirror {self._mirror.url}; Ctrl-C ends "
                    "the wait"
                )
        self._ended.set()
        self._wake.set()
        if not self._idle.is_set():
            why = f" ({self._trouble})" if self._trouble else ""
            self._tell(
                f"the mirror {self._mirror.url} lacks the newest checkpoint{why}; the same command "
                "copies it"
            )
        return self._idle.is_set()

    def _note_progress(self) -> None:
        self._progress = time.monotonic()
        if self._ended.is_set():
            raise _ClosedError

    # Everything below runs in the thread.

    def _copy(self) -> None:
        retry = _FIRST_RETRY_SECONDS
        # Once all is copied, the folder may belong to the next start.
        while not (self._ended.is_set() or self._idle.is_set()):
            try:
                busy = self._copy_next()
            except _ClosedError:
                return
            except TakenOverError as error:
                self._trouble = str(error)
                self._tell(str(error))
                self._ended.set()
                return
            except FileNotFoundError:
                # The training has removed the step meanwhile.
                self._pause(_GONE_SECONDS)
            except Exception as error:
                self._fail(error)
                most = _CLOSING_RETRY_SECONDS if self._closing.is_set() else _LAST_RETRY_SECONDS
                self._pause(min(retry, most))
                retry = 2 * retry
            else:
                retry = _FIRST_RETRY_SECONDS
                if self._trouble is not None:
                    self._trouble = None
                    self._tell(f"the mirror {self._mirror.url} can be reached again")
                if not busy:
                    self._pause(_POLL_SECONDS)

    def _fail(self, error: Exception) -> None:
        told = self._trouble is not None
        self._trouble = str(error) if isinstance(error, MirrorError) else one_line(error)
        if not told:
            self._tell(f"{self._trouble}; the training goes on, and copying is tried again")

    def _pause(self, seconds: float) -> None:
        self._wake.wait(seconds)
        self._wake.clear()

    def _copy_next(self) -> bool:
        """Does the next thing that is due; returns whether there may be more."""
        closing = self._closing.is_set()
        if not self._claimed:
            self._mirror.claim(self._run)
            if self._from_step is not None:
                self._mirror.remove_after(self._from_step)
            self._claimed = True
        steps = saved_steps(self._run)
        newest = max(steps, default=None)
        if newest is not None and (newest != self._put or (closing and not self._put_last)):
            # A step there from an earlier start is put again, and so looked through.
            self._put_step(newest)
            self._put, self._put_last, self._tidy = newest, closing, False
            return True
        if newest is not None and not self._tidy:
            missing = set(steps) - set(self._mirror.steps())
            if missing:
                self._put_step(max(missing))
            else:
                self._mirror.keep(steps)
                self._tidy = True
            return True
        if closing:
            self._idle.set()
        elif time.monotonic() >= self._next_request:
            self._next_request = time.monotonic() + _REQUEST_SECONDS
            if self._mirror.take_request():
                # As Ctrl-C does. SIGTERM would look like a machine that is taken away.
                os.kill(os.getpid(), signal.SIGINT)
        return False

    def _put_step(self, step: int) -> None:
        with held_step(self._run, step) as files:
            self._mirror.put(step, files)

    def _tell(self, sentence: str) -> None:
        # What only shows never ends the copying.
        with suppress(Exception):
            self.say(sentence)


class _ClosedError(BaseException):
    """Ends the thread after the copier was closed, at the next object."""


@contextmanager
def copying(
    mirror: Mirror | None,
    run: Path,
    say: Say,
    *,
    from_step: int | None,
    stop: StopSignals,
) -> Iterator[Copier | None]:
    """Copies to a mirror while entered; leaving it waits for the last steps, as long as may be.

    Args:
      mirror: where to; nothing is copied where it is None.
      run: the run's folder.
      say: called with a sentence.
      from_step: as in `Copier`.
      stop: signals that end the waiting.
    """
    if mirror is None:
        yield None
        return
    copier = Copier(mirror, run, say, from_step=from_step)
    try:
        yield copier
    except BaseException:
        copier.say = say
        copier.close(SECONDS_AFTER_SIGNAL, while_progress=False)
        raise
    copier.say = say
    copier.close(SECONDS_WITHOUT_PROGRESS, while_progress=True, stop=stop)
