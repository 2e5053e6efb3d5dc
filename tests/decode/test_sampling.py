"""Sampling: pinned, token for token, to one response at a time with the model's own forward pass and no cache."""

from __future__ import annotations

import functools
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch

from naive_sampling import draw
from w2sg.decode import branching
from w2sg.decode.config import SamplingConfig
from w2sg.decode.llama import LlamaForward
from w2sg.decode.sampling import Request, sample, uniforms
from w2sg.errors import DataError, ModelError
from w2sg.models import hf
from w2sg.models.base import ModelConfig, RuntimeConfig
from w2sg.models.hf import LanguageModel
from w2sg.records import Response, ask

TinyModel = Callable[..., Path]

QUESTIONS = [
    "Ann has 12 apples.",
    "Is every wumpus a tumpus?",
    "Who wrote the song of the river, and in which town was the writer born? Think step by step.",
    "2",
    "the quick brown fox jumps over the lazy dog " * 3,
]
REQUESTS = [Request(f"q{number}", ask(text)) for number, text in enumerate(QUESTIONS)]


def load(folder: Path, double: bool = True) -> LanguageModel:
    model = hf.load(ModelConfig(path=str(folder)), RuntimeConfig(device="cpu"))
    if double:
        model.model.double()
    return model


def reference(model: LanguageModel, request: Request, number: int, config: SamplingConfig, seed: int) -> list[int]:
    """One response, written from the definition: whole prompt and response through the model at every token."""
    ids = model.prompt_ids(request.prompt)
    response: list[int] = []
    limit = min(config.max_new_tokens, model.max_length - len(ids))
    numbers = uniforms(seed, request.id, number, max(limit, 0))
    for place in range(limit):
        with torch.no_grad():
            logits = model.model(torch.tensor([ids + response])).logits[0, -1].double().numpy()
        response.append(draw(logits, numbers[place], config))
        if response[-1] in model.stop_ids:
            break
    return response


def flat(chunks: Sequence[list[Response]]) -> list[Response]:
    return [row for chunk in chunks for row in chunk]


def run(model: LanguageModel, config: SamplingConfig, seed: int = 3, slots: int = 0, **more: object) -> list[Response]:
    runtime = RuntimeConfig(slots=slots)
    return flat(list(sample(model, REQUESTS, config, seed=seed, runtime=runtime, **more)))  # type: ignore[arg-type]


PLAIN = SamplingConfig(samples=5, temperature=1.0, max_new_tokens=40)
FAMILIES = [
    ("llama", {"bos": True}),
    ("llama", {"num_key_value_heads": 1, "tie_word_embeddings": True, "pad": False}),
    ("llama", {"rope_parameters": {"rope_type": "linear", "rope_theta": 10000.0, "factor": 2.0}}),
    ("qwen2", {"chat": False}),
    ("qwen3", {"head_dim": 16}),
    ("mistral", {"sliding_window": None, "num_key_value_heads": 4}),
    ("mistral", {"sliding_window": 16}),
    ("gpt_neox", {}),
    ("gpt2", {}),
    ("opt", {}),
    ("bloom", {}),
    ("mamba", {"state_size": 4}),
]


def check(model: LanguageModel, config: SamplingConfig, slots: int) -> None:
    rows = run(model, config, slots=slots)
    assert [(row.id, row.sample) for row in rows] == [
        (request.id, number) for request in REQUESTS for number in range(config.samples)
    ]
    for row in rows:
        expected = reference(model, REQUESTS[int(row.id[1:])], row.sample, config, seed=3)
        assert (row.text, row.tokens) == (model.text(expected), len(expected)), (row.id, row.sample)
        assert row.finished == (expected[-1] in model.stop_ids)


@pytest.mark.parametrize(("family", "traits"), FAMILIES, ids=str)
def test_sampling_equals_one_response_at_a_time(tiny_model: TinyModel, family: str, traits: dict[str, object]) -> None:
    model = load(tiny_model(family, **traits), double=family != "bloom")  # whose padding mask is NaN in float64
    check(model, SamplingConfig(max_new_tokens=20), slots=0)
    check(model, PLAIN, slots=7)


