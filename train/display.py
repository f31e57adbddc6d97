"""Progress of a run on the screen: live on a terminal, one line now and then elsewhere."""

from __future__ import annotations

import os
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, TextIO, cast

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from bb_sim import OPPONENTS
from eval.console import ForgivingOutput, duration
from eval.runs.metric_keys import opponent_of

# Iterations whose mean duration tells the time left.
_RECENT = 20
_LINE_SECONDS = 2.0
_SHARES = ("generation", "inference", "learning", "evaluation")
# Keys of a metrics row and what the screen calls them.
_KEY_METRICS = {
    "train/entropy": "entropy",
    "train/kl": "kl",
    "train/value_loss": "value loss",
    "train/explained_variance": "explained",
    "train/clip_fraction": "clipped",
    "train/learning_rate": "learning rate",
}
_OPPONENTS_A_LINE = 3


class Display:
    """Shows the rows of metrics of a run; a context manager.

    The keys it reads, all but the first optional: `iteration`, `train/entropy`, `train/kl`,
    `train/value_loss`, `train/explained_variance`, `train/clip_fraction`, `train/learning_rate`,
    `eval/<opponent>/win_rate` (fractions), `time/games_per_second`, and the shares
    `time/<part>_share` for generation, inference, learning and evaluation (fractions).

    An output that goes away (a closed pipe, a lost terminal) ends the display, not the run.

    Args:
      total_iterations: the iteration at which the run is finished.
      start_iteration: how many are done already.
      title: the run's name.
      file: where to show it; standard output by default.
      live: whether to redraw in place; by default where `file` is a terminal that can.
      clock: seconds, monotonic.
    """

    def __init__(
        self,
        total_iterations: int,
        start_iteration: int,
        title: str,
        *,
        file: TextIO | None = None,
        live: bool | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._total = total_iterations
        self._iteration = self._start = start_iteration
        self._title = title
        output = cast(TextIO, ForgivingOutput(file or sys.stdout))
        if live is None:
            live = output.isatty() and os.environ.get("TERM") not in (None, "", "dumb", "unknown")
        self._output = output
        self._console = Console(file=output, force_terminal=True, highlight=False) if live else None
        self._clock = clock
        self._begun = clock()
        self._recent: deque[tuple[float, int]] = deque(
            [(self._begun, start_iteration)], _RECENT + 1
        )
        self._last_line = float("-inf")
        self._row: dict[str, Any] = {}
        self._win_rates: dict[str, float] = {}
        self._evaluated_at: int | None = None
        self._live: Live | None = None

    def __enter__(self) -> Display:
        if self._console is not None:
            self._live = Live(
                get_renderable=self._render, console=self._console, refresh_per_second=2
            )
            try:
                self._live.start(refresh=True)
            except BaseException:
                self.__exit__()
                raise
        return self

    def __exit__(self, *exception: object) -> None:
        live, self._live = self._live, None
        if live is not None and self._console is not None:
            try:
                live.stop()
            finally:
                # A second Ctrl-C may have cut the stop short.
                self._console.show_cursor(True)

    def update(self, row: Mapping[str, Any]) -> None:
        """Takes the metrics of a completed iteration."""
        self._row = dict(row)
        self._iteration = int(row["iteration"])
        self._recent.append((self._clock(), self._iteration))
        win_rates = _win_rates(row)
        if win_rates:
            self._win_rates, self._evaluated_at = win_rates, self._iteration
        if self._live is not None:
            self._live.refresh()
        else:
            self._print_lines(win_rates)

    def message(self, text: str) -> None:
        """Shows a sentence that stays on the screen."""
        if self._live is not None and self._console is not None:
            self._console.print(Text(text))
        else:
            self._output.write(text + "\n")
            self._output.flush()

    def _print_lines(self, win_rates: Mapping[str, float]) -> None:
        now = self._clock()
        due = now - self._last_line >= _LINE_SECONDS
        if due or win_rates or self._iteration >= self._total:
            self._last_line = now
            self.message(self._line())
        if win_rates:
            listed = ", ".join(f"{name} {100 * rate:.1f}" for name, rate in win_rates.items())
            self.message(f"iteration {self._iteration}: win rates in percent: {listed}")

    def _line(self) -> str:
        parts = [f"iteration {self._iteration}/{self._total}", *self._metric_texts().values()]
        parts.extend(self._time_texts())
        return ", ".join(parts)

    def _metric_texts(self) -> dict[str, str]:
        return {
            label: f"{label} {_number(self._row[key])}"
            for key, label in _KEY_METRICS.items()
            if _is_number(self._row.get(key))
        }

    def _time_texts(self) -> list[str]:
        texts = []
        speed = self._row.get("time/games_per_second")
        if _is_number(speed):
            texts.append(f"{speed:,.0f} games/s")
        left = self._seconds_left()
        texts.append(f"elapsed {duration(self._clock() - self._begun)}")
        if left is not None:
            texts.append(f"left {duration(left)}")
        return texts

    def _seconds_left(self) -> float | None:
        """Remaining iterations times the mean duration of the recent ones."""
        (first_time, first), (last_time, last) = self._recent[0], self._recent[-1]
        if last == first:
            return None
        each = (last_time - first_time) / (last - first)
        since = self._clock() - last_time
        return max(0.0, (self._total - last) * each - since)

    def _render(self) -> Group:
        """The live screen; its clock goes on between iterations."""
        head = Table.grid(padding=(0, 1), expand=True)
        head.add_column(no_wrap=True)
        head.add_column(ratio=1)
        head.add_column(no_wrap=True, justify="right")
        bar = ProgressBar(total=max(self._total, 1), completed=self._iteration)
        head.add_row(Text(self._title, style="bold"), bar, f"{self._iteration}/{self._total}")
        lines: list[Any] = [head, Text(", ".join(self._time_texts()))]
        shares = [
            f"{part} {100 * self._row[key]:.0f} %"
            for part in _SHARES
            if _is_number(self._row.get(key := f"time/{part}_share"))
        ]
        if shares:
            lines.append(Text("time: " + ", ".join(shares), style="dim"))
        if metrics := self._metric_texts():
            lines.append(Text(", ".join(metrics.values())))
        if self._win_rates:
            lines.append(Text(f"win % at iteration {self._evaluated_at}", style="dim"))
            lines.append(self._win_rate_grid())
        return Group(*lines)

    def _win_rate_grid(self) -> Table:
        grid = Table.grid(padding=(0, 2, 0, 0))
        cells: list[Text] = []
        for name, rate in self._win_rates.items():
            cells += [Text(name), Text(f"{100 * rate:.1f}", style="bold", justify="right")]
        width = 2 * _OPPONENTS_A_LINE
        for start in range(0, len(cells), width):
            grid.add_row(*cells[start : start + width])
        return grid


def _win_rates(row: Mapping[str, Any]) -> dict[str, float]:
    """Win rates by opponent of a row's evaluation, the simulator's own opponents first and in
    their order; empty where there was none."""
    found = {
        opponent: float(value)
        for key, value in row.items()
        if (opponent := opponent_of(key, "eval", "win_rate")) and _is_number(value)
    }
    known = [name for name in OPPONENTS if name in found]
    return {name: found[name] for name in dict.fromkeys([*known, *found])}


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) or getattr(value, "shape", None) == ()


def _number(value: Any) -> str:
    return f"{float(value):.3g}"
