"""Pretraining of a zoo member from scratch: corpus, tokenizer and weights, restartable, one command per member.

    python -m w2sg.models.pretrain MEMBER --out DIR [--documents N] [--threads N] [--install]

The data of step `n` are a function of the seed and `n` alone, so a killed run continues from its last checkpoint to
the same weights. Members with a second reading train on it afterwards, with a new optimizer, from the weights as the
first reading wrote them. How documents become batches is `models.pretrain_data`, what weights training starts from
`models.pretrain_start`, what the corpus holds `tasks.world.corpus`, which members there are `models.zoo`.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import time
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional
from transformers.models.auto.modeling_auto import AutoModelForCausalLM
from transformers.trainer import Trainer
from transformers.trainer_callback import PrinterCallback, TrainerCallback
from transformers.training_args import TrainingArguments

from w2sg import seeding
from w2sg.errors import ModelError
from w2sg.models import tokenizer as zoo_tokenizer
from w2sg.models import zoo
from w2sg.models.base import Progress, silent
from w2sg.models.hf import quiet
from w2sg.models.pretrain_data import Steps
from w2sg.models.pretrain_start import new_model
from w2sg.models.restart import take_up
from w2sg.storage import hash_file, read_json, write_atomic, write_json
from w2sg.tasks.world import corpus

SEED = 1
_LOG_EVERY = 25
_WARMUP_STEPS = 100
_DECAY_SHARE = 0.4
"""The learning rate rises over the first steps, stays, and falls in a line to 2 % over this last share of steps."""
_READING_RATE = 0.5
"""The learning rate of the second reading, as a share of the member's own."""


class _Tell(TrainerCallback):  # type: ignore[misc]
    """Passes progress on."""

    def __init__(self, progress: Progress, what: str) -> None:
        self.progress, self.what, self.loss = progress, what, 0.0

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        self.loss = (logs or {}).get("loss", self.loss)

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.progress(state.global_step, state.max_steps, f"{self.what}loss {self.loss:.3f}")
        if (
            state.global_step == state.max_steps
        ):  # the last checkpoint holds the counts of tokens and seconds to its end
            control.should_log = True


