"""`transformers.Trainer` with our step: whole optimiser batches, a weighted loss on responses, checkpoints that are
whole or absent.

One item of the data loader is one optimiser step, so the Trainer never sees micro-batches: how a batch is cut is
decided inside `training_step`, while the schedule, clipping, the optimizer, mixed precision, DDP and resuming stay
the Trainer's. Batches come from `models.fit_data`; `models.fit` sets all of it up.
"""

from __future__ import annotations

import contextlib
import math
import os
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import torch.distributed
from safetensors import SafetensorError
from torch.utils.data import DataLoader
from transformers.trainer import Trainer
from transformers.trainer_callback import PrinterCallback, TrainerCallback
from transformers.training_args import TrainingArguments

from w2sg.errors import ModelError, StoreError
from w2sg.models.base import Progress
from w2sg.models.fit_data import MicroBatch, StepBatches
from w2sg.models.places import HeadAtPlaces
from w2sg.models.restart import take_up
from w2sg.seeding import derive
from w2sg.storage import read_json, write_json

COMPLETE = "complete.json"
"""Written last into a checkpoint; a folder without it is torn."""


@dataclass
class Journal:
    """What training has done so far. It is saved in every checkpoint, so that a resumed run reports the whole."""

    losses: list[tuple[int, float]] = field(default_factory=list)
    seconds: float = 0.0


def last_checkpoint(folder: Path, job: str, clean: bool = True) -> Path | None:
    """Return the newest whole checkpoint of `job`; with `clean`, torn and foreign ones are removed."""
    whole: dict[int, Path] = {}
    for path in folder.glob("checkpoint-*") if folder.is_dir() else ():
        if (path / COMPLETE).is_file() and read_json(path / COMPLETE)["job"] == job:
            whole[int(path.name.rpartition("-")[2])] = path
        elif clean:
            shutil.rmtree(path)
    return whole[max(whole)] if whole else None


def response_loss(logits_NV: torch.Tensor, batch: MicroBatch) -> torch.Tensor:
    """Return the weighted sum of cross-entropies of N predictions with their one-hot or soft targets."""
    logits_NV = logits_NV.float()
    if batch.probabilities is None:
        losses_N = torch.nn.functional.cross_entropy(logits_NV, batch.token_ids[:, 0], reduction="none")
    else:
        chosen_NK = logits_NV.log_softmax(-1).gather(1, batch.token_ids)
        losses_N = -(batch.probabilities * chosen_NK).sum(-1)
    return (losses_N * batch.weights).sum()


