"""The six criteria: when one is met, on numbers made by hand and where nothing differs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from w2sg.metrics.verdict import Estimate
from w2sg.records import ItemScore, LabelScore, Stratum
from w2sg.report.criteria import Bounds, overall
from w2sg.report.zoo_check import DISAGREE, NEWS, OFTEN_RIGHT, WEIGHS, Measured, judge
from w2sg.report.zoo_check_results import CheckResults
from w2sg.report.zoo_check_text import LEGEND, markdown, show
from w2sg.steps.probe import SHOWN, ProbeScore

N = 100
SEEDS = (0, 1, 2)


def estimate(value: float, low: float, high: float) -> Estimate:
    return Estimate(value, low, high, "")


@pytest.mark.parametrize(
    ("bounds", "found", "status"),
    [
        (Bounds(least=0.1), (0.2, 0.11, 0.3), "met, interval clear"),
        (Bounds(least=0.1), (0.2, 0.09, 0.3), "met, interval not"),
        (Bounds(least=0.1), (0.09, 0.05, 0.3), "not met"),
        (Bounds(least=0.1), (0.55 - 0.45, 0.55 - 0.45, 0.3), "met, interval clear"),
        (Bounds(least=0.1), (0.8 - 0.7, 0.05, 0.3), "met, interval not"),  # a rounding below 0.1
        (Bounds(least=0.25, most=0.75), (0.75, 0.7, 0.75), "met, interval clear"),
        (Bounds(least=0.25, most=0.75), (0.7, 0.6, 0.8), "met, interval not"),
        (Bounds(least=0.25, most=0.75), (0.8, 0.7, 0.9), "not met"),
        (Bounds(least=0.0, strict=True), (0.0, 0.0, 0.0), "not met"),
        (Bounds(least=0.0, strict=True), (0.1, 0.0, 0.2), "met, interval not"),
        (Bounds(least=0.0, strict=True, shown=True), (0.1, 0.0, 0.2), "not met"),
        (Bounds(least=0.0, strict=True, shown=True), (0.1, 0.01, 0.2), "met, interval clear"),
    ],
)
def test_bounds_by_hand(bounds: Bounds, found: tuple[float, float, float], status: str) -> None:
    assert bounds.judge(estimate(*found)) == status


def test_what_was_not_measured_is_not_met() -> None:
    assert Bounds().judge(None) == "not measured"


def test_a_criterion_is_as_good_as_its_worst_figure() -> None:
    clear, barely, missing = "met, interval clear", "met, interval not", "not measured"
    assert overall([clear, clear]) == clear
    assert overall([clear, barely]) == barely
    assert overall([barely, missing, clear]) == missing
    assert overall([missing, "not met", clear]) == "not met"
    with pytest.raises(ValueError, match="empty"):
        overall([])


def test_bounds_in_words() -> None:
    assert NEWS.in_words(difference=False) == "≥ 10 %"
    assert NEWS.in_words(difference=True) == "≥ +10"
    assert OFTEN_RIGHT.in_words(difference=False) == "25–75 %"
    assert WEIGHS.in_words(difference=True) == "> 0 throughout"
    assert DISAGREE.in_words(difference=False) == "≥ 10 %"


def items(right_id: int, right_ood: int, strata: tuple[Stratum, ...] = ("id", "ood")) -> list[ItemScore]:
    """Test scores: the first so many of `N` questions of each stratum are right."""
    right = {"id": right_id, "ood": right_ood}
    return [ItemScore(f"{s}{n}", s, n < right[s], True, "1") for s in strata for n in range(N)]


def labels(first: int, last: int, wrong: str = "wrong") -> list[LabelScore]:
    """Answers to `N` transfer questions, right from `first` to before `last`."""
    return [LabelScore(str(n), "right" if first <= n < last else wrong, first <= n < last) for n in range(N)]


def probes(**counts: tuple[int, int]) -> list[ProbeScore]:
    """Replies: how many are right, and how many follow the wrong answer, by what was shown."""
    return [
        ProbeScore(str(n), shown, "1", n < counts[shown][0], n >= N - counts[shown][1])
        for shown in SHOWN
        for n in range(N)
    ]


GOOD = Measured(
    task="world-maths",
    scores={
        "teacher": dict.fromkeys(SEEDS, items(60, 30)),
        "untuned": dict.fromkeys(SEEDS, items(40, 20)),
        "imitation": dict.fromkeys(SEEDS, items(70, 50)),
        "ceiling": dict.fromkeys(SEEDS, items(90, 80)),
    },
    teacher={0: labels(30, 80, "a"), 1: labels(30, 80, "b"), 2: labels(30, 80, "c")},
    untuned=labels(0, 40),
    probes=probes(own=(80, 0), other=(30, 0), often=(20, 70), rarely=(60, 10)),
)


def figures(measured: Measured, number: int) -> dict[str, float | None]:
    criterion = judge(measured, resamples=500).criteria[number - 1]
    assert criterion.number == number
    return {figure.name: figure.value for figure in criterion.figures}


def statuses(measured: Measured) -> list[str]:
    return [criterion.status for criterion in judge(measured, resamples=500).criteria]


def test_a_good_pair_meets_all_six() -> None:
    assert statuses(GOOD) == ["met, interval clear"] * 6


def test_every_figure_by_hand() -> None:
    approx = pytest.approx
    assert figures(GOOD, 1) == {
        "ceiling − untuned": approx(0.55),
        "ceiling − untuned on id": approx(0.5),
        "ceiling − untuned on ood": approx(0.6),
    }
    two = figures(GOOD, 2)
    assert two["ceiling − teacher"] == approx(0.4)
    assert two["teacher right on transfer"] == approx(0.5)
    assert two["teacher right where untuned is wrong, of all transfer"] == approx(0.4)  # questions 40 to 79
    assert two["untuned right on transfer"] == approx(0.4)
    three = figures(GOOD, 3)
    assert three["imitation − teacher"] == approx(0.15)
    assert three["ceiling − imitation"] == approx(0.25)
    four = list(figures(GOOD, 4).values())
    assert four == [approx(value) for value in (0.5, 0.8, 0.3, 0.6, 0.7, 0.1)]
    assert list(figures(GOOD, 5).values()) == [approx(0.3), approx(0.5)]
    assert list(figures(GOOD, 6).values()) == [approx(0.5)]  # all wrong answers differ, all right ones agree


@pytest.mark.parametrize(
    ("number", "arm", "right"),
    [(1, "untuned", (85, 75)), (2, "teacher", (80, 70)), (3, "imitation", (60, 30)), (3, "imitation", (90, 80))],
)
def test_an_arm_out_of_its_place_fails_its_criterion(number: int, arm: str, right: tuple[int, int]) -> None:
    scores = {**GOOD.scores, arm: dict.fromkeys(SEEDS, items(*right))}
    assert statuses(replace(GOOD, scores=scores))[number - 1] == "not met"


@pytest.mark.parametrize(
    ("number", "changes"),
    [
        (2, {"teacher": dict.fromkeys(SEEDS, labels(30, 54))}),  # right too seldom: 24 %
        (2, {"teacher": dict.fromkeys(SEEDS, labels(20, 96))}),  # too often: 76 %
        (2, {"teacher": dict.fromkeys(SEEDS, labels(0, 49))}),  # news on 9 % of all
        (4, {"probes": probes(own=(44, 0), other=(30, 0), often=(20, 70), rarely=(60, 10))}),
        (4, {"probes": probes(own=(80, 0), other=(30, 0), often=(20, 12), rarely=(60, 10))}),  # not beyond chance
        (5, {"scores": {**GOOD.scores, "teacher": dict.fromkeys(SEEDS, items(39, 30))}}),
        (5, {"scores": {**GOOD.scores, "ceiling": dict.fromkeys(SEEDS, items(90, 39))}}),
        (6, {"teacher": {0: labels(30, 80), 1: labels(30, 80), 2: labels(30, 80)}}),
    ],
)
def test_a_figure_out_of_bounds_fails_its_criterion(number: int, changes: dict[str, object]) -> None:
    assert statuses(replace(GOOD, **changes))[number - 1] == "not met"  # type: ignore[arg-type]


def test_what_holds_by_the_point_estimate_alone_says_so() -> None:
    scores = {**GOOD.scores, "untuned": dict.fromkeys(SEEDS, items(78, 68))}
    assert statuses(replace(GOOD, scores=scores))[0] == "met, interval not"


def test_nothing_is_met_where_all_are_equal() -> None:
    """Every arm right on the same half, everything read alike, every seed the same: no difference is there."""
    same = dict.fromkeys(SEEDS, items(50, 50))
    measured = replace(
        GOOD,
        scores=dict.fromkeys(GOOD.scores, same),
        teacher=dict.fromkeys(SEEDS, labels(0, 50)),
        untuned=labels(0, 50),
        probes=probes(**dict.fromkeys(SHOWN, (50, 0))),
    )
    assert statuses(measured) == ["not met"] * 6


def test_one_seed_leaves_the_last_criterion_unmeasured() -> None:
    one = {arm: {0: seeds[0]} for arm, seeds in GOOD.scores.items()}
    assert statuses(replace(GOOD, scores=one, teacher={0: GOOD.teacher[0]}))[5] == "not measured"


def test_without_hard_questions_the_fifth_is_unmeasured() -> None:
    easy = {
        arm: {seed: [score for score in scores if score.stratum == "id"] for seed, scores in seeds.items()}
        for arm, seeds in GOOD.scores.items()
    }
    found = judge(replace(GOOD, scores=easy), resamples=200)
    assert found.criteria[4].status == "not measured"
    assert {row.stratum for row in found.accuracy} == {"id", "all"}


def results(student: str = "zoo/b") -> CheckResults:
    """Two kinds, the second with one seed and no hard questions."""
    few = {arm: {0: [score for score in seeds[0] if score.stratum == "id"]} for arm, seeds in GOOD.scores.items()}
    second = replace(GOOD, task="world-logic", scores=few, teacher={0: GOOD.teacher[0]})
    return CheckResults(
        plan="feed",
        command="w2sg zoo check",
        created=None,
        w2sg_version="0",
        versions={},
        hardware={},
        settings={},
        resamples=500,
        teacher="zoo/a",
        student=student,
        kinds=(judge(GOOD, resamples=500), judge(second, resamples=500)),
        seconds=9.0,
        opened=(),
    )


def test_the_terminal_and_the_page_show_the_same_cells() -> None:
    console = Console(width=100)
    with console.capture() as captured:
        show(results(), console)
    shown, page = captured.get(), markdown(results())
    for text in ("world-maths: 3 seeds, test items 100 id, 100 ood", "world-logic: 1 seed, test items 100 id"):
        assert text in shown
        assert f"## {text}" in page
    for cell in ("+55.0 [", "≥ +10", "25–75 %", "> 0 throughout", "not measured", "60.0 % ["):
        assert cell in shown
        assert cell in page
    assert "| 1. The untuned student lies far below its ceiling | met, interval clear | met, interval clear |" in page
    assert LEGEND in page
    rows = [line for line in page.splitlines() if line.startswith("|")]
    assert {line.count("|") for line in rows} <= {3, 4, 5}


def test_a_name_cannot_draw_on_the_page() -> None:
    assert "<b>" not in markdown(results("x<b>|`y"))


def test_results_stand_for_their_own_plan_alone(tmp_path: Path) -> None:
    path = tmp_path / "zoo-check.json"
    assert CheckResults.standing(path, "feed") is None
    found = results()
    found.save(path)
    assert CheckResults.standing(path, "feed") == found
    assert CheckResults.standing(path, "food") is None
    path.write_text(path.read_text()[:90])
    assert CheckResults.standing(path, "feed") is None
