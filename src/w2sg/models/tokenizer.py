"""The zoo's tokenizer: byte-level BPE learnt from the corpus, numbers of up to three digits whole, with a chat template.

All members share it. Its text form is `<s>[<|system|>...]<|user|>...<|assistant|>...<|end|>`, without line breaks
between turns; `<|end|>` closes every document and every answer, and `<pad>` is used for nothing but padding.
"""

from __future__ import annotations

from typing import Any

from w2sg.tasks.world import corpus

VOCABULARY = 1024
PAD, BOS, END, USER, ASSISTANT, SYSTEM = "<pad>", "<s>", "<|end|>", "<|user|>", "<|assistant|>", "<|system|>"
SPECIAL = (PAD, BOS, END, USER, ASSISTANT, SYSTEM)
MAX_LENGTH = 512

CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{% if message['role'] == 'system' %}<|system|>{{ message['content'] }}"
    "{% elif message['role'] == 'user' %}<|user|>{{ message['content'] }}"
    "{% elif message['role'] == 'assistant' %}<|assistant|>{{ message['content'] }}<|end|>"
    "{% else %}{{ raise_exception('Only the roles system, user and assistant are known.') }}{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
# A word or a number may carry the space before it.
_PIECES = r"\n| ?\p{L}+| ?\p{N}{1,3}| ?[^\s\p{L}\p{N}]+|\s"


def train(seed: int, documents: int = 20_000) -> Any:
    """Return the tokenizer learnt from the corpus of that seed, as a `PreTrainedTokenizerFast`."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_PIECES), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    inner.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=list(SPECIAL),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    texts = (part.text for number in range(documents) for part in corpus.document(seed, number))
    inner.train_from_iterator(texts, trainer)
    bos = inner.token_to_id(BOS)
    inner.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A", pair=f"{BOS} $A {BOS} $B", special_tokens=[(BOS, bos)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=inner,
        bos_token=BOS,
        eos_token=END,
        pad_token=PAD,
        additional_special_tokens=[USER, ASSISTANT, SYSTEM],
        chat_template=CHAT_TEMPLATE,
        model_max_length=MAX_LENGTH,
        padding_side="left",
        clean_up_tokenization_spaces=False,
    )
