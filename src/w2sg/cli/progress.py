"""How a run shows itself: bars with the time left on a terminal, one line per finished step elsewhere, and per minute
of one at work."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Column
from rich.text import Text

if TYPE_CHECKING:
    from rich.progress import Task
    from rich.table import Table

    from w2sg.steps.base import Step

_SHARE = 1000
"""A step's bar counts thousandths: its own unit is in its note."""
_ROOM_FOR_ALL, _ROOM_FOR_A_BAR = 120, 80
"""Columns of the terminal from which everything is shown, and from which a short bar is."""
_SILENCE = 60.0
"""Seconds after which a step that is still at work says so in a line, elsewhere than on a terminal."""


def clock(seconds: float) -> str:
    """Return a length of time in words as short as they can be: `45 s`, `3 min 20 s`, `2 h 05 min`."""
    seconds = max(0, round(seconds))
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60:02d} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60:02d} min"


class _Left(ProgressColumn):
    """The time left, as the bars' owner reckons it."""

    def render(self, task: Task) -> Text:
        left = task.fields.get("left")
        return Text("" if left is None else f"{clock(left)} left", style="progress.remaining")


class _Words(ProgressColumn):
    """What a bar is about, or its note: all that gives way where the line is too long, cut with an ellipsis."""

    def __init__(self, note: bool = False) -> None:
        super().__init__()
        self._note = note

    def render(self, task: Task) -> Text:
        said, style = (task.fields["note"], "dim") if self._note else (task.description, "")
        return Text(said, style, no_wrap=True, overflow="ellipsis")


class _Lines(Progress):
    """Bars that show as much as the terminal is wide for, also when it changes. What is done of what, its share and the
    time left stay in any; the time gone and the note go first, then the bar, which tells no more than the share."""

    def __init__(self, console: Console) -> None:
        self._shown_on = console  # Progress asks for its lines before it has a console itself
        super().__init__(console=console, disable=not console.is_terminal, transient=True)

    def make_tasks_table(self, tasks: Iterable[Task]) -> Table:
        """Return the lines of the bars."""
        width = self._shown_on.width
        whole = Column(no_wrap=True)
        share = TextColumn("{task.percentage:>3.0f}%", table_column=whole)
        self.columns = (_Words(), share, _Left(whole))
        if width >= _ROOM_FOR_A_BAR:
            bar = BarColumn(bar_width=24 if width >= _ROOM_FOR_ALL else 10, table_column=whole)
            self.columns = (_Words(), bar, share, _Left(whole))
        if width >= _ROOM_FOR_ALL:
            self.columns += (TimeElapsedColumn(whole), _Words(note=True))
        return super().make_tasks_table(tasks)


class Bars:
    """Watches a run (see `runs.runner.Watcher`). `expected` holds estimated seconds by step: they decide how much of
    the whole a step is, so that the time left is reckoned from work, not from a count of unequal steps."""

    def __init__(self, expected: Mapping[str, float], console: Console | None = None) -> None:
        self._expected = expected
        self._console = console or Console(stderr=True)
        self._progress = _Lines(self._console)
        self._tasks: dict[str, TaskID] = {}
        self._began: dict[str, float] = {}
        self._told: dict[str, float] = {}
        self._fraction: dict[str, float] = {}
        self._whole: TaskID | None = None
        self._total = self._ended = 0
        self._work_done = 0.0
        self._start = time.monotonic()

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def begin(self, steps: int, reused: int) -> None:
        """Say how much is to do, and open the bar of the whole."""
        self._total, self._start = steps, time.monotonic()
        if not steps:
            return
        again = f", {reused} found done and kept" if reused else ""
        self._console.print(f"{steps} steps to do{again}.", highlight=False)
        self._whole = self._progress.add_task(f"0 of {steps} steps", total=_SHARE, note="", left=None)

    def step_begins(self, step: Step) -> None:
        """Open the step's bar."""
        self._began[step.fingerprint] = self._told[step.fingerprint] = time.monotonic()
        self._fraction[step.fingerprint] = 0.0
        self._tasks[step.fingerprint] = self._progress.add_task(step.label, total=_SHARE, note="", left=None)

    def step_moves(self, step: Step, done: int, total: int, note: str) -> None:
        """Move the step's bar."""
        if step.fingerprint not in self._tasks or total <= 0:
            return
        fraction = min(1.0, done / total)
        self._fraction[step.fingerprint] = fraction
        spent = time.monotonic() - self._began[step.fingerprint]
        left = spent / fraction - spent if fraction > 0.02 else None
        self._progress.update(
            self._tasks[step.fingerprint], completed=round(fraction * _SHARE), left=left, note=note or f"{done}/{total}"
        )
        if not self._console.is_terminal and time.monotonic() - self._told[step.fingerprint] >= _SILENCE:
            self._told[step.fingerprint] = time.monotonic()
            rest = "" if left is None else f", {clock(left)} left"
            self._console.print(f"{step.label}: {fraction:.0%}{rest}", markup=False, highlight=False)
        self._move_whole()

    def step_ends(self, step: Step, failure: str = "") -> None:
        """Close the step's bar; elsewhere than on a terminal, write a line."""
        self._ended += 1
        spent = time.monotonic() - self._began.pop(step.fingerprint, time.monotonic())
        self._fraction.pop(step.fingerprint, None)
        if (task := self._tasks.pop(step.fingerprint, None)) is not None:
            self._progress.remove_task(task)
        self._work_done += self._weight(step.fingerprint)
        if failure:
            self._console.print(Text("failed ", "red").append(f"{step.label}: {failure}", "default"))
        elif not self._console.is_terminal:
            self._console.print(
                f"[{self._ended}/{self._total}] {step.label}  {clock(spent)}", markup=False, highlight=False
            )
        self._move_whole()

    def steps_lost(self, step: Step, count: int) -> None:
        """Count the steps that a failure takes with it."""
        self._ended += count
        if count:
            self._console.print(
                f"{count} steps rest on {step.label!r} and are not done.", markup=False, highlight=False
            )

    def _weight(self, fingerprint: str) -> float:
        return self._expected.get(fingerprint, 1.0)

    def _move_whole(self) -> None:
        if self._whole is None:
            return
        running = sum(self._weight(name) * share for name, share in self._fraction.items())
        expected = sum(self._expected.values()) or self._total
        everything = max(expected, self._work_done + running, 1e-9)
        share = min(1.0, (self._work_done + running) / everything)
        spent = time.monotonic() - self._start
        left = spent / share - spent if share > 0.01 else None
        self._progress.update(
            self._whole,
            completed=round(share * _SHARE),
            left=left,
            description=f"{self._ended} of {self._total} steps",
        )