class _Pretraining(Trainer):  # type: ignore[misc]
    """A Trainer whose step is both micro-batches of `Steps`, and that knows the tokens and seconds so far.

    Both numbers go into every logged row, so a checkpoint carries them to the run that continues it.
    """

    def __init__(self, *, compiled: bool, pad: int, **rest: Any) -> None:
        super().__init__(**rest)
        self.pad, self.tokens, self.seconds = pad, 0, 0.0
        self._since = time.monotonic()
        loss = partial(summed_loss, self.model)
        self.summed_loss = torch.compile(loss, dynamic=False) if compiled else loss

    def training_step(self, model: Any, inputs: Any, num_items_in_batch: Any = None) -> torch.Tensor:
        """Add the gradients of the mean loss over all counted tokens of the step; return that loss."""
        self._carry_on()
        model.train()
        counted = sum(int((batch["labels"] != -100).sum()) for batch in inputs)
        total = torch.zeros(())
        for batch in inputs:
            with torch.autocast("cpu", torch.bfloat16):
                loss = self.summed_loss(**batch) / counted
            loss.backward()  # type: ignore[no-untyped-call]
            total += loss.detach()
            self.tokens += int((batch["input_ids"] != self.pad).sum())
        return total

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Log with the tokens read and the seconds spent so far."""
        self._carry_on()
        now = time.monotonic()
        self.seconds, self._since = self.seconds + now - self._since, now
        super().log({**logs, "tokens": self.tokens, "seconds": round(self.seconds, 1)}, start_time)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        take_up(self.model, resume_from_checkpoint)

    def _carry_on(self) -> None:
        """Take up the counts of the checkpoint, the first time after one."""
        if not self.tokens and self.state.log_history:
            self.tokens, self.seconds = (self.state.log_history[-1][key] for key in ("tokens", "seconds"))

    def floating_point_ops(self, inputs: Any) -> int:
        """Count none: nothing here reads them."""
        return 0


def summed_loss(
    model: Any,
    input_ids: torch.Tensor,
    labels: torch.Tensor,
    position_ids: torch.Tensor,
    attention_mask: torch.Tensor,
) -> torch.Tensor:
    """Return the cross-entropy of one packed batch, summed over its counted tokens (a scalar, in nats)."""
    states = model.base_model(
        input_ids=input_ids, position_ids=position_ids, attention_mask=attention_mask, use_cache=False
    ).last_hidden_state
    logits = functional.linear(states, model.get_output_embeddings().weight)[:, :-1]
    return functional.cross_entropy(
        logits.flatten(0, 1).float(), labels[:, 1:].flatten(), ignore_index=-100, reduction="sum"
    )


@dataclass(frozen=True, slots=True)
class Pretrained:
    """What came out: the folder, steps, real tokens read, seconds of work and the mean loss by step."""

    folder: Path
    steps: int
    tokens: int
    seconds: float
    losses: tuple[tuple[int, float], ...]


def build(
    name: str,
    out: Path,
    *,
    documents: int | None = None,
    seed: int = SEED,
    progress: Progress = silent,
    checkpoint_every_steps: int = 200,
    threads: int = 1,
    compiled: bool = True,
) -> Pretrained:
    """Pretrain a member and write it to `out` in Hugging Face form; a killed call, made again, continues.

    Args:
        name: the member, `zoo/mini` or `mini`.
        out: the folder to write; it appears when all is done. Checkpoints lie beside it until then.
        documents: how many documents of the corpus to train on; the member's own number when None. A second reading
            shrinks or grows with it.
        seed: seed of the corpus and of the initial weights.
        progress: told after every step.
        checkpoint_every_steps: how often a checkpoint is saved; above 25 a multiple of 25, the steps that one
            logged loss is the mean of.
        threads: CPU threads.
        compiled: compile the step first (a minute, then several times as fast).

    Raises:
        ValueError: `checkpoint_every_steps` or `documents` does not fit.
        ModelError: no such member; or the checkpoints beside `out` were made with other settings.
    """
    if checkpoint_every_steps < 1 or (checkpoint_every_steps > _LOG_EVERY and checkpoint_every_steps % _LOG_EVERY):
        raise ValueError(f"checkpoint_every_steps must be 1 to 25 or a multiple of 25, not {checkpoint_every_steps}")
    member = zoo.member(name)
    if documents is not None:
        if not 0 < documents <= corpus.READING:
            raise ValueError(
                f"documents must be 1 to {corpus.READING:,}, where the second reading begins: {documents:,}"
            )
        member = replace(member, documents=documents, reading=member.reading * documents // member.documents)
    out = out.absolute()
    work, done = out.with_name(f".{out.name}.pretraining"), out.with_name(f".{out.name}.pretrained")
    settings = {"member": {key: getattr(member, key) for key in member.__slots__}, "seed": seed, "compiled": compiled}
    settings = json.loads(json.dumps({**settings, "corpus": corpus.VERSION}))
    last = "second" if member.reading else "first"
    if (done / last / "training.json").is_file() and read_json(done / "settings.json") == settings:
        return _deliver(done, last, out)
    shutil.rmtree(done, ignore_errors=True)
    _claim(work, settings)
    torch.set_num_threads(threads)
    tokenizer = zoo_tokenizer.train(SEED, name=member.tokenizer)
    first = work / "first"
    todo = [
        (first, member.documents, 0, 1.0, ""),
        (work / last, member.reading, corpus.READING, _READING_RATE, "again, "),
    ]
    for target, count, number, rate, what in todo:
        if (target / "training.json").is_file():
            continue
        steps = Steps(tokenizer, seed, count, member.batch_tokens, number)
        model = new_model(member, len(tokenizer), seed) if target == first else _again(first)
        rated = replace(member, learning_rate=rate * member.learning_rate)
        place = work / f"{target.name}-checkpoints"
        trainer = _trainer(model, rated, steps, place, seed, progress, checkpoint_every_steps, compiled, what)
        with quiet():
            trainer.train(resume_from_checkpoint=_last_checkpoint(place))
        _finish(trainer, tokenizer, target, settings, None if target == first else read_json(first / "training.json"))
    os.replace(work, done)
    return _deliver(done, last, out)


def _deliver(done: Path, last: str, out: Path) -> Pretrained:
    """Move what is finished in `done` to `out`, and remove the rest. A call that is killed is made again by `build`."""
    record = read_json(done / last / "training.json")
    shutil.rmtree(out, ignore_errors=True)
    os.replace(done / last, out)
    shutil.rmtree(done)
    losses = tuple((step, loss) for step, loss in record["losses"])
    return Pretrained(out, record["steps"], record["tokens"], record["seconds"], losses)


def _finish(
    trainer: _Pretraining, tokenizer: Any, folder: Path, settings: dict[str, Any], before: dict[str, Any] | None
) -> None:
    """Write the model with the record of its training, that of the first reading included; the record comes last, and
    says that all is there."""
    shutil.rmtree(folder, ignore_errors=True)
    with quiet():
        _write(trainer.model, tokenizer, folder)
    history, done = trainer.state.log_history, trainer.state.max_steps
    last = {"steps": done, "tokens": history[-1]["tokens"], "seconds": history[-1]["seconds"]}
    earlier = {key: before[key] if before else 0 for key in last}
    record = {**settings, **{key: earlier[key] + last[key] for key in last}}
    losses = [[row["step"] + earlier["steps"], round(row["loss"], 4)] for row in history if "loss" in row]
    if before:
        record["second_reading"] = last
        losses = [*before["losses"], *losses]
    record |= {"tokens_per_second": round(record["tokens"] / max(record["seconds"], 0.1)), "torch": torch.__version__}
    write_atomic(folder / "training.json", json.dumps({**record, "losses": losses}) + "\n")


def _again(folder: Path) -> Any:
    """Return the model of the first reading, in float32, its numbers those of the weights as written."""
    with quiet():
        return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, local_files_only=True)


def _write(model: Any, tokenizer: Any, folder: Path) -> None:
    """Write weights and tokenizer in Hugging Face form, readable by older versions of transformers too."""
    model.config.use_cache = True  # the Trainer turned it off for training
    model.to(torch.bfloat16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    path = folder / "tokenizer_config.json"
    write_json(path, {**read_json(path), "tokenizer_class": "PreTrainedTokenizerFast"})


def _claim(work: Path, settings: dict[str, Any]) -> None:
    """Mark the folder of checkpoints with the settings, or refuse one that belongs to others."""
    mark = work / "settings.json"
    if mark.is_file() and (found := read_json(mark)) != settings:
        raise ModelError(
            f"The checkpoints in {str(work)!r} were made with other settings ({found}, now {settings}). Delete that "
            "folder to start anew, or choose another output folder."
        )
    write_json(mark, settings)


def _last_checkpoint(work: Path) -> str | None:
    """The newest checkpoint that was written whole (the Trainer writes its state last)."""
    whole = [path for path in work.glob("checkpoint-*") if (path / "trainer_state.json").is_file()]
    return str(max(whole, key=lambda path: int(path.name.split("-")[1]))) if whole else None


def _trainer(
    model: Any,
    member: zoo.Member,
    steps: Steps,
    work: Path,
    seed: int,
    progress: Progress,
    every: int,
    compiled: bool,
    what: str = "",
) -> _Pretraining:
    arguments = TrainingArguments(
        output_dir=str(work),
        per_device_train_batch_size=1,
        max_steps=steps.steps,
        train_sampling_strategy="sequential",
        learning_rate=member.learning_rate,
        lr_scheduler_type="warmup_stable_decay",
        lr_scheduler_kwargs={
            "num_decay_steps": int(_DECAY_SHARE * steps.steps),
            "decay_type": "linear",
            "min_lr_ratio": 0.02,
        },
        warmup_steps=min(_WARMUP_STEPS, steps.steps // 5),
        weight_decay=0.05,
        optim="adamw_torch_fused",
        adam_beta1=0.9,
        adam_beta2=0.98,
        max_grad_norm=1.0,
        use_cpu=True,
        seed=seeding.derive(seed, "trainer") % 2**31,
        save_strategy="steps",
        save_steps=every,
        save_total_limit=2,
        logging_steps=min(_LOG_EVERY, every, steps.steps),
        report_to=[],
        disable_tqdm=True,
        remove_unused_columns=False,
        dataloader_pin_memory=False,
    )
    # Under compilation the plain form of attention is far faster backwards than the fused one; the saved config
    # names neither.
    model.set_attn_implementation("eager")
    trainer = _Pretraining(
        compiled=compiled,
        pad=steps.tokenizer.pad_token_id,
        model=model,
        args=arguments,
        train_dataset=steps,
        data_collator=lambda found: found[0],
        callbacks=[_Tell(progress, what)],
    )
    trainer.remove_callback(PrinterCallback)
    return trainer


def install(folder: Path, name: str) -> None:
    """Put a built member among the shipped ones and write its hashes into the manifest."""
    target = zoo.home() / zoo.member(name).name
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(folder, target)
    for file in target.iterdir():
        file.chmod(0o644)
    path = zoo.home() / zoo.MANIFEST
    manifest = read_json(path) if path.is_file() else {}
    files = {file.name: hash_file(file) for file in sorted(target.iterdir()) if file.suffix != ".md"}
    manifest[target.name] = files
    write_json(path, {key: manifest[key] for key in zoo.MEMBERS if key in manifest})


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description="Pretrain a member of the zoo from scratch.")
    parser.add_argument("member", choices=list(zoo.MEMBERS))
    parser.add_argument("--out", type=Path, help="the folder to write (default: MEMBER in the current folder)")
    parser.add_argument("--documents", type=int, help="train on this many documents instead of the member's number")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads (default: 1)")
    parser.add_argument("--install", action="store_true", help="put the result among the package's shipped members")
    chosen = parser.parse_args()
    began = time.monotonic()

    def tell(done: int, total: int, note: str = "") -> None:
        if done % 25 == 0 or done == total:
            print(f"{done}/{total} {note} {time.monotonic() - began:.0f} s", flush=True)

    out = chosen.out or Path(chosen.member)
    result = build(chosen.member, out, documents=chosen.documents, threads=chosen.threads, progress=tell)
    if chosen.install:
        install(result.folder, chosen.member)
    print(f"{result.folder}: {result.steps} steps, {result.tokens / 1e6:.1f} M tokens in {result.seconds:.0f} s")


if __name__ == "__main__":
    main()
