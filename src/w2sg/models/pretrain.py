"""Pretraining of a zoo member from scratch: corpus, tokenizer and weights, restartable, one command per member.

    python -m w2sg.models.pretrain MEMBER [--out FOLDER]

The data of step `n` are a function of the seed and `n` alone, so a killed run continues from its last checkpoint to
the same weights. What the corpus holds is `tasks.world.corpus`, which members there are `models.zoo`.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import Dataset
from transformers.models.llama import LlamaConfig, LlamaForCausalLM
from transformers.trainer import Trainer
from transformers.trainer_callback import PrinterCallback, TrainerCallback
from transformers.training_args import TrainingArguments

from w2sg import seeding
from w2sg.errors import ModelError
from w2sg.models import tokenizer as zoo_tokenizer
from w2sg.models import zoo
from w2sg.models.base import Progress, silent
from w2sg.models.hf import quiet
from w2sg.storage import hash_file, read_json, write_atomic, write_json
from w2sg.tasks.world import corpus

SEED = 1
USER_LOSS_EVERY = 8
"""One document in this many is also trained on its user turn, whose numbers and names nobody could predict."""
_LOG_EVERY = 25
WIDTH = 256
"""Tokens in a packed row; no document is longer."""
_DOCUMENTS_PER_ROW = 4.4
"""How many documents a step draws for each row: so many that rows are nearly full and few find no place."""

Tokens = tuple[list[int], list[bool]]


class Steps(Dataset[dict[str, torch.Tensor]]):
    """The batch of every optimizer step, made when asked for: rows of whole documents that do not see each other."""

    def __init__(self, tokenizer: Any, seed: int, documents: int, rows: int) -> None:
        self.tokenizer, self.seed, self.rows = tokenizer, seed, rows
        self.drawn = int(rows * _DOCUMENTS_PER_ROW)
        self.steps = max(1, documents // self.drawn)

    def __len__(self) -> int:
        return self.steps

    def __getitem__(self, step: int) -> dict[str, torch.Tensor]:
        return pack(self.encode(step * self.drawn, (step + 1) * self.drawn), self.rows, self.tokenizer.pad_token_id)

    def tokens_about(self) -> int:
        """Return the number of real (non-padding) tokens of all steps, reckoned from the first fifty."""
        first = range(min(50, self.steps))
        real = sum(int((self[step]["input_ids"] != self.tokenizer.pad_token_id).sum()) for step in first)
        return round(real * self.steps / len(first))

    def encode(self, first: int, last: int) -> list[Tokens]:
        """Return the documents from `first` up to `last`: token ids and which of them the loss falls on."""
        documents = [corpus.document(self.seed, number) for number in range(first, last)]
        inner = self.tokenizer.backend_tokenizer
        texts = [part.text for document in documents for part in document]
        encoded = iter(inner.encode_batch_fast(texts, add_special_tokens=False))
        turn_id = {turn: inner.token_to_id(f"<|{turn}|>") for turn in ("system", "user", "assistant")}
        found = []
        for number, document in zip(range(first, last), documents, strict=True):
            ids, counts = [self.tokenizer.bos_token_id], [False]
            for part in document:
                if part.turn != "text":
                    ids.append(turn_id[part.turn])
                    counts.append(True)
                new = next(encoded).ids
                ids += new
                counts += [part.turn != "user" or number % USER_LOSS_EVERY == 0] * len(new)
            found.append(([*ids, self.tokenizer.eos_token_id], [*counts, True]))
        return found


def pack(texts: list[Tokens], rows: int, pad: int) -> dict[str, torch.Tensor]:
    """Return one batch of shape (rows, WIDTH): whole documents, longest first, each into the first row with room.

    Positions start anew with each document, and the mask (rows, 1, WIDTH, WIDTH) keeps documents apart. What finds
    no room is left out.
    """
    ids = torch.full((rows, WIDTH), pad)
    labels = torch.full((rows, WIDTH), -100)
    positions = torch.zeros((rows, WIDTH), dtype=torch.long)
    document = torch.full((rows, WIDTH), -1)
    used = [0] * rows
    for number, (tokens, counts) in enumerate(sorted(texts, key=lambda text: -len(text[0]))):
        size = len(tokens)
        row = next((row for row in range(rows) if used[row] + size <= WIDTH), None)
        if row is None:
            continue
        here = slice(used[row], used[row] + size)
        ids[row, here] = torch.tensor(tokens)
        labels[row, here] = torch.tensor(
            [token if counted else -100 for token, counted in zip(tokens, counts, strict=True)]
        )
        positions[row, here] = torch.arange(size)
        document[row, here] = number
        used[row] += size
    same = document[:, :, None] == document[:, None, :]
    mask = (same & torch.ones(WIDTH, WIDTH, dtype=torch.bool).tril())[:, None]
    return {"input_ids": ids, "labels": labels, "position_ids": positions, "attention_mask": mask}


class _Tell(TrainerCallback):  # type: ignore[misc]
    """Passes progress on and counts real tokens."""

    def __init__(self, progress: Progress) -> None:
        self.progress, self.loss = progress, 0.0

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        self.loss = (logs or {}).get("loss", self.loss)

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.progress(state.global_step, state.max_steps, f"loss {self.loss:.3f}")


@dataclass(frozen=True, slots=True)
class Pretrained:
    """What came out: the folder, steps, seconds of the last attempt and the mean loss by step."""

    folder: Path
    steps: int
    seconds: float
    losses: tuple[tuple[int, float], ...]


def new_model(member: zoo.Member, vocabulary: int, seed: int) -> LlamaForCausalLM:
    """Return the untrained model of a member's shape."""
    torch.manual_seed(seeding.derive(seed, "weights", member.name))
    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=member.hidden_size,
        intermediate_size=member.intermediate_size,
        num_hidden_layers=member.layers,
        num_attention_heads=member.heads,
        num_key_value_heads=member.key_value_heads,
        max_position_embeddings=zoo_tokenizer.MAX_LENGTH,
        tie_word_embeddings=True,
        initializer_range=round(0.8 * member.hidden_size**-0.5, 4),  # 0.02 suits widths in the thousands
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
    )
    return LlamaForCausalLM(config)


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
        documents: how many documents of the corpus to train on; the member's own number when None.
        seed: seed of the corpus and of the initial weights.
        progress: told after every step.
        checkpoint_every_steps: how often a checkpoint is saved; above 25 a multiple of 25, the steps that one
            logged loss is the mean of.
        threads: CPU threads.
        compiled: compile the model first (some 20 seconds, then a third faster).

    Raises:
        ValueError: `checkpoint_every_steps` does not fit.
        ModelError: no such member; or the checkpoints beside `out` were made with other settings.
    """
    if checkpoint_every_steps < 1 or (checkpoint_every_steps > _LOG_EVERY and checkpoint_every_steps % _LOG_EVERY):
        raise ValueError(f"checkpoint_every_steps must be 1 to 25 or a multiple of 25, not {checkpoint_every_steps}")
    member = zoo.member(name)
    if documents is not None:
        member = replace(member, documents=documents)
    out = out.absolute()
    work = out.with_name(f".{out.name}.pretraining")
    settings = {"member": {key: getattr(member, key) for key in member.__slots__}, "seed": seed, "compiled": compiled}
    _claim(work, {**settings, "corpus": corpus.VERSION})
    torch.set_num_threads(threads)
    tokenizer = zoo_tokenizer.train(SEED)
    steps = Steps(tokenizer, seed, member.documents, member.rows)
    started = time.monotonic()
    trainer = _trainer(member, steps, work, seed, progress, checkpoint_every_steps, compiled)
    with quiet():
        trainer.train(resume_from_checkpoint=_last_checkpoint(work))
    seconds = time.monotonic() - started
    losses = tuple((row["step"], round(row["loss"], 4)) for row in trainer.state.log_history if "loss" in row)
    unfinished = work / "finished"
    shutil.rmtree(unfinished, ignore_errors=True)
    with quiet():
        _write(trainer.model, tokenizer, unfinished)
    record = {**settings, "corpus": corpus.VERSION, "steps": steps.steps, "tokens_about": steps.tokens_about()}
    record |= {"torch": torch.__version__, "seconds_last_attempt": round(seconds, 1), "losses": losses}
    write_atomic(unfinished / "training.json", json.dumps(record) + "\n")
    shutil.rmtree(out, ignore_errors=True)
    os.replace(unfinished, out)
    shutil.rmtree(work)
    return Pretrained(out, steps.steps, seconds, losses)


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
    settings = json.loads(json.dumps(settings))
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
    member: zoo.Member, steps: Steps, work: Path, seed: int, progress: Progress, every: int, compiled: bool
) -> Trainer:
    arguments = TrainingArguments(
        output_dir=str(work),
        per_device_train_batch_size=1,
        max_steps=steps.steps,
        train_sampling_strategy="sequential",
        learning_rate=member.learning_rate,
        lr_scheduler_type="cosine_with_min_lr",
        lr_scheduler_kwargs={"min_lr_rate": 0.02},
        warmup_steps=min(200, max(1, steps.steps // 20)),
        weight_decay=0.05,
        adam_beta2=0.98,
        max_grad_norm=1.0,
        bf16=member.bf16,
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
    model = new_model(member, len(steps.tokenizer), seed)
    if compiled:
        model.compile()
    trainer = Trainer(
        model=model,
        args=arguments,
        train_dataset=steps,
        data_collator=lambda rows: rows[0],
        callbacks=[_Tell(progress)],
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
    parser.add_argument("--install", action="store_true", help="put the result among the package's shipped members")
    chosen = parser.parse_args()
    began = time.monotonic()

    def tell(done: int, total: int, note: str = "") -> None:
        if done % 25 == 0 or done == total:
            print(f"{done}/{total} {note} {time.monotonic() - began:.0f} s", flush=True)

    result = build(chosen.member, chosen.out or Path(chosen.member), documents=chosen.documents, progress=tell)
    if chosen.install:
        install(result.folder, chosen.member)
    print(f"{result.folder}: {result.steps} steps in {result.seconds:.0f} s, last loss {result.losses[-1][1]}")


if __name__ == "__main__":
    main()
