"""What endangers or limits the conclusions: the field's known traps, looked for in every run.

An alarm puts a conclusion in doubt (a teacher that says one thing, a ceiling below the student); a note limits it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from w2sg.report.arms import TaskFacts
from w2sg.report.costs import counted_once
from w2sg.report.results import ComparisonRow, Note, Results, Summary
from w2sg.report.sentences import difference, items
from w2sg.report.taught import few_taught

CONSTANT_SHARE = 0.75
UNPARSED_SHARE = 0.10
EMPTY_STATEMENTS_SHARE = 0.10
SEED_RANGE = 0.20
COST_RATIO = 2.0
GOLD_OPENED_BY = frozenset(
    [("score", "score"), ("label-score", "score"), ("rewrite-score", "score"), ("targets", "ceiling")]
)
"""The kinds of steps that may open sealed gold, with the reason that each may have."""
CHANCE_SHOWN = {1: 0.39, 3: 0.07}
"""Share of studies, by their number of seeds, that show a difference where there is none: 2,000 simulated studies of
150 items with a seed effect of 0.4 logits (`benchmarks/verdict.py --coverage`)."""


def alarms(results: Results, *, facts: Mapping[str, TaskFacts], teacher_constant: Mapping[str, float]) -> list[Note]:
    """Return the alarms and notes of a run, alarms first.

    Args:
        results: the tables.
        facts: what is known of each task.
        teacher_constant: per task, the share of the teacher's most frequent answer.
    """
    found = [*_of_run(results), *_gold(results)]
    for task in results.tasks():
        known = facts.get(task, TaskFacts(task))
        if (share := teacher_constant.get(task, 0.0)) >= CONSTANT_SHARE:
            found.append(
                _alarm(
                    task,
                    f"The teacher gives one and the same answer to {share:.0%} of the test items: it has collapsed.",
                )
            )
        found += _below_majority(results, task, known.majority)
        found += _headroom(results, task)
        if few := few_taught([row for row in results.taught if row.task == task]):
            found.append(_alarm(task, few))
        found += _unparsed(results, task)
        found += _statements(results, task)
        found += _seeds(results, task)
        found += _compute(results, task)
        if once := counted_once(results, task):
            found.append(_note(task, once))
        found += [_note(task, text) for text in known.notes]
    return sorted(found, key=lambda note: note.level != "alarm")


def _alarm(task: str | None, text: str) -> Note:
    return Note(level="alarm", task=task, text=text)


def _note(task: str | None, text: str) -> Note:
    return Note(level="note", task=task, text=text)


def _of_run(results: Results) -> Iterator[Note]:
    for helper in results.helpers:
        text = f"{helper.name} took part as {helper.role}."
        if helper.stronger:
            yield _alarm(None, f"{text} It is stronger than the student: this is not supervision from weak to strong.")
        elif helper.stronger is None:
            yield _note(
                None,
                f"{text} Nothing says that it is weaker than the student (stronger_than_student): it may be stronger, "
                "and then this is not supervision from weak to strong.",
            )
        else:
            yield _note(None, f"{text} It is declared no stronger than the student.")
    alone = [task for task in results.tasks() if _seed_count(results, task) == 1]
    if alone:
        yield _note(
            None,
            f"One seed ({', '.join(alone)}): intervals and tests cover the choice of test items only. In a simulation "
            f"with 150 items and a seed effect of 0.4 logits, one seed shows a difference that is not there in "
            f"{CHANCE_SHOWN[1]:.0%} of studies, three seeds in {CHANCE_SHOWN[3]:.0%}: a claim needs three or more.",
        )
    if any(_seed_count(results, task) == 2 for task in results.tasks()):
        yield _note(
            None,
            "Two seeds hardly tell how much seeds differ, so the intervals are wide; a third makes them far narrower.",
        )


def _gold(results: Results) -> Iterator[Note]:
    """Gold opened by a step that has no business with it, or for the ceiling and then learnt from by a method."""
    for step in results.provenance:
        for reason in step.opened_gold:
            if (step.kind, reason) not in GOLD_OPENED_BY:
                yield _alarm(
                    None,
                    f"The step {step.fingerprint} ({step.kind}: {step.label}) opened sealed gold with the reason "
                    f"{reason!r}. Only grading and the ceiling's training texts may: what rests on it is not "
                    "supervised by the teacher alone.",
                )
    learnt = {step.fingerprint for step in results.provenance if set(step.opened_gold) - {"score"}}
    for task in results.tasks():
        taught = {row.method for row in results.rows if row.task == task and not row.control and learnt & {*row.steps}}
        if taught:
            yield _alarm(task, f"Trained on sealed gold, which only a control may be: {', '.join(sorted(taught))}.")


def _seed_count(results: Results, task: str) -> int:
    return max(row.seeds for row in results.summary if row.task == task)


def _below_majority(results: Results, task: str, majority: Mapping[str, float]) -> Iterator[Note]:
    for stratum, share in majority.items():
        low = [row.method for row in _arms(results, task, stratum) if row.accuracy <= share]
        if low and stratum == results.headline(task):
            yield _alarm(
                task,
                f"Always giving the most frequent answer is right on {share:.1%} of {items(stratum)}; not above "
                f"that: {', '.join(low)}.",
            )


def _headroom(results: Results, task: str) -> Iterator[Note]:
    stratum, controls = results.headline(task), results.controls(task)
    reasons = {
        row.pgr_reason
        for row in results.comparisons
        if (row.task, row.stratum, row.against) == (task, stratum, "teacher") and row.method not in controls
    } - {""}
    for reason in sorted(reasons):
        yield _note(task, f"The gap recovered (PGR) is not given on {items(stratum)}: {reason}.")
    untuned = _pair(results, task, stratum, "ceiling", "untuned")
    if untuned is not None and untuned.low <= 0:
        yield _alarm(
            task,
            f"No headroom is shown on {items(stratum)}: training on gold gives {difference(untuned)} over the "
            "untuned student. Where gold does not help, no method can be shown to. Training too short, or at too low a "
            "learning rate, looks the same.",
        )
    random = _pair(results, task, stratum, "random-labels", "untuned")
    if random is not None and random.low > 0:
        yield _alarm(
            task,
            f"Random labels give {difference(random)} over the untuned student on {items(stratum)}: that much of "
            "every gain is the form of the answers, not what the labels say.",
        )


def _unparsed(results: Results, task: str) -> Iterator[Note]:
    high = [row for row in _arms(results, task, "all") if row.unparsed_share >= UNPARSED_SHARE]
    if high:
        names = ", ".join(f"{row.method} {row.unparsed_share:.0%}" for row in high)
        yield _alarm(task, f"Many answers could not be read, and count as wrong: {names}.")


def _statements(results: Results, task: str) -> Iterator[Note]:
    rows = [row for row in results.labels if row.task == task and row.statements]
    high = [row for row in rows if row.empty_statements >= EMPTY_STATEMENTS_SHARE * row.statements]
    if high:
        names = ", ".join(f"{row.method} {row.empty_statements} of {row.statements}" for row in high)
        yield _alarm(
            task,
            f"Many statements of doubt are empty: {names}. On these questions the student was told no doubt in words, "
            "so its result says little about such statements. Look at what their writer replied, or choose another.",
        )


def _seeds(results: Results, task: str) -> Iterator[Note]:
    stratum = results.headline(task)
    for method in results.methods(task):
        values = [
            row.accuracy
            for row in results.rows
            if (row.task, row.method, row.stratum) == (task, method, stratum) and row.seed is not None
        ]
        if len(values) > 1 and max(values) - min(values) >= SEED_RANGE:
            yield _note(
                task,
                f"The seeds of {method} disagree on {items(stratum)}: {min(values):.1%} to {max(values):.1%}. "
                "Look at every seed before believing the mean.",
            )


def _compute(results: Results, task: str) -> Iterator[Note]:
    base = results.find(task, "imitation", "all")
    if base is None:
        return
    spent = base.tokens_sampled + base.tokens_trained
    dear = [
        f"{row.method} ({(row.tokens_sampled + row.tokens_trained) / spent:.1f} times)"
        for row in _arms(results, task, "all")
        if spent and not row.control and row.tokens_sampled + row.tokens_trained >= COST_RATIO * spent
    ]
    if dear:
        yield _note(
            task, f"More tokens than imitation: {', '.join(dear)}. The comparison with imitation is not at equal cost."
        )


def _arms(results: Results, task: str, stratum: str) -> list[Summary]:
    return [row for row in results.summary if (row.task, row.stratum) == (task, stratum)]


def _pair(results: Results, task: str, stratum: str, method: str, against: str) -> ComparisonRow | None:
    wanted = (task, stratum, method, against)
    chosen = (row for row in results.comparisons if (row.task, row.stratum, row.method, row.against) == wanted)
    return next(chosen, None)
