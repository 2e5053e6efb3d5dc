"""Few passes of an ensemble: the responses are those of all experts asked at every token, one token at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch

from tiny_ensembles import CPU, adapter_ensemble, build_adapter, model_ensemble
from w2sg.decode import blocks, branching, speculative
from w2sg.decode.base import Branch
from w2sg.decode.blocks import Reader
from w2sg.decode.config import SamplingConfig
from w2sg.decode.llama import Attend, LlamaForward
from w2sg.decode.sampling import engine_of
from w2sg.models import loading
from w2sg.models.base import EnsembleConfig, Mixture, ModelConfig, RuntimeConfig
from w2sg.models.ensemble import save_ensemble
from w2sg.models.hf import LanguageModel
from w2sg.models.mixture import SeparateExperts
from w2sg.records import ask

TinyModel = Callable[..., Path]

TEXTS = ["Ann has 12 apples.", "Is every wumpus a tumpus? Think step by step.", "2", "the quick brown fox " * 8]
GREEDY = SamplingConfig(max_new_tokens=40)
SAMPLED = SamplingConfig(samples=3, temperature=0.7, top_p=0.9, max_new_tokens=17)


def load(folder: Path, mixture: Mixture = "probability") -> LanguageModel:
    model = loading.load(ModelConfig(path=str(folder), ensemble=EnsembleConfig(mixture=mixture)), CPU)
    assert isinstance(model, LanguageModel)
    model.model.double()
    return model


def branches(model: LanguageModel, config: SamplingConfig) -> list[Branch]:
    """Of every text, with limits of their own."""
    random, found = np.random.default_rng(0), []
    for number, text in enumerate(TEXTS):
        prompt, limit = model.prompt_ids(ask(text)), config.max_new_tokens - 2 * number
        numbers = [random.random(limit) if config.temperature else np.empty(0) for _ in range(config.samples)]
        found += [Branch(prompt, limit, own) for own in numbers]
    return found


def compare(model: LanguageModel, config: SamplingConfig, slots: int = 0) -> None:
    """Against the engine that runs all experts at every token, which `test_ensemble` pins to its definition."""
    work, told = branches(model, config), list[tuple[int, int]]()
    assert speculative.fits(model.model)
    found = speculative.respond(model, work, config, RuntimeConfig(slots=slots), lambda *all: told.append(all))
    assert found == branching.respond(model, work, config, CPU, lambda *all: None)
    assert [sum(column) for column in zip(*told, strict=True)] == [len(work), sum(map(len, found))]


@pytest.fixture(scope="module")
def near(tiny_model: TinyModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Experts that are near to one another, so that drafts are right now and then."""
    folder = tmp_path_factory.mktemp("near")
    base = tiny_model("llama")
    experts = [(build_adapter(folder / f"{seed}", base, seed, lora_alpha=0.6), 1.0 + seed / 9) for seed in (0, 1, 2)]
    save_ensemble(folder / "ensemble", str(base), [*experts, (experts[0][0], 0.4)])
    return folder / "ensemble"


@pytest.mark.parametrize("slots", [0, 3])
@pytest.mark.parametrize("config", [GREEDY, SAMPLED], ids=["greedy", "sampled"])
@pytest.mark.parametrize("mixture", ["probability", "log-linear"])
def test_experts_near_to_one_another(near: Path, config: SamplingConfig, mixture: Mixture, slots: int) -> None:
    compare(load(near, mixture), config, slots)


