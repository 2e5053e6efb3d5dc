"""The report as one self-contained HTML page: verdict, tables, plots, examples, where every number comes from.

What is shown is decided here, how in `page.html.jinja`, the plots in `figures`. Nothing is loaded from outside, no
script runs, and every text is escaped.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from w2sg.metrics.verdict import points
from w2sg.report.costs import counted_once
from w2sg.report.examples import ItemExample, load_examples
from w2sg.report.results import Results, ResultStratum, Summary
from w2sg.report.rounds import told
from w2sg.report.rungs import rung_name
from w2sg.report.schema_rounds import PairRow, RoundsRow
from w2sg.report.sentences import WHERE, overview
from w2sg.report.taught import of
from w2sg.report.terminal import duration, quantity
from w2sg.storage import write_atomic

HELPED = (
    "Helped: the student beats the untuned student, self-distillation and, where the run holds them, the student "
    "trained on random labels and the method's null control; beats means that the 95 % interval of the difference lies "
    "above 0."
)
GLOSSARY = {
    "teacher": "The weak model. It learnt from a small set of questions with known answers, and then answered the "
    "transfer questions; its answers are the weak labels.",
    "student": "The strong model that learns from the weak labels. It never sees a right answer, save in the ceiling.",
    "untuned": "The student before any training here. A method that does not beat it has taught nothing.",
    "self-distillation": "The student trained on its own answers, without a teacher. What it gains does not come from "
    "the teacher's labels.",
    "random-labels": "The student trained on answers that have nothing to do with the questions. It should gain "
    "nothing; what it gains is the form of an answer.",
    "imitation": "The plain method: the student is trained to repeat the teacher's answer. imitation-vote repeats the "
    "teacher's most frequent answer among several.",
    "ceiling": "The student trained on right answers to the same questions: what perfect labels would give.",
    "helped, elicited, form only, damage avoided": f"{HELPED} Form only: it beats the untuned student, but is not "
    "shown to beat random labels, or not its null control, the same method shown another question's work. "
    "Elicited: it beats the untuned student, but is not shown to beat self-distillation, so that the teacher may have "
    "had no part in it. Damage avoided: it beats imitation, but not the untuned student.",
    "null control": "A row whose student hears no teacher, or a teacher on other questions only. It is not judged: "
    "what it gains is gained without anything that the teacher says of the question.",
    "id, ood": "The two parts of the test. id: questions as hard as those that the teacher learnt from. ood: harder "
    "ones, or of another kind, where the teacher is weak.",
    "accuracy": "Share of test questions answered correctly. An answer that cannot be read counts as wrong.",
    "unread": "Share of answers in which no final answer could be found. They stay in the accuracy, as wrong.",
    "taught": "How many questions the model learnt from, of those there were. A question is left out where nothing was "
    "said that can be learnt: no answer of the supervisor, or no rewrite that is finished and can be read.",
    "interval": "The range that would cover the true value in 95 of 100 studies like this one, done again with other "
    "questions and other seeds. With one seed it covers other questions only.",
    "seed": "The starting number of all chance in a run: order of the data, sampling, fresh weights. Another seed is "
    "another run of the same experiment.",
    "difference": "Accuracy of one arm minus another's on the same questions, in percentage points.",
    "p": "How often a difference this large would appear if neither were better. Holm's p corrects for having made "
    "several comparisons.",
    "detectable": "The smallest true difference that this test would show four times in five. A smaller one would "
    "mostly go unseen, so finding none says little about it.",
    "PGR": "Performance gap recovered: how far the student came from the teacher, or from the ensemble that supervised "
    "it (0 %), to the ceiling (100 %). Given only where these are shown to differ.",
    "agreement, inherited, corrected, broken": "How the student's answers relate to the teacher's: the share that "
    "agrees; of the teacher's mistakes, the share repeated and the share put right; of its right answers, the share "
    "lost.",
    "calibration error, Brier score, AUROC, risk-coverage area": "Whether the labels' confidence means anything. The "
    "calibration error is the mean distance between confidence and the share that is right, over ten bars; the Brier "
    "score is the mean squared distance between confidence and outcome. The AUROC is the chance that a wrong label is "
    "less confident than a right one (50 %: confidence says nothing). Keep only the most confident labels, first one, "
    "then two, and so on to all: the risk-coverage area is the mean share of wrong ones among those kept.",
    "stated, calibrated": "Stated: the confidence as the supervisor's samples gave it. Calibrated: turned into a "
    "chance of being right by the questions of validate, whose answers are open; the figures are then taken on the "
    "transfer questions, which had no part in it.",
    "rung": "One lesson of a cascade: a model learns from the one below it (on the first rung from the supervisor) and "
    "teaches the one above. On the last rung stands the student that is compared.",
    "expert, round": "One of the models of an ensemble, and the training that made it. In boosting each round's expert "
    "is trained most on the answer tokens that those before it got wrong.",
    "error, prior, alpha, Z": "An expert's error is the share of the round's weight on answer tokens that it gets "
    "wrong after the right ones before them; the prior is the error that it has to beat. Alpha, its weight in the "
    "ensemble, grows with the distance between the two. The weights of wrong tokens are raised, and Z is the sum of "
    "all afterwards, by which they are divided.",
    "effective size, heaviest 1 %": "How uneven the weights are. The effective size is the share of tokens that would "
    "do as much if they weighed the same: 100 % at first; near 0, a few tokens decide everything.",
    "correlation of errors": "How far two experts err on the same answer tokens: 1, on the same ones; 0, as if by "
    "chance. A mixture gains most where it is low.",
    "shown, own, learnt": "Where the student rewrites: the supervisor's answer that it was shown, its own first "
    "answer, and the answer in the text that it was trained on, each graded afterwards. It kept its own answer against "
    "the shown one, adopted the shown one for its own, found a new one, or had agreed from the start.",
    "tokens": "Pieces of words that the models wrote (sampled) or were trained on: the cost of a method, whatever the "
    "machine. All steps that an arm rests on are counted, also those that it shares with others. What an ensemble "
    "writes is counted once, though each of its experts reads and writes all of it.",
    "step, fingerprint": "A piece of work, and the name of its result, made of everything that decides it. Steps with "
    "the same fingerprint have the same result and are computed once.",
}


def write_page(results: Results, path: Path, examples: Sequence[ItemExample] | None = None) -> None:
    """Write the page; examples not given are read from the folder of `path`, where a run saved any."""
    write_atomic(path, render(results, load_examples(path.parent) if examples is None else examples))


def render(results: Results, examples: Sequence[ItemExample] = ()) -> str:
    """Return the page as HTML."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters.update(points=points, quantity=quantity, duration=duration, percent=_percent, p=_p)
    environment.filters.update(json=_json, slug=_slug, weight=_weight, visible=_visible)
    environment.globals.update(rung_name=rung_name)
    template = environment.from_string(files("w2sg.report").joinpath("page.html.jinja").read_text(encoding="utf-8"))
    return template.render(
        results=results,
        overview=list(overview(results)),
        tasks=[_task(results, task, examples) for task in results.tasks()],
        general=[note for note in results.notes if note.task is None],
        where=WHERE,
        helped=HELPED,
        glossary=GLOSSARY,
        known={step.fingerprint for step in results.provenance},
    )


