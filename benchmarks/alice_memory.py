"""Peak memory of Alice's labelling stage by the number of questions: every step in a process of its own, as it runs.

    python benchmarks/alice_memory.py [--questions 200 2500 5000] [--samples 32] [--json PATH]

The stage: the tuned teacher samples the transfer questions, its responses become labels, their confidence is
calibrated, the doubt is put into words (`--statement teacher` has the teacher do it), the student answers by itself and
revises. The peak is what the system says of each process, Python and libraries included.

Models answer a block of questions at a time, as many as have 2,048 responses between them: 64 at 32 samples, 512 where
the student revises four times, 2,048 where it answers once. Below that the peak follows the size of the only block, so
what is judged is how it grows from the second number of questions to the third, both of which fill a block in every
step; `kilobytes a question` is that growth. The first is shown beside it: what few questions save. Laying out the task,
tuning, and the training texts, which are learnt from all together, are shown and not judged. Exit code 1 when a step
of the stage takes more than `--most` times the memory.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from multiprocessing import get_context
from pathlib import Path

from w2sg.decode.config import SamplingConfig
from w2sg.models.base import RuntimeConfig, silent
from w2sg.runs.experiment import Experiment
from w2sg.runs.plan import make_plan
from w2sg.runs.store import Store
from w2sg.runs.work import perform
from w2sg.steps.base import Step, with_ancestors

STAGE = ("sample", "label", "calibrate", "state", "rewrite")


def steps(options: argparse.Namespace, questions: int) -> tuple[Step, ...]:
    """Return the steps up to the student's training texts, for so many transfer questions."""
    split = {"supervise": options.supervise, "validate": 50, "transfer": questions, "test_id": 1, "test_ood": 0}
    elicit = {"kind": "alice", "samples": options.samples, "statement": options.statement}
    experiment = Experiment.parse(
        {
            "name": "memory",
            "tasks": [{"kind": options.task, "split": split}],
            "teacher": options.teacher,
            "student": options.student,
            "methods": {"alice": {"elicit": elicit}},
            "controls": [],
            "max_new_tokens": options.max_new_tokens,
            "teacher_fit": {"epochs": 1},
        },
        "the benchmark",
    )
    (arm,) = make_plan(experiment).arms
    assert arm.node.tuned is not None
    return with_ancestors([arm.node.tuned.parents["targets"]])


def peaks(options: argparse.Namespace, questions: int, root: Path) -> dict[str, float]:
    """Do the steps, each in a fresh process, and return the peak of each, in megabytes, by what it is."""
    found = {}
    store = Store(root / str(questions))
    runtime = RuntimeConfig(device="cpu", threads=1)
    for step in steps(options, questions):
        process = get_context("spawn").Process(target=perform, args=(step, store, runtime, silent, sys.argv))
        process.start()
        process.join()
        if process.exitcode:
            raise SystemExit(f"{step.label} failed.")
        name = f"{step.kind}: {step.label.split(' · ')[1]}"
        found[name] = float(store.record(step)["cost"]["peak_memory_mb"])
        print(f"  {questions} questions, {name}: {found[name]:.0f} MB", file=sys.stderr, flush=True)
    return found


def main() -> int:
    """Measure, print the table, and say whether the memory is flat."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--questions", type=int, nargs=3, default=[200, 2500, 5000], metavar=("FEW", "SOME", "MANY"))
    parser.add_argument("--samples", type=int, default=32)
    parser.add_argument("--task", default="world-maths")
    parser.add_argument("--teacher", default="zoo/nano")
    parser.add_argument("--student", default="zoo/small")
    parser.add_argument("--statement", choices=["template", "teacher"], default="template")
    parser.add_argument("--supervise", type=int, default=200, help="questions that tune the teacher")
    parser.add_argument("--max-new-tokens", type=int, default=96)
    parser.add_argument("--most", type=float, default=1.1)
    parser.add_argument("--store", type=Path, help="keep the steps here, and continue those that are there")
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args()
    few, some, many = options.questions
    block = SamplingConfig().chunk
    if not few < some < many or some < block:
        parser.error(f"--questions must rise, and the second fill a block of {block}, not {few} {some} {many}.")
    with tempfile.TemporaryDirectory() as folder:
        found = {count: peaks(options, count, options.store or Path(folder)) for count in options.questions}
    print(f"| step | {few} questions, MB | {some}, MB | {many}, MB | {some} to {many}, times | kilobytes a question |")
    print("|---|---|---|---|---|---|")
    worst = most = 0.0
    for name, low in found[few].items():
        middle, high = found[some][name], found[many][name]
        judged = name.partition(":")[0] in STAGE
        if judged:
            worst, most = max(worst, high / middle), max(most, high / low)
        print(
            f"| {name}{'' if judged else ' (not judged)'} | {low:.0f} | {middle:.0f} | {high:.0f} | "
            f"{high / middle:.2f} | {1024 * (high - middle) / (many - some):.1f} |"
        )
    print(
        f"From {some} to {many} questions the stage takes at most {worst:.2f} times the memory, from {few} to {many} "
        f"at most {most:.2f} times."
    )
    if options.json:
        report = {
            "questions": options.questions,
            "samples": options.samples,
            "peak_megabytes": found,
            "ratio": worst,
            "ratio_from_few": most,
        }
        options.json.write_text(json.dumps(report, indent=1) + "\n")
    return int(worst > options.most)


if __name__ == "__main__":
    sys.exit(main())
