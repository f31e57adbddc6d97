"""Progress of a run on the screen: live on a terminal, one line now and then elsewhere."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, TextIO, cast

from rich.console import Console, Group
from rich.live import Live
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Column, Table
from rich.text import Text

from bb_sim import OPPONENTS
from eval.console import duration
from eval.heartbeat import Heartbeat, Name
from eval.outputs import ForgivingOutput
from eval.runs.metric_keys import opponent_of

# The speed of the run in the last hour tells the time left.
_SPEED_PERIOD = 3600.0
_LINE_SECONDS = 2.0
# A longer name is cut, so that the numbers beside it fit a narrow terminal.
_TITLE_WIDTH = 24
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
        """Shows nothing yet.

        Args:
          total_iterations: the iteration at which the run is finished.
          start_iteration: iterations that are done already.
          title: the run's name.
          file: where to show it; standard output by default.
          live: whether to redraw in place; by default where `file` is a terminal that can.
          clock: seconds, monotonic.
        """
        self._iteration = start_iteration
        self._output = cast(TextIO, ForgivingOutput(file or sys.stdout))
        if live is None:
            able = os.environ.get("TERM") not in (None, "", "dumb", "unknown")
            live = self._output.isatty() and able
        self._console = (
            Console(file=self._output, force_terminal=True, highlight=False) if live else None
        )
        self._clock = clock
        self._progress = Progress(
            TextColumn(
                "{task.description}",
                style="bold",
                markup=False,
                table_column=Column(no_wrap=True, overflow="ellipsis", max_width=_TITLE_WIDTH),
            ),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            "elapsed",
            TimeElapsedColumn(),
            "left",
            TimeRemainingColumn(),
            console=self._console,
            speed_estimate_period=_SPEED_PERIOD,
            get_time=clock,
            expand=True,
        )
        self._task = self._progress.add_task(
            title, total=total_iterations, completed=start_iteration
        )
        # The first iteration's speed is measured from here.
        self._progress.advance(self._task, 0)
        self._last_line = float("-inf")
        self._heartbeat = Heartbeat(self._say_phase, clock)
        self._row: dict[str, Any] = {}
        self._win_rates: dict[str, float] = {}
        self._evaluated_at: int | None = None
        self._live: Live | None = None

    def __enter__(self) -> Display:
        self._heartbeat.__enter__()
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
        self._heartbeat.__exit__()
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
        self._progress.update(self._task, completed=self._iteration)
        win_rates = _win_rates(row)
        if win_rates:
            self._win_rates, self._evaluated_at = win_rates, self._iteration
        if self._live is not None:
            self._live.refresh()
        else:
            self._print_lines(win_rates)

    def phase(self, name: Name) -> AbstractContextManager[None]:
        """Enters a phase, which the live screen shows; elsewhere a line tells of a long one."""
        return self._heartbeat.phase(name)

    def _say_phase(self, line: str) -> None:
        if self._live is None:
            self.message(line)

    def message(self, text: str) -> None:
        """Shows a sentence that stays on the screen."""
        self._heartbeat.spoken()
        if self._live is not None and self._console is not None:
            self._console.print(Text(text))
        else:
            self._output.write(text + "\n")
            self._output.flush()

    def _print_lines(self, win_rates: Mapping[str, float]) -> None:
        now = self._clock()
        due = now - self._last_line >= _LINE_SECONDS
        if due or win_rates or self._run.finished:
            self._last_line = now
            self.message(self._line())
        if win_rates:
            listed = ", ".join(f"{name} {100 * rate:.1f}" for name, rate in win_rates.items())
            self.message(f"iteration {self._iteration}: win rates in percent: {listed}")

    def _line(self) -> str:
        run = self._run
        parts = [f"iteration {self._iteration}/{run.total:.0f}", *self._metric_texts()]
        parts += [*self._speed_texts(), f"elapsed {duration(run.elapsed or 0)}"]
        if run.time_remaining is not None:
            parts.append(f"left {duration(run.time_remaining)}")
        return ", ".join(parts)

    @property
    def _run(self) -> Task:
        return self._progress.tasks[0]

    def _metric_texts(self) -> list[str]:
        return [
            f"{label} {_number(self._row[key])}"
            for key, label in _KEY_METRICS.items()
            if _is_number(self._row.get(key))
        ]

    def _speed_texts(self) -> list[str]:
        speed = self._row.get("time/games_per_second")
        return [f"{speed:,.0f} games/s"] if _is_number(speed) else []

    def _render(self) -> Group:
        """The live screen; its clock goes on between iterations."""
        lines: list[Any] = [self._progress.get_renderable()]
        lines += map(Text, self._speed_texts())
        shares = [
            f"{part} {100 * self._row[key]:.0f} %"
            for part in _SHARES
            if _is_number(self._row.get(key := f"time/{part}_share"))
        ]
        if phase := self._heartbeat.line:
            lines.append(Text(phase, style="dim", no_wrap=True, overflow="ellipsis"))
        if shares:
            lines.append(Text("time: " + ", ".join(shares), style="dim"))
        if metrics := self._metric_texts():
            lines.append(Text(", ".join(metrics)))
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
    """A row's win rates by opponent, the named opponents first; empty without an evaluation."""
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
