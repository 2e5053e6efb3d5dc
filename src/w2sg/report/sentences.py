"""The verdict in words: what each method's comparisons show, and what they do not.

A difference counts as shown when its 95 % interval excludes 0. No sentence claims more than the table holds: what was
not compared is neither named nor concluded from.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from w2sg.metrics.verdict import points
from w2sg.report.boosting_controls import Lacking, boosting_controls, one_expert
from w2sg.report.counterparts import Made, foremost, has_no_teacher, is_null, made_of, null_control
from w2sg.report.results import ComparisonRow, Finding, Results, ResultStratum, Verdict

WHERE = {
    "ood": "harder questions (ood)",
    "id": "questions as hard as the teacher's own (id)",
    "all": "all test questions",
}
_SHOWN = {
    "teacher": "the teacher",
    "untuned": "the untuned student",
    "self-distillation": "self-distillation",
    "imitation": "plain imitation",
    "random-labels": "the student trained on random labels",
    "ceiling": "the ceiling",
}
_BRIEF: dict[Finding, str] = {
    "helped": "helped on",
    "elicited": "better than untuned, not shown to beat self-distillation, on",
    "form only": "better than untuned, not shown to beat random labels or its null control, on",
    "damage avoided": "better than imitation, not than the untuned student, on",
    "above its teacher only": "better than the teacher, not shown to beat the untuned student, on",
    "no evidence": "no evidence that it helps on",
    "harmed": "made the student worse on",
    "null control": "a null control, not judged, on",
}
_BRIEF_OF_SUPERVISORS: dict[Finding, str] = {
    "helped": "itself better than the untuned student and than self-distillation on",
    "elicited": "itself better than the untuned student, not shown to beat self-distillation, on",
    "damage avoided": "itself better than imitation, not than the untuned student, on",
    "above its teacher only": "itself better than the teacher, not shown to beat the untuned student, on",
    "no evidence": "itself not shown to be better than what it is compared with on",
    "harmed": "itself below the untuned student on",
}
"""What is said instead of supervisors that are judged themselves, so that nobody learns from their labels."""
_NAMED: dict[Finding, tuple[str, ...]] = {
    "helped": ("untuned", "self-distillation", "random-labels"),
    "elicited": ("untuned", "self-distillation"),
    "form only": ("untuned", "random-labels"),
    "damage avoided": ("imitation", "untuned"),
    "above its teacher only": ("teacher", "untuned"),
    "no evidence": ("untuned", "teacher", "self-distillation", "imitation"),
    "harmed": ("untuned",),
    "null control": ("untuned", "teacher", "imitation"),
}
"""The comparisons in each finding's main sentence, where the run holds them."""
_SIGNIFICANT = 0.05


def items(stratum: ResultStratum) -> str:
    """Return what the test items of a stratum are called in a sentence."""
    return "all items" if stratum == "all" else f"the {stratum} items"


def verdicts(results: Results) -> Iterator[Verdict]:
    """Yield the verdict of every task, stratum and method, in the order of the tables."""
    made = made_of(results.settings)
    for task in results.tasks():
        arms = results.methods(task)
        for stratum in results.strata(task):
            told = set[str]()  # what the run lacks is said of its first method only
            for method in results.methods(task):
                null = null_control(method, arms, made)
                rows = {
                    row.against: row
                    for row in results.comparisons
                    if (row.task, row.stratum, row.method) == (task, stratum, method)
                }
                if rows and method not in results.controls(task) and is_null(method, arms, made):
                    yield _of_null(task, stratum, method, rows, alone=has_no_teacher(method, made))
                elif method not in results.controls(task) and rows:
                    itself = _is_supervisor(method, made)
                    yield judge(
                        task,
                        stratum,
                        method,
                        rows,
                        null=null,
                        reads=_reads(results, task, method),
                        itself=itself,
                        lacks=boosting_controls(method, arms, made),
                        first=(*foremost(method, arms, made), *one_expert(method, arms, made)),
                        told=told,
                    )
                    told.update(_missing(rows, itself=itself))


def _reads(results: Results, task: str, method: str) -> bool:
    """Whether the method's student is shown work that a null control would exchange."""
    return any((row.task, row.method) == (task, method) for row in results.rewrites)


