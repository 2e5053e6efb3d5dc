"""The model card of a student: what it is, how good it is on gold that nothing was trained on, how it came to be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from w2sg.cli.student import CARD, MODEL
from w2sg.report.results import ComparisonRow, Results, Summary
from w2sg.report.taught import told
from w2sg.runs.plan import Arm, Plan
from w2sg.runs.store import Store
from w2sg.steps.task import TaskSettings
from w2sg.storage import write_atomic


def write_card(folder: Path, plan: Plan, arm: Arm, store: Store, results: Results) -> None:
    """Write the card of the student that `arm` made into `folder`."""
    parts = [
        _front(plan, arm, folder),
        f"# {plan.experiment.name}",
        _opening(plan, arm),
        "## How good it is",
        _quality(arm, results),
        "## How to use it",
        _usage(folder),
        "## Data",
        _data(arm, store, results),
        "## Training",
        _training(plan, arm, results),
        "## Provenance",
        _provenance(arm, store, results),
        "## Limits",
        _limits(results),
    ]
    write_atomic(folder / CARD, "\n\n".join(parts) + "\n")


def _front(plan: Plan, arm: Arm, folder: Path) -> str:
    adapter = (folder / MODEL / "adapter_config.json").is_file()
    facts = {
        "library_name": "peft" if adapter else "transformers",
        "pipeline_tag": "text-generation",
        "base_model": plan.experiment.student.path,
        "tags": ["w2sg", "weak-to-strong-generalization", arm.method],
    }
    return f"---\n{yaml.safe_dump(facts, sort_keys=False)}---"


def _opening(plan: Plan, arm: Arm) -> str:
    experiment = plan.experiment
    return (
        f"`{experiment.student.path}`, trained by the method `{arm.method}` on answers that "
        f"`{experiment.teacher.path}` gave to questions without gold. The teacher itself learnt from a small set of "
        "questions with gold answers."
    )


def _quality(arm: Arm, results: Results) -> str:
    lines = [
        "Accuracy on gold questions that neither teacher nor student was trained on, with 95 % intervals:",
        "",
        "| model | accuracy | interval | questions | unreadable answers |",
        "|---|---|---|---|---|",
    ]
    names = {arm.method: "**this student**", "teacher": "its teacher", "untuned": "the student untuned"}
    names |= {"self-distillation": "the student trained on its own answers"}
    for method in results.methods(arm.task):
        summary = results.find(arm.task, method, "all")
        if summary is not None:
            lines.append(_row(names.get(method, method), summary))
    here = (arm.task, "all", arm.method)
    said = [one.sentence for one in results.verdict if (one.task, one.stratum, one.method) == here]
    differences = [_difference(row) for row in results.comparisons if (row.task, row.stratum, row.method) == here]
    return "\n".join([*lines, "", *(f"- {line}" for line in differences), "", *said]).rstrip()


def _row(name: str, summary: Summary) -> str:
    return (
        f"| {name} | {summary.accuracy:.1%} | {summary.low:.1%} to {summary.high:.1%} | {summary.n} | "
        f"{summary.unparsed_share:.0%} |"
    )


def _difference(row: ComparisonRow) -> str:
    sure = "shown" if row.low > 0 or row.high < 0 else "not shown: the interval holds 0"
    return (
        f"against {row.against}: {100 * row.difference:+.1f} points ({100 * row.low:+.1f} to {100 * row.high:+.1f}), "
        f"{sure}; differences under {100 * row.minimum_detectable:.1f} points could not be seen here"
    )


def _usage(folder: Path) -> str:
    adapter = (folder / MODEL / "adapter_config.json").is_file()
    package, auto = ("peft", "AutoPeftModelForCausalLM") if adapter else ("transformers", "AutoModelForCausalLM")
    code = f'from {package} import {auto}\n\nmodel = {auto}.from_pretrained("{MODEL}")'
    return (
        f"```python\n{code}\n```\n\nOr, with the prompt and the reading of answers that it was trained with:\n\n"
        "```\nw2sg predict . questions.jsonl --out answers.jsonl\nw2sg eval . gold.jsonl\n```"
    )


def _data(arm: Arm, store: Store, results: Results) -> str:
    settings = arm.task_step.settings
    assert isinstance(settings, TaskSettings)
    summary = store.record(arm.task_step)["summary"]
    words = {
        "supervise": "gold questions taught the teacher",
        "validate": "gold questions were kept for choosing settings",
        "transfer": f"unanswered questions were given to the teacher to label; {_taught(arm, results)}",
        "test": "gold questions were kept for the estimate above",
    }
    lines = [f"- {number:,} {words[role.split('-')[0]]} (`{role}`)" for role, number in summary["counts"].items()]
    files = settings.task.all_files()
    lines += [f"- {name}: `{files[name].name}`, SHA-256 `{digest}`" for name, digest in settings.files.items()]
    return "\n".join([*lines, *(f"- {note}" for note in summary["notes"])])


def _taught(arm: Arm, results: Results) -> str:
    """How many of the questions the student learnt from; a cascade, on every rung."""
    rows = [row for row in results.taught if (row.task, row.method) == (arm.task, arm.method)]
    return ", ".join(told(row) for row in rows) or "how many taught the student is not known"


def _training(plan: Plan, arm: Arm, results: Results) -> str:
    made = plan.experiment.arms()[arm.method]
    method = made.model_dump(mode="json", serialize_as_any=True)
    fit = plan.experiment.student_fit.model_dump(mode="json")
    teacher = plan.experiment.teacher_fit.model_dump(mode="json")
    summary = results.find(arm.task, arm.method, "all")
    cost = f"{summary.tokens_sampled:,.0f} tokens sampled, {summary.tokens_trained:,.0f} trained on" if summary else ""
    block = {"method": method, "student_fit": fit, "teacher_fit": teacher, "seed": arm.seed}
    return f"{cost}.\n\n```yaml\n{_yaml(block)}```"


def _provenance(arm: Arm, store: Store, results: Results) -> str:
    lines = [f"- made by `{results.command}`, finished {results.created}"]
    lines.append("- w2sg " + results.w2sg_version + "".join(f", {k} {v}" for k, v in results.versions.items()))
    lines += [f"- `{step.fingerprint}` {step.label}" for step in arm.node.tuned.ancestors()] if arm.node.tuned else []
    return "\n".join(["Every step below has its record in `store/`; every number is in `results.json`.", "", *lines])


def _limits(results: Results) -> str:
    notes = [note.text for note in results.notes]
    notes.append(
        "The estimate holds for questions like those in the gold file, asked and read in the same way. The student has "
        "learnt its teacher's mistakes along with what its teacher knows."
    )
    return "\n".join(f"- {note}" for note in notes)


def _yaml(value: Any) -> str:
    return str(yaml.safe_dump(value, sort_keys=False, allow_unicode=True, default_flow_style=None))
