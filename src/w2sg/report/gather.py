"""From a finished run's store to the report's input: grades, costs, provenance and facts, read and not recomputed."""

from __future__ import annotations

import os
import platform
import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import w2sg
from w2sg.config import fingerprint
from w2sg.report.arms import ArmResult, HelperModel, RunMeta, StepRecord, TaskFacts
from w2sg.report.costs import part_costs
from w2sg.report.results import SCHEMA_VERSION
from w2sg.report.round_files import RoundReader
from w2sg.report.taught_files import TaughtReader
from w2sg.runs.plan import Arm, Plan
from w2sg.runs.store import RECORD, Store, command_line, provenance
from w2sg.steps.base import Step
from w2sg.steps.inputs import SEALED_ACCESS, read_label_scores, read_labels, read_rewrite_scores, read_scores
from w2sg.steps.state import StateSettings
from w2sg.tasks.sealed import read_accesses


def identity(plan: Plan) -> str:
    """Return the fingerprint of everything that the results of `plan` rest on, what is said of helpers included."""
    arms = [[arm.task, arm.method, arm.seed, *(leaf.fingerprint for leaf in arm.leaves())] for arm in plan.arms]
    experiment = plan.experiment
    controls = sorted(experiment.controls)
    helpers = [[one.name, one.stronger] for one in _helpers(plan)]
    statistics = experiment.statistics.identity()
    return fingerprint([SCHEMA_VERSION, w2sg.__version__, experiment.name, arms, controls, statistics, helpers])


def gather(plan: Plan, store: Store, computed: Iterable[str] = ()) -> tuple[list[ArmResult], RunMeta]:
    """Return what `collect` takes. `computed` names the fingerprints that this run did itself.

    Raises:
        StoreError: a step is missing or damaged.
    """
    records = {step.fingerprint: store.record(step) for step in plan.steps}
    # An arm that no seed decides stands in the plan once per seed, and is one arm all the same.
    reader, lessons = RoundReader(store), TaughtReader(store, records)
    found = (_arm(arm, plan, store, records, lessons, reader) for arm in plan.arms)
    arms = {(arm.task, arm.method, arm.seed): arm for arm in found}
    now = provenance()
    meta = RunMeta(
        name=plan.experiment.name,
        command=shlex.join(command_line()),
        w2sg_version=w2sg.__version__,
        created=now["finished"],
        versions={"python": now["python"], **now["packages"]},
        hardware=hardware(plan),
        settings=plan.experiment.model_dump(mode="json"),
        provenance=[_record(step, store, records, set(computed)) for step in plan.steps],
        helpers=_helpers(plan),
        facts=_facts(plan, records),
        notes=[note.text for note in plan.notes if not note.task],
    )
    return list(arms.values()), meta


def _arm(
    arm: Arm,
    plan: Plan,
    store: Store,
    records: dict[str, Any],
    lessons: TaughtReader,
    reader: RoundReader | None = None,
) -> ArmResult:
    """Return an arm; rounds are read where there is a `reader`, which is not for what stands below."""
    seed = arm.seed if any("seed" in step.settings.identity() for step in arm.production()) else None
    steps = [step.fingerprint for step in arm.scores.ancestors()]
    costs = [records[name]["cost"] for name in steps]
    statements, empty = _statements(arm, store)
    return ArmResult(
        task=arm.task,
        method=arm.method,
        seed=seed,
        scores=read_scores(store.folder(arm.scores)),
        control=arm.method in plan.experiment.controls,
        tokens_sampled=sum(cost["tokens_sampled"] for cost in costs),
        tokens_trained=sum(cost["tokens_trained"] for cost in costs),
        seconds=round(sum(cost["seconds"] for cost in costs), 3),
        steps=tuple(steps),
        labels=read_label_scores(store.folder(arm.label_scores)) if arm.label_scores is not None else (),
        rewrites=read_rewrite_scores(store.folder(arm.rewrite_scores)) if arm.rewrite_scores is not None else (),
        attempted=arm.rewrite_scores is not None and "attempts" in arm.rewrite_scores.parents,
        model=Path(arm.node.ref.config.path).name,
        below=tuple(_arm(rung, plan, store, records, lessons) for rung in arm.below),
        other_labels=tuple(read_label_scores(store.folder(graded)) for graded in arm.other_label_scores),
        below_is=arm.below_is,
        rounds=reader.behind(arm.production(), seed) if reader is not None else (),
        statements=statements,
        empty_statements=empty,
        costs=part_costs(arm.scores, arm.node.tuned, records),
        taught=lessons.behind(arm.node.tuned),
    )


