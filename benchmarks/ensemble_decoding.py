"""Time the labels of an ensemble of LoRA experts on one base against those of one expert.

    python benchmarks/ensemble_decoding.py [--model zoo/mini] [--task world-maths] [--questions 64] [--experts 5]
        [--rank 8] [--last-layers N] [--learning-rate 1e-3] [--epochs 3]
        [--ensemble FOLDER | --random | --shape qwen2.5-0.5b] [--spread] [--ours] [--tokens N]
        [--max-new-tokens 96] [--device cpu] [--threads 1] [--repeats 3] [--json PATH]

Five arms answer the same questions side by side, greedily, up to each answer's end (`--tokens N`: with exactly N
tokens each): one expert by w2sg's engine; one expert as the ensemble's engine would run it, were there no others; the
ensemble by the obvious loop (every expert a model of its own with its own cache, one after the other at each token); by
peft's batches of mixed adapters (`adapter_names=`), in the same loop; and by w2sg's engine. `--ours` leaves out the
loop and peft. The questions are a task's first, which are its easiest, or with `--spread` every so many of all. The
experts are boosted on worked answers to other questions (`boosting_round`), or read from `--ensemble`; with `--random`
they are random, agree on little, and the texts mean nothing. `--shape` does the same on a random base of a real
model's shape, for its memory. That all ensembles say the same is checked. Arms take turns. Memory is that of weights:
of the loaded ensemble against one expert beside its base, and the same with the copies that the engines make of weights
for as long as they sample.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

LEARNT = 192
"""Questions at the end of a task whose worked answers the experts learn."""

Arm = Callable[[], list[list[int]]]


SHAPES = {
    "qwen2.5-0.5b": {
        "hidden_size": 896,
        "num_hidden_layers": 24,
        "num_attention_heads": 14,
        "num_key_value_heads": 2,
        "intermediate_size": 4864,
        "vocab_size": 151936,
        "rope_theta": 1e6,
        "max_position_embeddings": 32768,
        "tie_word_embeddings": True,
    }
}


def write_base(folder: Path, shape: str, tokenizer: str) -> str:
    """Write a random model of a real one's shape, with another model's tokenizer."""
    import torch
    from transformers import AutoTokenizer, Qwen2Config, Qwen2ForCausalLM

    from w2sg.models.base import ModelConfig
    from w2sg.models.identity import locate

    words = AutoTokenizer.from_pretrained(locate(ModelConfig(path=tokenizer)))
    torch.manual_seed(0)
    config = Qwen2Config(**SHAPES[shape], eos_token_id=words.eos_token_id, pad_token_id=words.pad_token_id)
    Qwen2ForCausalLM(config).to(torch.bfloat16).save_pretrained(folder)
    words.save_pretrained(folder)
    return str(folder)


def write_experts(folder: Path, path: str, count: int, rank: int) -> Path:
    """Write an ensemble of random adapters on the model at `path`, small ones, as tuning leaves them."""
    import torch
    from peft import LoraConfig, get_peft_model

    from w2sg.models import hf
    from w2sg.models.base import ModelConfig, RuntimeConfig
    from w2sg.models.ensemble import save_ensemble

    experts = []
    base = hf.load(ModelConfig(path=path), RuntimeConfig(device="cpu")).model
    for number in range(count):
        torch.manual_seed(number)
        with hf.quiet():
            settings = LoraConfig(r=rank, lora_alpha=2 * rank, target_modules="all-linear", task_type="CAUSAL_LM")
            adapted = get_peft_model(base, settings)
            for name, weight in adapted.named_parameters():
                if "lora_B" in name:
                    torch.nn.init.normal_(weight, std=0.02)
            adapted.save_pretrained(folder / f"adapter-{number}")
            base = adapted.unload()
        experts.append((folder / f"adapter-{number}", 1.0 + number / count))
    save_ensemble(folder / "ensemble", path, experts)
    return folder / "ensemble"


def by_drafts(model: Any) -> Any:
    """Return one expert as an ensemble of itself, which runs as experts do that draft."""
    from w2sg.models.mixture import SeparateExperts

    return replace(model, model=SeparateExperts([model.model], [1.0], "probability"))


def questions_of(model: Any, task: str, count: int, spread: bool) -> list[list[int]]:
    """Return the prompts of a task's first questions, or of as many spread over all but the last, which experts
    learn."""
    from sampling import prompts_of

    if not spread:
        return prompts_of(model, task, count)
    from w2sg.tasks import build, task_config

    total = len(build(task_config(task)).load()) - LEARNT
    return prompts_of(model, task, total)[:: total // count][:count]


def separate(folder: Path, config: Any, runtime: Any) -> Any:
    """Return the ensemble as models of their own, run one by one."""
    from w2sg.models import hf
    from w2sg.models.ensemble import read_ensemble
    from w2sg.models.mixture import SeparateExperts

    found = read_ensemble(folder)
    models = [hf.load(config, runtime, folder / expert.path) for expert in found.experts]
    experts = SeparateExperts([model.model for model in models], found.weights, found.mixture)
    return replace(models[0], model=experts.to(models[0].device).eval())


def mixed_batches(folder: Path, config: Any, runtime: Any) -> Any:
    """Return the ensemble as peft runs it: rows repeated, each naming its adapter."""
    from peft import PeftModel

    from w2sg.models import hf
    from w2sg.models.adapters import RepeatedCache
    from w2sg.models.ensemble import read_ensemble
    from w2sg.models.mixture import EnsembleModule

    class MixedBatches(EnsembleModule):
        def __init__(self, base: Any, names: Sequence[str], weights: Sequence[float]) -> None:
            super().__init__(weights, "probability")
            self.base, self.names = base, names
            self.config, self.generation_config = base.config, base.generation_config

        def get_input_embeddings(self) -> Any:
            return self.base.get_input_embeddings()

        def expert_logits(
            self,
            input_ids: Any,
            attention_mask: Any = None,
            position_ids: Any = None,
            past_key_values: Any = None,
            use_cache: bool = False,
            logits_to_keep: int = 0,
        ) -> tuple[Any, Any]:
            count, rows = self.count, len(input_ids)
            output = self.base(
                input_ids=input_ids.repeat(count, 1),
                attention_mask=attention_mask.repeat(count, 1),
                position_ids=position_ids.repeat(count, 1),
                past_key_values=None if past_key_values is None else past_key_values.inner,
                use_cache=use_cache,
                logits_to_keep=logits_to_keep,
                adapter_names=[name for name in self.names for _ in range(rows)],
            )
            logits = output.logits.view(count, rows, *output.logits.shape[1:])
            return logits, RepeatedCache(output.past_key_values, count)

    found = read_ensemble(folder)
    model = hf.load(config, runtime)
    with hf.quiet():
        paths = [str(folder / expert.path) for expert in found.experts]
        adapted = PeftModel.from_pretrained(model.model, paths[0], adapter_name="expert-0")
        for number, path in enumerate(paths[1:], start=1):
            adapted.load_adapter(path, adapter_name=f"expert-{number}")
    names = [f"expert-{number}" for number in range(len(paths))]
    return replace(model, model=MixedBatches(adapted, names, found.weights).to(model.device).eval())


def arm(model: Any, prompts: Sequence[list[int]], limit: int, runtime: Any, plainly: bool) -> Arm:
    """Return the work of answering all prompts with at most `limit` tokens each; `plainly`: by the models' own forward
    passes, which is what the obvious loop calls."""
    import numpy as np

    from w2sg.decode import generic
    from w2sg.decode.base import Branch
    from w2sg.decode.config import SamplingConfig
    from w2sg.decode.sampling import engine_of

    config, engine = SamplingConfig(max_new_tokens=limit), generic.respond if plainly else engine_of(model)
    branches = [Branch(prompt, limit, np.empty(0)) for prompt in prompts]

    def work() -> list[list[int]]:
        return engine(model, branches, config, runtime, lambda responses, tokens: None)

    return work


def timed(work: Arm, device: Any) -> tuple[list[list[int]], float]:
    """Return what the work found and the seconds it took: the processor's on a CPU, which others may share."""
    import torch

    clock = time.process_time if device.type == "cpu" else time.perf_counter
    start = clock()
    found = work()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return found, clock() - start


