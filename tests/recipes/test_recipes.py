"""Training texts of every recipe: joined by id, sealed gold only where it is written down."""

from __future__ import annotations

from pathlib import Path

import pytest

from w2sg.errors import ConfigError, DataError
from w2sg.recipes.gold import GoldTargets
from w2sg.recipes.imitation import Imitation
from w2sg.recipes.shuffled import Shuffled
from w2sg.records import Example, Gold, Item, TaskRow, WeakLabel
from w2sg.schedules.methods import method
from w2sg.seeding import derive
from w2sg.steps.inputs import ITEMS, LABELS, SEALED_ACCESS
from w2sg.storage import read_lines, write_rows
from w2sg.tasks import build, task_config
from w2sg.tasks.sealed import write_gold

TASK = build(task_config({"kind": "file", "labelled": "unread.jsonl", "grader": "numeric"}))


@pytest.fixture
def parents(tmp_path: Path) -> dict[str, Path]:
    """A laid-out task of two supervise and six transfer questions, with weak labels in another order."""
    rows = [
        TaskRow(Example(f"s{n}", f"supervise {n}"), Gold(f"s{n}", str(n), (), f"since {n}"), "supervise")
        for n in (1, 2)
    ]
    rows += [TaskRow(Example(f"t{n}", f"transfer {n}"), Gold(f"t{n}", str(10 + n)), "transfer") for n in range(6)]
    task, labels = tmp_path / "task", tmp_path / "labels"
    task.mkdir()
    write_rows(task / ITEMS, [Item(row.example, row.role) for row in rows])  # type: ignore[arg-type]
    write_gold(task, rows)
    weak = [WeakLabel(f"t{n}", f"Answer: {n}", str(n)) for n in range(5)] + [WeakLabel("t5", "hm", None)]
    write_rows(labels / LABELS, reversed(weak))
    return {"task": task, "labels": labels}


def test_imitation_joins_by_id_and_leaves_out_what_does_not_parse(parents: dict[str, Path], tmp_path: Path) -> None:
    targets = Imitation().targets(TASK, parents, tmp_path)
    assert [(target.id, target.prompt[0].content, target.response) for target in targets] == [
        (f"t{n}", TASK.prompt(Example(f"t{n}", f"transfer {n}")), f"Answer: {n}") for n in range(5)
    ]
    assert len(Imitation(keep_unparsed=True).targets(TASK, parents, tmp_path)) == 6


def test_imitation_of_the_surest_labels_by_hand(parents: dict[str, Path], tmp_path: Path) -> None:
    """Of five that can be read the surest two, two fifths; of equals any, whatever their place; in the task's order."""
    sure = {"t0": 0.2, "t1": 0.9, "t2": 0.5, "t3": 0.9, "t4": 0.9, "t5": 1.0}
    weak = [WeakLabel(id, f"Answer: {id[1:]}", None if id == "t5" else id[1:], confidence=sure[id]) for id in sure]
    write_rows(parents["labels"] / LABELS, reversed(weak))

    def learnt(keep: float) -> list[str]:
        return [target.id for target in Imitation(keep=keep).targets(TASK, parents, tmp_path)]

    equal = ["t1", "t3", "t4"]
    assert learnt(0.4) == sorted(sorted(equal, key=lambda id: derive(0, id))[:2]) != equal[:2]
    assert learnt(0.41) == equal
    assert [Imitation(keep=share).count(labels) for share, labels in ((0.07, 100), (0.28, 100), (0.5, 5))] == [7, 28, 3]
    assert learnt(0.8) == ["t1", "t2", "t3", "t4"]
    assert learnt(1.0) == ["t0", "t1", "t2", "t3", "t4"]


def test_the_surest_of_labels_without_confidence_are_refused() -> None:
    with pytest.raises(ConfigError, match="greedy labels state no confidence"):
        method("mine", {"recipe": {"kind": "imitation", "keep": 0.5}})
    assert method("mine", {"recipe": {"kind": "imitation", "keep": 0.5}, "elicit": "vote"}).recipe.needs_confidence


def test_a_missing_label_is_an_error_that_names_it(parents: dict[str, Path], tmp_path: Path) -> None:
    write_rows(parents["labels"] / LABELS, [WeakLabel("t0", "Answer: 0", "0")])
    with pytest.raises(DataError, match="No weak label for 5 of 6 examples, first 't1'"):
        Imitation().targets(TASK, parents, tmp_path)


def test_shuffled_labels_never_stay_and_are_all_used(parents: dict[str, Path], tmp_path: Path) -> None:
    for seed in range(20):
        targets = Shuffled().seeded(seed).targets(TASK, parents, tmp_path)
        assert sorted(target.response for target in targets) == [f"Answer: {n}" for n in range(5)]
        assert all(target.response != f"Answer: {target.id[1:]}" for target in targets)
    again = Shuffled().seeded(19).targets(TASK, parents, tmp_path)
    assert again == targets
    assert Shuffled().seeded(3).identity() != Shuffled().seeded(4).identity()


def test_open_gold_teaches_its_reasoning_and_leaves_no_trace(parents: dict[str, Path], tmp_path: Path) -> None:
    targets = GoldTargets(role="supervise").targets(TASK, parents, tmp_path)
    assert [target.response for target in targets] == ["since 1\nAnswer: 1", "since 2\nAnswer: 2"]
    plain = GoldTargets(role="supervise", reasoning=False).targets(TASK, parents, tmp_path)
    assert [target.response for target in plain] == ["Answer: 1", "Answer: 2"]
    assert not (tmp_path / SEALED_ACCESS).exists()


def test_the_ceiling_opens_sealed_gold_and_it_is_written_down(parents: dict[str, Path], tmp_path: Path) -> None:
    targets = GoldTargets(role="transfer").targets(TASK, parents, tmp_path)
    assert targets[3].response == "Answer: 13"
    (line,) = read_lines(tmp_path / SEALED_ACCESS)
    assert (line["by"], line["reason"]) == ("ceiling", "ceiling")


def test_an_unlabelled_pool_has_no_ceiling(parents: dict[str, Path], tmp_path: Path) -> None:
    write_gold(parents["task"], [TaskRow(Example("s1", "supervise 1"), Gold("s1", "1"), "supervise")])
    with pytest.raises(DataError, match="leave the control 'ceiling' out"):
        GoldTargets(role="transfer").targets(TASK, parents, tmp_path)