class ResponseTrainer(Trainer):  # type: ignore[misc]
    """The Trainer over `StepBatches`.

    Args:
        job: names what is trained; a checkpoint of another job is never resumed.
        checkpoint_every_seconds: 0 = after every step.
    """

    loss_is_scaled_for_ga = True

    def __init__(
        self,
        model: Any,
        arguments: TrainingArguments,
        batches: StepBatches,
        *,
        seed: int,
        job: str,
        checkpoint_every_seconds: float,
        progress: Progress,
    ) -> None:
        super().__init__(model=model, args=arguments, train_dataset=batches)
        self.remove_callback(PrinterCallback)
        self.add_callback(_AfterStep(self, checkpoint_every_seconds, progress))
        self.journal = Journal()
        self.job = job
        self._seed = seed
        self._pending: list[tuple[int, float, torch.Tensor]] = []
        self._norm: torch.Tensor | float = 0.0
        self._head = HeadAtPlaces(model)

    # What the Trainer asks for

    def get_train_dataloader(self) -> DataLoader[Any]:
        """Return the loader of steps, in order; resuming skips items without building them."""
        return DataLoader(
            self.train_dataset,
            batch_sampler=[[step] for step in range(len(self.train_dataset))],
            collate_fn=lambda items: {"micro_batches": items[0]},
            generator=torch.Generator(),  # else every pass would draw from the global stream
        )

    def training_step(self, model: Any, inputs: dict[str, Any], num_items_in_batch: Any = None) -> torch.Tensor:
        """Accumulate the gradient of one optimiser batch: the weighted mean over its tokens, all processes included."""
        model.train()
        step, args = self.state.global_step, self.args
        # Dropout follows from seed, step and process alone, so that a resumed run needs no random state.
        torch.manual_seed(derive(self._seed, "fit-step", step, args.process_index))
        scale = 1 / self.train_dataset.total_weight(step)
        total = torch.zeros((), device=args.device)
        micro_batches: list[MicroBatch] = inputs["micro_batches"]
        for number, batch in enumerate(micro_batches, start=1):
            last = number == len(micro_batches)
            with contextlib.nullcontext() if last else self.accelerator.no_sync(model):
                placed = batch.to(args.device)
                logits_NV = self._head.logits(model, placed.ids, placed.places, placed.positions)
                loss = response_loss(logits_NV, placed) * scale
                # DDP averages gradients over processes; ours are to be summed.
                self.accelerator.backward(loss * args.world_size)
            total += loss.detach()
        self._pending.append((step + 1, self._get_learning_rate(), total))
        return total

    def _get_grad_norm(self, model: Any, grad_norm: Any = None) -> Any:
        self._norm = super()._get_grad_norm(model, grad_norm=grad_norm)
        return self._norm

    def floating_point_ops(self, inputs: Any) -> int:
        """Return 0: nobody reads the count, and making it walks over all parameters at every step."""
        return 0

    # Checkpoints and losses

    def settle(self) -> None:
        """Move the losses of the latest steps into the journal.

        Raises:
            ModelError: a loss or a gradient was not a finite number.
        """
        for step, rate, loss in self._pending:
            if self.args.world_size > 1:
                torch.distributed.all_reduce(loss)
            value = float(loss)
            if not math.isfinite(value):
                raise ModelError(
                    f"Training broke off: the loss was {value} at step {step} of {self.state.max_steps}, with "
                    f"learning rate {rate:.3g}. Lower learning_rate or max_grad_norm, or lengthen the warm-up. The "
                    "last good checkpoint is kept."
                )
            self.journal.losses.append((step, value))
        if self._pending and not math.isfinite(float(self._norm)):
            step, rate, _ = self._pending[-1]
            raise ModelError(
                f"Training broke off: the gradient was not finite at step {step} of {self.state.max_steps}, with "
                f"learning rate {rate:.3g}. Lower learning_rate, or lengthen the warm-up. The last good checkpoint "
                "is kept."
            )
        self._pending.clear()

    def _save_checkpoint(self, model: Any, trial: Any = None) -> None:
        """Write the Trainer's checkpoint, sync it to the disk, mark it as whole, and only then drop the one before."""
        try:
            super()._save_checkpoint(model, trial)
        except (OSError, RuntimeError, SafetensorError) as error:
            if type(error) is RuntimeError and "Writer" not in str(error):  # torch's for a write that failed
                raise
            raise StoreError(
                f"Could not write a training checkpoint to {self.args.output_dir!r}: {str(error).splitlines()[0]}. "
                "Check that the disk is writable and has free space; the same command continues from the checkpoint "
                "before."
            ) from None
        if self.args.world_size > 1:
            torch.distributed.barrier()
        if not self.args.should_save:
            return
        folder = Path(self.args.output_dir)
        fresh = folder / f"checkpoint-{self.state.global_step}"
        for path in (*fresh.rglob("*"), fresh):
            _sync(path)
        write_json(fresh / COMPLETE, {"job": self.job, "losses": self.journal.losses, "seconds": self.journal.seconds})
        _sync(fresh)
        _sync(folder)
        for path in folder.glob("checkpoint-*"):
            if path != fresh:
                shutil.rmtree(path)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        """Load a whole model's weights by the names they bear on disk; adapters have the same names everywhere."""
        if (Path(resume_from_checkpoint) / "adapter_config.json").is_file():
            super()._load_from_checkpoint(resume_from_checkpoint, model)
        else:
            take_up(self.model, resume_from_checkpoint)

    def resume(self, checkpoint: Path | None) -> None:
        """Train from `checkpoint`, or from the start, to the end."""
        if checkpoint is not None:
            saved = read_json(checkpoint / COMPLETE)
            losses = [(int(step), float(loss)) for step, loss in saved["losses"]]
            self.journal = Journal(losses, float(saved["seconds"]))
        self.train(resume_from_checkpoint=None if checkpoint is None else str(checkpoint))


class _AfterStep(TrainerCallback):  # type: ignore[misc]
    """After each step: losses into the journal, progress told, and the decision to save."""

    def __init__(self, trainer: ResponseTrainer, every_seconds: float, progress: Progress) -> None:
        self._trainer, self._every, self._progress = trainer, every_seconds, progress

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._began = self._saved = self._settled = time.monotonic()
        self._before = self._trainer.journal.seconds
        self._progress(state.global_step, state.max_steps, "")

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        now = time.monotonic()
        self._trainer.journal.seconds = self._before + now - self._began
        last = state.global_step >= state.max_steps
        save = not last and self._agreed(now - self._saved >= self._every, args)
        # Reading a loss waits for the device, so a GPU is asked once a second; with several processes the losses
        # are summed at every step, as all of them must take part.
        if save or last or args.device.type == "cpu" or args.world_size > 1 or now - self._settled >= 1:
            self._trainer.settle()
            self._settled = now
            self._progress(state.global_step, state.max_steps, f"loss {self._trainer.journal.losses[-1][1]:.4f}")
        if save:
            control.should_save = True
            self._saved = now

    def _agreed(self, save: bool, args: Any) -> bool:
        """Return the first process's decision, in all of them."""
        if args.world_size == 1:
            return save
        flag = torch.tensor([int(save)], device=args.device)
        torch.distributed.broadcast(flag, 0)
        return bool(flag.item())


def _sync(path: Path) -> None:
    """Make a file or folder durable."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
