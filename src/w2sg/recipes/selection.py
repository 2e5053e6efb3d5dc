"""Which answer to a question is learnt: the rewrite's, or the one that supervisor, student and rewrite agree on.

Self-consistency (Wang et al. 2022) over different speakers instead of samples of one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal

from w2sg.records import Example, Response
from w2sg.steps.propose import Choice
from w2sg.steps.rewrite import Told
from w2sg.tasks.base import Task

Select = Literal["rewrite", "agreement", "votes"]

Ballot = Mapping[str, float]
"""One voter's answers with their weights; empty where it has none that can be read."""


def selected(
    task: Task, example: Example, seen: Told, written: Sequence[Response], choice: Choice, *, split: bool
) -> str | None:
    """Return the text to learn: one with the answer that most of the supervisors, the student's own attempt and its
    rewrite give, each with one vote; where no answer leads alone, the rewrite. None where no text may be learnt.

    The text is the chosen rewrite where it gives that answer, else another rewrite or the attempt that passes the
    check, else a supervisor's.

    Args:
        seen: what the student was told; supervisors without an answer have no vote.
        written: the rewrites.
        choice: which rewrite is taken, and what passes the check.
        split: whether supervisors and rewrites split their vote over all their samples, or give it to the supervisor's
            answer and the chosen rewrite.
    """
    rewritten = choice.of(task, example, written, seen.text)
    final = None if rewritten is None else task.parse(rewritten.text, example)
    heard = [label for label in seen.work if label.histogram]
    own = task.parse(seen.attempt, example)
    given = [task.parse(response.text, example) for response in written]
    fit = [choice.passes(task, response, answer, seen.text) for response, answer in zip(written, given, strict=True)]
    if split:
        ballots = [shares([*label.histogram, (None, label.unparsed)]) for label in heard]
        ballots.append(shares([(answer if passes else None, 1) for answer, passes in zip(given, fit, strict=True)]))
    else:
        ballots = [one_answer(label.answer) for label in heard]
        ballots.append(one_answer(final))
    winner = agreed(task, [*ballots, one_answer(own)], final)
    if winner is None:
        return None if rewritten is None else rewritten.text

    def texts() -> Iterator[str]:
        if rewritten is not None:
            yield rewritten.text
        yield from (response.text for response, passes in zip(written, fit, strict=True) if passes)
        if seen.own is not None and choice.passes(task, seen.own, own, seen.text):
            yield seen.own.text
        for label in heard:
            yield from (label.text, *label.variants)

    def gives(text: str) -> bool:
        answer = task.parse(text, example)
        return answer is not None and (answer == winner or task.same(answer, winner))

    return next(filter(gives, texts()), None)


def one_answer(answer: str | None) -> Ballot:
    """Return the ballot of a voter with one answer: a whole vote for it, none where it cannot be read."""
    return {} if answer is None else {answer: 1.0}


def shares(answers: Iterable[tuple[str | None, int]]) -> Ballot:
    """Return the ballot of a voter that gave answers, so often each: one vote, split in proportion. What cannot be
    read (None) keeps its part, so that a voter that rarely gives an answer has little to say."""
    counted = list(answers)
    total = sum(count for _, count in counted)
    ballot: dict[str, float] = {}
    for answer, count in counted:
        if answer is not None:
            ballot[answer] = ballot.get(answer, 0.0) + count / total
    return ballot


def agreed(task: Task, ballots: Sequence[Ballot], fallback: str | None) -> str | None:
    """Return the answer with the most votes in all ballots, answers being equal as the task says.

    Args:
        fallback: the answer where several share the first place; None for none.
    """
    names: list[str] = []
    votes: list[float] = []
    for ballot in ballots:
        for answer, weight in ballot.items():
            for place, name in enumerate(names):
                if answer == name or task.same(answer, name):
                    votes[place] += weight
                    break
            else:
                names.append(answer)
                votes.append(weight)
    if not names:
        return fallback
    most = max(votes)
    leaders = [name for name, weight in zip(names, votes, strict=True) if weight > most - _ROUNDING]
    return leaders[0] if len(leaders) == 1 else fallback


_ROUNDING = 1e-9  # shares that are equal on paper may differ by the rounding of their sums
