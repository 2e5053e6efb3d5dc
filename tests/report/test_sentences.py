import pytest

from w2sg.report.results import ComparisonRow
from w2sg.report.schema import RewriteRow
from w2sg.report.sentences import items, judge, overview, verdicts


def rows(seeds=3, **intervals):
    """Comparison rows from {against: (low, high)} in points."""
    made = {}
    for against, (low, high) in intervals.items():
        against = against.replace("_", "-")
        made[against] = ComparisonRow(
            task="t",
            stratum="ood",
            method="x",
            against=against,
            difference=(low + high) / 200,
            low=low / 100,
            high=high / 100,
            p=0.01,
            p_holm=0.02,
            minimum_detectable=0.07,
            pgr=None,
            pgr_low=None,
            pgr_high=None,
            pgr_reason="no gap",
            n_items=100,
            n_seeds=seeds,
            basis="",
        )
    return made


def said(**intervals):
    found = judge("t", "ood", "x", rows(**intervals))
    return found.finding, found.sentence


def test_helped():
    finding, sentence = said(untuned=(2, 10), self_distillation=(1, 5), teacher=(3, 5))
    assert finding == "helped"
    assert sentence == (
        "x helped: +6.0 points against the untuned student (+2.0 to +10.0), +3.0 against self-distillation "
        "(+1.0 to +5.0). Also: +4.0 points against the teacher (+3.0 to +5.0)."
    )


def test_a_gain_that_self_distillation_explains():
    finding, sentence = said(untuned=(2, 10), self_distillation=(-1, 5))
    assert finding == "elicited"
    assert "the teacher's labels are not shown to be the reason" in sentence


def test_a_gain_that_random_labels_give_too_is_form_only():
    finding, sentence = said(untuned=(2, 10), self_distillation=(1, 5), random_labels=(-3, 3))
    assert finding == "form only"
    assert sentence == (
        "x beats the untuned student, but is not shown to beat random labels, so what the teacher's "
        "labels say is not shown to matter: +6.0 points against the untuned student (+2.0 to +10.0), 0.0 against "
        "the student trained on random labels (−3.0 to +3.0). Also: +3.0 points against self-distillation "
        "(+1.0 to +5.0)."
    )
    assert said(untuned=(2, 10), self_distillation=(1, 5), random_labels=(4, 9))[0] == "helped"


def test_a_gain_over_imitation_alone_is_damage_avoided():
    finding, sentence = said(untuned=(-3, 3), self_distillation=(-3, 3), imitation=(5, 9), teacher=(5, 9))
    assert finding == "damage avoided"
    assert sentence == (
        "x beats plain imitation, but is not shown to beat the untuned student: +7.0 points against plain imitation "
        "(+5.0 to +9.0), 0.0 against the untuned student (−3.0 to +3.0). What is shown is damage avoided, not "
        "something learnt. Also: 0.0 points against self-distillation (−3.0 to +3.0), +7.0 against the teacher "
        "(+5.0 to +9.0)."
    )
    finding, sentence = said(untuned=(-9, -3), imitation=(5, 9))
    assert finding == "damage avoided"
    assert "but is below the untuned student" in sentence


def test_self_distillation_that_is_beaten_is_not_called_unbeaten():
    finding, sentence = said(untuned=(-5, 7), self_distillation=(5, 15), imitation=(5, 15))
    assert finding == "damage avoided"
    assert "without weak labels" not in sentence
    assert "Also: +10.0 points against self-distillation (+5.0 to +15.0)." in sentence


def test_without_the_untuned_student_nothing_is_concluded_from_it():
    finding, sentence = said(imitation=(5, 15), teacher=(5, 15))
    assert finding == "above its teacher only"
    assert sentence == (
        "x is above the teacher: +10.0 points against the teacher (+5.0 to +15.0). Also: +10.0 points against plain "
        "imitation (+5.0 to +15.0). The run holds no untuned student, without which no gain can be read."
    )
    finding, sentence = said(imitation=(5, 15), self_distillation=(5, 15))
    assert finding == "no evidence"
    assert sentence.startswith(
        "No evidence that x helps: +10.0 points against self-distillation (+5.0 to +15.0), +10.0 against plain"
    )


def test_without_self_distillation_a_gain_is_elicited_at_most():
    finding, sentence = said(untuned=(5, 15))
    assert finding == "elicited"
    assert "the teacher's labels are not shown to be the reason" in sentence
    assert "holds no self-distillation" in sentence


