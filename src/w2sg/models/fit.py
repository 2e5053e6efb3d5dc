"""Training, the one path for every method: a thin layer on `transformers.Trainer`.

The Trainer brings what must not be written again: AdamW with schedules and clipping, bf16, LoRA checkpoints, DDP,
and a resume that is exact to the bit. TRL's SFTTrainer stands on it too, but knows neither token weights nor soft
targets, reports entropies that nobody asked for and costs some 8 ms more per step. Ours (`models.fit_trainer`) adds
the weighted loss on responses. Texts become batches in `models.fit_data`; settings are in `models.fit_config`.

Padding is on the right and no mask is passed: under causal attention a real token never sees a pad. Texts of like
length share a batch, which leaves a few percent of padding; packing spares those where attention keeps texts apart
without a mask, and is slow on a CPU.
"""

from __future__ import annotations

import contextlib
import hashlib
import math
import os
import random
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import FileLock

from w2sg.config import canonical
from w2sg.errors import ModelError, StoreError, UserError
from w2sg.models.base import ModelConfig, Progress, RuntimeConfig, silent
from w2sg.models.fit_adapter import check_adapter, put_adapter
from w2sg.models.fit_config import FitConfig
from w2sg.models.fit_data import StepBatches, encode, schedule
from w2sg.models.fit_launch import JOB, Job, launch, report, tell
from w2sg.models.fit_trainer import ResponseTrainer, last_checkpoint
from w2sg.models.hf import LanguageModel, dtype_of, load, quiet, save
from w2sg.models.identity import resolve
from w2sg.models.machine import enough_memory, threads
from w2sg.records import Target
from w2sg.seeding import derive
from w2sg.storage import make_folder, read_json, write_json

MODEL = "model"
CHECKPOINTS = "checkpoints"
RESULT = "fit.json"
LOCK = "fit.lock"
_UNBOUNDED = 1 << 40


@dataclass(frozen=True)
class FitResult:
    """What training did. `tokens_trained` counts real (non-padding) tokens, prompts included; `losses` are
    (step, loss) pairs. Of the texts, `truncated` were cut at the length limit, `too_long` had a prompt that left no
    room for a response and `weightless` weighed nothing: the last two were left out."""

    tokens_trained: int
    steps: int
    seconds: float
    losses: list[tuple[int, float]]
    texts: int = 0
    truncated: int = 0
    too_long: int = 0
    weightless: int = 0


def fit(
    model: ModelConfig,
    targets: Sequence[Target],
    config: FitConfig,
    *,
    seed: int,
    folder: Path,
    runtime: RuntimeConfig,
    progress: Progress = silent,
    tuned: Path | None = None,
) -> FitResult:
    """Train `model` on `targets` and write it to `folder/"model"`, which appears whole and last.

    The loss of an optimiser step is the sum over response tokens of weight times cross-entropy, divided by the sum
    of the weights in the step's batch. Killed at any moment and called again, it ends in the same bits.

    Args:
        tuned: a tuned checkpoint of `model` (full, or an adapter) to start from. An adapter is trained on when
            `config.lora` is set, and merged otherwise; an adapter on a tuned full model is merged at the end.

    Raises:
        DataError: no targets, or weights or soft targets that do not fit.
        ModelError: the model does not load, no text fits its length, the memory runs out, or the loss is not finite.
        StoreError: the disk refuses.
    """
    job = Job(model, targets, config, seed, make_folder(folder), runtime, tuned)
    if runtime.processes == 1:
        with _alone(folder):
            return _finished(job) or _train(job, progress)
    if _finished(job) is None:
        _check_gpus(runtime)
        launch(job, progress)
    with _alone(folder):
        found = _finished(job)
    assert found is not None, "the processes ended well, but left no model"
    return found


def main(path: Path) -> None:
    """Be one of torchrun's processes: train the job in the file, the first process writing and telling."""
    job, first = Job.read(path), os.environ["RANK"] == "0"
    if job.runtime.device != "cpu" and torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    try:
        # When the parent is killed, these end at their next step; until then nobody else may train in their folder.
        with _alone(job.folder) if first else contextlib.nullcontext():
            _train(job, tell if first else silent)
    except UserError as error:  # the first to fail tells: torchrun then ends the others
        report(path, error)
        sys.exit(1)


