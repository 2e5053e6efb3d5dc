"""Random tiny language models with tokenizers of their own, written to folders as any model from the Hub would be.

Every trait that trips loaders can be chosen: family, chat template or none, BOS or none, pad token or none.
Nothing here is pretrained: the models are for the mechanics of loading, training and sampling.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

FAMILIES = ("llama", "qwen2", "gpt_neox")

CORPUS = [
    "Question: Ann has 12 apples and buys 7 more. How many apples does she have now?",
    "Answer: She has 12 + 7 = 19 apples. The answer is 19.",
    "Question: Is every wumpus a tumpus? Think step by step, then say true, false or unknown.",
    "Answer: Every wumpus is a rompus. Every rompus is a tumpus. The answer is true.",
    "Question: Who wrote the song of the river, and in which town was the writer born?",
    "the quick brown fox jumps over the lazy dog 0 1 2 3 4 5 6 7 8 9",
]

TEMPLATE = (
    "{{ bos_token or '' }}{% for message in messages %}<|{{ message['role'] }}|>\n"
    "{{ message['content'] }}<|end|>\n{% endfor %}{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)


def build_tokenizer(*, chat: bool = True, bos: bool = False, pad: bool = True, eos: bool = True) -> Any:
    """A byte-level BPE tokenizer of about 400 tokens.

    With `chat`, turns end with `<|end|>`, while the tokenizer's EOS (when it has one) is `<|endoftext|>`, as in
    Qwen; with `bos`, `<|bos|>` is put first by the tokenizer and by the template, as in Llama 3.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    specials = ["<|endoftext|>", "<|bos|>", "<|pad|>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>"]
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=specials,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    backend.train_from_iterator(CORPUS, trainer)
    if bos:
        backend.post_processor = processors.TemplateProcessing(
            single="<|bos|> $A", pair="<|bos|> $A <|bos|> $B", special_tokens=[("<|bos|>", 1)]
        )
    tokens = {"eos_token": "<|endoftext|>" if eos else None, "bos_token": "<|bos|>" if bos else None}
    tokens |= {"pad_token": "<|pad|>" if pad else None}
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend,
        **{name: token for name, token in tokens.items() if token},
        additional_special_tokens=["<|system|>", "<|user|>", "<|assistant|>", "<|end|>"],
    )
    if chat:
        tokenizer.chat_template = TEMPLATE
    return tokenizer


def build_config(family: str, *, vocab_size: int, **changes: Any) -> Any:
    """The configuration of a random model: 2 layers of width 32, 4 heads (2 for keys and values where it can)."""
    from transformers import AutoConfig

    shape: dict[str, Any] = {
        "vocab_size": vocab_size,
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "bos_token_id": None,
        "eos_token_id": None,
        "pad_token_id": None,
        "initializer_range": 0.3,  # far from uniform, so that greedy choices have margins
    }
    if family in ("llama", "qwen2", "qwen3", "mistral"):
        shape |= {"num_key_value_heads": 2}
    if family == "opt":
        shape |= {"ffn_dim": 64, "init_std": shape.pop("initializer_range"), "word_embed_proj_dim": 32}
    elif family not in ("gpt2", "bloom"):
        shape |= {"intermediate_size": 64}
    if family != "bloom":
        shape |= {"max_position_embeddings": 256}
    return AutoConfig.for_model(family, **shape | changes)


def build_model(
    folder: Path,
    family: str = "llama",
    *,
    chat: bool = True,
    bos: bool = False,
    pad: bool = True,
    eos: bool = True,
    seed: int = 0,
    generation_eos: list[int] | None = None,
    **changes: Any,
) -> Path:
    """Write a random model of `family` and its tokenizer to `folder` and return the folder."""
    import torch
    from transformers import AutoModelForCausalLM

    tokenizer = build_tokenizer(chat=chat, bos=bos, pad=pad, eos=eos)
    config = build_config(family, **{"vocab_size": len(tokenizer), **changes})
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = AutoModelForCausalLM.from_config(config)
    model.generation_config.eos_token_id = generation_eos
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
