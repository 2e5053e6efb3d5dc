from dataclasses import replace

import pytest

from w2sg.errors import DataError
from w2sg.metrics.verdict import compare
from w2sg.records import ItemScore, LabelScore, RewriteScore
from w2sg.report.arms import ArmResult, HelperModel, RunMeta, StepRecord
from w2sg.report.collect import collect
from w2sg.schedules.methods import method as method_of

META = RunMeta("name", "command", "0")
REWRITTEN = [RewriteScore("q", "1", "1", "1", True, True, True, True, False)]
CONTROLS = ("teacher", "untuned", "self-distillation", "random-labels", "ceiling")


def arm(method, right, seed=None, task="t", **more):
    """An arm from a string: `1` right, `0` wrong, `-` unparsed; the first half is id, the second ood."""
    scores = [
        ItemScore(
            id=f"q{n}",
            stratum="id" if 2 * n < len(right) else "ood",
            correct=mark == "1",
            parsed=mark != "-",
            answer={"1": "yes", "0": "no", "-": None}[mark],
            difficulty=float(n),
        )
        for n, mark in enumerate(right)
    ]
    return ArmResult(task, method, seed, scores, **{"control": method in CONTROLS, **more})


def pick(rows, **wanted):
    found = [row for row in rows if all(getattr(row, key) == value for key, value in wanted.items())]
    assert len(found) == 1
    return found[0]


def test_rows_by_hand():
    found = collect([arm("imitation", "110-", seed=3, tokens_sampled=5, steps=("a", "b"))], META, resamples=100)
    assert [(row.stratum, row.accuracy, row.n, row.unparsed) for row in found.rows] == [
        ("id", 1.0, 2, 0),
        ("ood", 0.0, 2, 1),
        ("all", 0.5, 4, 1),
    ]
    assert {(row.seed, row.tokens_sampled, row.steps) for row in found.rows} == {(3, 5, ("a", "b"))}
    assert found.comparisons == ()
    assert found.verdict == ()


def test_every_method_meets_every_baseline(results):
    for task in results.tasks():
        for stratum in ("id", "ood", "all"):
            made = {(c.method, c.against) for c in results.comparisons if (c.task, c.stratum) == (task, stratum)}
            for method in ("imitation", "imitation-vote"):
                for against in {"teacher", "untuned", "self-distillation", "imitation", "ceiling"} - {method}:
                    assert (method, against) in made
            assert ("ceiling", "teacher") in made
            assert ("random-labels", "untuned") in made


def test_comparisons_are_the_verdicts_of_metrics(arms, results):
    task = "world-maths"
    outcomes = {
        name: {a.seed: {s.id: s.correct for s in a.scores} for a in arms if (a.task, a.method) == (task, name)}
        for name in ("imitation", "teacher")
    }
    row = pick(results.comparisons, task=task, stratum="all", method="imitation", against="teacher")
    alone = compare(outcomes["imitation"], outcomes["teacher"], resamples=2000)
    assert (row.difference, row.low, row.high, row.p) == (alone.difference, alone.low, alone.high, alone.p)
    assert (row.n_items, row.n_seeds) == (240, 3)


def test_an_arm_without_seed_is_paired_with_every_seed():
    """Untuned right on q0 only; two seeds right on 2 and 3 of 4: mean difference (1 + 2) / 8."""
    found = collect([arm("untuned", "1000"), arm("x", "1100", 0), arm("x", "1110", 1)], META, resamples=100)
    row = pick(found.comparisons, stratum="all", method="x")
    assert (row.difference, row.n_seeds) == (0.375, 2)
    assert [r.seed for r in found.rows if r.method == "untuned"] == [None] * 3
    untuned = found.find("t", "untuned", "all")
    assert (untuned.seeds, untuned.basis) == (1, "no seed decides it, interval over items only")


