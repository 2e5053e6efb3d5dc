"""The weights that pretraining of a zoo member starts from.

All are random. In Llama members a few heads start out looking things up in the text (`look_back`, `look_up`), the one
skill that small models find suddenly or not at all; training does the rest. How they are trained is `models.pretrain`.
"""

from __future__ import annotations

from typing import Any

import torch
from transformers.models.gpt_neox import GPTNeoXConfig, GPTNeoXForCausalLM
from transformers.models.llama import LlamaConfig, LlamaForCausalLM

from w2sg import seeding
from w2sg.models import tokenizer as zoo_tokenizer
from w2sg.models import zoo

_CONSTANT, _QUIET, _SHARPNESS, _PLANES = 2.0, 0.3, 3.5, 4
"""Of `look_back`: the shared coordinate in units of the others' deviation, the factor of all other weights of those
heads, the weights that turn, and in how many planes."""
_WRITTEN, _ASKED, _PASSED = 0.3, (7.0, 1.25), 6.0
"""Of `look_up`: the factors on what is written one and two places back, on the two questions (by the token itself, and
by the token before), and on what is passed on."""


def new_model(member: zoo.Member, vocabulary: int, seed: int) -> Any:
    """Return the untrained model of a member's shape."""
    torch.manual_seed(seeding.derive(seed, "weights", member.name))
    shared: dict[str, Any] = {
        "vocab_size": vocabulary,
        "hidden_size": member.hidden_size,
        "intermediate_size": member.intermediate_size,
        "num_hidden_layers": member.layers,
        "num_attention_heads": member.heads,
        "max_position_embeddings": zoo_tokenizer.MAX_LENGTH,
        "initializer_range": round(0.8 * member.hidden_size**-0.5, 4),  # 0.02 suits widths in the thousands
        "pad_token_id": 0,
        "bos_token_id": 1,
        "eos_token_id": 2,
    }
    if member.architecture == "gpt_neox":
        return GPTNeoXForCausalLM(GPTNeoXConfig(**shared, tie_word_embeddings=False))
    kv = member.key_value_heads
    model = LlamaForCausalLM(LlamaConfig(**shared, num_key_value_heads=kv, tie_word_embeddings=True))
    look_back(model)
    if kv > 1:
        look_up(model, seeding.derive(seed, "look-up", member.name))
    return model


@torch.no_grad()
def look_back(model: LlamaForCausalLM) -> None:
    """Let the first two heads of an untrained model attend one and two tokens back; training does the rest.

    Looking something up in the text needs such heads below the head that looks, and neither is of use without the
    other, so that small models may take many millions of tokens to find both. Every token gets the same first
    coordinate, and the two heads turn it, in the planes that rotate fastest with position, by one and two places.
    """
    config = model.config
    size = config.hidden_size // config.num_attention_heads
    embeddings = model.model.embed_tokens.weight
    embeddings[:, 0] = _CONSTANT * config.initializer_range
    attention = model.model.layers[0].self_attn
    queries = attention.q_proj.weight.view(config.num_attention_heads, size, -1)
    keys = attention.k_proj.weight.view(config.num_key_value_heads, size, -1)
    keys *= _QUIET
    keys[:, :_PLANES, 0], keys[:, size // 2 : size // 2 + _PLANES, 0] = _SHARPNESS, 0.0
    turn = config.rope_parameters["rope_theta"] ** (-2 * torch.arange(_PLANES) / size)
    for head in range(min(2, config.num_attention_heads)):
        queries[head] *= _QUIET
        queries[head, :_PLANES, 0] = _SHARPNESS * torch.cos(-(head + 1) * turn)
        queries[head, size // 2 : size // 2 + _PLANES, 0] = _SHARPNESS * torch.sin(-(head + 1) * turn)


@torch.no_grad()
def look_up(model: LlamaForCausalLM, seed: int) -> None:
    """Let two heads of the second layer of an untrained model find where the text stood like this before, and copy.

    The heads that look back (`look_back`) write what stood one place back into a small space of its own, and what
    stood two back into another. In the layer above, the first head asks which token stands after one like the last;
    the first head of the second key-value group asks which stands two places after one like the last but one; both
    pass on the token they find. Matching uses the planes that rotate slowly, so that distance hardly counts.

    Needs two key-value groups. `seed` decides the directions.
    """
    config = model.config
    width, heads, groups = config.hidden_size, config.num_attention_heads, config.num_key_value_heads
    size = width // heads
    rank = size // 2
    slow = [*range(size // 2 - rank // 2, size // 2), *range(size - rank // 2, size)]
    generator = torch.Generator().manual_seed(seed % 2**63)
    spaces = torch.linalg.qr(torch.randn(width, 2 * rank, generator=generator)).Q
    one_back, two_back = spaces[:, :rank], spaces[:, rank:]
    first, second = (model.model.layers[place] for place in range(2))
    for matrix in (first.self_attn.o_proj.weight, first.mlp.down_proj.weight):
        matrix *= _QUIET * _QUIET
    seen = first.self_attn.v_proj.weight.view(groups, size, width)
    read = seen[0, :rank].clone()
    read[:, 0] = 0.0
    seen[0, :rank] = seen[1 // (heads // groups), :rank] = read  # of the groups of the first two heads
    written = first.self_attn.o_proj.weight.view(width, heads, size)
    written[:, 0], written[:, 1] = 0.0, 0.0
    written[:, 0, :rank], written[:, 1, :rank] = _WRITTEN * one_back, _WRITTEN * two_back
    queries = second.self_attn.q_proj.weight.view(heads, size, width)
    keys = second.self_attn.k_proj.weight.view(groups, size, width)
    values = second.self_attn.v_proj.weight.view(groups, size, width)
    passed = second.self_attn.o_proj.weight.view(width, heads, size)
    token = read - read @ spaces @ spaces.T  # as it stands in the residual stream, beside what was looked back at
    for group, asked, found in ((0, _ASKED[0] * token, one_back.T), (1, _ASKED[1] * one_back.T, two_back.T)):
        head = group * (heads // groups)
        queries[head] *= _QUIET * _QUIET
        keys[group] *= _QUIET * _QUIET
        queries[head, slow], keys[group, slow] = asked, _ASKED[1] * found
        passed[:, head] = _PASSED * values[group].T