def _train(job: Job, progress: Progress) -> FitResult:
    with _scoped(job.runtime), enough_memory(f"training {job.model.path!r}"):
        model, merge = _prepared(job)
        data = encode(model, job.targets, job.config)
        steps = schedule([len(text) for text in data.texts], job.config, job.seed)
        arguments = _arguments(job, len(steps), model)
        sequences, tokens = _micro_batch(job, model)
        batches = StepBatches(
            data.texts,
            steps,
            model.pad_id,
            sequences,
            tokens,
            arguments.process_index,
            arguments.world_size,
            packed=_packed(job.runtime, model),
        )
        use_cache = model.model.config.use_cache
        with quiet():
            trainer = ResponseTrainer(
                model.model,
                arguments,
                batches,
                seed=job.seed,
                job=_identity(job),
                checkpoint_every_seconds=job.runtime.checkpoint_every_seconds,
                progress=progress,
            )
            with trainer.accelerator.main_process_first():  # it removes what the others must not see
                checkpoint = last_checkpoint(job.folder / CHECKPOINTS, trainer.job, clean=arguments.should_save)
            trainer.resume(checkpoint)
        model.model.config.use_cache = use_cache
        result = FitResult(
            tokens_trained=batches.tokens_up_to(len(steps)),
            steps=len(steps),
            seconds=trainer.journal.seconds,
            losses=trainer.journal.losses,
            texts=len(data.texts),
            truncated=data.truncated,
            too_long=data.too_long,
            weightless=data.weightless,
        )
        if arguments.should_save:
            _write(job, model, result, merge)
        return result


def _write(job: Job, model: LanguageModel, result: FitResult, merge: bool) -> None:
    """Write the result, then the model, which makes the job finished, and then drop the checkpoints."""
    if merge:
        model.model = model.model.merge_and_unload()
    model.model.to(dtype_of(job.runtime, model.device)).eval()
    write_json(job.folder / RESULT, {"job": _identity(job), **asdict(result)})
    save(model, job.folder / MODEL)
    shutil.rmtree(job.folder / CHECKPOINTS, ignore_errors=True)


def _prepared(job: Job) -> tuple[LanguageModel, bool]:
    """Return the model with what is to be trained in it, and whether its adapter is to be merged at the end.

    Trained weights are kept in float32 (bfloat16 is for the arithmetic only: small updates would be lost in it);
    what adapters leave frozen stays in the format of computation.
    """
    lora, tuned = job.config.lora, job.tuned
    dtype = "float32" if lora is None else job.runtime.dtype
    model = load(job.model, job.runtime.model_copy(update={"dtype": dtype}), tuned, merge=lora is None or tuned is None)
    if lora is None:
        model.model.requires_grad_(True)  # a merged adapter leaves its base frozen
        return model, False
    if tuned is not None and (tuned / "adapter_config.json").is_file():
        check_adapter(model, lora, tuned)
        return model, False
    put_adapter(model, lora, job.model.path, derive(job.seed, "fit-lora"))
    return model, tuned is not None or model.config.path != job.model.path


def _packed(runtime: RuntimeConfig, model: LanguageModel) -> bool:
    """Whether texts share rows: where attention works on the borders themselves (flash attention), it spares all
    padding; elsewhere the mask that keeps texts apart costs more than padding does."""
    flash = "flash" in str(getattr(model.model.config, "_attn_implementation", ""))
    if runtime.packing == "off" or (runtime.packing == "auto" and not flash):
        return False
    if not _keeps_texts_apart(model):
        if runtime.packing == "auto":
            return False
        raise ModelError(
            f"The model {model.config.path!r} cannot be trained on packed texts: with this attention, a text in a "
            "row sees the one before it. Set runtime.packing to off (or auto)."
        )
    return True


@torch.no_grad()
def _keeps_texts_apart(model: LanguageModel) -> bool:
    """Whether a text in a packed row is read as if it stood alone: its logits must not depend on its neighbour."""
    vocabulary = model.model.get_input_embeddings().weight.shape[0]
    positions = torch.tensor([[0, 1, 2, 3, 0, 1, 2, 3]], device=model.device)
    read = []
    for neighbour in (0, 1):
        ids = torch.tensor([[(place * 7 + neighbour * (place < 4) * 3) % vocabulary for place in range(8)]])
        logits = model.model(input_ids=ids.to(model.device), position_ids=positions, use_cache=False).logits
        read.append(logits[0, 4:].float())
    return bool((read[0] - read[1]).abs().max() <= 1e-2 * read[0].std())