def weight_bytes(model: Any) -> int:
    """Return the bytes of a module's parameters and buffers."""
    parts = {part.data_ptr(): part for part in (*model.parameters(), *model.buffers())}
    return sum(part.numel() * part.element_size() for part in parts.values())


def working_bytes(model: Any) -> int:
    """Return the bytes of a module's weights with the copies of them that its engine makes."""
    from w2sg.decode import speculative
    from w2sg.decode.llama import LlamaForward

    fits = speculative.fits(model)
    forwards = speculative._Experts(model).forwards if fits else [LlamaForward(model)]
    parts = {part.data_ptr(): part for part in (*model.parameters(), *model.buffers())}
    for forward in forwards:
        products = [vars(part) for layer in forward.layers for part in vars(layer).values() if hasattr(part, "weights")]
        held = [part for product in products for values in product.values() for part in (values or ()) if values]
        # Views into weights that are counted already start within them.
        storages = {part.untyped_storage().data_ptr() for part in parts.values()}
        parts |= {
            part.data_ptr(): part
            for part in held
            if part is not None and part.untyped_storage().data_ptr() not in storages
        }
    return sum(part.numel() * part.element_size() for part in parts.values())


def boosted(folder: Path, options: argparse.Namespace) -> Path:
    """Boost experts on worked answers to other questions, and return their ensemble's folder."""
    from boosting_round import rounds, targets_of

    from w2sg.models.base import RuntimeConfig
    from w2sg.models.fit_config import FitConfig, LoraConfig

    lora = LoraConfig(rank=options.rank, alpha=2 * options.rank, last_layers=options.last_layers)
    settings = FitConfig(learning_rate=options.learning_rate, epochs=options.epochs, batch_size=16, lora=lora)
    targets = targets_of(options.task, LEARNT)
    rounds(folder, options.model, targets, options.experts, settings, RuntimeConfig(device="cpu"), plain=False)
    return folder / "ensemble"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="zoo/mini")
    parser.add_argument("--task", default="world-maths")
    parser.add_argument("--questions", type=int, default=64)
    parser.add_argument("--experts", type=int, default=5)
    parser.add_argument("--rank", type=int, default=8)
    parser.add_argument("--last-layers", type=int, help="adapters on so many last layers only")
    parser.add_argument("--learning-rate", type=float, default=1e-3, help="the experts'")
    parser.add_argument("--epochs", type=float, default=3.0, help="the experts'")
    parser.add_argument("--ensemble", type=Path, help="an ensemble of adapters on the model")
    parser.add_argument("--random", action="store_true", help="random experts")
    parser.add_argument("--shape", choices=SHAPES, help="random experts on a random base of this shape")
    parser.add_argument("--spread", action="store_true", help="questions from all over the task")
    parser.add_argument("--ours", action="store_true", help="without the obvious loop and peft's batches")
    parser.add_argument("--tokens", type=int, default=0, help="exactly so many tokens per answer")
    parser.add_argument("--max-new-tokens", type=int, default=96)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if options.last_layers and (options.ensemble or options.random or options.shape):
        parser.error("--last-layers is for experts that are boosted here")
    return options


