"""From the store: how many questions a model was tuned on, of those there were, and why it was not on more.

Needs no gold. Rows, sentences and alarms are `taught`'s.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from w2sg.recipes.alice import Alice
from w2sg.recipes.base import Recipe
from w2sg.recipes.gold import GoldTargets
from w2sg.report.arms import TaughtMade
from w2sg.report.schema import WhyUntaught
from w2sg.report.taught import is_alarming
from w2sg.runs.store import Store
from w2sg.steps.base import Step
from w2sg.steps.inputs import read_examples, read_labels, read_responses
from w2sg.steps.propose import Choice
from w2sg.steps.rewrite import RewriteSettings, label_parts, told
from w2sg.steps.slices import in_slice
from w2sg.steps.task import task_of

_Reasons = Counter[WhyUntaught]


class TaughtReader:
    """Reads what arms were taught, each training step once. `records` are of all steps, by fingerprint."""

    def __init__(self, store: Store, records: Mapping[str, Any]) -> None:
        self._store, self._records = store, records
        self._sizes: dict[tuple[str, ...], int] = {}
        self._found: dict[str, TaughtMade] = {}

    def behind(self, tuned: Step | None) -> TaughtMade | None:
        """Return what the step that made a model was taught; of an ensemble's experts, the one taught the fewest
        questions. None for a model that was not tuned here.

        Raises:
            StoreError: a step's files are missing or damaged.
        """
        found = [self._made(fit, texts) for fit, texts in _lessons(tuned, set())] if tuned is not None else []
        return min(found, key=lambda made: made.taught, default=None)

    def _made(self, fit: Step, texts: Step) -> TaughtMade:
        if fit.fingerprint not in self._found:
            self._found[fit.fingerprint] = self._read(fit, texts)
        return self._found[fit.fingerprint]

    def _read(self, fit: Step, texts: Step) -> TaughtMade:
        written = self._records[texts.fingerprint]["summary"]["targets"]
        # Rounds of boosting draw their texts anew; scripted models count none.
        taught = self._summary(fit).get("texts", written) if fit.kind == "fit" else written
        counts = [self._summary(step) for step in _rewrites(texts)]
        made = TaughtMade(
            taught=taught,
            questions=self._size(texts),
            rewrites=sum(one["responses"] for one in counts) if counts else None,
            cut=sum(one["cut"] for one in counts) if counts else None,
        )
        if not is_alarming(made.taught, made.questions, made.rewrites, made.cut):
            return made
        why = self._labels(texts) + self._tries(texts, written, made.questions)
        for step in _rewrites(texts):
            why += self._replies(step, texts)
        why["texts over max_length"] = written - taught
        return TaughtMade(made.taught, made.questions, made.rewrites, made.cut, {k: n for k, n in why.items() if n})

    def _summary(self, step: Step) -> dict[str, Any]:
        summary: dict[str, Any] = self._records[step.fingerprint]["summary"]
        return summary

    def _size(self, texts: Step) -> int:
        """How many questions there are to learn."""
        settings, task = texts.settings, texts.parents["task"]
        role = settings.role if isinstance(settings, GoldTargets) else "transfer"
        part = getattr(settings, "slice", None)
        key = (task.fingerprint, role, str(part))
        if key not in self._sizes:
            self._sizes[key] = len(in_slice(read_examples(self._store.folder(task), (role,)), part))
        return settings.count(self._sizes[key]) if isinstance(settings, Recipe) else self._sizes[key]

    def _labels(self, texts: Step) -> _Reasons:
        """Questions to which no supervisor gave an answer."""
        parts = label_parts(texts.parents)
        if not parts:
            return Counter()
        labels = zip(*(read_labels(self._store.folder(texts.parents[part])) for part in parts), strict=True)
        return Counter({"questions without an answer": sum(all(one.answer is None for one in each) for each in labels)})

    def _tries(self, texts: Step, written: int, questions: int) -> _Reasons:
        return Counter({"questions without a right try": questions - written if "tries" in texts.parents else 0})

    def _replies(self, step: Step, texts: Step) -> _Reasons:
        """Rewrites that may not be learnt, by the first reason that holds."""
        settings, folder = step.settings, self._store.folder(step)
        assert isinstance(settings, RewriteSettings)
        task, choice = task_of(step), texts.settings.choice if isinstance(texts.settings, Alice) else _ANY
        folders = {part: self._store.folder(parent) for part, parent in step.parents.items()}
        examples = {one.id: one for one in read_examples(folders["task"], ("transfer",))}
        replies, why = dict(read_responses(folder)), _Reasons()
        for seen in told(folders, settings.shown):
            for one in replies.get(seen.id, ()):
                answer = task.parse(one.text, examples[seen.id]) if one.finished else None
                if not one.finished:
                    why["rewrites unfinished" if one.tokens else "rewrites with no room in the context"] += 1
                elif not one.text.strip():
                    why["rewrites empty"] += 1
                elif answer is None:
                    why["rewrites unreadable"] += 1
                elif not choice.passes(task, one, answer, seen.text):
                    why["rewrites that are a bare answer"] += 1
        return why


_ANY = Choice(check=False, reasoned=False, choose="first")


def _lessons(step: Step, seen: set[str]) -> Iterator[tuple[Step, Step]]:
    """Yield the nearest training steps that `step` rests on, with the step that wrote their texts."""
    if step.fingerprint in seen:
        return
    seen.add(step.fingerprint)
    if "targets" in step.parents:
        yield step, step.parents["targets"]
        return
    for parent in step.parents.values():
        yield from _lessons(parent, seen)


def _rewrites(texts: Step) -> list[Step]:
    """The steps that wrote the rewrites that `texts` chose from, of every turn."""
    found = {
        parent.fingerprint: parent
        for step in (texts, *(one for one in texts.parents.values() if one.kind == "propose"))
        for parent in step.parents.values()
        if parent.kind == "rewrite"
    }
    return list(found.values())
