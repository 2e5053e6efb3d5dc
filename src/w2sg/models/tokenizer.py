"""The zoo's tokenizers: byte-level BPE learnt from the corpus, each with its own chat form.

There are two recipes. `turns` marks each turn by a special token (`<s><|user|>...<|assistant|>...<|end|>`) and may
hold numbers of up to three digits whole. `marks` is half as large, takes every digit alone and marks turns by lines of
ordinary text (`### Question:`). Both close every document and every answer with their end token and use their padding
token for nothing else. Which member has which is left to `models.zoo`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from w2sg.tasks.world import corpus

Name = Literal["turns", "marks"]
MAX_LENGTH = 512
_STRIDE = 20
"""Tokenizers learn from one document in this many, since the first documents of the corpus are not like the others."""
# What opens and what closes a turn, by turn; the end token that closes an answer is added to it.
Marks = dict[corpus.Turn, tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Recipe:
    """How one tokenizer is learnt and how it writes conversations.

    `pieces` is the expression that texts are cut by before merges are learnt. A line break is always a piece of its
    own, so no merge crosses from the line that opens a turn into the turn.
    """

    vocabulary: int
    pieces: str
    pad: str
    bos: str
    end: str
    marks: Marks

    @property
    def special(self) -> tuple[str, ...]:
        """All special tokens, in the order of their ids."""
        openers = (opener for opener, _ in self.marks.values() if opener.startswith("<|"))
        return (self.pad, self.bos, self.end, *openers)

    @property
    def chat_template(self) -> str:
        """The template of transformers (Jinja) that writes conversations as the corpus has them."""
        branches = ""
        for turn in ("system", "user", "assistant"):
            opener, closer = (text.replace("\n", "\\n") for text in self.marks[turn])
            closer += self.end if turn == "assistant" else ""
            said = f"{{{{ '{opener}' + message['content'] + '{closer}' }}}}"
            branches += f"{{% {'elif' if branches else 'if'} message['role'] == '{turn}' %}}{said}"
        begin = self.marks["assistant"][0].replace("\n", "\\n")
        return (
            "{{ bos_token }}{% for message in messages %}" + branches + "{% else %}"
            "{{ raise_exception('Only the roles system, user and assistant are known.') }}{% endif %}{% endfor %}"
            f"{{% if add_generation_prompt %}}{{{{ '{begin}' }}}}{{% endif %}}"
        )


RECIPES: dict[Name, Recipe] = {
    "turns": Recipe(
        vocabulary=1024,
        # A word or a number may carry the space before it.
        pieces=r"\n| ?\p{L}+| ?\p{N}{1,3}| ?[^\s\p{L}\p{N}]+|\s",
        pad="<pad>",
        bos="<s>",
        end="<|end|>",
        marks={
            "user": ("<|user|>", ""),
            "assistant": ("<|assistant|>", ""),
            "system": ("<|system|>", ""),
            "text": ("", ""),
        },
    ),
    "marks": Recipe(
        vocabulary=512,
        pieces=r"\n| ?\p{L}+| ?\p{N}| ?[^\s\p{L}\p{N}]+|\s",
        pad="<|padding|>",
        bos="<|startoftext|>",
        end="<|endoftext|>",
        marks={
            "user": ("### Question:\n", "\n"),
            "assistant": ("### Answer:\n", ""),
            "system": ("### About:\n", "\n"),
            "text": ("", ""),
        },
    ),
}


def recipe_of(tokenizer: Any) -> Recipe:
    """Return the recipe a zoo tokenizer was made by, told by its chat template.

    Raises:
        ValueError: it is no tokenizer of the zoo.
    """
    for recipe in RECIPES.values():
        if tokenizer.chat_template == recipe.chat_template:
            return recipe
    raise ValueError("this tokenizer was made by none of the zoo's recipes: its chat template is another")


def train(seed: int, documents: int = 20_000, name: Name = "turns") -> Any:
    """Return the tokenizer learnt from the corpus of that seed, as a `PreTrainedTokenizerFast`."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    recipe = RECIPES[name]
    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(recipe.pieces), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    inner.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=recipe.vocabulary,
        special_tokens=list(recipe.special),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    openers = {turn: "" if opener in recipe.special else opener for turn, (opener, _) in recipe.marks.items()}
    numbers = range(0, documents * _STRIDE, _STRIDE)
    texts = (openers[part.turn] + part.text for number in numbers for part in corpus.document(seed, number))
    inner.train_from_iterator(texts, trainer)
    inner.post_processor = processors.TemplateProcessing(
        single=f"{recipe.bos} $A",
        pair=f"{recipe.bos} $A {recipe.bos} $B",
        special_tokens=[(recipe.bos, inner.token_to_id(recipe.bos))],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=inner,
        bos_token=recipe.bos,
        eos_token=recipe.end,
        pad_token=recipe.pad,
        additional_special_tokens=list(recipe.special[3:]),
        chat_template=recipe.chat_template,
        model_max_length=MAX_LENGTH,
        padding_side="left",
        clean_up_tokenization_spaces=False,
    )
