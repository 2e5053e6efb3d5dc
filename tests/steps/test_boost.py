"""Rounds of boosting on random tiny models: what they leave, what they share, when they end, and kills."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.torch import load_file

from tiny_boosting import CPU, boosted, made, rounds
from w2sg.ensemble.distribution import equal_weights
from w2sg.ensemble.expert_weight import weighted_error
from w2sg.errors import DataError, ModelError
from w2sg.models.base import ModelConfig, silent
from w2sg.models.fit_config import FitConfig
from w2sg.models.loading import train
from w2sg.records import Response, Target, ask, by_id
from w2sg.runs.runner import run_steps
from w2sg.runs.store import Store
from w2sg.steps.answer_tokens import check_answers
from w2sg.steps.base import Step, Workspace, with_ancestors
from w2sg.steps.boost import BoostSettings, _held_out, _tokens, weighted
from w2sg.steps.boost_files import ANSWERS, Answer, read_answer_rows, read_arrays, read_round
from w2sg.steps.cast import Cast
from w2sg.steps.inputs import MODEL, RESPONSES, TARGETS, read_targets
from w2sg.steps.model import ModelRef, Node
from w2sg.storage import write_rows
from w2sg.supervisors.boosted import Boosted
from w2sg.supervisors.committee import Committee
from w2sg.supervisors.single import Teacher


def test_two_rounds_leave_all_that_there_is_to_know(cast: Cast, store: Store) -> None:
    step, folder = made(boosted(2).node(cast), store)
    first, second = rounds(step, store)
    told, arrays = read_round(first), read_arrays(first)
    rows = [row for row in read_answer_rows(store.folder(step.parents["expert-001"].parents["answers"])) if row.counted]
    count = sum(row.counted for row in rows)
    assert arrays["weights"].tolist() == equal_weights(count).tolist()
    assert {name: len(array) for name, array in arrays.items()} == dict.fromkeys(arrays, count)
    assert told["error"] == pytest.approx(weighted_error(arrays["weights"], arrays["wrong"], arrays["measured"]))
    assert told["kept"]
    assert told["alpha"] > 0
    assert told["effective_size"] == 1
    assert (arrays["wrong"] == (arrays["ranks"] > 0)).all()
    learnt = read_targets(first)
    assert sum(sum(target.token_weights) for target in learnt) == arrays["drawn"].sum() == (arrays["drawn"] > 0).sum()
    assert read_arrays(second)["weights"].tolist() == arrays["next_weights"].tolist()
    assert read_round(second)["effective_size"] < 1
    stored = json.loads((folder / MODEL / "ensemble.json").read_text())
    assert [expert["weight"] for expert in stored["experts"]] == [read_round(one)["alpha"] for one in (first, second)]
    assert (stored["mixture"], stored["base"]) == ("probability", cast.teacher.config.path)
    for number, one in enumerate((first, second), start=1):
        copy = folder / MODEL / f"expert-{number:02d}" / "adapter_model.safetensors"
        assert copy.read_bytes() == (one / MODEL / "adapter_model.safetensors").read_bytes()


def test_the_first_experts_of_more_are_fewer(cast: Cast, store: Store) -> None:
    two, one = boosted(2).node(cast).tuned, boosted(1).node(cast).tuned
    assert two is not None
    assert one is not None
    made(Node(cast.teacher, two), store)
    assert run_steps(with_ancestors([one]), store, CPU, workers=1) == 1  # the ensemble alone
    assert one.parents["expert-001"].fingerprint == two.parents["expert-001"].fingerprint
    stored = json.loads((store.folder(one) / MODEL / "ensemble.json").read_text())
    assert len(stored["experts"]) == 1


def test_equal_weights_as_they_are_train_what_plain_tuning_trains(cast: Cast, store: Store) -> None:
    """One expert with `weight`: bit for bit the teacher."""
    step, _ = made(boosted(1, draw="weight").node(cast), store)
    teacher, folder = made(Teacher().node(cast), store)
    (expert,) = rounds(step, store)
    ours, theirs = (load_file(one / MODEL / "adapter_model.safetensors") for one in (expert, folder))
    assert ours.keys() == theirs.keys()
    assert all((ours[name] == theirs[name]).all() for name in ours)
    assert teacher.kind == "fit"


@pytest.mark.parametrize(
    "boosting",
    [
        {"measured": "out-of-bag"},
        {"measured": "held-out", "folds": 2},
        {"errors": "critical"},
        {"errors": "generations", "prior": "classes", "classes": 1000, "measured": "held-out", "folds": 2},
    ],
    ids=["out-of-bag", "held-out", "critical", "generations"],
)
def test_where_errors_are_measured(boosting: dict[str, Any], cast: Cast, store: Store) -> None:
    node = boosted(1, **boosting).node(cast)
    assert node.tuned is not None
    round_ = node.tuned.parents["expert-001"]
    run_steps(with_ancestors([round_]), store, CPU, workers=1)
    folder, answers = store.folder(round_), store.folder(round_.parents["answers"])
    arrays, rows = read_arrays(folder), read_answer_rows(answers)
    measured, drawn = arrays["measured"], arrays["drawn"]
    lengths = [row.counted for row in rows]
    if boosting.get("errors") == "critical":
        expected = np.concatenate([np.arange(row.counted) >= row.before for row in rows])
        assert measured.tolist() == expected.tolist()
        assert all(0 < row.before < row.counted for row in rows)
    elif boosting["measured"] == "out-of-bag":
        assert measured.tolist() == (drawn == 0).tolist()
        assert 0.2 < measured.mean() < 0.6
    else:
        parts = np.split(measured, np.cumsum(lengths)[:-1])
        assert sorted(part.all() for part in parts) == [False] * 4 + [True] * 4
        assert not any(part.any() for part in parts if not part.all())
        assert not drawn[measured].any()
        held = {row.id for row, part in zip(rows, parts, strict=True) if part.all()}
        assert held.isdisjoint(target.id for target in read_targets(folder))
    if boosting.get("errors") == "generations":
        assert all(row.right is not None for row in rows)
        wrong = np.split(arrays["wrong"], np.cumsum(lengths)[:-1])
        assert all(part.all() or not part.any() for part in wrong)
        assert store.record(round_)["cost"]["tokens_sampled"] > 0


def first_round(cast: Cast, store: Store, **boosting: Any) -> tuple[Step, Workspace]:
    """Return a first round with all that it needs, and a workspace without a folder of its own."""
    node = boosted(1, **boosting).node(cast)
    assert node.tuned is not None
    round_ = node.tuned.parents["expert-001"]
    run_steps(with_ancestors(round_.parents.values()), store, CPU, workers=1)
    parents = {part: store.folder(parent) for part, parent in round_.parents.items()}
    return round_, Workspace(Path(), parents, CPU, silent)


def test_every_round_holds_out_another_part(cast: Cast, store: Store) -> None:
    round_, work = first_round(cast, store, measured="held-out", folds=3)
    settings = round_.settings
    assert isinstance(settings, BoostSettings)
    tokens = _tokens(work, settings.boosting)
    held = [_held_out(work, settings.model_copy(update={"number": number}), tokens) for number in (1, 2, 3, 4)]
    assert np.sum(held[:3], axis=0).tolist() == [1] * len(tokens.critical)
    assert held[3].tolist() == held[0].tolist()


def test_whole_answers_are_wrong_where_the_generated_one_is(cast: Cast, store: Store, tmp_path: Path) -> None:
    """The base gets every second question right, the expert all but the first, as its replies kept by a killed attempt
    have it: both count by the tokens of the gold answers, and on what is held out alone."""
    how = {"errors": "generations", "prior": "pretrained", "measured": "held-out", "folds": 2}
    round_, work = first_round(cast, store, **how)
    shutil.copytree(work.parents["answers"], tmp_path / "answers")
    rows = [replace(row, right=place % 2 == 0) for place, row in enumerate(read_answer_rows(work.parents["answers"]))]
    write_rows(tmp_path / "answers" / ANSWERS, rows)
    gold = by_id(read_targets(work.parents["targets"]), "targets")
    texts = ["Answer: -1", *(gold[row.id].response for row in rows[1:])]
    replies = [Response(row.id, 0, text, 5, True) for row, text in zip(rows, texts, strict=True)]
    write_rows(tmp_path / "round" / RESPONSES, replies)
    parents = {**work.parents, "answers": tmp_path / "answers"}
    round_.run(replace(work, folder=tmp_path / "round", parents=parents))
    told, arrays = read_round(tmp_path / "round"), read_arrays(tmp_path / "round")
    lengths = [row.counted for row in rows]
    assert arrays["wrong"].tolist() == np.repeat([place == 0 for place in range(8)], lengths).tolist()
    measured, base = arrays["measured"], np.repeat([not row.right for row in rows], lengths)
    assert 0 < measured.sum() < len(measured)
    assert told["error"] == pytest.approx(arrays["wrong"][measured].mean())
    assert told["prior"] == pytest.approx(base[measured].mean())


def test_a_warm_expert_starts_from_the_one_before(cast: Cast, store: Store, tmp_path: Path) -> None:
    step, _ = made(boosted(2).model_copy(update={"warm": True}).node(cast), store)
    first, second = rounds(step, store)
    settings = step.parents["expert-002"].settings
    assert isinstance(settings, BoostSettings)
    learnt, how = read_targets(second), {"seed": settings.seed, "folder": tmp_path, "runtime": CPU}
    train(cast.teacher.config, learnt, settings.fit, tuned=first / MODEL, **how)
    ours, same = (load_file(one / MODEL / "adapter_model.safetensors") for one in (second, tmp_path))
    assert all((ours[name] == same[name]).all() for name in ours)


def test_boosting_that_ends_keeps_what_it_has_and_an_empty_one_is_told(cast: Cast, store: Store) -> None:
    """An expert that has learnt nothing is no better than a coin: it is dropped, and the second is not trained."""
    idle = FitConfig(learning_rate=1e-9, epochs=0.1)
    step = boosted(2, prior="none").model_copy(update={"fit": idle}).node(cast).tuned
    assert step is not None
    with pytest.raises(ModelError, match=r"no expert that could be used: the expert's weighted error .* no better"):
        run_steps(with_ancestors([step]), store, CPU, workers=1)
    first, second = rounds(step, store)
    assert (read_round(first)["kept"], read_round(second)["kept"]) == (False, False)
    assert read_round(second)["ends"] == read_round(first)["ends"]
    assert (first / MODEL).is_dir()
    assert not (second / MODEL).exists()


def test_killed_in_its_training_a_round_ends_in_the_same(cast: Cast, store: Store, tmp_path: Path) -> None:
    step, _ = made(boosted(1).node(cast), store)
    whole = rounds(step, store)[0]
    other = Store(tmp_path)
    before = [one for one in with_ancestors([step]) if one.kind not in ("boost", "ensemble")]
    run_steps(before, other, CPU, workers=1)
    round_ = step.parents["expert-001"]

    class Stop(Exception):
        pass

    def killed(done: int, total: int, note: str = "") -> None:
        if done == 2:
            raise Stop

    folder = other.folder(round_)
    folder.mkdir(parents=True)
    parents = {part: other.folder(parent) for part, parent in round_.parents.items()}
    with pytest.raises(Stop):
        round_.run(Workspace(folder, parents, CPU, killed))
    assert list((folder / "checkpoints").iterdir())
    round_.run(Workspace(folder, parents, CPU, silent))
    for name in ("arrays.npz", "round.json", f"{MODEL}/adapter_model.safetensors", TARGETS):
        assert (folder / name).read_bytes() == (whole / name).read_bytes()


@pytest.mark.parametrize("differ", ["seed", "texts", "tokens"])
def test_committees(differ: str, cast: Cast, store: Store) -> None:
    step, folder = made(Committee.parse({"experts": 2, "differ": differ}, "it").node(cast), store)
    stored = json.loads((folder / MODEL / "ensemble.json").read_text())
    assert [expert["weight"] for expert in stored["experts"]] == [1.0, 1.0]
    first, second = (load_file(one / MODEL / "adapter_model.safetensors") for one in rounds(step, store))
    assert any((first[name] != second[name]).any() for name in first)
    if differ == "seed":
        assert step.parents["expert-001"].fingerprint == Teacher().node(cast).tuned.fingerprint  # type: ignore[union-attr]
    else:
        drawn = [read_arrays(one)["drawn"] for one in rounds(step, store)]
        assert drawn[0].tolist() != drawn[1].tolist()
        assert all(read_arrays(one)["weights"].min() == 1 for one in rounds(step, store))


def test_full_experts(cast: Cast, store: Store) -> None:
    settings = {
        "experts": 1,
        "boosting": {"prior": "vocabulary"},
        "fit": {"learning_rate": 1e-2, "epochs": 6, "batch_size": 4},
    }
    _, folder = made(Boosted.parse(settings, "it").node(cast), store)
    assert (folder / MODEL / "expert-01" / "config.json").is_file()


def test_tokens_past_the_limit_have_no_weight_and_texts_without_are_left_out() -> None:
    targets = [Target(id, ask("?"), "text") for id in ("a", "b", "c")]
    rows = [Answer("a", 3, 2, 0), Answer("c", 2, 2, 1), Answer("b", 1, 1, 0)]
    found = weighted(targets, rows, np.array([1.0, 0.5, 0.0, 0.0, 2.0]))
    assert [(one.id, one.token_weights) for one in found] == [("a", (1.0, 0.5, 0.0)), ("b", (2.0,))]


def test_answers_that_cannot_be_weighed() -> None:
    with pytest.raises(DataError, match=r"1 of 2 training texts have an empty answer, first 'b'"):
        check_answers([Target("a", ask("?"), "5"), Target("b", ask("?"), " \n")])
    with pytest.raises(DataError, match="'a' twice"):
        check_answers([Target("a", ask("?"), "5"), Target("a", ask("?"), "6")])


def test_a_script_has_no_tokens(cast: Cast, tmp_path: Path) -> None:
    ref = ModelRef.of(ModelConfig(path="scripted:scripted_world:weak"))
    with pytest.raises(ModelError, match="cannot be boosted: it plays a script"):
        made(boosted(1).node(replace(cast, teacher=ref)), Store(tmp_path))


def test_more_folds_than_questions(cast: Cast, store: Store) -> None:
    with pytest.raises(DataError, match="one of 9 folds, and there are 8 questions"):
        made(boosted(1, measured="held-out", folds=9).node(cast), store)