def _is_supervisor(method: str, made: Made) -> bool:
    """Whether the method judges a supervisor itself, and no student learns."""
    return method in made and made[method]["schedule"]["kind"] == "as-is"


def overview(results: Results) -> Iterator[str]:
    """Yield one sentence per method over all tasks, from the verdicts on their headline strata.

    `before correction` marks a gain that Holm's correction for several comparisons takes back, `one seed` a finding
    that covers the choice of items only, `no null control` a gain of a student that is shown a teacher's work, in a run
    that holds no student shown the work on another question.
    """
    made, by_method = made_of(results.settings), dict[str, dict[Finding, list[str]]]()
    for one in results.verdict:
        if one.stratum == results.headline(one.task):
            limits = ["before correction"] if one.uncorrected else []
            found_something = one.finding not in ("no evidence", "null control")
            limits += ["one seed"] if found_something and _one_seed(results, one) else []
            limits += ["no null control"] if _lacks_null(results, one, made) else []
            place = f"{one.task} ({', '.join(limits)})" if limits else one.task
            by_method.setdefault(one.method, {}).setdefault(one.finding, []).append(place)
    for method, found in by_method.items():
        brief = {**_BRIEF, **(_BRIEF_OF_SUPERVISORS if _is_supervisor(method, made) else {})}
        parts = [f"{brief[finding]} {_list(found[finding])}" for finding in brief if finding in found]
        yield f"{method}: {'; '.join(parts)}."


def _lacks_null(results: Results, one: Verdict, made: Made) -> bool:
    arms = results.methods(one.task)
    gained = one.finding in ("helped", "elicited") and _reads(results, one.task, one.method)
    return gained and null_control(one.method, arms, made) not in arms


def _one_seed(results: Results, one: Verdict) -> bool:
    place = (one.task, one.stratum, one.method)
    return any(row.n_seeds == 1 for row in results.comparisons if (row.task, row.stratum, row.method) == place)


