"""How many experts to keep, by the questions of `validate`: by hand on written answers, and on real tiny experts."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tiny_boosting import CPU, boosted, made, sums_cast
from w2sg.decode.config import SamplingConfig
from w2sg.errors import ConfigError, DataError
from w2sg.models.base import ModelConfig, silent
from w2sg.models.ensemble import save_ensemble
from w2sg.records import Response
from w2sg.runs.runner import run_steps
from w2sg.runs.store import Store
from w2sg.schedules.methods import method
from w2sg.steps.base import Outcome, Step, Workspace
from w2sg.steps.cast import Cast
from w2sg.steps.choose import ChooseSettings, PrefixScore, read_prefix_scores
from w2sg.steps.inputs import MODEL, RESPONSES, read_examples, read_responses
from w2sg.steps.model import ModelRef
from w2sg.steps.sample import sample_step
from w2sg.storage import write_rows
from w2sg.tasks.sealed import open_gold

REF = ModelRef(config=ModelConfig(path="org/base"), content={})


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """One store for all tests of the module: steps that they share run once."""
    return Store(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="module")
def cast(tiny_model: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Cast:
    """Four questions of `validate`."""
    return sums_cast(tmp_path_factory.mktemp("data"), tiny_model("llama"), validate=4)


def chosen(cast: Cast, task: Path, folder: Path, answers: Sequence[str]) -> Outcome:
    """Choose where every first few experts have answered already, as a killed attempt leaves it: one text for each,
    a letter per question (r = right, w = wrong, u = not to be read). The experts could not be loaded."""
    weights = [3.0 - number for number in range(len(answers))]
    for number in range(len(answers)):
        (folder / f"own-{number}").mkdir(parents=True)
        (folder / f"own-{number}" / "config.json").write_text(json.dumps({"number": number}))
    members = [(folder / f"own-{number}", weight) for number, weight in enumerate(weights)]
    save_ensemble(folder / "whole" / MODEL, "org/base", members, "log-linear")
    examples, gold = read_examples(task, ("validate",)), open_gold(task)
    for count, letters in enumerate(answers, start=1):
        rows = []
        for example, letter in zip(examples, letters, strict=True):
            right = int(gold[example.id].answer)
            text = {"r": f"Answer: {right}", "w": f"Answer: {right + 1}", "u": "Hm."}[letter]
            rows.append(Response(example.id, 0, text, tokens=5, finished=True))
        write_rows(folder / "work" / f"prefix-{count:03d}" / RESPONSES, rows)
    settings = ChooseSettings(model=REF, sampling=SamplingConfig(max_new_tokens=8))
    step = Step("choose", settings, {"task": cast.task})
    return step.run(Workspace(folder / "work", {"task": task, "model": folder / "whole"}, CPU, silent))


@pytest.mark.parametrize(
    ("answers", "kept"),
    [
        (("rwwu", "rrru", "rrrw"), 2),
        (("rwww", "rruw", "rrrr"), 3),
        (("rrww", "wwrr", "ruru"), 1),
        (("uuuu", "wwww"), 1),
        (("rrrr",), 1),
    ],
    ids=["two of three", "all", "all alike", "none right", "only one"],
)
def test_by_hand(answers: Sequence[str], kept: int, cast: Cast, store: Store, tmp_path: Path) -> None:
    laid_out = made_task(cast, store)
    outcome = chosen(cast, laid_out, tmp_path, answers)
    expected = [
        PrefixScore(count, 4, letters.count("r"), letters.count("u"), letters.count("r") / 4)
        for count, letters in enumerate(answers, start=1)
    ]
    assert read_prefix_scores(tmp_path / "work") == expected
    assert (outcome.summary["experts"], outcome.summary["of"]) == (kept, len(answers))
    assert outcome.summary["prefixes"] == [score.to_dict() for score in expected]
    assert outcome.cost.tokens_sampled == 5 * 4 * len(answers)
    stored = json.loads((tmp_path / "work" / MODEL / "ensemble.json").read_text())
    assert [expert["weight"] for expert in stored["experts"]] == [3.0, 2.0, 1.0][:kept]
    assert (stored["base"], stored["mixture"]) == ("org/base", "log-linear")
    last = tmp_path / "work" / MODEL / f"expert-{kept:02d}" / "config.json"
    assert json.loads(last.read_text()) == {"number": kept - 1}


def made_task(cast: Cast, store: Store) -> Path:
    """Lay out the task; return its folder."""
    run_steps((cast.task,), store, CPU, workers=1)
    return store.folder(cast.task)


def test_the_first_expert_alone_answers_as_if_there_were_no_other(cast: Cast, store: Store) -> None:
    """And no other questions than those of `validate` are asked."""
    supervisor = boosted(2).model_copy(update={"choose": "validate"})
    step, folder = made(supervisor.node(cast), store)
    assert step.kind == "choose"
    single = boosted(1).node(cast)
    greedy = SamplingConfig(max_new_tokens=cast.max_new_tokens, chunk=cast.chunk)
    answers = sample_step(single, cast.task, ("validate",), greedy, 0, "the first expert answers")
    _, alone = made(replace(single, tuned=answers), store)
    assert list(read_responses(folder / "prefix-001")) == list(read_responses(alone))
    scores = read_prefix_scores(folder)
    assert [(score.experts, score.n) for score in scores] == [(1, 4), (2, 4)]
    kept = json.loads((folder / MODEL / "ensemble.json").read_text())["experts"]
    assert len(kept) == (1 if scores[0].right >= scores[1].right else 2)
    asked = {id for count in (1, 2) for id, _ in read_responses(folder / f"prefix-{count:03d}")}
    assert asked == {example.id for example in read_examples(store.folder(cast.task), ("validate",))}


def test_of_one_expert_there_is_nothing_to_choose(cast: Cast) -> None:
    whole, one = boosted(1).node(cast), boosted(1).model_copy(update={"choose": "validate"}).node(cast)
    assert whole.tuned is not None
    assert one.tuned is not None
    assert one.tuned.fingerprint == whole.tuned.fingerprint


def test_without_questions_to_choose_by(cast: Cast, tmp_path: Path, tiny_model: Callable[..., Path]) -> None:
    none = sums_cast(tmp_path / "data", tiny_model("llama"))
    supervisor = boosted(2).model_copy(update={"choose": "validate"})
    with pytest.raises(ConfigError, match=r"'sums' sets split.validate to 0\. Give it a size, or keep all"):
        supervisor.node(none)
    with pytest.raises(DataError, match=r"chosen on the questions of validate, and there are none\. Raise"):
        chosen(none, made_task(none, Store(tmp_path / "store")), tmp_path, [""])


def test_students_and_the_experts_themselves_share_the_choice(cast: Cast) -> None:
    student, experts = (method(name).product(name, cast) for name in ("ensemw2s-chosen", "ensemw2s-chosen-experts"))
    assert student.labels is not None
    assert experts.node.tuned is not None
    assert experts.node.tuned.kind == "choose"
    assert experts.node.tuned.fingerprint in {step.fingerprint for step in student.labels.ancestors()}
    assert [step.kind for step in experts.node.tuned.ancestors()].count("boost") == 5
