"""What is known of the zoo: shipped files, training records and measurements of its members.

`zoo_card` writes it up. Measurements of other weights than the shipped ones, and unfinished ones, are not handed out.
"""

from __future__ import annotations

from functools import cached_property
from itertools import product
from math import prod
from pathlib import Path
from typing import Any

from w2sg.models import zoo
from w2sg.runs.zoo_check import KINDS
from w2sg.storage import read_json

RESULTS = Path(__file__).parents[1] / "results" / "zoo"
COMMANDS = {
    "world": "python benchmarks/zoo_accuracy.py",
    "prontoqa": "python benchmarks/zoo_prontoqa.py --data PATH",
    "counts": "python benchmarks/zoo_counts.py",
}
Levels = dict[str, dict[str, int]]
"""Counts of graded replies (asked, right, unread, reasoned, unfinished) by difficulty."""


class Sheet:
    """The measurements called `name` of a member; `state` says where they come from, or why there are none."""

    def __init__(self, member: str, name: str, files: dict[str, str], results: Path) -> None:
        path = results / member / f"{name}.json"
        self.content: dict[str, Any] = read_json(path) if path.is_file() else {}
        self.name = name
        self.usable, again = False, f"`{COMMANDS[name]}`"
        if not self.content:
            self.state = f"**Not measured yet**: {again} does."
        elif self.content["files"] != {file: digest for file, digest in files.items() if file != "training.json"}:
            self.state = f"**The measurements on file are of other weights**: {again} measures anew."
        elif not self._whole():
            self.state = f"**Measured in part only**: {again} continues."
        else:
            self.usable = True
            used = self.content["computed"]
            libraries = f"torch {used['torch']}, transformers {used['transformers']}"
            self.state = f"Measured by `{self.content['command']}` ({libraries}, {used['device']}, {used['number']})."

    def _whole(self) -> bool:
        found = self.content["found"]
        if self.name == "counts":
            return set(KINDS) <= set(found)
        if "questions" not in self.content:
            return "summary" in found
        return all(f"{kind}/{asking}/{drawing}" in found for kind, (asking, drawing) in product(self.kinds, self.ways))

    def __getitem__(self, key: str) -> Any:
        return self.content[key]

    @property
    def kinds(self) -> list[str]:
        """The kinds of question asked."""
        return list(self.content["questions"])

    @property
    def ways(self) -> list[tuple[str, str]]:
        """Ways of asking and of drawing."""
        return list(product(self.content["system_messages"], self.content["sampling"]))

    def levels(self, kind: str, asking: str, drawing: str) -> Levels:
        """Return the counts of one way of asking a kind."""
        found: Levels = self.content["found"][f"{kind}/{asking}/{drawing}"]["levels"]
        return found


class Known:
    """All that is known of one shipped member."""

    def __init__(self, name: str, results: Path = RESULTS) -> None:
        self.name, self.folder = name, zoo.home() / name
        self.files = zoo.manifest()[name]
        self.config: dict[str, Any] = read_json(self.folder / "config.json")
        self.record: dict[str, Any] = read_json(self.folder / "training.json")
        self.losses = [(int(step), float(loss)) for step, loss in self.record["losses"]]
        self.tokens = int(self._recorded("tokens"))
        self.seconds = float(self._recorded("seconds"))
        self.world = Sheet(name, "world", self.files, results)
        self.prontoqa = Sheet(name, "prontoqa", self.files, results)
        self.counts = Sheet(name, "counts", self.files, results)

    def _recorded(self, quantity: str) -> Any:
        """Return the entry of the training record that opens with the quantity (`tokens_about`, `seconds_...`)."""
        return next(value for key, value in self.record.items() if key.partition("_")[0] == quantity)

    @property
    def reading(self) -> dict[str, Any]:
        """Steps, tokens and seconds of the second reading; empty without one."""
        found: dict[str, Any] = self.record.get("second_reading", {})
        return found

    @property
    def readings(self) -> list[list[tuple[int, float]]]:
        """The losses of each reading."""
        last = int(self.record["steps"]) - int(self.reading.get("steps", 0))
        first = [(step, loss) for step, loss in self.losses if step <= last]
        return [part for part in (first, self.losses[len(first) :]) if part]

    @property
    def family(self) -> str:
        """The architecture, as transformers calls it."""
        return str(self.config["model_type"])

    @cached_property
    def parameters(self) -> int:
        """How many numbers the weights hold (tied embeddings once)."""
        from safetensors import safe_open

        with safe_open(self.folder / zoo.WEIGHTS, framework="numpy") as weights:
            return sum(prod(weights.get_slice(key).get_shape()) for key in weights.keys())  # noqa: SIM118

    @property
    def settings(self) -> dict[str, Any]:
        """Everything that the training record says, besides the loss curve."""
        flat = {**self.record.get("member", {}), **self.record}
        flat |= {f"{key}_of_the_second_reading": value for key, value in flat.pop("second_reading", {}).items()}
        return {key: value for key, value in flat.items() if key not in ("member", "losses", "name")}


def shipped(results: Path = RESULTS) -> list[Known]:
    """Return what is known of every member of the manifest, in its order."""
    return [Known(name, results) for name in zoo.manifest()]


def total(levels: Levels, key: str) -> int:
    """Return a count summed over difficulties."""
    return sum(counts[key] for counts in levels.values())
