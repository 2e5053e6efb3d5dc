"""What the layers above ask of a model: its settings, the runtime it runs under, and how progress is told.

`models.hf` loads real language models, `models.scripted` plays a script for tests; `models.fit` trains.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from pydantic import Field, field_validator, model_validator

from w2sg.config import Config, added, runtime

Progress = Callable[[int, int, str], None]
"""Called with (done, total, note) by everything that takes longer than a moment."""


def silent(done: int, total: int, note: str = "") -> None:
    """The progress of those who do not watch."""


Mixture = Literal["probability", "log-linear"]
"""How next-token distributions are mixed: their weighted mean, or their weighted geometric mean, normalised."""


class EnsembleConfig(Config):
    """How an ensemble is used; the default is as it was made."""

    experts: int | None = Field(None, ge=1)
    """Use only so many of its experts, the first ones; all of them when not given."""
    weights: Literal["own", "uniform"] = "own"
    """`uniform`: every expert counts the same, as the control of the weights that were learnt."""
    mixture: Literal["own", "probability", "log-linear"] = "own"
    """How the experts are mixed: as the ensemble says, or the arithmetic or geometric mean of their probabilities."""


class ModelConfig(Config):
    """Which model, before any tuning. A bare string stands for its `path`."""

    path: str
    """A member of the zoo (`zoo/<member>`), a local folder (of a model, an adapter or an ensemble), or the id of a
    model on the Hugging Face Hub."""
    revision: str | None = None
    """The Hub revision (branch, tag or commit)."""
    trust_remote_code: bool = False
    """Run code that comes with the model. Off unless you trust its authors."""
    system: str | None = added(None)
    """A system prompt put before every question."""
    ensemble: EnsembleConfig = added(EnsembleConfig())
    """How an ensemble is used; only where `path` is the folder of one."""

    @model_validator(mode="before")
    @classmethod
    def _by_path(cls, value: object) -> object:
        return {"path": value} if isinstance(value, str) else value

    @field_validator("path")
    @classmethod
    def _not_empty(cls, path: str) -> str:
        if not path.strip():
            raise ValueError("the path of a model must not be empty")
        return path


class RuntimeConfig(Config):
    """How work is run on this machine. Nothing here decides a result or enters a fingerprint."""

    device: str = runtime("auto")
    """`auto` (a GPU when there is one), `cpu`, `cuda`, `cuda:1`, ..."""
    dtype: Literal["auto", "float32", "bfloat16"] = runtime("auto")
    """`auto`: bfloat16 on a GPU, float32 on a CPU. Asked for by name it decides results, and `steps.model` says so."""
    threads: int = runtime(1, ge=1)
    """CPU threads per worker."""
    micro_batch: int = runtime(0, ge=0)
    """Sequences per forward pass in training; 0 chooses."""
    packing: Literal["auto", "on", "off"] = runtime("auto")
    """Train several texts in one row, kept apart by their positions; `auto`: where the model uses flash attention."""
    slots: int = runtime(0, ge=0)
    """Sequences sampled side by side; 0 chooses."""
    draft: int = runtime(0, ge=0, le=16)
    """Tokens of an ensemble's responses that one expert drafts before all check them together; 0 = as the engine that
    fits chooses (on a CPU most ensembles of the Llama family draft by themselves, others do not draft). The responses
    stay the same. It pays where passes of the whole ensemble are dear, as of experts that are whole models on a GPU."""
    processes: int = runtime(1, ge=1)
    """Training processes (through torchrun)."""
    checkpoint_every_seconds: float = runtime(60.0, ge=0)
    """How often training saves a checkpoint to resume from; 0 = at every step."""
