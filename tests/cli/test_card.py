"""What a student's card says of the questions that taught it."""

from __future__ import annotations

from pathlib import Path

from scripted_runs import plan_of, run
from w2sg.cli.card import write_card
from w2sg.cli.student import CARD
from w2sg.report.collect import collect
from w2sg.report.gather import gather
from w2sg.report.schema import WhyRow


def test_the_card_says_how_many_questions_taught_the_student(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, ["imitation"])
    store = run(plan, tmp_path)
    results = collect(*gather(plan, store), resamples=20)
    write_card(tmp_path, plan, plan.arms[0], store, results)
    line = "- 14 unanswered questions were given to the teacher to label; imitation learnt from {} (`transfer`)"
    assert line.format("14 of 14") in (tmp_path / CARD).read_text()
    why = (WhyRow(reason="questions without an answer", count=11),)
    few = results.taught[0].model_copy(update={"taught": 3.0, "why": why})
    write_card(tmp_path, plan, plan.arms[0], store, results.model_copy(update={"taught": (few,)}))
    assert line.format("3 of 14 (11 questions without an answer)") in (tmp_path / CARD).read_text()
