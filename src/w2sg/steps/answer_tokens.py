"""The step before the first round of boosting: the answer tokens of the training texts, and what the untuned base makes
of them, which is what a prior may be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from w2sg.config import Config
from w2sg.errors import DataError, ModelError
from w2sg.models.fit_config import FitConfig
from w2sg.records import Target, by_id
from w2sg.steps.base import Outcome, Step, Workspace
from w2sg.steps.boost_files import ANSWERS, Answer, write_arrays
from w2sg.steps.inputs import read_examples, read_responses, read_targets
from w2sg.steps.model import ModelRef, Node, load
from w2sg.steps.task import task_of
from w2sg.storage import write_rows
from w2sg.tasks.base import Task
from w2sg.tasks.grading.marks import final_answer
from w2sg.tasks.sealed import open_gold

if TYPE_CHECKING:
    from w2sg.models.fit_data import TrainingText
    from w2sg.models.hf import LanguageModel


class AnswerTokensSettings(Config):
    """Which model reads, and up to which length."""

    model: ModelRef
    """The base of the experts."""
    max_length: int
    """Tokens of prompt and response together, as in training."""


def answer_tokens_step(base: Node, targets: Step, task: Step, max_length: int, label: str, greedy: Step | None) -> Step:
    """Return the step that reads the answers of `targets` with `base`; `greedy` is the step of its own answers, where
    errors count on them."""
    parents = {"task": task, "targets": targets, **({} if greedy is None else {"greedy": greedy}), **base.parents()}
    return Step("answer-tokens", AnswerTokensSettings(model=base.ref, max_length=max_length), parents, label)


def run(step: Step, work: Workspace) -> Outcome:
    """Read all answers.

    Raises:
        DataError: a text has an empty answer, or two texts are of one question.
        ModelError: the base is no language model.
    """
    from w2sg.models.hf import LanguageModel
    from w2sg.models.teacher_forced import read_answers

    settings = step.settings
    assert isinstance(settings, AnswerTokensSettings)
    task, targets = task_of(step), read_targets(work.parents["targets"])
    check_answers(targets)
    model = load(settings.model, work)
    if not isinstance(model, LanguageModel):
        raise ModelError(
            f"The model {settings.model.config.path!r} cannot be boosted: it plays a script, and boosting weighs the "
            "tokens of a language model. Name a language model as the teacher."
        )
    texts = encoded(model, targets, settings.max_length)
    right = greedy_right(task, work, "greedy") if "greedy" in work.parents else {}
    rows = [_row(model, task, target, texts.get(target.id), right.get(target.id)) for target in targets]
    readings = read_answers(model, list(texts.values()), work.runtime, work.progress)
    ranks = np.concatenate([reading.ranks for reading in readings])
    vocabulary = model.model.get_input_embeddings().weight.shape[0]
    arrays = {"ranks": ranks, "log_probs": np.concatenate([reading.log_probs for reading in readings])}
    write_arrays(work.folder, {**arrays, "vocabulary": np.array(vocabulary)})
    write_rows(work.folder / ANSWERS, rows)
    return Outcome({"texts": len(texts), "tokens": len(ranks), "base_error": float((ranks > 0).mean())})


def check_answers(targets: list[Target]) -> None:
    """Check that boosting has answers to weigh.

    Raises:
        DataError: a text has an empty answer, or two texts are of one question.
    """
    by_id(targets, "training texts")
    empty = [target.id for target in targets if not target.response.strip()]
    if empty:
        raise DataError(
            f"{len(empty)} of {len(targets)} training texts have an empty answer, first {empty[0]!r}, so boosting "
            "would weigh nothing but their end. Give these questions an answer, or leave them out."
        )


def encoded(model: LanguageModel, targets: list[Target], max_length: int) -> dict[str, TrainingText]:
    """Return the texts that fit the length limit, as ids, by their question."""
    from w2sg.models.fit_data import encode

    plain = [Target(target.id, target.prompt, target.response) for target in targets]
    return {text.id: text for text in encode(model, plain, FitConfig(max_length=max_length)).texts}


def greedy_right(task: Task, work: Workspace, part: str = "") -> dict[str, bool]:
    """Return whether each answered question of `supervise` is answered right: in the folder of the parent `part`, or
    in the step's own."""
    folder, gold = work.parents[part] if part else work.folder, open_gold(work.parents["task"])
    examples = by_id(read_examples(work.parents["task"], ("supervise",)), "supervise questions")
    return {
        id: task.correct(task.parse(responses[0].text, examples[id]), examples[id], gold[id])
        for id, responses in read_responses(folder)
    }


def _row(model: LanguageModel, task: Task, target: Target, text: TrainingText | None, right: bool | None) -> Answer:
    from w2sg.models.teacher_forced import tokens_before

    tokens = len(model.response_ids(target.response))
    if text is None:
        return Answer(target.id, tokens, 0, 0, right)
    counted = len(text) - text.prompt_length
    place = final_answer(target.response, task.mark)
    return Answer(
        target.id, tokens, counted, min(counted, tokens_before(model.dialogue, target.response, place)), right
    )