@pytest.mark.parametrize("family", ["llama", "gpt_neox"])
@pytest.mark.parametrize(
    "config",
    [
        SamplingConfig(samples=4, temperature=1.5, max_new_tokens=70),
        SamplingConfig(samples=4, temperature=0.7, top_k=20, max_new_tokens=20),
        SamplingConfig(samples=4, temperature=1.3, top_p=0.8, max_new_tokens=20),
        SamplingConfig(samples=3, temperature=1.0, top_p=0.9, top_k=50, max_new_tokens=20),
    ],
    ids=["long", "top-k", "top-p", "both"],
)
def test_every_setting_equals_one_response_at_a_time(
    tiny_model: TinyModel, family: str, config: SamplingConfig
) -> None:
    check(load(tiny_model(family)), config, slots=0)


def test_cohorts_bounded_by_memory_equal_one_response_at_a_time(
    tiny_model: TinyModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A prompt longer than the bound still runs, alone; slots shrink to what the caches may take."""
    model = load(tiny_model("llama"))
    monkeypatch.setattr(branching, "_PREFILL_TOKENS", 50)
    monkeypatch.setattr(branching, "_CPU_CACHE_BYTES", 3 * 200 * LlamaForward(model.model).bytes_per_token)
    check(model, PLAIN, slots=0)
    check(model, SamplingConfig(max_new_tokens=20), slots=0)


def test_float32_equals_one_response_at_a_time(tiny_model: TinyModel) -> None:
    model = load(tiny_model("llama"), double=False)
    check(model, SamplingConfig(max_new_tokens=40), slots=0)
    check(model, PLAIN, slots=0)


def test_the_llama_family_has_the_fast_path_and_its_unusual_members_have_not(tiny_model: TinyModel) -> None:
    for family, traits in FAMILIES:
        fast = family in ("llama", "qwen2", "qwen3", "mistral") and traits.get("sliding_window") is None
        assert LlamaForward.fits(load(tiny_model(family, **traits)).model) == fast, (family, traits)


@pytest.mark.parametrize("family", ["llama", "gpt_neox"])
def test_a_question_is_answered_alike_in_any_company(tiny_model: TinyModel, family: str) -> None:
    model = load(tiny_model(family))
    together = {(row.id, row.sample): row for row in run(model, PLAIN)}
    alone = flat(list(sample(model, REQUESTS[2:3], PLAIN, seed=3, runtime=RuntimeConfig())))
    assert alone == [together["q2", number] for number in range(PLAIN.samples)]
    more = SamplingConfig(samples=7, temperature=1.0, max_new_tokens=40)
    assert {(row.id, row.sample): row for row in run(model, more)}.items() >= together.items()


def test_seed_and_sample_number_decide_the_text(tiny_model: TinyModel) -> None:
    model = load(tiny_model("llama"))
    assert run(model, PLAIN, seed=1) == run(model, PLAIN, seed=1) != run(model, PLAIN, seed=2)
    texts = {row.text for row in run(model, PLAIN) if row.id == "q0"}
    assert len(texts) > 1


@pytest.mark.parametrize("family", ["llama", "gpt_neox"])
def test_a_resumed_run_yields_the_same_bits(tiny_model: TinyModel, family: str) -> None:
    model = load(tiny_model(family), double=False)
    config = SamplingConfig(samples=3, temperature=1.0, max_new_tokens=30, chunk=6)
    runtime = RuntimeConfig()
    whole = list(sample(model, REQUESTS, config, seed=5, runtime=runtime))
    assert [[row.id for row in chunk[::3]] for chunk in whole] == [["q0", "q1"], ["q2", "q3"], ["q4"]]
    for kept in range(4):
        ids = {row.id for chunk in whole[:kept] for row in chunk}
        assert list(sample(model, REQUESTS, config, seed=5, runtime=runtime, finished=ids)) == whole[kept:]
    # an id of an unfinished chunk does not make it a finished one
    assert list(sample(model, REQUESTS, config, seed=5, runtime=runtime, finished={"q0"})) == whole


@pytest.mark.parametrize("family", ["llama", "gpt_neox"])
def test_the_context_cuts_responses_and_a_prompt_beyond_it_is_a_counted_failure(
    tiny_model: TinyModel, family: str
) -> None:
    model = load(tiny_model(family, max_position_embeddings=48))
    lengths = {request.id: len(model.prompt_ids(request.prompt)) for request in REQUESTS}
    assert lengths["q4"] > 48 > max(length for id, length in lengths.items() if id != "q4")
    for row in run(model, SamplingConfig(samples=3, temperature=1.0, max_new_tokens=100)):
        assert row.tokens <= max(48 - lengths[row.id], 0)
        if not row.finished:
            assert row.tokens == max(48 - lengths[row.id], 0)
    failed = [row for row in run(model, SamplingConfig()) if row.id == "q4"]
    assert failed == [Response("q4", 0, "", 0, False)]


def test_the_drawn_tokens_follow_the_model(tiny_model: TinyModel) -> None:
    """Frequencies of first tokens against the model's probabilities: a chi-square test with a fixed seed."""
    from scipy.stats import chisquare

    model = load(tiny_model("llama"))
    request = REQUESTS[0]
    config = SamplingConfig(samples=20_000, temperature=1.0, top_k=8, max_new_tokens=1, chunk=20_000)
    rows = flat(list(sample(model, [request], config, seed=0, runtime=RuntimeConfig(slots=5000))))
    with torch.no_grad():
        logits = model.model(torch.tensor([model.prompt_ids(request.prompt)])).logits[0, -1]
    top = logits.topk(8)
    shares = torch.softmax(top.values, -1)
    found = Counter(row.text for row in rows)
    expected: dict[str, float] = defaultdict(float)
    for token, share in zip(top.indices.tolist(), shares.tolist(), strict=True):
        expected[model.text([token])] += share * len(rows)
    assert set(found) <= set(expected)
    result = chisquare([found[text] for text in expected], list(expected.values()))
    assert result.pvalue > 0.01


def test_weights_that_give_no_numbers_are_an_error(tiny_model: TinyModel) -> None:
    for family in ("llama", "gpt_neox"):
        model = load(tiny_model(family))
        with torch.no_grad():
            model.model.get_output_embeddings().weight[3] = torch.nan
        for config in (SamplingConfig(), PLAIN):
            with pytest.raises(ModelError, match="not a number"):
                run(model, config)


def test_progress_counts_every_response(tiny_model: TinyModel) -> None:
    told: list[tuple[int, int]] = []
    run(load(tiny_model("llama")), PLAIN, progress=lambda done, total, note: told.append((done, total)))
    assert told[-1] == (25, 25)
    assert [done for done, _ in told] == sorted(done for done, _ in told)


def test_ids_must_be_unique(tiny_model: TinyModel) -> None:
    model = load(tiny_model("llama"))
    with pytest.raises(DataError, match="twice"):
        list(sample(model, REQUESTS[:1] * 2, PLAIN, seed=0, runtime=RuntimeConfig()))


def test_no_questions_give_no_responses(tiny_model: TinyModel) -> None:
    assert list(sample(load(tiny_model("llama")), [], PLAIN, seed=0, runtime=RuntimeConfig())) == []


def test_the_threads_of_sampling_are_the_runtimes(tiny_model: TinyModel, monkeypatch: pytest.MonkeyPatch) -> None:
    model, before, seen = load(tiny_model("gpt_neox")), torch.get_num_threads(), []
    forward = model.model.forward

    @functools.wraps(forward)
    def watched(**inputs: object) -> object:
        seen.append(torch.get_num_threads())
        return forward(**inputs)

    monkeypatch.setattr(model.model, "forward", watched)
    list(sample(model, REQUESTS, SamplingConfig(max_new_tokens=2), seed=3, runtime=RuntimeConfig(threads=before + 2)))
    assert set(seen) == {before + 2}
    assert torch.get_num_threads() == before


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
        RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory"),
    ],
)
def test_too_little_memory_is_one_paragraph(
    tiny_model: TinyModel, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    model = load(tiny_model("gpt_neox"))

    def full(**inputs: object) -> object:
        raise error

    monkeypatch.setattr(model.model, "forward", full)
    with pytest.raises(ModelError, match=r"memory ran out while sampling.*runtime\.slots"):
        run(model, SamplingConfig(max_new_tokens=2))