def _statements(arm: Arm, store: Store) -> tuple[int, int]:
    """Return how many statements of doubt a model was asked for, on the labels of every supervisor, and how many of
    them are empty. It is asked where samples disagree; where a rule writes them, nobody is."""
    labels = [arm.labels, *(graded.parents["labels"] for graded in arm.other_label_scores)]
    states = [step for step in labels if step is not None and isinstance(step.settings, StateSettings)]
    said = [label.statement for step in states for label in read_labels(store.folder(step)) if len(label.histogram) > 1]
    return len(said), sum(not statement.strip() for statement in said)


def _record(step: Step, store: Store, records: dict[str, Any], computed: set[str]) -> StepRecord:
    record = records[step.fingerprint]
    folder = store.folder(step)
    opened = read_accesses(folder / SEALED_ACCESS)
    made = record["provenance"]
    return StepRecord(
        fingerprint=step.fingerprint,
        kind=step.kind,
        label=step.label,
        record=(folder / RECORD).relative_to(store.root).as_posix(),
        seconds=record["cost"]["seconds"],
        reused=step.fingerprint not in computed,
        parents=tuple(parent.fingerprint for parent in step.parents.values()),
        opened_gold=tuple(sorted({access.reason for access in opened})),
        versions={"w2sg": made["w2sg"], "python": made["python"], **made["packages"]},
    )


def _facts(plan: Plan, records: dict[str, Any]) -> list[TaskFacts]:
    found: dict[str, TaskFacts] = {}
    for arm in plan.arms:
        majority = records[arm.scores.fingerprint]["summary"].get("majority", {})
        found[arm.task] = TaskFacts(arm.task, majority, tuple(_notes(arm.task, plan, records)))
    return list(found.values())


def _helpers(plan: Plan) -> list[HelperModel]:
    """Return the models outside the cast that wrote statements, each once."""
    writers = [step.settings.writer for step in plan.steps if isinstance(step.settings, StateSettings)]
    return list(
        dict.fromkeys(
            HelperModel(writer.helper, "writer of statements of doubt", writer.stronger)
            for writer in writers
            if writer.helper
        )
    )


def _notes(task: str, plan: Plan, records: dict[str, Any]) -> list[str]:
    """What the plan, the split and the training steps of a task have to say to the reader, each thing once."""
    notes = [note.text for note in plan.notes if note.task == task]
    for arm in plan.arms:
        if arm.task != task:
            continue
        notes += records[arm.task_step.fingerprint]["summary"].get("notes", [])
        for step in arm.production():
            summary = records[step.fingerprint]["summary"]
            for key, fate in (("truncated", "cut at"), ("too_long", "left out, their prompts being over")):
                if step.kind in ("fit", "boost", "boost-classes") and summary.get(key):
                    notes.append(
                        f"In the step {step.label!r}, {summary[key]} of {summary['texts']} training texts were {fate} "
                        "the length limit (max_length)."
                    )
    return list(dict.fromkeys(notes))


def hardware(plan: Plan) -> dict[str, Any]:
    """Return the machine in plain values: processor, cores, memory in gigabytes, the device asked for."""
    pages = os.sysconf("SC_PHYS_PAGES") if "SC_PHYS_PAGES" in os.sysconf_names else 0
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gb": round(pages * os.sysconf("SC_PAGE_SIZE") / 2**30, 1) if pages else None,
        "device": plan.experiment.runtime.device,
    }


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.is_file():
        for line in information.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