def _arguments(job: Job, steps: int, model: LanguageModel) -> Any:
    from transformers.training_args import TrainingArguments

    config = job.config
    if model.device.type == "cuda" and model.device.index:
        raise ModelError(
            f"Training runs on the first visible GPU, not on {str(model.device)!r}. Set "
            f"CUDA_VISIBLE_DEVICES={model.device.index} and device 'cuda'."
        )
    arguments = TrainingArguments(
        output_dir=str(job.folder / CHECKPOINTS),
        max_steps=steps,
        num_train_epochs=1,
        per_device_train_batch_size=1,
        learning_rate=config.learning_rate,
        lr_scheduler_type="constant_with_warmup" if config.schedule == "constant" else config.schedule,
        warmup_steps=math.ceil(config.warmup_fraction * steps),
        optim="adamw_torch_fused",
        weight_decay=config.weight_decay,
        adam_beta2=config.beta2,
        max_grad_norm=config.max_grad_norm,
        bf16=dtype_of(job.runtime, model.device) == torch.bfloat16,
        use_cpu=model.device.type == "cpu",
        seed=derive(job.seed, "fit") % 2**31,
        activation_checkpointing=config.activation_checkpointing,
        logging_strategy="no",
        save_strategy="no",  # when to save is decided by the clock
        report_to="none",
        disable_tqdm=True,
        log_level="error",
        logging_nan_inf_filter=False,
        average_tokens_across_devices=False,
        ddp_find_unused_parameters=False,
        dataloader_pin_memory=False,
        remove_unused_columns=False,
    )
    arguments._n_gpu = min(arguments.n_gpu, 1)  # several GPUs are for several processes, never for DataParallel
    return arguments


def _micro_batch(job: Job, model: LanguageModel) -> tuple[int, int]:
    """Return how many texts, and how many padded tokens, go through the model at once.

    Unless the settings say how many texts, memory decides, by a rough count of the activations of a token: some 34
    vectors per layer (2 when they are recomputed), and the logits with their gradients. It counts the memory there
    is, not what is free at the moment: a resumed run must cut its batches in the same places.
    """
    if job.runtime.micro_batch:
        return job.runtime.micro_batch, _UNBOUNDED
    vocabulary, width = model.model.get_input_embeddings().weight.shape
    layers = getattr(model.model.config.get_text_config(decoder=True), "num_hidden_layers", 48)
    vectors = 2 * layers + 34 if job.config.activation_checkpointing else 34 * layers
    size = 2 if dtype_of(job.runtime, model.device) == torch.bfloat16 else 4
    per_token = size * vectors * width + 16 * vocabulary
    if model.device.type == "cuda":
        memory = torch.cuda.get_device_properties(model.device).total_memory
    else:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    weights = list(model.model.parameters())  # trained ones come with gradients and two moments
    room = memory - sum((16 if weight.requires_grad else 4) * weight.numel() for weight in weights)
    tokens = max(1, int(0.4 * room / per_token))
    # Beyond a few thousand tokens a CPU gains nothing, and its caches lose.
    return job.config.batch_size, tokens if model.device.type == "cuda" else min(4096, tokens)


def _identity(job: Job) -> str:
    """Name the job by what decides its result, so that what another one left is neither resumed nor returned."""
    tuned = None if job.tuned is None else resolve(ModelConfig(path=str(job.tuned.resolve())))
    parts = [resolve(job.model), job.model.system, tuned, job.config.identity(), job.seed]
    digest = hashlib.sha256(canonical(parts).encode())
    for target in job.targets:
        digest.update(canonical(target.to_dict()).encode())
    return digest.hexdigest()[:16]


def _check_gpus(runtime: RuntimeConfig) -> None:
    gpus = torch.cuda.device_count()
    if runtime.device != "cpu" and 0 < gpus < runtime.processes:
        raise ModelError(
            f"Training in {runtime.processes} processes needs as many GPUs, and {gpus} are visible here. Set "
            f"processes to {gpus}, or device to 'cpu'."
        )


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Wait until nobody else trains in `folder`, and sweep up what a kill left half written."""
    try:
        lock = FileLock(folder / LOCK)
        lock.acquire()
    except OSError as error:
        raise StoreError(f"Could not write in {str(folder)!r}: {error.strerror or error}. Make it writable.") from None
    with lock:
        for path in folder.glob(".*.tmp"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        yield


def _finished(job: Job) -> FitResult | None:
    """Return the result of an earlier call that came to its end in the folder; what it no longer needs goes."""
    folder = job.folder
    if not (folder / MODEL).is_dir() or not (folder / RESULT).is_file():
        return None
    stored = read_json(folder / RESULT)
    if stored.pop("job") != _identity(job):
        raise StoreError(
            f"The folder {str(folder)!r} holds a model that was trained from other texts, settings or weights. Choose "
            "another folder, or delete this one."
        )
    shutil.rmtree(folder / CHECKPOINTS, ignore_errors=True)
    shutil.rmtree(folder / JOB, ignore_errors=True)
    stored["losses"] = [(int(step), float(loss)) for step, loss in stored["losses"]]
    return FitResult(**stored)


@contextlib.contextmanager
def _scoped(runtime: RuntimeConfig) -> Iterator[None]:
    """Leave threads and global random states as they were: the Trainer seeds them all."""
    python, numpy_state = random.getstate(), np.random.get_state()
    gpus = [torch.cuda.current_device()] if runtime.device != "cpu" and torch.cuda.is_available() else []
    try:
        with threads(runtime.threads), torch.random.fork_rng(gpus):
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy_state)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
