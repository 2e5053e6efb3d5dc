"""Training, the one path for every method: a thin layer on `transformers.Trainer`.

The Trainer brings what must not be written again: AdamW with schedules and clipping, bf16, LoRA checkpoints, DDP,
and a resume that is exact to the bit. TRL's SFTTrainer stands on it too, but knows neither token weights nor soft
targets, reports entropies that nobody asked for and costs some 8 ms more per step. Ours (`models.fit_trainer`) adds
the weighted loss on responses. Texts become batches in `models.fit_data`; settings are in `models.fit_config`.

Padding is on the right and no mask is passed: under causal attention a real token never sees a pad. Texts of like
length share a batch, which leaves a few percent of padding; packing would spare those, and is slow on a CPU.
"""

from __future__ import annotations

import contextlib
import gc
import hashlib
import math
import random
import shutil
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import FileLock

from w2sg.config import canonical
from w2sg.errors import ModelError
from w2sg.models.base import ModelConfig, Progress, RuntimeConfig, silent
from w2sg.models.fit_config import FitConfig, LoraConfig
from w2sg.models.fit_data import StepBatches, encode, schedule
from w2sg.models.hf import LanguageModel, dtype_of, load, quiet, save
from w2sg.records import Target
from w2sg.seeding import derive
from w2sg.storage import make_folder, read_json, write_json

