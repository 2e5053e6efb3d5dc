"""How a model renders conversations, loaded without its weights: for whoever reads its tokens and asks it nothing."""

from __future__ import annotations

from pathlib import Path

from w2sg.models.base import ModelConfig
from w2sg.models.dialogue import Dialogue
from w2sg.models.hf import load_tokenizer, quiet
from w2sg.models.identity import locate


def load_dialogue(config: ModelConfig, vocabulary: int) -> Dialogue:
    """Return the rendering of the model that `config` names; `vocabulary` is the number of rows of its embedding.

    Raises:
        ModelError: there is no such model, or no tokenizer that fits it.
    """
    from transformers import GenerationConfig

    source = locate(config)
    with quiet():
        try:
            revision = None if Path(source).is_dir() else config.revision
            ends = GenerationConfig.from_pretrained(source, revision=revision).eos_token_id
        except OSError:  # not every model has generation settings
            ends = None
    ends = [ends] if isinstance(ends, int) else ends or []
    return Dialogue(load_tokenizer(config), config.system, vocabulary, ends, repr(source))
