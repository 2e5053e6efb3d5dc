"""The settings of training, light enough to be read without torch. What they do is in `models.fit`."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from w2sg.config import Config, added, runtime


class LoraConfig(Config):
    """Low-rank adapters in place of full fine-tuning (Hu et al. 2021); the result is a peft adapter folder."""

    rank: int = Field(16, ge=1)
    """Rank of the adapters' matrices."""
    alpha: float = Field(32.0, gt=0)
    """The update is scaled by alpha / rank."""
    dropout: float = Field(0.0, ge=0, lt=1)
    """Dropout before the adapters. Above 0 its masks depend on how batches are cut for memory."""
    target_modules: Literal["auto"] | tuple[str, ...] = "auto"
    """Names of the layers to adapt; `auto` takes every linear layer but the output head."""
    last_layers: int | None = added(None, ge=1)
    """Adapt only so many of the model's last transformer layers; None adapts all. Training takes no step back through
    what lies below, and that is one for all experts of an ensemble: the engine for models of the Llama family in full
    precision on a CPU computes it once for all of them."""

    @model_validator(mode="after")
    def _some_modules(self) -> Self:
        if not self.target_modules:
            raise ValueError("target_modules must name at least one layer, or be 'auto'")
        return self


def too_many_layers(asked: int | None, path: str, found: str) -> str:
    """Return what is told where `last_layers` cannot be had of the model called `path`, and why: what was found."""
    return (
        f"LoRA cannot be put on the last {asked} layers (lora.last_layers) of {path!r}: {found}. Ask for at "
        "most as many as there are, or leave it out to adapt all."
    )


class FitConfig(Config):
    """How a model is tuned. The defaults suit language models of 0.5B parameters and more."""

    learning_rate: float = Field(1e-5, gt=0)
    """Peak learning rate of AdamW. Small models want more (1e-4 at a million parameters); LoRA about ten times more."""
    epochs: float = Field(3.0, gt=0)
    """Passes over the training texts; a fraction ends the last pass early."""
    batch_size: int = Field(16, ge=1)
    """Texts per optimiser step, over all processes and micro-batches."""
    schedule: Literal["linear", "cosine", "constant"] = "cosine"
    """How the learning rate falls after the warm-up."""
    warmup_fraction: float = Field(0.1, ge=0, lt=1)
    """Share of the steps over which the learning rate rises from 0."""
    weight_decay: float = Field(0.01, ge=0)
    """AdamW's decoupled weight decay; biases and norms are spared."""
    beta2: float = Field(0.999, gt=0, lt=1)
    """AdamW's decay of squared gradients."""
    max_grad_norm: float = Field(1.0, ge=0)
    """Gradients are scaled down to this norm; 0 = never."""
    max_length: int = Field(2048, ge=2)
    """Tokens of prompt and response together; longer responses are cut at their end, and counted."""
    group_by_length: bool = True
    """Form batches of texts of like length (within pools of 32 batches), which spares padding."""
    lora: LoraConfig | None = None
    """Train adapters only; None trains every weight."""
    activation_checkpointing: bool = runtime(False)
    """Recompute activations in the backward pass: less memory, about a third more time."""
