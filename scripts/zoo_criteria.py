"""What the zoo's cards say of the six criteria of a usable test bed, from the results of `w2sg zoo check`."""

from __future__ import annotations

from pathlib import Path

from zoo_facts import RESULTS
from zoo_markdown import paragraph, table

from w2sg.report.zoo_check import identity
from w2sg.report.zoo_check_results import Figure
from w2sg.report.zoo_check_text import in_words
from w2sg.runs.zoo_check import check_experiment, make_check
from w2sg.storage import read_json


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
    return f"{text}\n\n{table(['', 'wanted', *(kind['task'] for kind in kinds)], rows)}"