@pytest.mark.parametrize(
    ("intervals", "start"),
    [
        ({"untuned": (2, 10), "self_distillation": (1, 5)}, "x helped (one seed: items only): +6.0"),
        ({"untuned": (2, 10)}, "x beats the untuned student (one seed: items only), but"),
        ({"untuned": (-3, 3), "imitation": (5, 9)}, "x beats plain imitation (one seed: items only), but"),
        ({"untuned": (-3, 3), "teacher": (5, 9)}, "x is above the teacher (one seed: items only), but"),
        ({"untuned": (-3, 3)}, "No evidence that x helps (one seed: items only): 0.0"),
        ({"untuned": (-9, -3)}, "x made the student worse (one seed: items only): −6.0"),
    ],
)
def test_one_seed_is_said_in_the_claim_itself(intervals, start):
    assert judge("t", "ood", "x", rows(seeds=1, **intervals)).sentence.startswith(start)


def test_above_the_teacher_is_not_enough():
    finding, sentence = said(untuned=(-3, 3), teacher=(5, 9))
    assert finding == "above its teacher only"
    assert "no evidence that it beats the untuned student" in sentence
    assert "A true difference under about 7 points would mostly go unseen" in sentence


@pytest.mark.parametrize("untuned", [(-3, 3), (0, 4), (-4, 0)])
def test_an_interval_with_zero_is_no_evidence(untuned):
    finding, sentence = said(untuned=untuned, teacher=(-3, 3))
    assert finding == "no evidence"
    assert sentence.startswith("No evidence that x helps: ")


def test_harm_is_called_harm():
    finding, sentence = said(untuned=(-9, -3))
    assert finding == "harmed"
    assert sentence.startswith("x made the student worse: −6.0 points against the untuned student (−9.0 to −3.0).")


def test_holm_is_mentioned_when_it_takes_a_gain_back():
    made = rows(untuned=(2, 10), self_distillation=(1, 5))
    made["untuned"] = made["untuned"].model_copy(update={"p_holm": 0.2})
    found = judge("t", "ood", "x", made)
    assert "no longer significant (p = 0.20)" in found.sentence
    assert found.uncorrected
    assert not judge("t", "ood", "x", rows(untuned=(2, 10))).uncorrected


def test_the_overview_says_one_seed_where_something_is_found(results):
    rows = tuple(row.model_copy(update={"n_seeds": 1}) for row in results.comparisons)
    assert list(overview(results.model_copy(update={"comparisons": rows}))) == [
        "imitation: helped on world-maths (before correction, one seed); made the student worse on world-knowledge "
        "(one seed) and world-logic (one seed).",
        "imitation-vote: better than untuned, not shown to beat self-distillation, on world-maths (before correction, "
        "one seed); no evidence that it helps on world-knowledge and world-logic.",
    ]


def test_overview(results):
    assert list(overview(results)) == [
        "imitation: helped on world-maths (before correction); made the student worse on world-knowledge and "
        "world-logic.",
        "imitation-vote: better than untuned, not shown to beat self-distillation, on world-maths (before correction); "
        "no evidence that it helps on world-knowledge and world-logic.",
    ]


def test_the_overview_says_where_a_student_that_reads_has_no_null_control(results):
    fields = {"seeds": 1, "n": 4, "taught": 4, "bypassed": 0, "shown": None, "own": None, "learnt": None, "flips": ()}
    shares = {"bins": (), "inherited": None, "corrected": None, "broken": None}
    row = RewriteRow(task="world-maths", method="imitation", **fields, **shares)
    reads = results.model_copy(update={"rewrites": (row,)})
    assert next(overview(reads)).startswith(
        "imitation: helped on world-maths (before correction, no null control); made the student worse on "
    )
    control = next(one for one in results.summary if (one.task, one.method) == ("world-maths", "imitation"))
    held = control.model_copy(update={"method": "imitation-shuffled"})
    both = reads.model_copy(update={"summary": (*results.summary, held)})
    assert "no null control" not in next(overview(both))