def main() -> None:
    options = arguments()
    os.environ["OMP_NUM_THREADS"] = str(options.threads)
    import torch

    from w2sg.models import loading
    from w2sg.models.base import ModelConfig, RuntimeConfig

    torch.set_num_threads(options.threads)
    runtime = RuntimeConfig(device=options.device, threads=options.threads)
    with tempfile.TemporaryDirectory() as name:
        if options.shape:
            options.model = write_base(Path(name) / options.shape, options.shape, options.model)
        base = ModelConfig(path=options.model)
        if options.ensemble:
            folder = options.ensemble
        elif options.random or options.shape:
            folder = write_experts(Path(name), options.model, options.experts, options.rank)
        else:
            folder = boosted(Path(name), options)
        models: dict[str, Any] = {"one expert": loading.load(base, runtime, folder / "expert-01")}
        models["one expert, as it drafts"] = by_drafts(models["one expert"])
        if not options.ours:
            models["one after the other"] = separate(folder, base, runtime)
            models["peft's mixed batches"] = mixed_batches(folder, base, runtime)
        models["w2sg"] = loading.load(ModelConfig(path=str(folder)), runtime)
    for model in models.values() if options.tokens else ():
        model.dialogue.stop_ids = frozenset()
    prompts = questions_of(models["one expert"], options.task, options.questions, options.spread)
    device = models["one expert"].device
    limit, plainly = options.tokens or options.max_new_tokens, ("one after the other", "peft's mixed batches")
    works = {name: arm(model, prompts, limit, runtime, name in plainly) for name, model in models.items()}
    for work in works.values():
        timed(work, device)  # warm
    seconds: dict[str, list[float]] = {name: [] for name in works}
    said: dict[str, list[list[int]]] = {}
    for _ in range(options.repeats):
        for name, work in works.items():
            said[name], taken = timed(work, device)
            seconds[name].append(taken)
    report(options, models, prompts, seconds, said)


def report(
    options: argparse.Namespace,
    models: dict[str, Any],
    prompts: list[list[int]],
    seconds: dict[str, list[float]],
    said: dict[str, list[list[int]]],
) -> None:
    ours = models["w2sg"].model
    adapters = sum(part.numel() * part.element_size() for layer in adapted(ours) for part in (layer.down, layer.up))
    one = weight_bytes(ours) - adapters * (1 - 1 / options.experts)
    pairs = {name: zip(seconds[name], seconds["one expert"], strict=True) for name in seconds}
    found = {
        "model": options.model,
        "device": str(models["one expert"].device),
        "experts": options.experts,
        "questions": options.questions,
        "rank": options.rank,
        "last_layers": options.last_layers,
        "learning_rate": options.learning_rate,
        "epochs": options.epochs,
        "experts_are": "given" if options.ensemble else "random" if options.random or options.shape else "boosted",
        "prompt_tokens": sum(map(len, prompts)) / options.questions,
        "tokens_per_label": {name: sum(map(len, rows)) / options.questions for name, rows in said.items()},
        "seconds_per_label": {name: statistics.median(taken) / options.questions for name, taken in seconds.items()},
        "cost_relative_to_one_expert": {
            name: statistics.median(left / right for left, right in both) for name, both in pairs.items()
        },
        "memory_relative_to_one_expert": weight_bytes(ours) / one,
        "memory_with_working_copies": working_bytes(ours) / working_bytes(models["one expert"].model),
        "same_responses": {
            name: sum(a == b for a, b in zip(said[name], said["w2sg"], strict=True)) / options.questions
            for name in ("one after the other", "peft's mixed batches")
            if name in said
        },
    }
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n")
    json.dump(found, sys.stdout, indent=1)
    print()


def adapted(model: Any) -> list[Any]:
    from w2sg.models.adapters import AdaptedLinear

    return [module for module in model.modules() if isinstance(module, AdaptedLinear)]


if __name__ == "__main__":
    main()
