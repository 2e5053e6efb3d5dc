"""The rungs of a cascade in the report: by hand, and shown."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from w2sg.records import ItemScore, LabelScore
from w2sg.report.arms import ArmResult, RunMeta
from w2sg.report.collect import collect
from w2sg.report.page import render
from w2sg.report.rungs import rung_rows, rungs_of
from w2sg.report.terminal import show


def arm(method, right, seed, labels, model, below=()):
    """An arm from strings of 0 and 1: its answers, the first half id, and its labels."""
    scores = [
        ItemScore(f"q{n}", "id" if 2 * n < len(right) else "ood", mark == "1", True, mark)
        for n, mark in enumerate(right)
    ]
    graded = [LabelScore(f"{model}{n}", mark, mark == "1") for n, mark in enumerate(labels)]
    return ArmResult("t", method, seed, scores, labels=graded, model=model, below=below)


def cascade(seed, low, high):
    return arm("cascade", high, seed, "110", "big", below=(arm("cascade (rung 1 of 2)", low, seed, "10", "mid"),))


def unsure(one):
    """The arm, with labels that state a confidence."""
    labels = [replace(label, confidence=0.5) for label in one.labels]
    return replace(one, labels=labels, below=tuple(map(unsure, one.below)))


def test_by_hand():
    """Two seeds: the rung below is right on 1 and 2 of 4, the student on 3 and 4 of 4."""
    found = list(
        rung_rows("t", "cascade", [cascade(0, "1000", "1110"), cascade(1, "1100", "1111")], resamples=50, seed=0)
    )
    assert [(row.rung, row.of, row.student, row.seeds, row.labels) for row in found] == [
        (1, 2, "mid", 2, 4),
        (2, 2, "big", 2, 6),
    ]
    assert [[(one.stratum, one.accuracy, one.n) for one in row.accuracies] for row in found] == [
        [("id", 0.75, 2), ("ood", 0.0, 2), ("all", 0.375, 4)],
        [("id", 1.0, 2), ("ood", 0.75, 2), ("all", 0.875, 4)],
    ]
    assert [row.labels_right.value for row in found] == [0.5, pytest.approx(2 / 3)]
    for row in found:
        assert row.labels_right.low <= row.labels_right.value <= row.labels_right.high


def test_gains_over_the_first_rung_by_hand():
    """Right on 1 and 2 of 4 below, on 3 and 4 of 4 above, in two seeds: a gain of a half in all."""
    first, last = rung_rows(
        "t", "cascade", [cascade(0, "1000", "1110"), cascade(1, "1100", "1111")], resamples=50, seed=0
    )
    assert [one.gain for one in first.accuracies] == [None] * 3
    assert [one.gain.value for one in last.accuracies] == [0.25, 0.75, 0.5]
    assert all(one.gain.low <= one.gain.value <= one.gain.high for one in last.accuracies)


def test_ensembles_of_first_experts_are_no_rungs():
    one = cascade(0, "1000", "1110")
    assert rungs_of([one, one]) == [(one.below[0], one.below[0]), (one, one)]
    ensemble = replace(one, below_is="prefix")
    assert rungs_of([ensemble]) == [(ensemble,)]
    assert rungs_of([one.below[0]]) == [(one.below[0],)]


def test_the_first_few_experts_are_shown_apart_from_cascades():
    ensemble = replace(
        arm("experts", "1110", 0, "", "nano", below=(arm("experts (first 1 of 2 experts)", "1000", 0, "", "nano"),)),
        below_is="prefix",
    )
    found = collect(
        [ensemble, cascade(0, "1000", "1110"), arm("untuned", "1000", None, "", "big")],
        RunMeta("n", "c", "0"),
        resamples=50,
    )
    assert [(row.kind, row.method, row.rung, row.labels) for row in found.rungs] == [
        ("prefix", "experts", 1, 0), ("prefix", "experts", 2, 0), ("rung", "cascade", 1, 2), ("rung", "cascade", 2, 3)
    ]  # fmt: skip
    page = render(found)
    rungs = page[page.index("The rungs of the cascades") : page.index("Accuracy against the number of experts (%)")]
    assert "experts" not in rungs.partition("<table>")[2]
    assert '<tr><td class="text">experts</td><td>first 2 of 2</td>' in page
    assert 'aria-label="Accuracy against the number of experts on t"' in page
    out = io.StringIO()
    show(found, Console(file=out, width=80, color_system=None))
    lines = out.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    (line,) = [line for line in lines if line.startswith("  first 2 of 2")]
    gain = found.rungs[1].accuracies[1].gain
    assert line.split()[:4] == ["first", "2", "of", "2"]
    assert f"{100 * gain.value:+.1f} [" in line
    assert gain.value == 0.5


def test_an_arm_that_is_no_cascade_has_no_rungs_and_labels_may_lack_gold():
    assert list(rung_rows("t", "x", [arm("x", "10", 0, "1", "big")], resamples=50, seed=0)) == []
    bare = arm("cascade", "10", 0, "", "big", below=(arm("below", "10", 0, "", "mid"),))
    assert [row.labels_right for row in rung_rows("t", "cascade", [bare], resamples=50, seed=0)] == [None, None]


def test_rungs_are_shown_and_not_compared():
    found = collect(
        [unsure(cascade(0, "1000", "1110")), arm("untuned", "1000", None, "", "big")],
        RunMeta("n", "c", "0"),
        resamples=50,
    )
    assert found.methods("t") == ["cascade", "untuned"]
    assert len(found.rungs) == 2
    last, row = found.rungs[-1].accuracies[-1], found.find("t", "cascade", "all")
    assert (last.accuracy, last.n) == (row.accuracy, row.n)
    page = render(found)
    assert "The rungs of the cascades" in page
    assert '<td>1 of 2</td><td class="text">mid</td>' in page
    out = io.StringIO()
    show(found, Console(file=out, width=80, color_system=None))
    assert "  1 mid" in out.getvalue()
    text = " ".join(line[:20].strip() for line in out.getvalue().splitlines())
    assert "cascade (rung 1 of 2) stated" in text  # names that differ at their end stay whole
    assert max(len(line) for line in out.getvalue().splitlines()) <= 80
