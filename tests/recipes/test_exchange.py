"""Which answer of several turns is learnt, by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from w2sg.recipes.exchange import Keep, best_turn, final_proposals
from w2sg.records import Response
from w2sg.steps.inputs import RESPONSES
from w2sg.steps.judge import JUDGEMENTS, Judgement
from w2sg.storage import write_rows


def judged(support: float, *, agreed: bool = False, id: str = "q") -> Judgement:
    after = "1" if agreed else "2"
    return Judgement(id, "1", "2", after, support_before=0.0, support_after=support, agreed=agreed, asked=True)


def test_the_answer_that_moved_most_samples_is_kept_the_later_of_equals() -> None:
    assert best_turn([[judged(0.4)], [judged(0.1)]]) == 0
    assert best_turn([[judged(0.1)], [judged(0.4)]]) == 1
    assert best_turn([[judged(0.0)], [judged(0.0)], [judged(0.0)]]) == 2
    assert best_turn([[judged(0.0)]]) == 0


def test_agreement_goes_before_support() -> None:
    assert best_turn([[judged(0.45)], [judged(0.4, agreed=True)]]) == 1


def test_several_supervisors_are_added_up_and_agree_only_together() -> None:
    assert best_turn([[judged(0.4), judged(0.0)], [judged(0.1), judged(0.2)]]) == 0
    assert (
        best_turn([[judged(0.9, agreed=True), judged(0.0)], [judged(0.5, agreed=True), judged(0.5, agreed=True)]]) == 1
    )


@pytest.mark.parametrize(("keep", "expected"), [("judged", ["q0 turn 1", "q1 turn 2"]), ("last", None)])
def test_final_answers_are_read_question_by_question(tmp_path: Path, keep: Keep, expected: list[str] | None) -> None:
    parents = {"labels": tmp_path / "labels"}
    support = {"q0": (0.5, 0.2), "q1": (0.5, 0.7)}
    for turn in (1, 2):
        rows = [Response(id, 0, f"{id} turn {turn}", 3, True) for id in support]
        write_rows(tmp_path / f"p{turn}" / RESPONSES, rows)
        judgements = [judged(support[id][turn - 1], id=id) for id in support]
        write_rows(tmp_path / f"j{turn}" / JUDGEMENTS, judgements)
        parents |= {f"proposals-{turn}": tmp_path / f"p{turn}", f"judged-{turn}": tmp_path / f"j{turn}"}
    found = [(id, [row.text for row in rows]) for id, rows in final_proposals(parents, 2, keep)]
    expected = expected or ["q0 turn 2", "q1 turn 2"]
    assert found == [("q0", [expected[0]]), ("q1", [expected[1]])]
