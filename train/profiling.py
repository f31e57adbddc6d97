"""A trace of a few iterations for TensorBoard or Perfetto (`--profile`)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import jax

from eval.runs.metrics_file import MetricsError

# The first iterations compile, which would hide everything else.
_WARM_UP = 2


class Profiler:
    """Traces some iterations of a run, after those that compile."""

    def __init__(self, folder: Path, iterations: int, say: Callable[[str], None]):
        """Writes nothing yet.

        Args:
          folder: the folder of traces, made when it is needed.
          iterations: number of iterations to trace; 0 traces nothing.
          say: called with a sentence on where the trace is.
        """
        self._folder = folder
        self._iterations = iterations
        self._say = say
        self._begun = 0
        self._tracing = False

    def before_iteration(self) -> None:
        """Starts or ends the trace when it is due; called before every iteration.

        Raises:
          MetricsError: the trace cannot be written.
        """
        if self._iterations and self._begun == _WARM_UP:
            options = jax.profiler.ProfileOptions()
            # Tracing every Python call would take most of the space and time.
            options.python_tracer_level = 0
            stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
            self._folder = self._folder / stamp
            self._write(
                lambda: jax.profiler.start_trace(
                    self._folder, create_perfetto_trace=True, profiler_options=options
                )
            )
            self._tracing = True
        if self._begun == _WARM_UP + self._iterations:
            self.close()
        self._begun += 1

    def close(self) -> None:
        """Ends a trace in progress; errors as in `before_iteration`."""
        if not self._tracing:
            return
        self._tracing = False
        self._write(jax.profiler.stop_trace)
        traces = sorted(self._folder.rglob("*.json.gz"))
        perfetto = next((t for t in traces if t.name.startswith("perfetto")), self._folder)
        self._say(
            f"The trace of {self._iterations} iterations is in {self._folder}: open {perfetto} in "
            f"https://ui.perfetto.dev, or run tensorboard --logdir {self._folder} (with its plugin "
            "tensorboard-plugin-profile)."
        )

    def _write(self, action: Callable[[], None]) -> None:
        try:
            action()
        except (OSError, RuntimeError) as error:
            reason = " ".join(str(error).split())
            raise MetricsError(f"cannot write a trace to {self._folder}: {reason:.200}") from error
