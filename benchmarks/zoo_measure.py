"""What the zoo's measurements share: how they are called, the sheet that keeps them, and asking a member questions that
are then graded.

A sheet is one JSON file of one member, `results/zoo/MEMBER/NAME.json`. Its head says what every figure rests on (the
member's files, the settings, the questions, the libraries); figures are added one by one, so a killed measurement
continues, and a sheet whose head no longer fits begins anew. `scripts/zoo_card.py` turns sheets into model cards.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from w2sg.decode.config import SamplingConfig
from w2sg.errors import ModelError, UserError
from w2sg.models import zoo
from w2sg.models.base import RuntimeConfig
from w2sg.models.hf import LanguageModel
from w2sg.records import Message, TaskRow, ask
from w2sg.storage import read_json, write_json
from w2sg.tasks import Task

RESULTS = Path(__file__).parents[1] / "results" / "zoo"
FOUND = "found"


class Sheet:
    """The figures of one member by one script, kept in `path`; `head` is what they rest on."""

    def __init__(self, path: Path, head: dict[str, Any]) -> None:
        self.path, self.head = path, json.loads(json.dumps(head))
        kept = read_json(path) if path.is_file() else {}
        self.found: dict[str, Any] = kept.pop(FOUND, {})
        if kept != self.head:
            self.found = {}

    def __contains__(self, name: str) -> bool:
        return name in self.found

    def add(self, name: str, figures: dict[str, Any]) -> None:
        """Keep the figures called `name`, on disk when this returns."""
        self.found[name] = figures
        write_json(self.path, {**self.head, FOUND: self.found})


def files(member: str) -> dict[str, str]:
    """Return the SHA-256 of the shipped files that decide what a member says (all but the record of its training).

    Raises:
        ModelError: the member is not shipped, or a file is not what the manifest says.
    """
    zoo.folder(member)
    if wrong := [file for file in zoo.damaged() if file.startswith(f"{member}/")]:
        raise ModelError(
            f"{wrong[0]!r} of the zoo is not the file of the manifest, so what is measured could not be told. Install "
            "the member anew (python -m w2sg.models.pretrain MEMBER --install)."
        )
    return {name: digest for name, digest in zoo.manifest()[member].items() if name != "training.json"}


def computed(runtime: RuntimeConfig) -> dict[str, str]:
    """Return what computes the figures: versions of the libraries, device and number format."""
    import torch
    import transformers

    from w2sg.models.hf import device_of, dtype_of

    device = device_of(runtime)
    number = str(dtype_of(runtime, device)).removeprefix("torch.")
    return {
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "device": device.type,
        "number": number,
    }


def arguments(description: str | None, members: Sequence[str] = tuple(zoo.MEMBERS)) -> argparse.ArgumentParser:
    """Return what a measurement is called with: members (by default `members`), where sheets go, on what device."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--members", nargs="+", default=list(members), choices=list(zoo.MEMBERS))
    parser.add_argument("--out", type=Path, default=RESULTS, help="where the sheets are (default: results/zoo)")
    parser.add_argument("--device", default="cpu")
    return parser


def ended(measuring: Callable[[], None]) -> int:
    """Measure, and return the exit code: 2 after a mistake of the user's, which is told in a paragraph."""
    try:
        measuring()
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


@dataclass(frozen=True)
class Reply:
    """One graded reply. `reasoned`: something stands before its answer line."""

    row: TaskRow
    correct: bool
    parsed: bool
    reasoned: bool
    finished: bool
    tokens: int


def replies(
    model: LanguageModel,
    task: Task,
    rows: Sequence[TaskRow],
    sampling: SamplingConfig,
    *,
    seed: int,
    runtime: RuntimeConfig,
    system: str = "",
) -> list[Reply]:
    """Ask every question, under the system message when there is one, and grade each sample."""
    from w2sg.decode.sampling import Request, sample

    opening = (Message("system", system),) if system else ()
    requests = [Request(row.example.id, (*opening, *ask(task.prompt(row.example)))) for row in rows]
    by_id = {row.example.id: row for row in rows}
    found = []
    for chunk in sample(model, requests, sampling, seed=seed, runtime=runtime):
        for response in chunk:
            row = by_id[response.id]
            assert row.gold is not None, "questions to be graded have gold"
            answer = task.parse(response.text, row.example)
            found.append(
                Reply(
                    row,
                    correct=task.correct(answer, row.example, row.gold),
                    parsed=answer is not None,
                    reasoned=response.text.find(task.mark) > 0,
                    finished=response.finished,
                    tokens=response.tokens,
                )
            )
    return found


def counts(found: Sequence[Reply]) -> dict[str, int]:
    """Count graded replies; one that cannot be read is wrong and stays among `asked`."""
    return {
        "asked": len(found),
        "right": sum(reply.correct for reply in found),
        "unread": sum(not reply.parsed for reply in found),
        "reasoned": sum(reply.reasoned for reply in found),
        "unfinished": sum(not reply.finished for reply in found),
    }
