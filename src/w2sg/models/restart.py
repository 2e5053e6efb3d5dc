"""Taking up the weights of a checkpoint that a `transformers.Trainer` wrote of a whole model.

Which checkpoint is taken up is for `fit_trainer` and `pretrain` to say; adapters are left to the Trainer.
"""

from __future__ import annotations

from typing import Any

from w2sg.errors import StoreError


def take_up(model: Any, checkpoint: str) -> None:
    """Copy the weights of `checkpoint` into `model`, whose class wrote them, through `from_pretrained`, which knows
    the names that they bear on disk.

    The Trainer's own way takes the names as they are and passes over what it does not find; the output matrix of
    GPT-NeoX has another name on disk than in memory and would start anew (transformers 5).

    Raises:
        StoreError: the checkpoint lacks weights of the model.
    """
    saved, found = type(model).from_pretrained(checkpoint, dtype=model.dtype, output_loading_info=True)
    if missing := sorted(found["missing_keys"]):
        raise StoreError(
            f"The training checkpoint {checkpoint!r} lacks {len(missing)} of the model's weights, first "
            f"{missing[0]!r}. Delete it and run again: training starts from the checkpoint before, or anew."
        )
    model.load_state_dict(saved.state_dict())