def _task(results: Results, task: str, examples: Sequence[ItemExample]) -> dict[str, Any]:
    """Everything that the page shows of one task."""
    from w2sg.report import figures

    headline = results.headline(task)
    summary = {(row.method, row.stratum): row for row in results.summary if row.task == task}
    plots = {
        "Accuracy, with 95 % intervals. Every upright mark is one seed.": figures.accuracy(results, task),
        f"Difference from what each method must beat, on {WHERE[headline]}, with 95 % intervals. Filled: the interval "
        "excludes 0.": figures.differences(results, task),
        "Accuracy against the difficulty of the question. Bands: 95 % intervals of the methods; grey: controls.": (
            figures.difficulty(results, task)
        ),
        "Accuracy against the number of experts that form the ensemble, with 95 % intervals. Dashed: id.": (
            figures.experts(results, task)
        ),
        "How often weak labels of each confidence are right. Dotted: confidence that can be taken at its word; dashed: "
        "as stated, before calibration.": figures.reliability(results, task),
        "Share of wrong labels among the most confident ones, at each share kept. The lower on the left, the more the "
        "confidence knows; dashed: as stated, before calibration.": figures.risk(results, task),
    }
    return {
        "name": task,
        "headline": headline,
        "strata": results.strata(task),
        "methods": results.methods(task),
        "controls": results.controls(task),
        "summary": summary,
        "verdicts": [one for one in results.verdict if one.task == task],
        "notes": [note for note in results.notes if note.task == task],
        "plots": [(caption, plot) for caption, plot in plots.items() if plot],
        "comparisons": [row for row in results.comparisons if row.task == task],
        "labels": [row for row in results.labels if row.task == task],
        "reliability": [row for row in results.reliability if row.task == task],
        "rungs": [row for row in results.rungs if (row.task, row.kind) == (task, "rung")],
        "experts": [row for row in results.rungs if (row.task, row.kind) == (task, "prefix")],
        "rounds": [(row, told(row), _matrix(row)) for row in results.rounds if row.task == task],
        "taught": {
            method: [
                f"{of(row.taught)} of {of(row.questions)}"
                for row in results.taught
                if (row.task, row.method) == (task, method)
            ]
            for method in results.methods(task)
        },
        "once": counted_once(results, task),
        "rewrites": [row for row in results.rewrites if row.task == task],
        "costs": [row for row in results.costs if row.task == task],
        "gains": _gains(results, task, summary),
        "examples": [example for example in examples if example.task == task],
        "rows": [row for row in results.rows if row.task == task],
    }


def _matrix(row: RoundsRow) -> list[tuple[int, list[PairRow | None]]]:
    """Every expert with its pair with each of the experts; None where there is none, as with itself."""
    pairs = {(pair.first, pair.second): pair for pair in row.pairs}
    numbers = sorted({number for both in pairs for number in both})
    return [(one, [pairs.get((min(one, other), max(one, other))) for other in numbers]) for one in numbers]


def _gains(results: Results, task: str, summary: Mapping[tuple[str, ResultStratum], Summary]) -> dict[str, float]:
    """Points gained over the untuned student per million tokens sampled and trained, on the headline stratum."""
    stratum = results.headline(task)
    base = summary.get(("untuned", stratum))
    gains = {}
    for (method, where), row in summary.items():
        tokens = row.tokens_sampled + row.tokens_trained
        if base is not None and where == stratum and tokens and not row.control:
            gains[method] = 100 * (row.accuracy - base.accuracy) / (tokens / 1e6)
    return gains


def _percent(share: float | None, digits: int = 1) -> str:
    return "–" if share is None else f"{100 * share:.{digits}f}".replace("-", "−")


def _weight(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}".replace("-", "−")


def _visible(token: str) -> str:
    """Return a token with signs for the spaces and line ends that would not be seen."""
    shown = token.replace("\n", "↵")
    return shown if token.strip() else shown.replace(" ", "␣")


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True)


def _slug(name: object) -> str:
    """A text as the name of an anchor; texts that differ stay different."""
    return "".join(sign if sign.isascii() and sign.isalnum() else f"-{ord(sign):x}-" for sign in str(name))
