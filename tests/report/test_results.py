import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from w2sg.errors import StoreError
from w2sg.report.results import Results, Row
from w2sg.report.schema_docs import document


def test_round_trip(results, tmp_path):
    results.save(tmp_path / "results.json")
    assert Results.load(tmp_path / "results.json") == results


def test_what_the_schema_promises_is_in_the_file(results, tmp_path):
    results.save(tmp_path / "results.json")
    text = (tmp_path / "results.json").read_text()
    data = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} was written"))
    assert data["schema_version"] == 1
    names = "task method stratum seed accuracy n unparsed tokens_sampled tokens_trained seconds"
    assert set(names.split()) <= data["rows"][0].keys()
    names = "task stratum method against difference low high p p_holm minimum_detectable pgr pgr_low pgr_high"
    assert set(names.split()) <= data["comparisons"][0].keys()


def test_nan_is_refused():
    row = {"task": "t", "method": "m", "stratum": "id", "seed": 0, "low": 0.0, "high": 1.0, "n": 1, "unparsed": 0}
    row["control"] = False
    cost = {"tokens_sampled": 0, "tokens_trained": 0, "seconds": 0.0, "steps": ()}
    with pytest.raises(ValidationError, match="finite"):
        Row(accuracy=float("nan"), **row, **cost)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "damaged"),
        ('{"schema_version": 99}', "schema version 99"),
        ("[]", "schema version None"),
        ('{"schema_version": 1}', "do not fit their schema"),
    ],
)
def test_bad_files(text, says, tmp_path):
    (tmp_path / "results.json").write_text(text)
    with pytest.raises(StoreError, match=says):
        Results.load(tmp_path / "results.json")
    with pytest.raises(StoreError, match="read"):
        Results.load(tmp_path / "none.json")


def test_the_documentation_is_current():
    """Mend with: python -m w2sg.report.results > docs/results-schema.md"""
    path = Path(__file__).parents[2] / "docs" / "results-schema.md"
    assert path.read_text(encoding="utf-8") == document()


def test_every_field_is_documented():
    assert "|  |" not in document()
