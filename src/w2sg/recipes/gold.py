"""Training texts from gold: for the teacher from open gold, for the ceiling from sealed gold, written down.

Where gold has no reasoning, it may come from the model itself: of several tries at a question, the first with the
right answer is learnt (rejection sampling; the first half of STaR, Zelikman et al. 2022, without its rationalisation).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from w2sg.config import Part, added
from w2sg.decode.config import SamplingConfig
from w2sg.errors import DataError
from w2sg.records import OPEN_ROLES, Example, Gold, Role, Target, ask, join
from w2sg.seeding import derive
from w2sg.steps.base import Step
from w2sg.steps.cast import Cast
from w2sg.steps.inputs import SEALED_ACCESS, read_examples, read_responses
from w2sg.steps.model import Node
from w2sg.steps.sample import sample_step
from w2sg.steps.slices import Slice, in_slice
from w2sg.steps.task import laid_out
from w2sg.tasks.base import Task
from w2sg.tasks.sealed import open_gold, open_sealed


class GoldTargets(Part):
    """Learn gold answers, with gold reasoning where the task has it, else with the model's own that led there."""

    role: Role
    """Whose gold: `supervise` for the teacher, `transfer` for the ceiling."""
    reasoning: bool = True
    """Learn the reasoning before the answer."""
    slice: Slice | None = added(None)
    """The part of these questions that is learnt."""

    def targets(self, task: Task, parents: Mapping[str, Path], folder: Path) -> list[Target]:
        """Return the training texts. `parents` may hold `tries`: then a question whose gold has no reasoning, and
        which no try gets right, is left out.

        Raises:
            DataError: the role has no gold (an unlabelled pool has no ceiling).
        """
        if self.role in OPEN_ROLES:
            gold = open_gold(parents["task"])
        else:
            gold = open_sealed(parents["task"], by="ceiling", reason="ceiling", log=folder / SEALED_ACCESS)
        examples = in_slice(read_examples(parents["task"], (self.role,)), self.slice)
        if not any(example.id in gold for example in examples):
            raise DataError(
                f"There is no gold for the {self.role} questions, so nothing can be trained on it. An unlabelled pool "
                "has no ceiling: leave the control 'ceiling' out."
            )
        truths = join([example.id for example in examples], gold, "gold answer")
        found = _right_tries(task, parents, {example.id: example for example in examples}, gold)
        texts = {
            example.id: task.gold_response(example, truth, self.reasoning)
            if found is None or truth.rationale.strip()
            else found.get(example.id)
            for example, truth in zip(examples, truths, strict=True)
        }
        return [
            Target(example.id, ask(task.prompt(example)), text)
            for example in examples
            if (text := texts[example.id]) is not None
        ]


def _right_tries(
    task: Task, parents: Mapping[str, Path], examples: Mapping[str, Example], gold: Mapping[str, Gold]
) -> dict[str, str] | None:
    """Return the first finished try with the right answer, by question; None where nothing was tried."""
    if "tries" not in parents:
        return None
    right: dict[str, str] = {}
    for id, responses in read_responses(parents["tries"]):
        example, truth = examples[id], gold[id]
        for response in responses:
            if response.finished and task.correct(task.parse(response.text, example), example, truth):
                right[id] = response.text
                break
    return right


def gold_targets(cast: Cast, role: Role, untuned: Node, slice: Slice | None = None) -> Step:
    """Return the step that writes gold training texts of `role` for `untuned`, whose own solutions stand in where
    the task's gold has no reasoning and the cast asks for tries."""
    what = "gold of transfer (ceiling)" if role == "transfer" else f"gold of {role}"
    parents = {"task": cast.task}
    label = f"{cast.name} · {what}"
    if cast.reasoning and cast.tries and not laid_out(cast.task).gold_reasons:
        sampling = SamplingConfig(
            samples=cast.tries, temperature=0.7, top_p=0.95, max_new_tokens=cast.max_new_tokens, chunk=cast.chunk
        )
        words = cast.label(f"{Path(untuned.ref.config.path).name} tries {role}")
        parents["tries"] = sample_step(untuned, cast.task, (role,), sampling, derive(cast.seed, "tries"), words, slice)
        label = cast.label(f"{what}, with reasoning that led there")
    return Step("targets", GoldTargets(role=role, reasoning=cast.reasoning, slice=slice), parents, label)