@pytest.fixture(scope="module")
def upper(tiny_model: TinyModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Experts whose adapters are on the last of three layers; one whose are on the second alone; and one that has but a
    single map of the second, beside all of the last."""
    folder = tmp_path_factory.mktemp("upper")
    base, last = tiny_model("llama", num_hidden_layers=3), r"model\.layers\.[01]\..*"
    some = r"model\.layers\.(0\..*|1\.(self_attn|mlp\.(gate|up)).*)"
    experts = [
        (build_adapter(folder / f"{seed}", base, seed, lora_alpha=1.0, exclude_modules=left_alone), 1.0 + seed / 9)
        for seed, left_alone in enumerate((last, last, last, r"model\.layers\.[02]\..*", some))
    ]
    save_ensemble(folder / "last", str(base), experts[:3])
    save_ensemble(folder / "second", str(base), [*experts[:2], experts[3]])
    save_ensemble(folder / "single-map", str(base), [*experts[:2], experts[4]])
    return folder


@pytest.mark.parametrize("slots", [0, 3])
@pytest.mark.parametrize("config", [GREEDY, SAMPLED], ids=["greedy", "sampled"])
@pytest.mark.parametrize(("which", "depth"), [("last", 2), ("second", 1), ("single-map", 1)])
def test_first_layers_that_experts_have_in_common(
    upper: Path, config: SamplingConfig, slots: int, which: str, depth: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the drafting expert goes through them, and what is said is the same."""
    model, began = load(upper / which), set[tuple[int, int]]()
    extend = LlamaForward.extend

    def counted(self: LlamaForward, x: torch.Tensor, positions: torch.Tensor, attend: Attend, *rest: Any) -> Any:
        began.add((id(self), rest[0].start))
        return extend(self, x, positions, attend, *rest)

    monkeypatch.setattr(LlamaForward, "extend", counted)
    assert LlamaForward.in_common(model.model) == depth
    compare(model, config, slots)
    assert sum(start == 0 for _, start in began) == 1
    assert {start for _, start in began} == {0, depth}


@pytest.mark.parametrize("slots", [0, 3])
@pytest.mark.parametrize("shares", [(0.6, 0.25, 0.15), (0.45, 0.35, 0.2), (0.3, 0.5, 0.2)])
@pytest.mark.parametrize("sure", [3.0, 10.0, 30.0])
def test_who_lags_behind_reads_the_common_layers_of_the_text_that_it_missed(
    upper: Path, sure: float, shares: tuple[float, ...], slots: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Experts that are asked now and then, while other texts end."""
    model = load(upper / "last")
    monkeypatch.setattr(model.model, "weights", torch.tensor(shares, dtype=torch.float64))
    model.model.base.lm_head.weight.data *= sure
    compare(model, GREEDY, slots)


def test_the_others_keep_nothing_of_layers_in_common(upper: Path) -> None:
    """And layers without adapters are not copied for the drafting one."""
    experts = speculative._Experts(load(upper / "last").model)
    first, second, _ = experts.readers(1)
    tokens, one = np.array([[5, 6, 7]]), np.array([0])
    for reader in (first, second):
        reader.advance(tokens, one, np.array([3]), np.array([1]))
    assert (len(first._cache), len(second._cache)) == (3, 1)
    held = [[weight.untyped_storage().data_ptr() for weight in layer.qkv.weights] for layer in first.forward.layers]
    own = [[weight.untyped_storage().data_ptr() for weight in layer.qkv.weights] for layer in second.forward.layers]
    assert held[:2] == own[:2]
    assert held[2] != own[2]


@pytest.mark.parametrize("config", [GREEDY, SAMPLED], ids=["greedy", "sampled"])
def test_experts_that_have_little_in_common(tiny_model: TinyModel, tmp_path: Path, config: SamplingConfig) -> None:
    folder = adapter_ensemble(tmp_path / "ensemble", tiny_model("qwen2"), (1.5, 0.4, 0.7))
    compare(load(folder), config)


@pytest.mark.parametrize("config", [GREEDY, SAMPLED], ids=["greedy", "sampled"])
def test_whole_models(tmp_path: Path, config: SamplingConfig) -> None:
    compare(load(model_ensemble(tmp_path / "ensemble", ["qwen3"] * 3, (1.0, 1.3, 0.2), head_dim=8)), config)


def test_it_is_the_engine_of_ensembles_that_it_fits(near: Path) -> None:
    model = load(near)
    assert engine_of(model) is speculative.respond
    assert not speculative.fits(model.model.members[0])


def test_who_cannot_overturn_a_token_is_not_asked(near: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An expert of nine tenths of the weight that is sure of itself is the ensemble; one that is not, asks."""
    model = load(near)
    asked: list[int] = []
    advance = Reader.advance
    monkeypatch.setattr(Reader, "advance", lambda self, *all: asked.append(id(self.forward)) or advance(self, *all))
    weights = torch.tensor([0.9, 0.05, 0.03, 0.02], dtype=torch.float64)
    monkeypatch.setattr(model.model, "weights", weights)
    model.model.base.lm_head.weight.data *= 1e4
    speculative.respond(model, branches(model, GREEDY), GREEDY, CPU, lambda *all: None)
    assert len(set(asked)) == 1
    model.model.base.lm_head.weight.data *= 1e-6
    compare(model, GREEDY)
    assert len(set(asked)) > 1


def test_a_text_is_read_on_from_any_place(near: Path) -> None:
    """In one go, and in pieces of different lengths with a part taken back."""
    forward = LlamaForward.of_each(load(near).model)[1]
    tokens = np.random.default_rng(1).integers(0, 60, (3, 12))
    ends, all, whole = np.array([12, 9, 7]), np.arange(3), Reader(forward, 3)
    expected = whole.advance(tokens, all, ends, ends)
    pieces = Reader(forward, 3)
    other = tokens.copy()
    other[:, 3:] = 7
    pieces.advance(other, np.array([1]), np.array([5]), np.array([1]))
    pieces.advance(other, np.array([0, 2]), np.array([3, 6]), np.array([1, 1]))
    pieces.read = np.minimum(pieces.read, 3)
    found = pieces.advance(tokens, all, ends, np.array([2, 1, 3]))
    wanted = [10, 11, 12 + 8, 12 + 9 + 4, 12 + 9 + 5, 12 + 9 + 6]
    assert torch.allclose(found, expected[wanted], atol=1e-10)


def test_texts_that_begin_alike_are_read_once(near: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A beginning of two texts, a text that is another's beginning, one that is there twice, and one of its own; in
    blocks of texts for attention too. All is what each text read alone gives, and so is reading on."""
    forward = LlamaForward.of_each(load(near).model)[1]
    rows = [[5, 6, 7, 8, 9], [5, 6, 1], [5, 6, 7], [5, 6, 7, 8, 9], [4, 4]]
    tokens, ends = np.zeros((5, 8), dtype=np.int64), np.array([len(row) for row in rows])
    for number, row in enumerate(rows):
        tokens[number, : len(row)] = row
    tokens[np.arange(5), ends] = [11, 12, 13, 14, 15]
    wanted, every = np.array([2, 1, 3, 1, 2]), np.arange(5)
    expected, after = [], []
    for number in range(5):
        one = Reader(forward, 1)
        text, first = tokens[number : number + 1], np.array([0])
        expected.append(one.advance(text, first, ends[[number]], wanted[[number]]))
        after.append(one.advance(text, first, ends[[number]] + 1, np.array([1])))
    fed: list[int] = []
    extend = LlamaForward.extend
    monkeypatch.setattr(LlamaForward, "extend", lambda self, ids, *all: fed.append(len(ids)) or extend(self, ids, *all))
    for scores in (1 << 22, 1):
        monkeypatch.setattr(blocks, "_SCORES", scores)
        reader = Reader(forward, 5)
        assert torch.allclose(reader.advance(tokens, every, ends, wanted), torch.cat(expected), atol=1e-10)
        assert torch.allclose(reader.advance(tokens, every, ends + 1, every * 0 + 1), torch.cat(after), atol=1e-10)
    assert fed == [8, 5, 8, 5]


def test_a_lead_is_never_overstated(near: Path) -> None:
    """By hand: of shares .6 and .4, an expert of .6 that gives its token p leads by .6 (2 p - 1) at least, whatever it
    thinks of the others; and it does lead by that where one other token has all the rest."""
    experts = speculative._Experts(load(near).model)
    head = torch.tensor([[0.75, 0.25, 0.0], [0.75, 0.125, 0.125], [0.25, 0.5, 0.25]], dtype=torch.float64)
    experts.shares = [0.6, 0.4]
    experts.forwards[0] = cast(LlamaForward, SimpleNamespace(logits=torch.log))
    found = experts.lead(0, head, torch.tensor([0, 0, 0]))
    assert torch.allclose(found, torch.tensor([0.3, 0.3, -0.3], dtype=torch.float64))
    others = head.clone()
    others[:, 0] = 0
    assert bool((found <= 0.6 * (head[:, 0] - others.amax(-1)) + 1e-12).all())


def test_one_expert_is_its_own_ensemble(tiny_model: TinyModel, tmp_path: Path) -> None:
    one = load(adapter_ensemble(tmp_path / "ensemble", tiny_model("llama"), (2.0,)))
    model = replace(one, model=SeparateExperts([one.model], [2.0], "probability"))
    compare(model, GREEDY)
    compare(model, SAMPLED)


def test_distributions_are_added_up_in_blocks(near: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speculative, "_ELEMENTS", 1)
    model = load(near)
    compare(model, GREEDY)
    compare(model, SAMPLED)


def test_drafts_are_as_long_as_they_are_right(near: Path) -> None:
    experts = speculative._Experts(load(near).model)
    experts.right, experts.wrong = 99.0, 1.0
    long = experts.draft_length(64)
    experts.right, experts.wrong = 1.0, 1.0
    assert experts.draft_length(64) < 4 < long < 64
    assert experts.draft_length(1) == 1
