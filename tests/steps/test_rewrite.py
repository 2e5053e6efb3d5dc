"""What a student is told of each question, by hand: joined by id, shuffled, bypassed, left out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from w2sg.errors import DataError
from w2sg.records import Response, WeakLabel
from w2sg.seeding import stream
from w2sg.steps.inputs import LABELS, RESPONSES
from w2sg.steps.rewrite import Shown, Shuffle, label_parts, told
from w2sg.storage import write_rows
from w2sg.tasks.revision import Demonstration


def shown(*, uncertainty: bool = True, bypass: bool = False, shuffle: Shuffle = "none", seed: int = 0) -> Shown:
    return Shown(uncertainty=uncertainty, order="own-first", bypass=bypass, shuffle=shuffle, seed=seed)


def label(number: int, *counts: int, who: str = "teacher") -> WeakLabel:
    """A label whose answers are number, number + 100, ...; without counts one without an answer."""
    answers = tuple((str(number + 100 * place), count) for place, count in enumerate(counts))
    answer = answers[0][0] if answers else None
    return WeakLabel(f"q{number}", f"{who}'s text {number}", answer, answers, 0, 0.5, f"{who}'s doubt {number}")


LABELLED = [label(0, 4), label(1, 3, 1), label(2), label(3, 2, 2), label(4, 1)]


def folders(root: Path, *supervisors: Sequence[WeakLabel], attempts: bool = True) -> dict[str, Path]:
    found = {}
    for number, labels in enumerate(supervisors, start=1):
        name = "labels" if number == 1 else f"labels-{number}"
        write_rows(root / name / LABELS, labels)
        found[name] = root / name
    if attempts:
        rows = [Response(one.id, 0, f"own {one.id}", 2, True) for one in supervisors[0]]
        write_rows(root / "attempts" / RESPONSES, rows)
        found["attempts"] = root / "attempts"
    return found


def test_every_question_is_told_its_own_work_and_attempt(tmp_path: Path) -> None:
    found = list(told(folders(tmp_path, LABELLED), shown()))
    assert [(one.id, one.attempt, one.heard) for one in found] == [
        (f"q{number}", f"own q{number}", number != 2) for number in range(5)
    ]
    assert found[1].demonstrations(shown()) == [
        Demonstration("teacher's text 1", (("1", 3), ("101", 1)), "teacher's doubt 1")
    ]
    assert found[1].demonstrations(shown(uncertainty=False)) == [Demonstration("teacher's text 1")]
    assert found[2].demonstrations(shown()) == []


def test_answers_stand_most_frequent_first_unless_they_are_shuffled(tmp_path: Path) -> None:
    labels = [label(number, 5, 3, 2) for number in range(12)]
    settings = shown().model_copy(update={"listing": "shuffled"})
    firsts = set()
    for one in told(folders(tmp_path, labels), settings):
        (usual,), (other,) = one.demonstrations(shown()), one.demonstrations(settings)
        assert [count for _, count in usual.answers] == [5, 3, 2]
        assert set(other.answers) == set(usual.answers)
        firsts.add(other.answers[0][1])
    assert firsts == {5, 3, 2}
    assert "listing" not in shown().identity()


def test_without_attempts_there_is_none(tmp_path: Path) -> None:
    assert {one.attempt for one in told(folders(tmp_path, LABELLED, attempts=False), shown())} == {""}


def test_bypass_copies_where_all_samples_agree(tmp_path: Path) -> None:
    settings = shown(bypass=True)
    found = list(told(folders(tmp_path, LABELLED), settings))
    assert [one.is_bypassed(settings) for one in found] == [True, False, False, False, True]
    assert not any(one.is_bypassed(shown()) for one in found)


def test_several_supervisors_agree_only_with_one_another(tmp_path: Path) -> None:
    other = [label(0, 2, who="other"), label(1, 2, who="other"), label(2, 1, who="other"), label(3), label(4)]
    other[0] = WeakLabel("q0", "other's text 0", "7", (("7", 2),), 0, 1.0)
    settings = shown(bypass=True)
    found = list(told(folders(tmp_path, LABELLED, other), settings))
    assert [one.heard for one in found] == [True] * 5
    assert [one.is_bypassed(settings) for one in found] == [False, False, True, False, True]
    assert found[2].demonstration().text == "other's text 2"
    assert [one.text for one in found[1].demonstrations(settings)] == ["teacher's text 1", "other's text 1"]


@pytest.mark.parametrize("seed", range(8))
def test_shuffled_work_is_never_ones_own_and_all_is_used(tmp_path: Path, seed: int) -> None:
    parents = folders(tmp_path, LABELLED)
    found = [one for one in told(parents, shown(shuffle="all", seed=seed)) if one.heard]
    assert sorted(one.work[0].id for one in found) == ["q0", "q1", "q3", "q4"]
    assert all(one.work[0].id == one.said[0].id != one.id for one in found)
    assert all(one.attempt == f"own {one.id}" for one in found)
    statements = [one for one in told(parents, shown(shuffle="statement", seed=seed)) if one.heard]
    assert all(one.work[0].id == one.id != one.said[0].id for one in statements)
    (mixed,) = statements[0].demonstrations(shown(shuffle="statement"))
    assert mixed.text == "teacher's text 0"
    assert mixed.statement == statements[0].said[0].statement != "teacher's doubt 0"


def test_shuffling_alone_changes_nothing_else(tmp_path: Path) -> None:
    parents = folders(tmp_path, LABELLED)
    assert list(told(parents, shown(shuffle="all", seed=3))) == list(told(parents, shown(shuffle="all", seed=3)))
    orders = {tuple(one.said[0].id for one in told(parents, shown(shuffle="all", seed=seed))) for seed in range(8)}
    assert len(orders) > 1


@pytest.mark.parametrize("seed", range(4))
def test_shuffled_work_is_that_of_all_labels_held_and_gone_round_once(tmp_path: Path, seed: int) -> None:
    """Two supervisors, of whom the first, the second or both say nothing of some questions."""
    first = [label(number, *[3] * (number % 3 != 0)) for number in range(20)]
    second = [label(number, *[2] * (number % 4 != 0), who="other") for number in range(20)]
    held = {one.id: (one, two) for one, two in zip(first, second, strict=True) if one.histogram or two.histogram}
    ids, order = list(held), stream(seed, "shuffled-work").permutation(len(held)).tolist()
    source = {ids[order[place - 1]]: ids[order[place]] for place in range(len(order))}
    found = list(told(folders(tmp_path, first, second), shown(shuffle="all", seed=seed)))
    assert [one.id for one in found] == [one.id for one in first]
    assert all(one.work == one.said == held[source[one.id]] for one in found if one.id in held)
    assert [one.work for one in found if one.id not in held] == [(first[0], second[0]), (first[12], second[12])]


def test_one_readable_label_cannot_be_shuffled(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="and there are 1"):
        list(told(folders(tmp_path, [label(0, 1), label(1)]), shown(shuffle="all")))


def test_what_answers_other_questions_is_refused(tmp_path: Path) -> None:
    parents = folders(tmp_path, LABELLED)
    write_rows(parents["attempts"] / RESPONSES, [Response("q9", 0, "own", 1, True)])
    with pytest.raises(DataError, match="answer 'q9' where the labels speak of 'q0'"):
        list(told(parents, shown()))
    with pytest.raises(DataError, match=r"label different questions: \['q0', 'q4'\]"):
        list(told(folders(tmp_path / "two", LABELLED, LABELLED[::-1]), shown()))


def test_label_parts_are_in_the_order_of_the_supervisors() -> None:
    names = ["task", "labels-10", "labels-2", "attempts", "labels"]
    assert label_parts(names) == ["labels", "labels-2", "labels-10"]
