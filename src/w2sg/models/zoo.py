"""The zoo: small real language models that come with the package, pretrained on the world's corpus.

What they are and where they lie; how they were made is `models.pretrain`, what their corpus holds `tasks.world.corpus`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from w2sg.config import suggest
from w2sg.errors import ModelError
from w2sg.models.tokenizer import Name as TokenizerName
from w2sg.storage import hash_file, read_json

PREFIX = "zoo/"
MANIFEST = "manifest.json"
WEIGHTS = "model.safetensors"
Architecture = Literal["llama", "gpt_neox"]


@dataclass(frozen=True, slots=True)
class Member:
    """One member: its shape and its training.

    Llama members have tied embeddings and grouped key-value heads. The GPT-NeoX member has as many key-value heads as
    heads and an output matrix of its own. `documents` counts those drawn from the corpus, `reading` those of the second
    reading after them (`corpus.READING`), `batch_tokens` the places in one optimizer step, padding included.
    """

    name: str
    hidden_size: int
    layers: int
    heads: int
    key_value_heads: int
    intermediate_size: int
    documents: int
    learning_rate: float
    architecture: Architecture = "llama"
    tokenizer: TokenizerName = "turns"
    batch_tokens: int = 2048
    reading: int = 0


MEMBERS: dict[str, Member] = {
    member.name: member
    for member in (
        Member("nano", 64, 3, 2, 1, 128, documents=250_000, learning_rate=3e-3),
        Member("micro", 96, 4, 3, 3, 288, documents=220_000, learning_rate=3e-3, reading=120_000),
        Member("mini", 128, 4, 4, 2, 384, documents=300_000, learning_rate=2.5e-3, reading=120_000),
        Member("small", 192, 4, 6, 2, 512, documents=500_000, learning_rate=2.5e-3, reading=120_000),
        Member("neox", 64, 4, 2, 2, 256, 220_000, 3e-3, architecture="gpt_neox", tokenizer="marks"),
    )
}
"""Llama members from small to large, then those of another kind."""


def names() -> list[str]:
    """Return the paths of all members, in the order of `MEMBERS`, as settings name them (`zoo/nano`, ...)."""
    return [PREFIX + name for name in MEMBERS]


def home() -> Path:
    """Return the folder of the shipped members, their manifest and their card."""
    return Path(__file__).resolve().parent.parent / "zoo"


def member(name: str) -> Member:
    """Return the member called `zoo/<member>` or `<member>`.

    Raises:
        ModelError: there is no such member.
    """
    short = name.removeprefix(PREFIX)
    if short not in MEMBERS:
        raise ModelError(f"The zoo has no member {name!r}{suggest(name, names())}. See: w2sg zoo list")
    return MEMBERS[short]


def folder(name: str) -> Path:
    """Return the folder of a shipped member, in Hugging Face form.

    Raises:
        ModelError: there is no such member, or its weights are not installed.
    """
    found = home() / member(name).name
    if not (found / WEIGHTS).is_file():
        raise ModelError(
            f"The weights of {name!r} are missing from {str(found)!r}. Install the package anew, or make them with: "
            f"w2sg zoo build {member(name).name} --out {str(found)!r}"
        )
    return found


def manifest() -> dict[str, dict[str, str]]:
    """Return the SHA-256 of every shipped file, by member and file name."""
    found: dict[str, dict[str, str]] = read_json(home() / MANIFEST)
    return found


def damaged() -> list[str]:
    """Return the shipped files whose content is not what the manifest says, missing ones included."""
    wrong = []
    for name, files in manifest().items():
        for file, digest in files.items():
            path = home() / name / file
            if not path.is_file() or hash_file(path) != digest:
                wrong.append(f"{name}/{file}")
    return wrong