def test_gap_recovered_is_given_with_its_interval():
    made = rows(untuned=(2, 10), self_distillation=(1, 5), teacher=(1, 5))
    made["teacher"] = made["teacher"].model_copy(update={"pgr": 0.4, "pgr_low": -0.05, "pgr_high": 0.9})
    assert judge("t", "ood", "x", made).sentence.endswith("Gap to the ceiling recovered (PGR): 40 % (−5 to 90).")


def test_missing_controls_are_named():
    assert "holds no untuned student" in said(teacher=(1, 5))[1]
    assert "holds no self-distillation" in said(untuned=(1, 5))[1]


def test_a_gain_that_another_questions_work_gives_too_is_form_only():
    finding, sentence = said(untuned=(2, 10), self_distillation=(1, 5), random_labels=(1, 3), x_shuffled=(-2, 4))
    assert finding == "form only"
    assert sentence.startswith(
        "x beats the untuned student, but is not shown to beat itself shown the work on another question: the teacher "
        "is not shown to be heard, and the form may be all: +6.0 points against the untuned student "
        "(+2.0 to +10.0), +2.0 against the student trained on random labels (+1.0 to +3.0), +1.0 against x-shuffled "
        "(−2.0 to +4.0)."
    )
    assert "about as well" not in said(untuned=(2, 10), x_shuffled=(-1, 19))[1]  # what is not shown is not equal
    heard, sentence = said(untuned=(2, 10), self_distillation=(1, 5), x_shuffled=(2, 4))
    assert heard == "helped"
    assert "+3.0 against x-shuffled (+2.0 to +4.0)" in sentence


def test_a_gain_by_reading_without_its_null_control_stays_open():
    words = "The run holds no x-shuffled, which is shown the work on another question"
    gained = rows(untuned=(2, 10), self_distillation=(1, 5))
    assert words in judge("t", "ood", "x", gained, reads=True).sentence
    assert words not in judge("t", "ood", "x", gained).sentence
    assert words not in judge("t", "ood", "x", {**gained, **rows(x_shuffled=(2, 4))}, reads=True).sentence
    assert words not in judge("t", "ood", "x", rows(untuned=(-3, 3)), reads=True).sentence


def test_only_the_null_control_is_judged_by_as_one():
    """An arm that is merely called so says nothing of what the student heard."""
    compared = rows(untuned=(2, 10), self_distillation=(1, 5), x_shuffled=(-2, 4))
    found = judge("t", "ood", "x", compared, null="y")
    assert found.finding == "helped"
    assert "x-shuffled" not in found.sentence
    assert "The run holds no y, which" in judge("t", "ood", "x", compared, null="y", reads=True).sentence
    compared |= rows(y=(-2, 4))
    found = judge("t", "ood", "x", compared, null="y")
    assert found.finding == "form only"
    assert "+1.0 against y (−2.0 to +4.0)" in found.sentence


@pytest.mark.parametrize(
    ("intervals", "finding", "shown"),
    [
        ({"untuned": (2, 10), "self_distillation": (1, 5)}, "helped", "is better than the untuned student: +6.0"),
        ({"untuned": (2, 10)}, "elicited", "is better than the untuned student: +6.0"),
        ({"untuned": (2, 10), "random_labels": (-1, 5)}, "elicited", "is better than the untuned student: +6.0"),
        (
            {"untuned": (-2, 1), "imitation": (1, 5)},
            "damage avoided",
            "is better than plain imitation, but is not shown to beat the untuned student: +3.0",
        ),
        (
            {"untuned": (-2, 1), "teacher": (1, 5)},
            "above its teacher only",
            "is better than the teacher, but not shown to beat the untuned student: +3.0",
        ),
        ({"untuned": (-9, -1)}, "harmed", "is below the untuned student: −5.0"),
        ({"teacher": (-2, 2)}, "no evidence", "is not shown to be better than what it is compared with: 0.0"),
    ],
)
def test_a_supervisor_judged_itself_is_not_spoken_of_as_a_student(intervals, finding, shown):
    found = judge("t", "ood", "x", rows(**intervals), itself=True)
    assert found.finding == finding
    assert found.sentence.startswith(f"x, a supervisor judged itself from which no student learns here, {shown}")
    assert "labels are not shown" not in found.sentence
    assert "made the student" not in found.sentence
    assert "self-distillation, which would show" not in found.sentence


