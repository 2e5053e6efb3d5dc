"""Experiments: read, overridden, refused with every problem named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

import scripted_world
from w2sg.errors import ConfigError, DataError, ModelError
from w2sg.runs.experiment import Experiment, read_experiment
from w2sg.runs.plan import make_plan
from w2sg.schedules.methods import CONTROLS, method


def write(folder: Path, **changes: Any) -> Path:
    path = folder / "experiment.yaml"
    path.write_text(yaml.safe_dump(scripted_world.experiment(folder / "data", **changes)))
    return path


def test_overrides_and_seeds_take_the_place_of_the_files(tmp_path: Path) -> None:
    experiment = read_experiment(write(tmp_path), ["student_fit.epochs=1.5", "runtime.threads=2"], [7, 8])
    assert experiment.student_fit.epochs == 1.5
    assert experiment.runtime.threads == 2
    assert experiment.seeds == (7, 8)


def test_controls_stand_beside_every_method_unless_left_out(tmp_path: Path) -> None:
    assert list(read_experiment(write(tmp_path)).arms()) == [*CONTROLS, "imitation", "imitation-vote"]
    assert list(read_experiment(write(tmp_path, controls=["teacher"])).arms()) == [
        "teacher",
        "imitation",
        "imitation-vote",
    ]


def test_an_experiment_survives_its_own_dump(tmp_path: Path) -> None:
    experiment = read_experiment(write(tmp_path))
    again = Experiment.parse(experiment.model_dump(mode="json"), "the dump")
    assert again == experiment
    assert [step.fingerprint for step in make_plan(again).steps] == [
        step.fingerprint for step in make_plan(experiment).steps
    ]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"metods": []}, r"metods: unknown key \(perhaps you meant 'methods'\)"),
        ({"seeds": []}, "seeds: "),
        ({"seeds": [1, 1]}, "a seed is given twice"),
        ({"seeds": "one"}, "seeds"),
        ({"name": "../out"}, "name: "),
        ({"methods": ["teacher"]}, "stand both under methods and under controls"),
        ({"methods": [], "controls": []}, "name at least one method"),
        ({"methods": {"imitation": {"elicit": "vot"}}}, "perhaps you meant 'vote'"),
        ({"tasks": ["world-math"]}, "perhaps you meant 'world-maths'"),
        ({"tasks": []}, "tasks: "),
        ({"teacher": ""}, "must not be empty"),
        ({"student_fit": {"learning_rate": -1}}, "student_fit.learning_rate: input should be greater than 0"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        read_experiment(write(tmp_path, **changes))


def test_a_list_of_names_picks_rows_of_the_file_as_it_spells_them_out(tmp_path: Path) -> None:
    methods = {"mine": {"elicit": {"kind": "vote", "samples": 4}}, "imitation": {"preset": "paper"}, "alice": None}
    path = write(tmp_path, methods=methods, controls={"ceiling": None, "fixed": {"like": "random-labels"}})
    file = read_experiment(path)
    picked = read_experiment(path, ["methods=[imitation, mine, imitation-vote]", "controls=[fixed, teacher]"])
    assert list(picked.methods) == ["imitation", "mine", "imitation-vote"]
    assert list(picked.controls) == ["fixed", "teacher"]
    for name in ("imitation", "mine", "fixed"):
        assert picked.arms()[name] == file.arms()[name]
    assert picked.methods["imitation-vote"] == method("imitation-vote")
    assert list(read_experiment(path, ["methods=mine"]).methods) == ["mine"]
    with pytest.raises(
        ConfigError, match=r"rows of the file: fixed, imitation, mine; known: imitation, .*random-labels"
    ):
        read_experiment(path, ["methods=[neither]"])
    with pytest.raises(ConfigError, match="perhaps you meant 'mine'"):
        read_experiment(path, ["methods=[mien]"])


def test_rows_are_made_like_other_rows_as_they_are_set_here(tmp_path: Path) -> None:
    methods = {"mine": {"like": "alice", "elicit": {"samples": 8}}, "twin": {"like": "mine"}}
    path = write(tmp_path, methods=methods)
    file = read_experiment(path, ["methods.mine.elicit.samples=4"])
    assert file.methods["twin"] == file.methods["mine"] == method("it", {"like": "alice", "elicit": {"samples": 4}})
    picked = read_experiment(path, ["methods=[twin, mine-shuffled]"]).methods
    assert picked["twin"] == read_experiment(path).methods["mine"]
    assert picked["mine-shuffled"] == method("it", {"like": "alice-shuffled", "elicit": {"samples": 8}})


def test_every_mistake_is_told_at_once_each_in_its_place(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        tasks=["world-math", "world-logik"],
        methods={"imitaton": None, "mine": {"elicit": "vot"}},
        controls=["teachr"],
        seeds=[0, 0],
    )
    with pytest.raises(ConfigError) as told:
        read_experiment(path)
    for words in (
        "6 problems",
        "tasks.0: the task has the unknown kind 'world-math' (perhaps you meant 'world-maths').",
        "tasks.1: the task has the unknown kind 'world-logik'",
        "methods.imitaton: there is no method called 'imitaton' (perhaps you meant 'imitation')",
        "methods.mine: the method 'mine' does not fit. elicit: there is no 'vot' here",
        "controls.teachr: ",
        "seeds: a seed is given twice in [0, 0]",
    ):
        assert words in str(told.value)


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("split.transfer=100", r"split: unknown key here \(perhaps you meant tasks=\[\{kind: ..., split: ...\}\]\)"),
        ("epochs=1", r"epochs: unknown key here \(perhaps you meant teacher_fit.epochs or student_fit.epochs\)"),
        ("elicit=vote", r"elicit: unknown key here \(perhaps you meant methods.NAME.elicit"),
        ("tasks.split.transfer=100", r"not a mapping\. Give the list as a whole: tasks=\[...\]"),
    ],
)
def test_a_misplaced_key_is_shown_its_place(tmp_path: Path, setting: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        read_experiment(write(tmp_path), [setting])


def test_two_tasks_need_two_names(tmp_path: Path) -> None:
    data = scripted_world.experiment(tmp_path / "data")
    with pytest.raises(ConfigError, match="two tasks have the same name"):
        Experiment.parse({**data, "tasks": data["tasks"] * 2}, "the test")


def test_a_missing_model_or_file_is_found_when_planning(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no model folder '\./nowhere'"):
        make_plan(read_experiment(write(tmp_path, teacher="./nowhere")))
    path = write(tmp_path)
    (tmp_path / "data" / "gold.jsonl").unlink()
    with pytest.raises(DataError, match=r"gold\.jsonl"):
        make_plan(read_experiment(path))


def test_all_models_and_files_that_are_missing_are_told_at_once(tmp_path: Path) -> None:
    path = write(tmp_path, teacher="./nowhere", student="zoo/smal")
    (tmp_path / "data" / "gold.jsonl").unlink()
    with pytest.raises(ModelError, match=r"no model folder '\./nowhere'") as told:
        make_plan(read_experiment(path))
    student, file = told.value.__notes__
    assert "zoo/small" in student
    assert "gold.jsonl" in file


def test_greedy_answers_of_the_untuned_student_are_shared_by_all_seeds(tmp_path: Path) -> None:
    plan = make_plan(read_experiment(write(tmp_path)))
    untuned = {arm.scores.fingerprint for arm in plan.arms if arm.method == "untuned"}
    tuned = {arm.scores.fingerprint for arm in plan.arms if arm.method == "imitation"}
    assert (len(untuned), len(tuned)) == (1, 2)


def test_a_model_from_the_hub_without_a_revision_is_noted(tmp_path: Path) -> None:
    plan = make_plan(read_experiment(write(tmp_path, teacher="some/model")))
    (note,) = plan.notes
    assert note.text.startswith("The teacher 'some/model' is taken from the Hub without a pinned revision")
    pinned = {"path": "some/model", "revision": "0123abc"}
    assert make_plan(read_experiment(write(tmp_path, teacher=pinned))).notes == ()
    supervisor = {"kind": "several", "members": ["teacher", {"kind": "teacher", "model": "some/model"}]}
    methods = {"two": {"like": "alice", "supervisor": supervisor}}
    (note,) = make_plan(read_experiment(write(tmp_path, methods=methods))).notes
    assert note.text.startswith("The model of two 'some/model' is taken from the Hub without a pinned revision")


def test_a_sentence_model_from_the_hub_without_a_revision_is_noted(tmp_path: Path) -> None:
    def notes(**embedder: str) -> list[str]:
        embedding = {"kind": "embedding", "embedder": {"kind": "sentence-transformers", **embedder}}
        methods = {"alice": {"elicit": {"clustering": embedding}}}
        return [note.text for note in make_plan(read_experiment(write(tmp_path, methods=methods))).notes]

    (note,) = notes(path="some/encoder")
    assert note.startswith("The sentence model of alice 'some/encoder' is taken from the Hub without a pinned revision")
    assert notes(path="some/encoder", revision="0123abc") == []
    assert notes() == []  # a package of a fixed version, with weights of a known digest
