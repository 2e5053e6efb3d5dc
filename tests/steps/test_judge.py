"""How a student's answers are chosen turn by turn and how a supervisor's vote on them moves, by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from w2sg.decode.config import SamplingConfig
from w2sg.errors import DataError
from w2sg.models.base import ModelConfig, RuntimeConfig, silent
from w2sg.records import Example, Item, Response, WeakLabel
from w2sg.steps.base import Step, Workspace
from w2sg.steps.inputs import ITEMS, LABELS, RESPONSES, read_labels, read_responses
from w2sg.steps.judge import JudgeSettings, judge_step, judgement, moved, read_judgements, support
from w2sg.steps.model import ModelRef, Node
from w2sg.steps.propose import Choice, ProposeSettings, propose_step
from w2sg.steps.task import TaskSettings
from w2sg.storage import write_rows
from w2sg.tasks import build, task_config

CONFIG = task_config({"kind": "file", "labelled": "unread.jsonl", "grader": "numeric", "instruction": ""})
TASK = build(CONFIG)
QUESTION = Example("q", "How many?")
TASK_STEP = Step("task", TaskSettings(task=CONFIG, files={}, version=1))


def label(id: str, *counts: tuple[str, int], unparsed: int = 0, statement: str = "") -> WeakLabel:
    answer = counts[0][0] if counts else None
    return WeakLabel(id, f"taught\nAnswer: {answer}" if counts else "hm", answer, counts, unparsed, 0.5, statement)


def says(id: str, *texts: str) -> list[Response]:
    return [Response(id, number, text, 3, True) for number, text in enumerate(texts)]


BEFORE = label("q", ("1", 6), ("2", 2), unparsed=2, statement="I lean towards 1.")


def test_support_is_a_share_of_all_samples() -> None:
    assert support(TASK, "1", BEFORE) == 0.6
    assert support(TASK, "2", BEFORE) == 0.2
    assert support(TASK, "3", BEFORE) == 0
    assert support(TASK, None, BEFORE) == 0
    assert support(TASK, "1", label("q")) == 0


def test_a_vote_that_moves_to_the_student_agrees() -> None:
    after = moved(TASK, QUESTION, BEFORE, says("q", "Answer: 2", "yes\nAnswer: 2.0", "Answer: 1", "hm"))
    assert (after.answer, after.histogram, after.unparsed) == ("2", (("2", 2), ("1", 1)), 1)
    assert after.confidence == 0.5
    assert after.text == "Answer: 2"
    assert after.statement.startswith("Asked 4 times, I gave 2 (twice), 1 (once) and no clear answer (once).")
    found = judgement(TASK, "2", BEFORE, after, True)
    assert (found.before, found.after, found.agreed) == ("1", "2", True)
    assert (found.support_before, found.support_after) == (0.2, 0.5)


def test_a_vote_that_stays_does_not() -> None:
    after = moved(TASK, QUESTION, BEFORE, says("q", "Answer: 1"))
    found = judgement(TASK, "2", BEFORE, after, True)
    assert (found.after, found.agreed, found.support_after) == ("1", False, 0.0)


def test_a_supervisor_that_is_struck_dumb_stands_by_what_it_said() -> None:
    assert moved(TASK, QUESTION, BEFORE, says("q", "hm", "hm")) == BEFORE


def test_doubt_is_put_into_words_only_where_it_was() -> None:
    assert moved(TASK, QUESTION, label("q", ("1", 3)), says("q", "Answer: 2")).statement == ""


def test_an_answer_that_cannot_be_read_moves_nothing() -> None:
    found = judgement(TASK, None, BEFORE, BEFORE, False)
    assert (found.proposed, found.support_before, found.support_after, found.agreed) == (None, 0, 0, False)


LABELLED = [
    label("q0", ("1", 4)),
    label("q1", ("1", 3), ("2", 1), statement="I lean towards 1."),
    label("q2"),
    label("q3", ("1", 2), ("2", 2)),
    label("q4", ("5", 4)),
]


@pytest.fixture
def parents(tmp_path: Path) -> dict[str, Path]:
    """q0 agreed already, q1 and q4 in dispute, q2 never answered by the supervisor, q3 not by the student."""
    found = {name: tmp_path / name for name in ("task", "labels", "attempts", "rewrites")}
    write_rows(found["task"] / ITEMS, [Item(Example(f"q{n}", f"Question {n}"), "transfer") for n in range(5)])
    write_rows(found["labels"] / LABELS, LABELLED)
    own = ["Answer: 1", "Answer: 2", "Answer: 3", "hm", "Answer: 6"]
    write_rows(found["attempts"] / RESPONSES, [Response(f"q{n}", 0, text, 3, True) for n, text in enumerate(own)])
    return found


def steps_of(parents: dict[str, Path]) -> dict[str, Step]:
    return dict.fromkeys(parents, TASK_STEP)


def persuaded(question: str) -> str:
    """Gives in to another's answer on the first question in dispute, and stands firm on the other."""
    assert "own first answer:\ntaught" in question
    assert "Somebody else's answer:\nAnswer: " in question
    return "so it is\nAnswer: 2" if "Question 1" in question else "no\nAnswer: 5"


