"""The commands as a user meets them, on scripted models: whole runs in a second."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner, Result

import scripted_world
from w2sg import __version__
from w2sg.cli.ls import _KINDS as KINDS_TOLD
from w2sg.cli.main import app
from w2sg.cli.student import how_asked, read_student
from w2sg.schedules.methods import CONTROLS, METHODS
from w2sg.steps.base import KINDS


def w2sg(*words: str) -> Result:
    result = CliRunner().invoke(app, list(words), prog_name="w2sg")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def said(refused: Result) -> str:
    """Return what a refused command says, on one line."""
    assert refused.exit_code == 2
    return " ".join(refused.output.split())


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An experiment on scripted models, in the current folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("W2SG_STORE", raising=False)
    path = tmp_path / "scripted.yaml"
    path.write_text(yaml.safe_dump(scripted_world.experiment(tmp_path / "data", statistics={"resamples": 200})))
    return path


def results(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "results.json").read_text()))


def test_version() -> None:
    assert w2sg("--version").stdout == f"w2sg {__version__}\n"


def test_a_run_writes_results_report_and_table(file: Path) -> None:
    ran = w2sg("run", str(file))
    assert ran.exit_code == 0
    for words in ("imitation-vote", "ceiling", "Verdict", "runs/scripted/report.html"):
        assert words in ran.stdout
    found = results(Path("runs/scripted"))
    assert {(row["method"], row["seed"]) for row in found["rows"] if row["stratum"] == "all"} >= {
        ("teacher", 0), ("teacher", 1), ("imitation", 0), ("imitation-vote", 1), ("ceiling", 0),
    }  # fmt: skip
    assert found["settings"]["tasks"][0]["labelled"].endswith("gold.jsonl")
    page = Path("runs/scripted/report.html").read_text()
    assert "imitation-vote" in page
    assert "What is" in page  # an example question


def test_the_same_run_again_writes_nothing(file: Path) -> None:
    w2sg("run", str(file))
    before = {path: path.stat().st_mtime_ns for path in Path("runs").rglob("*") if path.is_file()}
    again = w2sg("run", str(file))
    assert again.exit_code == 0
    assert "Verdict" in again.stdout
    assert {path: path.stat().st_mtime_ns for path in Path("runs").rglob("*") if path.is_file()} == before


def test_the_report_knows_the_controls_and_who_opened_gold(file: Path) -> None:
    w2sg("run", str(file))
    found = results(Path("runs/scripted"))
    roles = {row["method"]: row["control"] for row in found["rows"]}
    assert (roles["teacher"], roles["ceiling"], roles["imitation"]) == (True, True, False)
    assert {(step["kind"], *step["opened_gold"]) for step in found["provenance"] if step["opened_gold"]} <= {
        ("score", "score"), ("label-score", "score"), ("targets", "ceiling"),
    }  # fmt: skip
    assert not [note for note in found["notes"] if "sealed gold" in note["text"]]


def test_a_control_may_become_a_method_and_the_report_is_written_anew(file: Path) -> None:
    settings = yaml.safe_load(file.read_text())
    w2sg("run", str(file))
    assert "imitation" in {one["method"] for one in results(Path("runs/scripted"))["verdict"]}
    methods = list(settings["methods"])
    methods.remove("imitation")
    controls = ["teacher", "untuned", "self-distillation", "random-labels", "ceiling", "imitation"]
    file.write_text(yaml.safe_dump({**settings, "methods": methods, "controls": controls}))
    assert w2sg("run", str(file)).exit_code == 0
    assert "imitation" not in {one["method"] for one in results(Path("runs/scripted"))["verdict"]}


def test_a_changed_report_setting_writes_the_report_anew_without_a_step(file: Path) -> None:
    w2sg("run", str(file))
    steps = sorted(Path("runs/scripted/store").rglob("record.json"))
    w2sg("run", str(file), "--set", "statistics.resamples=300")
    assert results(Path("runs/scripted"))["resamples"] == 300
    assert sorted(Path("runs/scripted/store").rglob("record.json")) == steps


def test_seeds_settings_out_and_store_from_the_command_line(file: Path) -> None:
    words = ("--seeds", "3", "4", "--set", "methods=[imitation]", "name=other", "--out", "here", "--store", "kept")
    assert w2sg("run", str(file), *words).exit_code == 0
    found = results(Path("here"))
    assert found["name"] == "other"
    assert {row["seed"] for row in found["rows"]} - {None} == {3, 4}
    assert list(Path("kept").rglob("record.json"))
    assert not Path("here/store").exists()


def kept(folder: str = "runs/scripted") -> list[Path]:
    return sorted(Path(folder).glob("earlier/*/results.json"))


def test_results_of_other_settings_are_kept_beside_the_new_ones(file: Path) -> None:
    both = ("run", str(file), "--set", "controls=[teacher]", "methods=[imitation]", "seeds=[0, 1]")
    one = (*both, "seeds=[1]")
    w2sg(*both)
    before = {name: (Path("runs/scripted") / name).read_bytes() for name in ("results.json", "report.html")}
    told = w2sg(*one)
    (results_kept,) = kept()
    assert {name: (results_kept.parent / name).read_bytes() for name in before} == before
    assert {row["seed"] for row in results(Path("runs/scripted"))["rows"]} == {1}
    said = " ".join(told.stderr.split())
    assert "'runs/scripted' held the results of another run" in said
    assert "--out DIR or --set name=NAME" in said
    assert f"stood there before: {results_kept.parent}" in " ".join(told.stdout.split())
    assert w2sg("report", str(results_kept.parent)).exit_code == 0
    w2sg(*both)  # holds all that the run of one seed found
    assert "are kept in" in w2sg(*one).stderr
    assert kept() == [results_kept]  # not once more
    assert "another run" in w2sg(*one, "name=other", "--out", "runs/scripted").stderr
    assert len(kept()) == 2


def test_a_repeated_or_extended_run_leaves_nothing_behind(file: Path) -> None:
    small = ("--set", "controls=[teacher]", "methods=[imitation]")
    w2sg("run", str(file), *small, "seeds=[0]")
    w2sg("run", str(file), *small, "seeds=[0, 1]", "statistics.resamples=300")
    told = w2sg("run", str(file), *small, "seeds=[0, 1]", "methods=[imitation, imitation-vote]")
    assert not Path("runs/scripted/earlier").exists()
    assert "before" not in told.stdout
    assert "held" not in told.stderr


def test_what_cannot_be_read_as_results_is_kept_too(file: Path) -> None:
    Path("runs/scripted").mkdir(parents=True)
    Path("runs/scripted/results.json").write_text('{"mine": 1}')
    told = w2sg("run", str(file), "--set", "controls=[teacher]", "methods=[imitation]", "seeds=[0]")
    assert "held results that cannot be read" in " ".join(told.stderr.split())
    (found,) = kept()
    assert found.read_text() == '{"mine": 1}'
    assert results(Path("runs/scripted"))["name"] == "scripted"


def test_two_experiments_share_a_store(file: Path) -> None:
    w2sg("run", str(file), "--out", "one", "--store", "kept")
    count = len(list(Path("kept").rglob("record.json")))
    again = w2sg("run", str(file), "--out", "two", "--store", "kept")
    assert "to do" not in again.stderr
    assert len(list(Path("kept").rglob("record.json"))) == count
    assert results(Path("two"))["rows"] == results(Path("one"))["rows"]


def test_a_plan_says_what_will_run_and_why_and_runs_nothing(file: Path) -> None:
    first = w2sg("plan", str(file), "--steps")
    assert first.exit_code == 0
    assert "tune the teacher" in first.stdout
    assert not Path("runs/scripted/store").exists()
    w2sg("run", str(file))
    assert w2sg("plan", str(file)).stdout.startswith("0 of ")
    changed = w2sg("plan", str(file), "--set", "student_fit.epochs=1", "--steps").stdout
    assert "epochs: 3.0 -> 1.0" in changed
    assert "tune the teacher" not in changed
    assert "tune the teacher" in w2sg("plan", str(file), "--all").stdout


def test_a_plan_counts_steps_by_task_by_kind_and_by_row(file: Path) -> None:
    w2sg("run", str(file), "--set", "methods=[imitation]")
    said = w2sg("plan", str(file), "--set", "student_fit.epochs=1").stdout
    rows = {words[0]: words[1:3] for words in map(str.split, said.splitlines()) if len(words) > 3}
    fits = sum(name not in ("teacher", "untuned") for name in (*CONTROLS, "imitation", "imitation-vote"))
    assert rows["fit"] == [str(2 * fits), "2"]
    assert rows["imitation"] == [str(2 * 3), "4"]  # its labels and texts are there
    assert int(rows["sums"][0]) == sum(int(rows[name][0]) for name in rows if name in (*CONTROLS, *METHODS))
    assert "tune the" not in said
    assert "changed: settings.fit.epochs: 3.0 -> 1.0" in said
    assert len(said.splitlines()) < 40


def test_a_plan_says_what_calibration_is_for(file: Path) -> None:
    said = " ".join(w2sg("plan", str(file), "--set", "methods=[alice]", "controls=[]", "--steps").stdout.split())
    assert "answers validate (alice), to calibrate by" in said
    assert "That is for the report's reliability figures; students learn the same without it" in said
    without = w2sg("plan", str(file), "--set", "methods={alice: {elicit: {calibration: none}}}", "controls=[]")
    assert without.exit_code == 0
    assert "reliability" not in without.stdout


def test_a_report_is_shown_again_without_the_store(file: Path) -> None:
    ran = w2sg("run", str(file), "--store", "kept")
    Path("runs/scripted/report.html").unlink()
    shown = w2sg("report", "runs/scripted")
    assert shown.exit_code == 0
    assert shown.stdout == ran.stdout
    assert Path("runs/scripted/report.html").is_file()


def test_a_store_is_listed(file: Path) -> None:
    w2sg("run", str(file))
    listed = w2sg("ls", "runs/scripted")
    assert "tune the teacher" in listed.stdout
    assert "finished steps" in listed.stdout
    assert "tune the teacher" not in w2sg("ls", "runs/scripted", "--kind", "task").stdout
    assert "no kind of step called 'fits' (perhaps you meant 'fit')" in said(
        w2sg("ls", "runs/scripted", "--kind", "fits")
    )
    assert ", ".join(KINDS) == KINDS_TOLD
    assert "store/task" in w2sg("ls", "runs/scripted", "--kind", "task", "--where").stdout.replace("\n", "")


def test_a_run_whose_store_is_elsewhere_is_told_from_an_empty_one(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    assert "Give the folder of a run or a store" in said(w2sg("ls", str(tmp_path / "run")))
    (tmp_path / "run" / "results.json").write_text('{"command": "w2sg run x.yaml --store kept"}')
    told = said(w2sg("ls", str(tmp_path / "run")))
    assert "the results of a run (w2sg run x.yaml --store kept) whose steps are in a store elsewhere" in told


@pytest.mark.parametrize("command", ["plan", "run"])
def test_a_missing_extra_is_noticed_before_the_first_step(
    file: Path, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "openai", None)
    statement = {"kind": "endpoint", "endpoint": {"base_url": "http://127.0.0.1:9/v1", "model": "m"}}
    changes = f"methods={json.dumps({'alice': {'elicit': {'statement': statement}}})}"
    assert "pip install 'w2sg[remote]'." in said(w2sg(command, str(file), "--set", changes, "controls=[]"))
    assert not list(Path("runs").rglob("record.json"))


def test_task_check_ends_well_on_a_good_file_and_badly_on_a_bad_one(file: Path) -> None:
    good = w2sg("task", "check", "data/gold.jsonl")
    assert (good.exit_code, "40 rows" in good.stdout) == (0, True)
    with Path("data/gold.jsonl").open("a") as rows:
        rows.write('{"question": "What is 1 plus 1?"}\n{"answer": "2"}\nnot json\n')
    bad = w2sg("task", "check", "data/gold.jsonl")
    assert bad.exit_code == 2
    assert "line 42" in bad.stdout
    assert "line 43" in bad.stdout
    assert "would be refused" in bad.stderr


def test_the_lists_of_tasks_and_models() -> None:
    assert "world-logic" in w2sg("task", "list").stdout
    listed = {line.split()[0]: line for line in w2sg("zoo", "list").stdout.splitlines() if line.strip()}
    assert "250,000" in listed["zoo/nano"]
    assert "340,000" in listed["zoo/micro"]  # 220,000 and the second reading's 120,000


def test_how_a_model_out_of_a_store_is_asked_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "step"
    (folder / "model").mkdir(parents=True)
    assert how_asked(str(folder / "model")) == how_asked("zoo/nano") == ""
    for name in ("ensemble.json", "adapter_config.json"):
        (folder / "model" / name).write_text("{}")
        assert "does not tell how its questions were asked. It is asked as" in how_asked(str(folder / "model"))
        assert how_asked(str(folder / "model"), "") == ""
        (folder / "model" / name).unlink()
    (folder / "record.json").write_text("{}")
    assert "comes from a run's store" in how_asked(str(folder / "model"))
    assert read_student("zoo/nano").task == {"kind": "file"}
    assert read_student("zoo/nano", instruction="").task == {"kind": "file", "instruction": ""}


def test_an_instruction_is_what_the_model_is_asked_with(file: Path) -> None:
    Path("q.jsonl").write_text('{"question": "What is 2 plus 3?"}\n')
    words = ("predict", "scripted:scripted_world:strong", "q.jsonl", "--out", "a.jsonl", "--store", "kept")
    assert w2sg(*words, "--instruction", "Think, then say it.").exit_code == 0
    (record,) = (json.loads(path.read_text()) for path in Path("kept/task").rglob("record.json"))
    assert record["identity"]["settings"]["task"]["instruction"] == "Think, then say it."


def test_a_scripted_model_predicts_and_is_evaluated(file: Path) -> None:
    Path("questions.jsonl").write_text('{"id": "a", "question": "What is 2 plus 3?"}\n{"id": "b", "question": "?"}\n')
    told = w2sg("predict", "scripted:scripted_world:strong", "questions.jsonl", "--out", "answers.jsonl")
    assert told.exit_code == 0
    answers = [json.loads(line) for line in Path("answers.jsonl").read_text().splitlines()]
    assert [answer["id"] for answer in answers] == ["a", "b"]
    assert answers[0]["answer"] in ("5", "6")
    graded = w2sg("eval", "scripted:scripted_world:strong", "data/gold.jsonl")
    assert graded.exit_code == 0
    assert "on 40 questions" in graded.stdout.replace("\n", " ")
    mute = w2sg("eval", "scripted:scripted_world:mute", "data/gold.jsonl")
    assert "accuracy 0.0%" in mute.stdout
    assert "40 answers could not be read" in mute.stdout.replace("\n", " ")