MODEL = "model"
CHECKPOINTS = "checkpoints"
RESULT = "fit.json"


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
        ModelError: the model does not load, no text fits its length, or the loss is not finite.
        StoreError: the disk refuses.
    """
    make_folder(folder)
    with FileLock(folder / "fit.lock"):
        if (folder / MODEL).is_dir() and (folder / RESULT).is_file():
            return _read_result(folder)
        with _scoped(runtime):
            return _train(model, targets, config, seed, folder, runtime, progress, tuned)


def _train(
    source: ModelConfig,
    targets: Sequence[Target],
    config: FitConfig,
    seed: int,
    folder: Path,
    runtime: RuntimeConfig,
    progress: Progress,
    tuned: Path | None,
) -> FitResult:
    with _fast_imports():
        from w2sg.models.fit_trainer import ResponseTrainer, last_checkpoint

    model, merge = _prepared(source, config, seed, runtime, tuned)
    data = encode(model, targets, config)
    steps = schedule([len(text) for text in data.texts], config, seed)
    sequences = runtime.micro_batch or config.batch_size
    budget = 1 << 40 if runtime.micro_batch else _token_budget(model)
    arguments = _arguments(config, len(steps), seed, folder / CHECKPOINTS, model, runtime)
    batches = StepBatches(
        data.texts, steps, model.pad_id, sequences, budget, arguments.process_index, arguments.world_size
    )
    use_cache = model.model.config.use_cache
    with quiet():
        trainer = ResponseTrainer(
            model.model,
            arguments,
            batches,
            seed=seed,
            job=_job(targets, config, seed),
            checkpoint_every_seconds=runtime.checkpoint_every_seconds,
            progress=progress,
        )
        trainer.resume(last_checkpoint(folder / CHECKPOINTS, trainer.job))
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
    if merge:
        model.model = model.model.merge_and_unload()
    model.model.to(dtype_of(runtime, model.device)).eval()
    write_json(folder / RESULT, asdict(result))
    save(model, folder / MODEL)
    shutil.rmtree(folder / CHECKPOINTS, ignore_errors=True)
    return result


def _prepared(
    source: ModelConfig, config: FitConfig, seed: int, runtime: RuntimeConfig, tuned: Path | None
) -> tuple[LanguageModel, bool]:
    """Return the model with what is to be trained in it, and whether its adapter is to be merged at the end.

    Trained weights are kept in float32 (bfloat16 is for the arithmetic only: small updates would be lost in it);
    what adapters leave frozen stays in the format of computation.
    """
    adapter = tuned is not None and (tuned / "adapter_config.json").is_file()
    dtype = "float32" if config.lora is None else runtime.dtype
    model = load(source, runtime.model_copy(update={"dtype": dtype}), tuned, merge=config.lora is None)
    if config.lora is None:
        return model, False
    if adapter:
        _check_adapter(model, config.lora, tuned)
        return model, False
    from peft import LoraConfig as PeftConfig
    from peft import get_peft_model

    lora = config.lora
    modules = "all-linear" if lora.target_modules == "auto" else list(lora.target_modules)
    torch.manual_seed(derive(seed, "fit-lora"))
    try:
        model.model = get_peft_model(
            model.model,
            PeftConfig(
                r=lora.rank,
                lora_alpha=lora.alpha,
                lora_dropout=lora.dropout,
                target_modules=modules,
                task_type="CAUSAL_LM",
            ),
        )
    except ValueError as error:
        raise ModelError(
            f"LoRA cannot be put on {source.path!r} with target_modules {lora.target_modules!r}: "
            f"{' '.join(str(error).split())} Name linear layers of the model, or use 'auto'."
        ) from None
    return model, tuned is not None


def _check_adapter(model: LanguageModel, lora: LoraConfig, folder: Path | None) -> None:
    found = model.model.active_peft_config
    if found.r != lora.rank or found.lora_alpha != lora.alpha:
        raise ModelError(
            f"The adapter in {str(folder)!r} has rank {found.r} and alpha {found.lora_alpha}, but the settings ask "
            f"for rank {lora.rank} and alpha {lora.alpha}. Set lora to the adapter's, or leave it out to merge the "
            "adapter and train every weight."
        )


def _arguments(
    config: FitConfig, steps: int, seed: int, folder: Path, model: LanguageModel, runtime: RuntimeConfig
) -> Any:
    from transformers.training_args import TrainingArguments

    if model.device.type == "cuda" and model.device.index:
        raise ModelError(
            f"Training runs on the first visible GPU, not on {str(model.device)!r}. Set "
            f"CUDA_VISIBLE_DEVICES={model.device.index} and device 'cuda'."
        )
    arguments = TrainingArguments(
        output_dir=str(folder),
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
        bf16=dtype_of(runtime, model.device) == torch.bfloat16,
        use_cpu=model.device.type == "cpu",
        seed=derive(seed, "fit") % 2**31,
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


def _token_budget(model: LanguageModel) -> int:
    """Return how many padded tokens a micro-batch may hold, by the memory of the device."""
    if model.device.type != "cuda":
        return 4096
    config = model.model.config.get_text_config(decoder=True)
    free, _ = torch.cuda.mem_get_info(model.device)
    per_token = 2 * config.num_hidden_layers * config.hidden_size * 34 + 10 * config.vocab_size
    return max(1, int(0.4 * free / per_token))


def _job(targets: Sequence[Target], config: FitConfig, seed: int) -> str:
    """Name the job by what decides its result, so that a checkpoint of another one is not resumed."""
    digest = hashlib.sha256(canonical([config.identity(), seed]).encode())
    for target in targets:
        digest.update(canonical(target.to_dict()).encode())
    return digest.hexdigest()[:16]


def _read_result(folder: Path) -> FitResult:
    stored = read_json(folder / RESULT)
    stored["losses"] = [(int(step), float(loss)) for step, loss in stored["losses"]]
    return FitResult(**stored)


@contextlib.contextmanager
def _scoped(runtime: RuntimeConfig) -> Iterator[None]:
    """Leave threads and global random states as they were: the Trainer seeds them all."""
    threads, python, numpy_state = torch.get_num_threads(), random.getstate(), np.random.get_state()
    torch.set_num_threads(runtime.threads)
    try:
        with torch.random.fork_rng(), warnings.catch_warnings():
            # peft still reads what transformers renamed
            warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)
            yield
    finally:
        torch.set_num_threads(threads)
        random.setstate(python)
        np.random.set_state(numpy_state)


@contextlib.contextmanager
def _fast_imports() -> Iterator[None]:
    """Pause the garbage collector, which costs a fifth of the time of importing thousands of classes."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