def test_a_supervisor_is_asked_where_the_two_differ_and_all_else_is_carried_over(
    parents: dict[str, Path], tmp_path: Path
) -> None:
    del parents["rewrites"]
    model = ModelRef(config=ModelConfig(path=f"scripted:{__name__}:persuaded"), content={})
    sampling = SamplingConfig(samples=3, temperature=0.9)
    settings = JudgeSettings(model=model, sampling=sampling, seed=1)
    step = judge_step(Node(model), steps_of(parents), settings, "judge")
    outcome = step.run(Workspace(tmp_path / "judge", parents, RuntimeConfig(), silent))
    labels = list(read_labels(tmp_path / "judge"))
    assert [labels[number] for number in (0, 2, 3)] == [LABELLED[number] for number in (0, 2, 3)]
    assert (labels[1].answer, labels[1].histogram) == ("2", (("2", 3),))
    assert labels[1].statement == "Asked 3 times, I answered 2 every time. I am sure of it."
    assert (labels[4].answer, labels[4].statement) == ("5", "")
    found = {one.id: one for one in read_judgements(tmp_path / "judge")}
    assert [found[f"q{n}"].asked for n in range(5)] == [False, True, False, False, True]
    assert [found[f"q{n}"].agreed for n in range(5)] == [True, True, False, False, False]
    assert (found["q1"].support_before, found["q1"].support_after) == (0.25, 1.0)
    assert (found["q4"].support_before, found["q4"].support_after) == (0.0, 0.0)
    assert outcome.summary["asked"] == 2
    assert (outcome.summary["agreed_before"], outcome.summary["agreed_after"]) == (1, 2)
    assert (outcome.summary["support_before"], outcome.summary["support_after"]) == (0.125, 0.5)
    assert outcome.cost.tokens_sampled == sum(
        row.tokens for _, rows in read_responses(tmp_path / "judge") for row in rows
    )


def propose(parents: dict[str, Path], folder: Path, *, check: bool = True, bypass: bool = False) -> dict[str, str]:
    settings = ProposeSettings(choice=Choice(check=check, reasoned=True, choose="majority"), bypass=bypass)
    step = propose_step(steps_of(parents), settings, "propose")
    step.run(Workspace(folder, parents, RuntimeConfig(), silent))
    found = dict(read_responses(folder))
    assert list(found) == [f"q{n}" for n in range(5)]
    assert all(len(rows) == 1 for rows in found.values())
    return {id: rows[0].text for id, rows in found.items()}


def test_a_student_stands_by_its_rewrite_or_by_what_it_said_before(parents: dict[str, Path], tmp_path: Path) -> None:
    rows = [*says("q1", "Answer: 7", "a\nAnswer: 2", "b\nAnswer: 2"), *says("q4", "hm", "hm")]
    write_rows(parents["rewrites"] / RESPONSES, rows)
    assert propose(parents, tmp_path / "out") == {
        "q0": "Answer: 1", "q1": "a\nAnswer: 2", "q2": "Answer: 3", "q3": "hm", "q4": "Answer: 6",
    }  # fmt: skip
    assert propose(parents, tmp_path / "unchecked", check=False)["q4"] == "hm"


def test_what_was_bypassed_is_the_demonstration(parents: dict[str, Path], tmp_path: Path) -> None:
    write_rows(parents["rewrites"] / RESPONSES, says("q1", "Answer: 2"))
    found = propose(parents, tmp_path / "out", bypass=True)
    assert (found["q0"], found["q4"]) == ("taught\nAnswer: 1", "taught\nAnswer: 5")
    assert found["q3"] == "hm"


def test_a_student_without_any_answer_has_an_empty_one(parents: dict[str, Path], tmp_path: Path) -> None:
    del parents["attempts"]
    write_rows(parents["rewrites"] / RESPONSES, says("q1", "so\nAnswer: 2"))
    assert set(propose(parents, tmp_path / "out").values()) == {"", "so\nAnswer: 2"}


def test_rewrites_out_of_order_are_an_error(parents: dict[str, Path], tmp_path: Path) -> None:
    write_rows(parents["rewrites"] / RESPONSES, [*says("q4", "Answer: 2"), *says("q1", "Answer: 2")])
    with pytest.raises(DataError, match="rewrites answer 'q1', which the labels do not speak of at that place"):
        propose(parents, tmp_path / "out")
