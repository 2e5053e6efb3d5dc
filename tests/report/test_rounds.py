"""Ensembles made in rounds in the report: means by hand, who shares whose experts, and everything shown and escaped."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from w2sg.records import ItemScore
from w2sg.report.arms import ArmResult, ChoiceMade, ExpertPair, RoundsMade, RunMeta
from w2sg.report.collect import collect
from w2sg.report.page import render
from w2sg.report.results import Results
from w2sg.report.rounds import rounds_rows, told
from w2sg.report.schema_rounds import HeavyToken, SeedRound
from w2sg.report.terminal import show
from w2sg.steps.choose import PrefixScore

EVIL = "</pre><script>alert(1)</script>{{ 7 * 7 }}"
HEAVY = HeavyToken(id="q1", question=EVIL, before="He says ", token=EVIL, after="\x1b[31m", weight=4.5, wrong=(1, 2))


def trained(seed, number, error, alpha, *, kept=True, size=1.0):
    return SeedRound(
        seed=seed, number=number, kept=kept, error=error, prior=0.5, alpha=alpha, normaliser=1.25, effective_size=size,
        heaviest=0.01 / size, final_answer=0.25, measured=37, mass=0.4,
    )  # fmt: skip


def made(seed, rounds, asked=3, why="", pairs=(), heaviest=(), **changes):
    """Rounds of one seed; their names say the seed, so that those of two seeds differ."""
    settings = {"model": "nano", "measured": "out-of-bag", "errors": "all", "reweighted": True, **changes}
    names = tuple(f"s{seed}r{number}" for number in range(1, asked + 1))
    return RoundsMade(
        names, asked, n=100, final_tokens=0.2, rounds=rounds, why=why, pairs=pairs, heaviest=heaviest, **settings
    )


WHY = "the expert's weighted error 0.5200 is no better than the prior's 0.5000"
FIRST = made(
    0,
    (trained(0, 1, 0.2, 1.4), trained(0, 2, 0.3, 0.8, size=0.5), trained(0, 3, 0.52, -0.1, kept=False, size=0.2)),
    why=WHY,
    pairs=(ExpertPair(1, 2, 0.5, None),),
    heaviest=(HEAVY,),
)
SECOND = made(
    1,
    (trained(1, 1, 0.1, 2.2), trained(1, 2, 0.2, 1.2, size=0.7), trained(1, 3, 0.4, 0.4, size=0.6)),
    pairs=(ExpertPair(1, 2, 0.3, 0.1), ExpertPair(1, 3, None, None), ExpertPair(2, 3, 0.0, 0.0)),
)


def arm(method, seed, *rounds):
    scores = [ItemScore(f"q{n}", "id" if n < 2 else "ood", n > 0, True, "a") for n in range(4)]
    return ArmResult("t", method, seed, scores, rounds=rounds)


def rows(by_method):
    return list(rounds_rows("t", by_method))


def test_means_over_seeds_by_hand():
    (row,) = rows({"boosted": [arm("boosted", 0, FIRST), arm("boosted", 1, SECOND)]})
    assert (row.asked, row.n, row.measured, row.model) == (3, 100, "out-of-bag", "nano")
    first, second, third = row.rounds
    assert (first.seeds, first.kept) == (2, 2)
    assert (first.error, first.alpha, first.effective_size) == (pytest.approx(0.15), pytest.approx(1.8), 1.0)
    assert (second.error, second.alpha, second.effective_size) == (0.25, 1.0, pytest.approx(0.6))
    assert (third.seeds, third.kept, third.alpha) == (2, 1, pytest.approx(0.15))
    assert [one.seed for one in third.by_seed] == [0, 1]
    assert [(end.seed, end.trained, end.why) for end in row.ends] == [(0, 3, WHY), (1, 3, "")]


def test_correlations_are_means_over_the_seeds_that_have_one():
    (row,) = rows({"boosted": [arm("boosted", 0, FIRST), arm("boosted", 1, SECOND)]})
    found = {(pair.first, pair.second): (pair.seeds, pair.correlation, pair.unlearnt) for pair in row.pairs}
    assert found == {(1, 2): (2, 0.4, 0.1), (1, 3): (1, None, None), (2, 3): (1, 0.0, 0.0)}
    assert row.correlation == pytest.approx(0.2)  # the pair without one is left out
    constant = made(0, FIRST.rounds, pairs=(ExpertPair(1, 2, None, None),))
    (row,) = rows({"boosted": [arm("boosted", 0, constant)]})
    assert row.correlation is None
    assert "have no correlation: of every two one errs everywhere or nowhere" in told(row)


def test_a_round_that_one_seed_never_came_to():
    short = made(1, SECOND.rounds[:1], why="the expert made no error that another could learn from")
    (row,) = rows({"boosted": [arm("boosted", 0, FIRST), arm("boosted", 1, short)]})
    assert [(one.number, one.seeds) for one in row.rounds] == [(1, 2), (2, 1), (3, 1)]
    assert row.rounds[1].error == 0.3
    assert "Boosting ended in 2 of 2 seeds: seed 0 with round 3, as the expert's weighted error 0.5200" in told(row)
    assert "; seed 1 with round 1, as the expert made no error that another could learn from." in told(row)


def test_methods_that_share_their_experts_share_a_row():
    fewer = [made(seed, one.rounds[:2], asked=2) for seed, one in ((0, FIRST), (1, SECOND))]
    other = made(7, SECOND.rounds)
    by_method = {
        "two": [arm("two", seed, one) for seed, one in enumerate(fewer)],
        "bagged": [arm("bagged", 0, other)],
        "boosted": [arm("boosted", 0, FIRST), arm("boosted", 1, SECOND)],
        "uniform": [arm("uniform", 0, FIRST)],
        "teacher": [arm("teacher", 0)],
        "both": [arm("both", 0, other, FIRST)],
    }
    assert [row.used_by for row in rows(by_method)] == [
        ("bagged", "both"),
        ("boosted", "two (the first 2)", "uniform", "both (supervisor 2)"),
    ]
    assert rows({"teacher": [arm("teacher", 0)]}) == []


def test_the_number_of_experts_by_hand():
    """Two seeds, the second of which made two experts only; the student and the experts themselves share the choice."""

    def choice(seed, kept, *right):
        scores = tuple(PrefixScore(k, 10, r, 10 - r, r / 10) for k, r in enumerate(right, start=1))
        return ChoiceMade(f"choose{seed}", kept, scores)

    chosen = [replace(FIRST, choice=choice(0, 3, 2, 2, 4)), replace(SECOND, choice=choice(1, 1, 5, 3))]
    by_method = {
        "boosted": [arm("boosted", 0, FIRST), arm("boosted", 1, SECOND)],
        "chosen": [arm("chosen", seed, one) for seed, one in enumerate(chosen)],
        "itself": [arm("itself", seed, one) for seed, one in enumerate(chosen)],
    }
    (row,) = rows(by_method)
    assert row.used_by == ("boosted", "chosen", "itself")
    (found,) = row.choices
    assert (found.used_by, found.n) == (("chosen", "itself"), 10)
    assert [(one.seed, one.experts, one.of) for one in found.kept] == [(0, 3, 3), (1, 1, 2)]
    assert [(one.experts, one.seeds, one.kept, one.accuracy, one.unparsed) for one in found.prefixes] == [
        (1, 2, 1, pytest.approx(0.35), pytest.approx(0.65)),
        (2, 2, 0, 0.25, 0.75),
        (3, 1, 1, 0.4, 0.6),
    ]
    assert told(row).endswith(
        "Experts kept by the questions of validate, for chosen, itself: 3 of 3 with seed 0, 1 of 2 with seed 1. Right "
        "on these 10: 35.0 % with 1, 25.0 % with 2, 40.0 % with 3 (1 of 2 seeds) (the largest was picked as such, so "
        "it flatters)."
    )
    (alone,) = rows({"itself": by_method["itself"]})
    assert alone.choices[0].used_by == ("itself",)
    (plain,) = rows({"boosted": by_method["boosted"]})
    assert plain.choices == ()
    assert "validate" not in told(plain)


def test_what_is_said_of_the_measure():
    def said(**changes):
        return told(rows({"x": [arm("x", 0, made(0, FIRST.rounds, **changes))]})[0])

    assert said().startswith(
        "Errors are measured on the answer tokens that the expert was not trained on (out of bag)."
    )
    assert said(measured="in-sample", errors="critical") == (
        "Errors are measured on all answer tokens, those that the expert learnt among them (in sample), those of final "
        "answers alone."
    )
    assert "Every round leaves out another part; what is not in it keeps its weight." in said(measured="held-out")
    assert "keeps its weight" not in said(measured="in-sample")
    assert "left out of the expert's training (held out), where a whole answer" in said(
        measured="held-out", errors="generations"
    )
    assert "Nothing is reweighted" in said(reweighted=False)
    assert "on the questions that the expert was not trained on" in said(unit="questions")


@pytest.fixture(scope="module")
def results():
    arms = [arm("boosted", 0, FIRST), arm("boosted", 1, SECOND), arm("untuned", None)]
    return collect(arms, RunMeta("n", "c", "0"), resamples=50)


def test_they_are_kept(results, tmp_path):
    results.save(tmp_path / "results.json")
    assert Results.load(tmp_path / "results.json").rounds == results.rounds != ()


def test_the_page_shows_all_and_obeys_nothing(results):
    page = render(results)
    assert "The experts, round by round" in page
    assert "<td>1</td><td>2</td><td>2</td><td>15.0</td><td>50.0</td><td>1.80</td><td>1.25</td>" in page
    assert '0.40 <span class="quiet">(0.10)</span>' in page
    assert "<script" not in page
    assert "<mark>&lt;/pre&gt;&lt;script&gt;" in page
    assert "4.5 times · wrong in round 1, 2" in page
    assert "{{ 7 * 7 }}" in page
    assert "the heaviest tokens of round 3, seed 0" in page
    assert WHY.replace("'", "&#39;") in page


def test_the_terminal_shows_them_at_80_columns(results):
    out = io.StringIO()
    show(results, Console(file=out, width=80, color_system=None))
    lines = out.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    (line,) = [line for line in lines if line.startswith("  2 ") and "25.0" in line]
    assert line.split() == ["2", "25.0", "50.0", "1.00", "1.25", "60", "2", "2/2"]
    assert "The experts' errors correlate at 0.20" in " ".join(out.getvalue().split())
    assert "\x1b" not in out.getvalue()
