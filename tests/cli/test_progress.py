"""What is seen of a run while it runs."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from w2sg.cli.progress import Bars, clock
from w2sg.config import Config
from w2sg.steps.base import Step


class Number(Config):
    number: int


def steps(count: int) -> list[Step]:
    return [Step("task", Number(number=number), {}, f"maths [easy] · part {number}") for number in range(count)]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (59.4, "59 s"), (59.6, "1 min 00 s"), (200, "3 min 20 s"), (3600, "1 h 00 min"), (-3, "0 s")],
)
def test_clock(seconds: float, words: str) -> None:
    assert clock(seconds) == words


def watched(terminal: bool) -> str:
    screen = io.StringIO()
    first, second = steps(2)
    with Bars({}, Console(file=screen, force_terminal=terminal, width=120)) as bars:
        bars.begin(2, reused=3)
        bars.step_begins(first)
        bars.step_moves(first, 1, 4, "loss 1.25")
        bars.step_begins(second)
        bars.step_ends(second, "The disk is full.")
        bars.step_moves(second, 1, 1, "late news of an ended step")
        bars.step_ends(first)
    return screen.getvalue()


def test_a_terminal_shows_bars_with_notes() -> None:
    shown = watched(terminal=True)
    assert "loss 1.25" in shown
    assert "all 2 steps" in shown
    assert "The disk is full." in shown


def test_a_file_gets_a_line_per_step_and_no_control_signs() -> None:
    shown = watched(terminal=False)
    assert shown.splitlines()[0] == "2 steps to do, 3 found done and kept."
    assert "[2/2] maths [easy] · part 0" in shown
    assert "failed maths [easy] · part 1: The disk is full." in shown
    assert "\x1b" not in shown


def test_nothing_to_do_says_nothing() -> None:
    screen = io.StringIO()
    with Bars({}, Console(file=screen, force_terminal=False)) as bars:
        bars.begin(0, reused=7)
    assert screen.getvalue() == ""


def test_the_time_left_follows_the_expected_work_not_the_count() -> None:
    """Nine short steps done of ten are little of the whole when the tenth takes a hundred times as long."""
    many = steps(10)
    expected = {step.fingerprint: 1.0 for step in many} | {many[9].fingerprint: 91.0}
    bars = Bars(expected, Console(file=io.StringIO(), force_terminal=True))
    bars.begin(10, reused=0)
    for step in many[:9]:
        bars.step_begins(step)
        bars.step_ends(step)
    (whole,) = (task for task in bars._progress.tasks if "all 10" in task.description)
    assert whole.completed == pytest.approx(90)