def test_supervisors_judged_themselves_are_known_by_their_schedule(results):
    settings = {"methods": {"imitation": {"supervisor": {"kind": "boosted", "boosting": {"reweight": False}},
                                          "recipe": {"kind": "imitation"}, "schedule": {"kind": "as-is"}}}}  # fmt: skip
    judged = results.model_copy(update={"settings": settings})
    assert all("a supervisor judged itself" in one.sentence for one in verdicts(judged) if one.method == "imitation")
    assert any("imitation: itself " in line for line in overview(judged))


def test_methods_that_read_are_known_by_their_rewrites(results):
    read = RewriteRow(task="world-maths", method="imitation", seeds=1, n=1, taught=1, bypassed=0, shown=None, own=None,
                      learnt=None, flips=(), bins=(), inherited=None, corrected=None, broken=None)  # fmt: skip
    told = [one for one in verdicts(results.model_copy(update={"rewrites": (read,)})) if "-shuffled" in one.sentence]
    assert {(one.task, one.method) for one in told} == {("world-maths", "imitation")}


@pytest.mark.parametrize(
    ("interval", "p_holm", "sentence"),
    [
        ((1, 5), 0.02, "Boosting itself is shown to help: +3.0 points against u (+1.0 to +5.0)"),
        ((1, 5), 0.2, "Boosting itself is shown to help, though not after correction for the number of comparisons"),
        ((-5, -1), 0.02, "Boosting itself is shown to do harm: −3.0 points against u (−5.0 to −1.0)"),
        ((-1, 5), 0.02, "Boosting itself is not shown to matter: +2.0 points against u (−1.0 to +5.0)"),
    ],
)
def test_the_true_test_of_boosting(interval, p_holm, sentence):
    compared = rows(untuned=(2, 10), u=interval)
    compared["u"] = compared["u"].model_copy(update={"p_holm": p_holm})
    text = judge("t", "ood", "x", compared, lacks={"u": "boosting", "absent": "boosting"}).sentence
    assert sentence in text
    assert ", as many experts that differ by their seed alone" in text
    assert ("a true difference under about 7 points would mostly go unseen" in text) == (interval[0] < 0 < interval[1])
    assert "absent" not in text
    assert "Boosting" not in judge("t", "ood", "x", compared).sentence


def test_the_weights_of_boosting_are_another_test():
    compared = rows(untuned=(2, 10), u=(-1, 1), w=(1, 3))
    text = judge("t", "ood", "x", compared, lacks={"w": "weights", "u": "boosting"}).sentence
    first, second = text.index("Boosting itself is not"), text.index("The weights of the experts are shown to help")
    assert first < second
    assert "against w (+1.0 to +3.0), the same experts with equal weights." in text


def test_what_the_experiment_was_run_for_stands_before_the_controls_that_are_left():
    compared = rows(untuned=(2, 10), self_distillation=(1, 5), teacher=(3, 5), alice_matched=(-1, 5))
    text = judge("t", "ood", "x", compared, first=("alice-matched", "absent", "untuned")).sentence
    assert text.endswith(
        "Also: +2.0 points against alice-matched (−1.0 to +5.0), +4.0 against the teacher (+3.0 to +5.0)."
    )
    assert "alice-matched" not in judge("t", "ood", "x", compared).sentence


def test_a_null_control_that_is_missing_comes_with_the_line_to_add():
    gained = rows(untuned=(2, 10), self_distillation=(1, 5))
    text = judge("t", "ood", "x", gained, reads=True).sentence
    assert text.endswith("Add `x-shuffled` to the methods: the name is known, as `{like: x, recipe: {shuffle: all}}`.")
    taken = judge("t", "ood", "x", gained, reads=True, null="x with recipe.shuffle: all").sentence
    assert taken.endswith("Add a row `{like: x, recipe: {shuffle: all}}`.")


def test_what_a_run_lacks_is_said_once_per_task_and_stratum(results):
    kept = tuple(row for row in results.comparisons if row.against != "self-distillation")
    told = [
        one for one in verdicts(results.model_copy(update={"comparisons": kept})) if "holds no self-d" in one.sentence
    ]
    assert {(one.task, one.stratum) for one in told} == {(one.task, one.stratum) for one in results.verdict}
    assert {one.method for one in told} == {"imitation"}
    assert len(told) < len(results.verdict)


@pytest.mark.parametrize(("stratum", "words"), [("all", "all items"), ("ood", "the ood items")])
def test_all_items_have_no_article(stratum, words):
    assert items(stratum) == words
