"""Whatever a user gets wrong ends in one paragraph on standard error and exit code 2, with nothing written."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import chdir
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

import scripted_world
from w2sg.cli.main import app
from w2sg.cli.student import check_ours, read_student
from w2sg.errors import ConfigError


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Run a command that must fail by the user's fault; return what it says."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("W2SG_STORE", raising=False)
    scripted_world.write_files(tmp_path / "data", labelled=40, unlabelled=10)

    def run(*words: str) -> str:
        result = CliRunner().invoke(app, list(words), prog_name="w2sg")
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == 2, result.output
        assert "Traceback" not in result.output
        paragraphs = [part for part in result.stderr.split("\n\n") if part.strip()]
        assert len(paragraphs) == 1, result.stderr
        return result.stderr

    return run


def experiment(**changes: object) -> str:
    """Write an experiment with `changes` put over a good one; return its path."""
    data = {**scripted_world.experiment(Path("data")), **changes}
    Path("e.yaml").write_text(yaml.safe_dump({key: value for key, value in data.items() if value is not ...}))
    return "e.yaml"


@pytest.mark.parametrize("command", ["run", "plan"])
def test_experiment_files(told: Callable[..., str], command: str) -> None:
    assert "no file 'nowhere.yaml'" in told(command, "nowhere.yaml")
    Path("broken.yaml").write_text("name: [")
    assert "not valid YAML" in told(command, "broken.yaml")
    Path("list.yaml").write_text("- name")
    assert "must hold a mapping" in told(command, "list.yaml")
    Path("binary.yaml").write_bytes(b"\xff\xfe\x00")
    assert "cannot be read as text" in told(command, "binary.yaml")
    assert "cannot be read" in told(command, ".")


def test_all_faults_of_an_experiment_are_told_at_once(told: Callable[..., str]) -> None:
    text = told("run", experiment(sedes=[0], seeds="x", teacher=..., max_new_tokens=0, student_fit={"epoch": 1}))
    for part in ("sedes: unknown key (perhaps you meant 'seeds')", "seeds", "teacher", "max_new_tokens", "found 0"):
        assert part in text
    assert "student_fit.epoch: unknown key (perhaps you meant 'epochs')" in text


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"methods": ["imitaton"]}, "perhaps you meant 'imitation'"),
        ({"methods": {"mine": {"elicit": "vot"}}}, "vot"),
        ({"methods": {"mine": {"elicits": "vote"}}}, "perhaps you meant 'elicit'"),
        ({"methods": 3}, "methods"),
        ({"tasks": ["world-mathematics"]}, "perhaps you meant 'world-maths'"),
        ({"tasks": [{"kind": "file", "labelled": "data/absent.jsonl"}]}, "data/absent.jsonl"),
        ({"tasks": [{"kind": "file"}]}, "labelled"),
        ({"tasks": []}, "tasks"),
        ({"teacher": "zoo/nanno"}, "perhaps you meant 'zoo/nano'"),
        ({"teacher": "./absent"}, "./absent"),
        ({"teacher": ""}, "must not be empty"),
        ({"seeds": [0, 0]}, "given twice"),
        ({"seeds": []}, "seeds"),
        ({"name": "../up"}, "name"),
        ({"workers": -1}, "workers"),
        ({"methods": [], "controls": []}, "at least one method"),
    ],
)
def test_settings(told: Callable[..., str], changes: dict[str, object], words: str) -> None:
    assert words in told("run", experiment(**changes))
    assert not Path("runs").exists()


@pytest.mark.parametrize(
    ("words", "told_words"),
    [
        (("--set", "nonsense"), "key=value"),
        (("--set", "student_fit.epochs=[1"), "not valid YAML"),
        (("--set", "name.x=1"), "goes through 'name'"),
        (("--set", "nonsense", "student_fit.epochs=[1", "name.x=1"), "3 problems: The setting 'nonsense'"),
        (("--set", "student_fit.epochs=many"), "student_fit.epochs"),
        (("--seeds", "first"), "no seed"),
        (("--sedes", "1"), "sedes"),
    ],
)
def test_words_of_the_command_line(told: Callable[..., str], words: tuple[str, ...], told_words: str) -> None:
    assert told_words in told("run", experiment(), *words)


def test_commands(told: Callable[..., str]) -> None:
    assert "rnu" in told("rnu", "e.yaml")
    assert "EXPERIMENT" in told("run")


def split(**sizes: object) -> dict[str, object]:
    return {"tasks": [{"kind": "file", "labelled": "data/gold.jsonl", "split": {"near_duplicates": "exact", **sizes}}]}


def test_a_split_that_cannot_be_made_is_told_and_loses_nothing(told: Callable[..., str]) -> None:
    text = told("run", experiment(**split(supervise=30, validate=4, transfer=14, test_id=14)))
    assert "split.supervise" in text or "split.transfer" in text
    assert "test" in told("run", experiment(**split(supervise=10, validate=0, transfer=10, test_id=0)))


def test_bad_rows_are_told_with_their_line(told: Callable[..., str]) -> None:
    rows = Path("data/gold.jsonl").read_text().splitlines()
    for line, place in (("{", "line 41"), ('{"question": "What?"}', "line 41"), ('{"answer": "1"}', "line 41")):
        Path("bad.jsonl").write_text("\n".join([*rows, line]))
        text = told("run", experiment(tasks=[{"kind": "file", "labelled": "bad.jsonl", "grader": "numeric"}]))
        assert place in text
    Path("empty.jsonl").write_text("")
    assert "empty.jsonl" in told("run", experiment(tasks=[{"kind": "file", "labelled": "empty.jsonl"}]))


def test_a_damaged_store_is_told_with_what_to_delete(told: Callable[..., str]) -> None:
    good = experiment(methods=["imitation"], seeds=[0], statistics={"resamples": 100})
    assert CliRunner().invoke(app, ["run", good]).exit_code == 0
    (grades,) = Path("runs/scripted/store/score").glob("*grades-of-imitation*/scores.jsonl")
    grades.write_text(grades.read_text().replace("false", "true "))
    text = told("run", good)
    assert "damaged or changed" in text
    assert "Delete the folder" in text


def test_results_that_are_not_there_or_not_ours(told: Callable[..., str]) -> None:
    assert "results.json" in told("report", "nowhere")
    Path("other").mkdir()
    Path("other/results.json").write_text('{"schema_version": 99}')
    assert "99" in told("report", "other")
    Path("other/results.json").write_text("{")
    assert "damaged" in told("report", "other")
    assert "damaged" in told("ls", "other")
    Path("other/results.json").unlink()
    assert "no finished steps" in told("ls", "other")


def test_folders_that_cannot_be_written(told: Callable[..., str]) -> None:
    Path("taken").write_text("a file where a folder should be")
    assert "taken" in told("run", experiment(), "--out", "taken/deeper")


def test_asking_a_model_that_is_not_there(told: Callable[..., str]) -> None:
    assert "no member 'none'" in told("predict", "zoo/none", "data/pool.jsonl", "--out", "a.jsonl")
    assert "absent.jsonl" in told("eval", "zoo/nano", "absent.jsonl")
    assert "No row has an answer" in told("eval", "scripted:scripted_world:weak", "data/pool.jsonl")
    Path("student").mkdir()
    Path("student/w2sg.json").write_text(json.dumps({"schema_version": 1, "modle": {"path": "x"}}))
    assert "perhaps you meant 'model'" in told("predict", "student", "data/pool.jsonl", "--out", "a.jsonl")


def test_fitting_from_files_that_do_not_do(told: Callable[..., str]) -> None:
    models = ("--teacher", "scripted:scripted_world:weak", "--student", "scripted:scripted_world:strong")
    files = ("--labelled", "data/gold.jsonl", "--unlabelled", "data/pool.jsonl")
    assert "absent.jsonl" in told("fit", "--labelled", "absent.jsonl", *files[2:], *models, "--out", "s")
    for name in ("imitation-voting", "teacher", "untuned", "ceiling"):
        told_words = told("fit", *files, *models, "--out", "s", "--method", name)
        assert f"--method {name!r}" in " ".join(told_words.split())
        assert "Choose one of imitation," in " ".join(told_words.split())
    assert "no 'answer'" in told("fit", "--labelled", "data/pool.jsonl", *files[2:], *models, "--out", "s")


@pytest.mark.parametrize("model", ["scripted:os:system", "./scripted:os:system", "/tmp", "zoo/nano", "./../elsewhere"])
def test_a_students_settings_reach_nothing_outside_its_folder(told: Callable[..., str], model: str) -> None:
    """Students are passed on: one from a stranger must not run code."""
    Path("student").mkdir()
    Path("elsewhere").mkdir()
    Path("student/w2sg.json").write_text(json.dumps({"model": {"path": model, "trust_remote_code": True}}))
    Path("questions.jsonl").write_text(json.dumps({"id": "a", "question": "touch marker"}) + "\n")
    assert "does not lie in" in told("predict", "student", "questions.jsonl", "--out", "a.jsonl")
    with chdir("student"):
        assert "does not lie in" in told("predict", ".", "../questions.jsonl", "--out", "a.jsonl")
    Path("gold.jsonl").write_text(json.dumps({"id": "a", "question": "touch marker", "answer": "1"}) + "\n")
    assert "does not lie in" in told("eval", "student", "gold.jsonl")
    assert not list(Path().rglob("marker"))


def test_a_students_settings_cannot_ask_for_remote_code(tmp_path: Path) -> None:
    settings = {"model": {"path": "./model", "trust_remote_code": True, "revision": "x"}}
    (tmp_path / "w2sg.json").write_text(json.dumps(settings))
    model = read_student(str(tmp_path)).model
    assert (model.path, model.trust_remote_code, model.revision) == (str(tmp_path / "model"), False, None)
    assert read_student(str(tmp_path), trust_remote_code=True).model.trust_remote_code
    with chdir(tmp_path):
        assert read_student(".").model.path == str(tmp_path / "model")
    (tmp_path / "model").symlink_to("/")
    with pytest.raises(ConfigError, match="does not lie in"):
        read_student(str(tmp_path))


@pytest.mark.parametrize("name", ["model", "README.md"])
def test_fit_does_not_replace_what_it_did_not_write(told: Callable[..., str], name: str) -> None:
    own = Path("mine") / name
    own.mkdir(parents=True)
    models = ("--teacher", "scripted:scripted_world:weak", "--student", "scripted:scripted_world:strong")
    words = ("fit", "--labelled", "data/gold.jsonl", "--unlabelled", "data/pool.jsonl", *models)
    assert "did not write" in told(*words, "--out", "mine")
    assert list(Path("mine").iterdir()) == [own]
    Path("mine/.w2sg-fit").touch()  # what a fit leaves that was killed while it wrote
    check_ours(Path("mine"))


def test_answers_go_nowhere_that_loses_something(told: Callable[..., str]) -> None:
    before = Path("data/pool.jsonl").read_bytes()
    Path("link.jsonl").symlink_to("data/pool.jsonl")
    ask = ("predict", "scripted:scripted_world:weak", "data/pool.jsonl", "--out")
    for out in ("data/pool.jsonl", "data/../data/pool.jsonl", "link.jsonl"):
        assert "would replace" in told(*ask, out)
    assert Path("data/pool.jsonl").read_bytes() == before
    assert "is a folder" in told(*ask, "data")
    assert "data/pool.jsonl" in told(*ask, "data/pool.jsonl/answers.jsonl")
    assert not Path("runs").exists()  # nothing was asked