def test_the_experiment_says_what_a_control_is():
    """A control of one's own meets the untuned student; a usual one among the methods meets all, and is not judged."""
    arms = [arm("untuned", "1000"), arm("mine", "1100", control=True), arm("self-distillation", "1111", control=False)]
    found = collect([*arms, arm("ceiling", "1111")], META, resamples=50)
    assert found.controls("t") == {"untuned", "mine", "ceiling"}
    assert found.methods("t") == ["untuned", "mine", "self-distillation", "ceiling"]
    assert {(one.method, one.finding) for one in found.verdict} == {("self-distillation", "null control")}
    made = [(row.method, row.against) for row in found.comparisons if row.stratum == "all"]
    assert made == [
        ("ceiling", "untuned"),
        ("mine", "untuned"),
        ("self-distillation", "untuned"),
        ("self-distillation", "ceiling"),
    ]
    assert {row.control for row in found.rows if row.method == "mine"} == {True}
    check, own, claim, _ = (row for row in found.comparisons if row.stratum == "all")
    assert claim.p_holm == min(1.0, 2 * claim.p)
    assert (check.p_holm, own.p_holm) == (min(1.0, 2 * check.p), min(1.0, 2 * own.p))


def test_holm_within_task_and_stratum(results):
    for task in results.tasks():
        claims = [c for c in results.comparisons if (c.task, c.stratum) == (task, "ood") and c.method not in CONTROLS]
        least = min(claims, key=lambda c: c.p)
        assert least.p_holm == pytest.approx(min(1.0, least.p * len(claims)))


def test_gap_recovered_only_in_rows_against_the_teacher(results):
    for row in results.comparisons:
        assert (row.pgr is None) == bool(row.pgr_reason)
        if row.pgr is not None:
            assert row.against == "teacher"
    shown = pick(results.comparisons, task="world-maths", stratum="all", method="imitation", against="teacher")
    assert shown.pgr_low < shown.pgr < shown.pgr_high
    lone = collect([arm("teacher", "01"), arm("x", "11")], META, resamples=50)
    assert {c.pgr_reason for c in lone.comparisons} == {"there is no ceiling in this run"}


def test_gap_recovered_from_the_ensemble_that_supervised():
    """3, 6 and 8 of 8: (6 - 4) / (8 - 4) of the way from the ensemble, and from the teacher (6 - 3) / (8 - 3)."""
    names = {"teacher": "imitation", "mine": "ensemw2s", "itself": "ensemw2s-experts", "ceiling": "imitation"}
    schedules = {"teacher": {"schedule": "as-is"}, "ceiling": {"schedule": "ceiling"}}
    made = {name: method_of(like, schedules.get(name)).model_dump(mode="json") for name, like in names.items()}
    right = {"teacher": "11100000" * 9, "itself": "11110000" * 9, "mine": "11111100" * 9, "ceiling": "11111111" * 9}
    meta = replace(META, settings={"methods": made})
    found = collect([arm(name, answers) for name, answers in right.items()], meta, resamples=200)
    assert pick(found.comparisons, stratum="all", method="mine", against="itself").pgr == pytest.approx(0.5)
    assert pick(found.comparisons, stratum="all", method="mine", against="teacher").pgr == pytest.approx(0.6)


def test_inheritance_reaches_the_summary():
    found = collect([arm("teacher", "0011"), arm("x", "0101")], META, resamples=50)
    row = found.find("t", "x", "all")
    assert (row.agreement, row.inherited, row.corrected, row.broken) == (0.5, 0.5, 0.5, 0.5)
    assert found.find("t", "teacher", "all").agreement is None


def test_difficulty_has_a_point_per_value_or_about_eight_ranges(results):
    curve = [row for row in results.difficulty if (row.task, row.method) == ("world-maths", "ceiling")]
    assert [(row.easiest, row.hardest, row.n) for row in curve] == [(d, d, 40) for d in range(1, 7)]
    many = collect([arm("x", "10" * 50)], META, resamples=50).difficulty
    assert [row.n for row in many] == [13, 12, 13, 12, 13, 12, 13, 12]
    assert sum(row.n for row in many) == 100
    flat = [replace(score, difficulty=1.0) for score in arm("x", "10").scores]
    assert collect([ArmResult("t", "x", None, flat)], META, resamples=50).difficulty == ()