def _list(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def judge(
    task: str,
    stratum: ResultStratum,
    method: str,
    rows: Mapping[str, ComparisonRow],
    *,
    null: str = "",
    reads: bool = False,
    itself: bool = False,
    lacks: Mapping[str, Lacking] | None = None,
    first: tuple[str, ...] = (),
    told: Collection[str] = (),
) -> Verdict:
    """Return the verdict that a method's comparisons, by what it is measured against, support.

    Args:
        null: the name of its null control, or the one that this would have; its own with `-shuffled` when not given.
        reads: whether its student is shown the teacher's work, so that its gain needs a null control.
        itself: whether it is a supervisor that is judged itself: it has no student, and random labels
            are no control of it.
        lacks: the methods that lack one thing of its boosting each, and what.
        first: what else it is measured against, of which its verdict speaks before the controls that are left over.
        told: sentences on what the run lacks that need no second saying.
    """
    null, once = null or null_control(method), _once(rows)
    if itself:
        finding = _finding({against: row for against, row in rows.items() if against != "random-labels"}, null)
        said = _claim_of_supervisor(finding, method, rows, once)
    else:
        finding = _finding(rows, null)
        said = _claim(finding, method, rows, once, null)
    parts = [said, *_limits(finding, rows), *_rest(finding, rows, first), *boosting(rows, lacks or {})]
    parts += [*_gap(rows), *(text for text in _missing(rows, itself=itself) if text not in told)]
    if reads and finding in ("helped", "elicited") and null not in rows:
        parts.append(
            f"The run holds no {null}, which is shown the work on another question: whether the student heard what it "
            f"was shown stays open. {_to_add(method, null)}"
        )
    return Verdict(
        task=task,
        stratum=stratum,
        method=method,
        finding=finding,
        uncorrected=_uncorrected(finding, rows),
        sentence=" ".join(parts),
    )


def _to_add(method: str, null: str) -> str:
    """What to write into the experiment for a null control that it lacks: the name alone where it is free, since that
    takes the file's own row of the method, where `like` takes a known one of the same name."""
    line = f"{{like: {method}, recipe: {{shuffle: all}}}}"
    if null == f"{method}-shuffled":
        return f"Add `{null}` to the methods: the name is known, as `{line}`."
    return f"Add a row `{line}`."


def _of_null(
    task: str, stratum: ResultStratum, method: str, rows: Mapping[str, ComparisonRow], *, alone: bool
) -> Verdict:
    """Return the verdict on a null control that stands among the methods: what it gains, and nobody's merit.

    Args:
        alone: whether its student hears itself alone, and no teacher on other questions.
    """
    hears = "hears no teacher, only itself" if alone else "hears the teacher on other questions only"
    claim = rows.get("untuned")
    if claim is not None and claim.low > 0:
        means = "So much is gained without anything that a teacher says of the question."
    elif claim is not None and claim.high < 0:
        means = "It is below the untuned student."
    else:
        means = "It is not shown to differ from the untuned student." if claim is not None else ""
    measured = _against(rows, _NAMED["null control"])
    said = f"{method} is a null control, not judged{_once(rows)}: its student {hears}. {means}".rstrip()
    return Verdict(
        task=task,
        stratum=stratum,
        method=method,
        finding="null control",
        uncorrected=False,
        sentence=f"{said} Measured: {measured}.",
    )


def _finding(rows: Mapping[str, ComparisonRow], null: str) -> Finding:
    gained = {against for against, row in rows.items() if row.low > 0}
    if "untuned" in gained:
        if any(name in rows and name not in gained for name in ("random-labels", null)):
            return "form only"
        return "helped" if "self-distillation" in gained else "elicited"
    if "untuned" in rows and "imitation" in gained:
        return "damage avoided"
    if "untuned" in rows and rows["untuned"].high < 0:
        return "harmed"
    return "above its teacher only" if "teacher" in gained else "no evidence"


def _claim_of_supervisor(finding: Finding, method: str, rows: Mapping[str, ComparisonRow], once: str) -> str:
    """The main sentence on a supervisor that is judged itself."""
    measured = _against(rows, _NAMED[finding])
    match finding:
        case "helped" | "elicited":
            shown = "is better than the untuned student"
        case "damage avoided":
            but = "is below" if rows["untuned"].high < 0 else "is not shown to beat"
            shown = f"is better than plain imitation, but {but} the untuned student"
        case "above its teacher only":
            but = ", but not shown to beat the untuned student" if "untuned" in rows else ""
            shown = f"is better than the teacher{but}"
        case "harmed":
            shown = "is below the untuned student"
        case _:
            shown = "is not shown to be better than what it is compared with"
    return f"{method}, a supervisor judged itself from which no student learns here, {shown}{once}: {measured}."


def _claim(finding: Finding, method: str, rows: Mapping[str, ComparisonRow], once: str, null: str) -> str:
    """The main sentence on a student, with the comparisons that it rests on."""
    measured = _against(rows, (*_NAMED[finding], *([null] if finding in ("helped", "form only") else [])))
    match finding:
        case "helped":
            return f"{method} helped{once}: {measured}."
        case "elicited":
            return (
                f"{method} beats the untuned student{once}, but the teacher's labels are not shown to be the reason: "
                f"{measured}."
            )
        case "form only" if null in rows and rows[null].low <= 0:
            return (
                f"{method} beats the untuned student{once}, but is not shown to beat itself shown the work on another "
                f"question: the teacher is not shown to be heard, and the form may be all: {measured}."
            )
        case "form only":
            return (
                f"{method} beats the untuned student{once}, but is not shown to beat random labels, so "
                f"what the teacher's labels say is not shown to matter: {measured}."
            )
        case "damage avoided":
            but = "is below" if rows["untuned"].high < 0 else "is not shown to beat"
            return (
                f"{method} beats plain imitation{once}, but {but} the untuned student: {measured}. What is shown is "
                "damage avoided, not something learnt."
            )
        case "above its teacher only":
            but = ", but there is no evidence that it beats the untuned student" if "untuned" in rows else ""
            return f"{method} is above the teacher{once}{but}: {measured}."
        case "harmed":
            return f"{method} made the student worse{once}: {measured}."
        case _:
            return f"No evidence that {method} helps{once}: {measured}."


def _once(rows: Mapping[str, ComparisonRow]) -> str:
    return " (one seed: items only)" if any(row.n_seeds == 1 for row in rows.values()) else ""


def _against(rows: Mapping[str, ComparisonRow], names: tuple[str, ...]) -> str:
    said: list[str] = []
    for row in (rows[name] for name in names if name in rows):
        unit = "" if said else " points"
        said.append(f"{points(row.difference)}{unit} against {_SHOWN.get(row.against, row.against)} {_interval(row)}")
    return ", ".join(said) if said else "nothing to compare with"


def difference(row: ComparisonRow) -> str:
    """Write a difference with its interval: `+6.2 points (+2.1 to +10.3)`."""
    return f"{points(row.difference)} points {_interval(row)}"


def _interval(row: ComparisonRow) -> str:
    return f"({points(row.low)} to {points(row.high)})"


def _limits(finding: Finding, rows: Mapping[str, ComparisonRow]) -> Iterator[str]:
    """What keeps the main claim small: Holm's correction for a gain, the least difference to be seen for none."""
    claim = rows.get("untuned")
    if claim is None:
        return
    if _uncorrected(finding, rows):
        yield f"Corrected for the number of comparisons this is no longer significant (p = {claim.p_holm:.2f})."
    if finding in ("no evidence", "above its teacher only"):
        least = 100 * claim.minimum_detectable
        yield f"A true difference under about {least:.0f} points would mostly go unseen with this many items and seeds."


def _uncorrected(finding: Finding, rows: Mapping[str, ComparisonRow]) -> bool:
    """Whether the gain over the untuned student is one that Holm's correction takes back."""
    return finding in ("helped", "elicited", "form only") and rows["untuned"].p_holm > _SIGNIFICANT


def _rest(finding: Finding, rows: Mapping[str, ComparisonRow], first: tuple[str, ...]) -> Iterator[str]:
    """The comparisons that the main sentence leaves out, those `first` that the experiment was run for."""
    others = (*first, "self-distillation", "random-labels", "teacher", "imitation")
    left = tuple(name for name in dict.fromkeys(others) if name in rows and name not in _NAMED[finding])
    if left:
        text = _against(rows, left)
        yield f"Also: {text}."


def boosting(rows: Mapping[str, ComparisonRow], lacks: Mapping[str, Lacking]) -> Iterator[str]:
    """Yield what is shown of boosting itself, by the methods that lack one thing of it each: first by as many experts
    without it, its true test, then by as many that differ in nothing but what was reweighted, then by the same experts
    with equal weights."""
    for what, name, them, against_whom in (
        ("boosting", "Boosting itself", "is", "as many experts that differ by their seed alone"),
        ("reweighting", "Reweighting", "is", "as many experts on draws from equal weights"),
        ("weights", "The weights of the experts", "are", "the same experts with equal weights"),
    ):
        for row in (rows[against] for against, lacked in lacks.items() if lacked == what and against in rows):
            measured = f"{points(row.difference)} points against {row.against} {_interval(row)}, {against_whom}"
            if row.low <= 0 <= row.high:
                least = 100 * row.minimum_detectable
                yield (
                    f"{name} {them} not shown to matter: {measured}; a true difference under about {least:.0f} points "
                    "would mostly go unseen."
                )
                continue
            done = f"{them} shown to help" if row.low > 0 else f"{them} shown to do harm"
            back = "" if row.p_holm <= _SIGNIFICANT else ", though not after correction for the number of comparisons"
            yield f"{name} {done}{back}: {measured}."


def _gap(rows: Mapping[str, ComparisonRow]) -> Iterator[str]:
    row = rows.get("teacher")
    if row is not None and row.pgr is not None and row.pgr_low is not None and row.pgr_high is not None:
        value, low, high = (f"{100 * share:.0f}".replace("-", "−") for share in (row.pgr, row.pgr_low, row.pgr_high))
        yield f"Gap to the ceiling recovered (PGR): {value} % ({low} to {high})."


def _missing(rows: Mapping[str, ComparisonRow], *, itself: bool) -> Iterator[str]:
    if "untuned" not in rows:
        yield "The run holds no untuned student, without which no gain can be read."
    elif "self-distillation" not in rows and not itself:
        yield "The run holds no self-distillation, which would show how much the student gains without any teacher."
