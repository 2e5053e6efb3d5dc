import io

import pytest
from rich.console import Console

from w2sg.records import ItemScore
from w2sg.report.arms import ArmResult, RunMeta
from w2sg.report.collect import collect
from w2sg.report.terminal import duration, quantity, show


def printed(results, width=80):
    out = io.StringIO()
    show(results, Console(file=out, width=width, color_system=None))
    return out.getvalue()


def test_fits_80_columns_with_nothing_cut(results):
    text = printed(results)
    assert max(len(line) for line in text.splitlines()) <= 80
    assert "…" not in text
    for name in ("teacher", "self-distillation", "imitation-vote", "ceiling"):
        assert any(line.startswith(name) for line in text.splitlines())


def test_says_what_the_results_say(results):
    text = " ".join(printed(results, width=10_000).split())
    row = results.find("world-maths", "ceiling", "ood")
    assert f"{100 * row.accuracy:.1f} [{100 * row.low:.0f}–{100 * row.high:.0f}]" in text
    for row in results.reliability:
        assert f"{row.stage} {100 * row.error.value:.1f} [{100 * row.error.low:.0f}–" in text
    for verdict in results.verdict:
        assert (verdict.sentence in text) == (verdict.stratum == "ood")
    for note in results.notes:
        assert note.text in text


def test_long_names_take_several_lines_broken_at_their_hyphens():
    score = ItemScore("q", "", True, True, "a")
    name = "cascade-alice-no-uncertainty-shuffled"
    found = collect([ArmResult("t", name, 0, [score])], RunMeta("n", "c", "0"), resamples=10)
    lines = [line.split()[0] for line in printed(found).splitlines() if line.strip()]
    at = lines.index("cascade-alice-no-")
    assert lines[at + 1] == "uncertainty-shuffled"


def test_square_brackets_in_names_are_not_markup():
    score = ItemScore("q", "", True, True, "a")
    found = collect([ArmResult("[red]t", "[bold]x", 0, [score])], RunMeta("n", "c", "0"), resamples=10)
    assert "[red]t" in printed(found)
    assert "[bold]x" in printed(found)
    assert "all %" in printed(found)


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0"), (950, "950"), (9_949, "9.9k"), (240_000, "240k"), (1_500_000, "1.5M"), (2e9, "2.0G")]
)
def test_quantity(count, text):
    assert quantity(count) == text


@pytest.mark.parametrize(("seconds", "text"), [(4.2, "4 s"), (120, "2 min"), (5400, "90 min"), (7200, "2.0 h")])
def test_duration(seconds, text):
    assert duration(seconds) == text