def test_labels_are_graded(results):
    row = pick(results.labels, task="world-maths", method="imitation")
    assert (row.seeds, row.n) == (3, 450)
    assert 0 < row.calibration_error < 1
    assert sum(bar.n for bar in row.reliability) == 450
    plain = collect([arm("x", "10", labels=[LabelScore("a", None, False)])], META, resamples=50).labels[0]
    assert (plain.unparsed, plain.calibration_error, plain.commonest_share) == (1, None, 0.0)


@pytest.mark.parametrize(
    ("arms", "says"),
    [
        ([], "no finished arm"),
        ([arm("x", "10"), arm("x", "10", 0)], "given twice"),
        ([arm("x", "10", 0), arm("x", "10", 0)], "given twice"),
        ([arm("x", "")], "no scored test item"),
        ([arm("x", "10"), arm("untuned", "100")], "No outcome of"),
    ],
)
def test_bad_arms(arms, says):
    with pytest.raises(DataError, match=says):
        collect(arms, META, resamples=50)


def texts(found, level):
    return " ".join(note.text for note in found.notes if note.level == level)


def test_alarm_for_a_teacher_that_says_one_thing():
    found = collect([arm("teacher", "0" * 8), arm("x", "01" * 4)], META, resamples=50)
    assert "same answer to 100% of the test items" in texts(found, "alarm")


def test_alarms_of_the_synthetic_run(results):
    said = texts(results, "alarm")
    assert "No headroom is shown on the ood items" in said
    assert "Always giving the most frequent answer is right on 35.0%" in said
    assert "More tokens than imitation: imitation-vote (7.0 times)" in texts(results, "note")
    assert [note.level for note in results.notes] == sorted(note.level for note in results.notes)


def opened(kind, *reasons):
    """The run's notes when the one step behind `x`, of this kind, opened sealed gold."""
    meta = replace(META, provenance=[StepRecord("feed", kind, "a step", "record.json", 1.0, opened_gold=reasons)])
    return texts(collect([arm("x", "10", steps=("feed",))], meta, resamples=50), "alarm")


@pytest.mark.parametrize(
    ("kind", "reasons"),
    [("label", ("score",)), ("targets", ("score",)), ("targets", ("ceiling", "score")), ("score", ("ceiling",))],
)
def test_alarm_for_gold_opened_where_it_must_not_be(kind, reasons):
    assert f"The step feed ({kind}: a step) opened sealed gold with the reason" in opened(kind, *reasons)


def test_no_alarm_for_gold_opened_to_grade_or_for_the_ceiling():
    assert "sealed gold" not in opened("score", "score") + opened("label-score", "score") + opened("targets")
    meta = replace(META, provenance=[StepRecord("feed", "targets", "gold", "r.json", 1.0, opened_gold=("ceiling",))])
    found = collect([arm("ceiling", "10", steps=("feed",))], meta, resamples=50)
    assert "sealed gold" not in texts(found, "alarm")


def test_alarm_for_a_method_trained_on_sealed_gold():
    assert "Trained on sealed gold, which only a control may be: x." in opened("targets", "ceiling")


def test_what_the_split_says_reaches_the_reader(results):
    note = pick(results.notes, text="7 rows were left out because a row of another role asks the same.")
    assert (note.level, note.task) == ("note", "world-logic")


def test_alarm_for_random_labels_that_help():
    found = collect([arm("untuned", "0" * 40), arm("random-labels", "1" * 40)], META, resamples=50)
    assert "Random labels give +100.0 points" in texts(found, "alarm")


@pytest.mark.parametrize(
    ("stronger", "level", "says"),
    [
        (True, "alarm", "is stronger than the student: this is not supervision from weak to strong."),
        (None, "note", "it may be stronger, and then this is not supervision from weak to strong."),
        (False, "note", "took part as judge. It is declared no stronger than the student."),
    ],
)
def test_a_helper_is_declared_with_what_is_known_of_its_strength(stronger, level, says):
    meta = replace(META, helpers=[HelperModel("big", "judge", stronger=stronger)])
    (note,) = [note for note in collect([arm("x", "11")], meta, resamples=20).notes if "big" in note.text]
    assert note.level == level
    assert note.text.endswith(says)


