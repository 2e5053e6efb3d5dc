"""A model that plays a script: for tests and dry runs of whole experiments in milliseconds, without torch.

The script is a function from the question's text to what may be answered; "training" remembers target texts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path

from w2sg.errors import ModelError
from w2sg.models.base import ModelConfig
from w2sg.models.identity import SCRIPTED
from w2sg.records import Prompt, Target
from w2sg.storage import read_json, write_json

Answers = str | Sequence[str] | Mapping[str, float]
"""One text, texts that are equally likely, or texts with their weights."""

_FILE = "scripted.json"


@dataclass(frozen=True)
class ScriptedModel:
    """A script, overlaid by what training made the model remember.

    `memory` maps a question's text to weighted responses; a remembered question is answered from memory alone.
    """

    script: Callable[[str], Answers]
    name: str = ""
    memory: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    def distribution(self, prompt: Prompt) -> dict[str, float]:
        """Return each possible response to the prompt's last turn with its probability.

        Raises:
            ModelError: the script gives nothing, or no positive weight.
        """
        question = prompt[-1].content
        answers = self.memory.get(question) or self.script(question)
        if isinstance(answers, str):
            answers = [answers]
        weights = dict(answers) if isinstance(answers, Mapping) else _count(answers)
        total = sum(weights.values())
        if total <= 0 or min(weights.values()) < 0:
            raise ModelError(f"The script {self.name!r} gives no response with a positive weight to {question!r}.")
        return {text: weight / total for text, weight in weights.items()}

    def respond(self, prompt: Prompt, uniform: float | None) -> str:
        """Return the response at `uniform` in [0, 1) of the cumulative distribution, in the script's order; for None
        the most probable one, of equals the first."""
        distribution = self.distribution(prompt)
        if uniform is None:
            return max(distribution, key=distribution.__getitem__)
        reached = 0.0
        for text, probability in distribution.items():
            reached += probability
            if uniform < reached:
                return text
        return next(text for text in reversed(distribution) if distribution[text] > 0)

    def trained(self, targets: Sequence[Target], seed: int = 0) -> ScriptedModel:
        """Return the model after it learnt `targets` by heart, each response as often as its weight; `seed` is there
        for the sake of real training and changes nothing."""
        learnt: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
        for target in targets:
            if target.weight > 0:
                learnt[target.prompt[-1].content][target.response] += target.weight
        memory = {**self.memory, **{question: dict(texts) for question, texts in learnt.items()}}
        return ScriptedModel(self.script, self.name, memory)

    def save(self, folder: Path) -> None:
        """Write what the model remembers to `folder`."""
        write_json(folder / _FILE, {"script": self.name, "memory": self.memory})


def _count(texts: Sequence[str]) -> dict[str, float]:
    counts: dict[str, float] = defaultdict(float)
    for text in texts:
        counts[text] += 1.0
    if not counts:
        raise ModelError("A script gave an empty list of responses.")
    return dict(counts)


def load(config: ModelConfig, tuned: Path | None = None) -> ScriptedModel:
    """Load the script that the path `scripted:<module>:<function>` names, with the memory in `tuned`.

    Raises:
        ModelError: the path does not name a function that can be imported.
    """
    name = config.path.removeprefix(SCRIPTED)
    module, _, attribute = name.partition(":")
    try:
        script = getattr(import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise ModelError(
            f"The scripted model {config.path!r} does not load: {error}. Its path has the form "
            "scripted:<module>:<function>."
        ) from None
    memory = read_json(tuned / _FILE)["memory"] if tuned else {}
    return ScriptedModel(script, name, memory)
