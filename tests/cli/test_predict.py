"""`w2sg predict --doubt`: how sure a model, or an ensemble, is of each of its answers."""

from __future__ import annotations

import json
import math
from pathlib import Path
from statistics import fmean

import pytest
from typer.testing import CliRunner, Result

from tiny_ensembles import build_adapter
from w2sg.cli.main import app
from w2sg.models.ensemble import save_ensemble
from w2sg.models.zoo import folder


def w2sg(*words: str) -> Result:
    return CliRunner().invoke(app, list(words), prog_name="w2sg")


def test_an_ensemble_says_how_sure_it_is_of_each_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    base = folder("nano")
    first, second = (build_adapter(Path(f"adapter-{seed}"), base, seed) for seed in (0, 1))
    save_ensemble(Path("experts"), str(base), [(first, 1.0), (second, 2.0)], "probability")
    Path("q.jsonl").write_text('{"id": "a", "question": "What is 2 plus 3?"}\n{"id": "b", "question": "Is it?"}\n')
    told = w2sg("predict", "experts", "q.jsonl", "--out", "a.jsonl", "--doubt")
    assert told.exit_code == 0, told.output
    rows = [json.loads(line) for line in Path("a.jsonl").read_text().splitlines()]
    assert [row["id"] for row in rows] == ["a", "b"]
    for row in rows:
        tokens = row["tokens"]
        assert len({len(values) for values in tokens.values()}) == 1
        assert tokens.keys() == {"log_probabilities", "entropies", "divergences", "dissents"}
        assert row["agreement"] == pytest.approx(1 - fmean(tokens["dissents"]))
        sure = math.exp(fmean(tokens["log_probabilities"]))
        assert row["confidence"] == pytest.approx(sure if row["answer"] is not None else 0.0)
    assert w2sg("predict", "zoo/nano", "q.jsonl", "--out", "b.jsonl", "--doubt").exit_code == 0
    alone = [json.loads(line) for line in Path("b.jsonl").read_text().splitlines()]
    assert all(row["agreement"] is None and set(row["tokens"]["dissents"]) == {0.0} for row in alone)
    refused = w2sg("predict", "scripted:scripted_world:strong", "q.jsonl", "--out", "c.jsonl", "--doubt")
    assert refused.exit_code == 2
    assert "plays a script" in refused.output
