"""What the zoo's cards say of the six criteria of a usable test bed, from the results of `w2sg zoo check`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from zoo_facts import RESULTS
from zoo_markdown import bullets, paragraph, table

from w2sg.report.zoo_check import identity
from w2sg.report.zoo_check_results import Figure
from w2sg.report.zoo_check_text import in_words
from w2sg.runs.zoo_check import check_experiment, make_check
from w2sg.storage import read_json

Arm = tuple[str, str]
"""An arm and a stratum of the test."""
BY_VALUE = "met, interval not"


def criteria(path: Path = RESULTS / "zoo-check.json") -> str:
    """Return the table of the criteria's figures, or why there is none: figures of other weights, questions or
    settings are not shown."""
    if not path.is_file():
        return "Not measured."
    found = read_json(path)
    if found["plan"] != identity(make_check(check_experiment())):
        return "Not measured on these weights: `w2sg zoo check` would do it."
    kinds = found["kinds"]
    rows = []
    for place, criterion in enumerate(kinds[0]["criteria"]):
        each = [kind["criteria"][place] for kind in kinds]
        rows.append([f"**{criterion['number']}. {criterion['title']}**", "", *(f"**{one['status']}**" for one in each)])
        for line, figure in enumerate(criterion["figures"]):
            if figure["wanted"]:
                cells = [in_words(Figure(**one["figures"][line])) for one in each]
                rows.append([figure["name"], figure["wanted"], *cells])
    text = paragraph(
        f"""Six criteria that were fixed before the zoo was made to meet them, for the default teacher
        ({found["teacher"]}) and student ({found["student"]}); {len(kinds[0]["seeds"])} seeds of tuning on the same
        questions, 95 % intervals. Measured by `{found["command"]}`; every figure is in `results/zoo/zoo-check.md`."""
    )
    head = ["", "wanted", *(kind["task"] for kind in kinds)]
    return f"{text}\n\n{table(head, rows)}\n\nWhat stands behind them:\n\n{bullets(behind(kinds))}"


def behind(kinds: list[dict[str, Any]]) -> list[str]:
    """Return what these criteria, met or not, do not say: bounds kept by value alone, strata and arms in another order
    than one would think, and what another question's solution does by itself."""
    found = {kind["task"]: {one["name"]: one for part in kind["criteria"] for one in part["figures"]} for kind in kinds}
    right = {kind["task"]: {(one["arm"], one["stratum"]): one["value"] for one in kind["accuracy"]} for kind in kinds}
    by_value = [
        f"{task}: {name} {in_words(Figure(**one))}"
        for task, figures in found.items()
        for name, one in figures.items()
        if one["wanted"] and one["status"] == BY_VALUE
    ]
    gain = {task: figures["imitation − teacher on ood"] for task, figures in found.items()}
    not_above = [f"{task} {in_words(Figure(**one))}" for task, one in gain.items() if one["value"] <= 0]
    sayings = {
        "Met by the value alone, not by the whole interval": by_value,
        "By value, on ood imitation is not above its teacher in": not_above,
        "By value, on ood imitation is below the untuned student in": _below(
            right, ("imitation", "ood"), ("untuned", "ood")
        ),
        "By value, the teacher is below the untuned student on the test as a whole in": _below(
            right, ("teacher", "all"), ("untuned", "all")
        ),
        "Another question's solution does harm (right with it, against untuned on transfer questions), which is part "
        "of the gain in criterion 4, in": _other(found, harm=True),
        "Another question's solution helps too, so that the request elicits something whatever it shows, in": _other(
            found, harm=False
        ),
    }
    return [f"{saying}: {', '.join(cases)}." for saying, cases in sayings.items() if cases]


def _below(right: dict[str, dict[Arm, float]], low: Arm, high: Arm) -> list[str]:
    return [
        f"{task} ({_share(values[low])} against {_share(values[high])})"
        for task, values in right.items()
        if values[low] < values[high]
    ]


def _other(found: dict[str, dict[str, Any]], harm: bool) -> list[str]:
    pairs = {
        task: (figures["right with another question's"]["value"], figures["untuned right on transfer"]["value"])
        for task, figures in found.items()
    }
    return [
        f"{task} ({_share(shown)} against {_share(alone)})"
        for task, (shown, alone) in pairs.items()
        if (shown < alone if harm else shown > alone)
    ]


def _share(value: float) -> str:
    return f"{100 * value:.1f} %"
