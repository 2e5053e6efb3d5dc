"""Logits at chosen places only: the output head, the widest layer of a small model, runs on those places alone."""

from __future__ import annotations

from typing import Any

import torch


class HeadAtPlaces:
    """Hooks into a model's output head, so that whatever a family does to logits after its head still happens."""

    def __init__(self, model: Any) -> None:
        self._places: torch.Tensor | None = None
        head = model.get_output_embeddings() if hasattr(model, "get_output_embeddings") else None
        self._hook = None if head is None else head.register_forward_pre_hook(self._keep_places)

    def logits(
        self, model: Any, ids_BT: torch.Tensor, places_N: torch.Tensor, positions: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Return the logits (N, V) at flat positions (row * T + column) of a batch; `model` is the one given at the
        start, or what wraps it."""
        self._places = places_N
        try:
            packed = {} if positions is None else {"position_ids": positions}
            logits: torch.Tensor = model(input_ids=ids_BT, use_cache=False, **packed).logits
        finally:
            self._places = None
        if logits.shape[:2] == ids_BT.shape:  # a model whose head is no module of its own
            return logits.flatten(0, 1).index_select(0, places_N)
        return logits[0]

    def remove(self) -> None:
        """Leave the model as it was."""
        if self._hook is not None:
            self._hook.remove()

    def _keep_places(self, head: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...] | None:
        if self._places is None:
            return None
        hidden, *rest = inputs
        return (hidden.flatten(0, 1).index_select(0, self._places)[None], *rest)
