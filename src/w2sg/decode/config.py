"""How responses are drawn: the settings of sampling, without the machinery (`decode.sampling`)."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from w2sg.config import Config, added


class SamplingConfig(Config):
    """How many responses a question gets, and how each is drawn."""

    samples: int = Field(1, ge=1)
    """Responses per question."""
    temperature: float = Field(0.0, ge=0.0, allow_inf_nan=False)
    """Divides the logits; 0 takes the most probable token (greedy)."""
    top_p: float = Field(1.0, gt=0.0, le=1.0)
    """Draw from the fewest tokens whose probabilities reach this sum; 1 draws from all."""
    top_k: int = Field(0, ge=0)
    """Draw from this many most probable tokens; 0 draws from all."""
    max_new_tokens: int = Field(256, ge=1)
    """Tokens after which a response is cut; it then counts as unfinished."""
    chunk: int = added(2048, ge=1)
    """Responses between two saves: what a kill can cost. Larger chunks sample a little faster."""

    @model_validator(mode="after")
    def _greedy_is_single(self) -> Self:
        if self.temperature == 0 and self.samples > 1:
            raise ValueError(
                f"{self.samples} samples at temperature 0 would all be the same text; set a temperature above 0, or "
                "samples to 1"
            )
        return self
