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
    assert "0 of 2 steps" in shown
    assert "2 of 2 steps" in shown
    assert "The disk is full." in shown


LABEL = "world-knowledge · training texts of alice-no-uncertainty (rung 1 of 2) for neox (seed 3)"


def lines(width: int) -> list[str]:
    """Return what a terminal of this width shows in the middle of a long step with a long name."""
    console = Console(file=io.StringIO(), force_terminal=True, width=width, record=True)
    bars = Bars({}, console)
    step = Step("task", Number(number=1), {}, LABEL)
    bars.begin(40, reused=0)
    bars.step_begins(step)
    bars.step_moves(step, 424, 1000, "1,234 tokens/s")
    for task in bars._progress.tasks:
        bars._progress.update(task.id, left=12 * 60 + 5)
    console.print(bars._progress)
    return console.export_text().splitlines()[1:]


@pytest.mark.parametrize(
    ("width", "label"),
    [(200, LABEL), (120, 45), (80, 40), (79, 50), (60, 35), (40, 15)],
    ids=lambda part: str(part)[:5],
)
def test_label_share_and_time_left_are_readable_at_any_width(width: int, label: str | int) -> None:
    whole, step = lines(width)
    assert all(len(line) <= width for line in (whole, step))
    assert whole.startswith("0 of 40 steps")
    assert "  1% 12 min 05 s left" in whole  # without estimates all steps are alike
    assert step.startswith(label if isinstance(label, str) else LABEL[:label])
    assert ("…" in step.split("42%")[0]) == (isinstance(label, int))
    assert "42% 12 min 05 s left" in step
    assert ("━" in step) == (width >= 80)
    assert ("1,234 tokens/s" in step) == (width >= 120)


def test_a_file_gets_a_line_per_step_and_no_control_signs() -> None:
    shown = watched(terminal=False)
    assert shown.splitlines()[0] == "2 steps to do, 3 found done and kept."
    assert "[2/2] maths [easy] · part 0" in shown
    assert "failed maths [easy] · part 1: The disk is full." in shown
    assert "\x1b" not in shown


@pytest.mark.parametrize("terminal", [False, True])
def test_a_long_step_says_once_a_minute_how_far_it_is(terminal: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a minute in: nothing. At 80 s, a quarter done: so much, and what is left; not again before 140 s."""
    now = [1000.0]
    monkeypatch.setattr("w2sg.cli.progress.time.monotonic", lambda: now[0])
    screen, (step,) = io.StringIO(), steps(1)
    bars = Bars({}, Console(file=screen, force_terminal=terminal, width=120))
    bars.begin(1, reused=0)
    bars.step_begins(step)
    for seconds, done in ((30, 10), (80, 25), (120, 40), (139, 45), (141, 50)):
        now[0] = 1000.0 + seconds
        bars.step_moves(step, done, 100, "")
    told = [line for line in screen.getvalue().splitlines() if line.startswith(f"{step.label}:")]
    assert told == ([] if terminal else [f"{step.label}: 25%, 4 min 00 s left", f"{step.label}: 50%, 2 min 21 s left"])


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
    (whole,) = (task for task in bars._progress.tasks if "of 10 steps" in task.description)
    assert whole.completed == pytest.approx(90)