def test_alarm_for_unreadable_answers_and_stronger_helpers():
    meta = replace(META, helpers=[HelperModel("big", "judge", stronger=True)])
    found = collect([arm("x", "1-", 0)], meta, resamples=50)
    assert "x 50%" in texts(found, "alarm")
    assert "not supervision from weak to strong" in texts(found, "alarm")
    assert "One seed (t)" in texts(found, "note")


def test_note_for_seeds_that_disagree():
    found = collect([arm("x", "1111", 0), arm("x", "1100", 1)], META, resamples=50)
    assert "The seeds of x disagree on the ood items: 0.0% to 100.0%" in texts(found, "note")


def test_the_same_arms_give_the_same_results(arms, meta, results):
    assert collect(list(arms), meta, resamples=2000) == results


def test_a_method_is_compared_with_its_null_control_once():
    arms = [arm("untuned", "0" * 40), arm("alice", "1" * 40, 0), arm("alice-shuffled", "10" * 20, 0)]
    found = collect(arms, META, resamples=50)
    pairs = [(row.stratum, row.method, row.against) for row in found.comparisons]
    assert len(set(pairs)) == len(pairs)
    row = pick(found.comparisons, stratum="all", method="alice", against="alice-shuffled")
    assert row.difference == 0.5


def test_a_null_control_among_the_methods_is_never_said_to_help():
    """Whatever it gains: 30 of 40 points over the untuned student, self-distillation and random labels."""
    controls = [arm(name, "1" * 10 + "0" * 30) for name in ("untuned", "self-distillation", "random-labels")]
    found = collect([*controls, arm("alice", "1" * 40, 0), arm("alice-shuffled", "1" * 40, 0)], META, resamples=50)
    said = {one.method: one for one in found.verdict if one.stratum == "all"}
    assert said["alice-shuffled"].finding == "null control"
    assert said["alice-shuffled"].sentence.startswith(
        "alice-shuffled is a null control, not judged (one seed: items only): its student hears the teacher on other "
        "questions only. So much is gained without anything that a teacher says of the question. Measured: +75.0"
    )
    assert said["alice"].finding == "form only"
    assert not any("alice-shuffled helped" in one.sentence for one in found.verdict)


def test_a_null_control_is_known_by_what_it_is_made_of_whatever_its_name():
    """`mute` has the null recipe, by which `alice-mine` is measured, `echo` no teacher; `names-shuffled` is none."""
    teacher, alone = {"kind": "teacher"}, {"kind": "student"}
    alice = {"kind": "alice", "shuffle": "none", "order": "own-first"}
    base = {"supervisor": teacher, "elicit": {"kind": "alice"}, "recipe": alice, "schedule": {"kind": "direct"}}
    methods = {
        "alice-mine": base,
        "mute": {**base, "recipe": {**alice, "shuffle": "all"}},
        "echo": {**base, "supervisor": alone},
        "names": {**base, "recipe": {"kind": "imitation"}},
        "names-shuffled": {**base, "recipe": {"kind": "imitation"}, "elicit": {"kind": "vote"}},
    }
    controls = ("untuned", "self-distillation")
    arms = [arm(name, "0" * 20 + "1" * 20, task=task) for name in controls for task in ("s", "t")]
    arms += [arm(name, "1" * 40, 0, task=task, rewrites=REWRITTEN) for name in methods for task in ("s", "t")]
    found = collect(arms, replace(META, settings={"methods": methods}), resamples=50)
    said = {one.method: one for one in found.verdict if (one.task, one.stratum) == ("t", "all")}
    nulls = {name for name, one in said.items() if one.finding == "null control"}
    assert nulls == {"mute", "echo"}
    assert "its student hears no teacher, only itself" in said["echo"].sentence
    assert said["alice-mine"].finding == "form only"
    assert ", 0.0 against mute (" in said["alice-mine"].sentence
    assert pick(found.comparisons, task="t", stratum="all", method="alice-mine", against="names").difference == 0
