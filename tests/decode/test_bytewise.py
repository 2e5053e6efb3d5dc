"""Models with different tokenizers, mixed byte by byte: chains worked by hand and summed naively, then two real models
of the zoo."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
import torch

from markov import END, build_chain
from tiny_ensembles import CPU
from w2sg.decode.choices import option_probabilities
from w2sg.decode.config import SamplingConfig
from w2sg.decode.prefixes import Prefixes
from w2sg.decode.sampling import Request, sample
from w2sg.decode.score import TextScore, score
from w2sg.errors import ModelError
from w2sg.models import loading
from w2sg.models.base import EnsembleConfig, Mixture, ModelConfig, RuntimeConfig
from w2sg.models.ensemble import save_ensemble
from w2sg.models.hf import LanguageModel
from w2sg.models.mixture import SeparateExperts
from w2sg.models.mixture_bytes import BytewiseModel
from w2sg.models.zoo import folder
from w2sg.records import Response, ask

Rows = Mapping[str, Mapping[str, float]]
ASKED = ask("?")
GREEDY = SamplingConfig(max_new_tokens=24)
SAMPLED = SamplingConfig(samples=3, temperature=0.7, max_new_tokens=12)

ALIKE: Rows = {"": {"a": 0.4, "b": 0.2, "ab": 0.3, END: 0.1}}
OTHER: Rows = {"": {"a": 0.5, "b": 0.4, END: 0.1}}


def joined(*members: LanguageModel, weights: Sequence[float] = (), mixture: Mixture = "probability") -> BytewiseModel:
    return BytewiseModel.of(members, weights or [1.0] * len(members), mixture, ModelConfig(path="both"))


def scored(model: LanguageModel, text: str) -> TextScore:
    (found,) = score(model, [(ASKED, text)], CPU)
    return found


def answers(model: LanguageModel, config: SamplingConfig, texts: Sequence[str], slots: int = 0) -> list[Response]:
    requests = [Request(text, ask(text)) for text in texts]
    runtime = RuntimeConfig(device="cpu", slots=slots)
    return [row for rows in sample(model, requests, config, seed=3, runtime=runtime) for row in rows]


def says(text: str) -> dict[int, float]:
    """The probabilities, after `text`, of what the chain `ALIKE` may say next."""
    return {byte: math.exp(scored(joined(build_chain(ALIKE, "ab")), text + chr(byte)).log_probabilities[-2])
            for byte in b"ab"}  # fmt: skip


def test_bytes_of_one_member_by_hand() -> None:
    """a is begun by the tokens a and ab; after it, b follows by ab, or by b after a: .3 + .4 x .2 of .7."""
    assert says("") == pytest.approx({ord("a"): 0.7, ord("b"): 0.2})
    assert says("a") == pytest.approx({ord("a"): 0.4 * 0.7 / 0.7, ord("b"): 0.38 / 0.7})
    ends = [math.exp(scored(joined(build_chain(ALIKE, "ab")), text).log_probabilities[-1]) for text in ("", "a", "ab")]
    assert ends == pytest.approx([0.1, 0.4 * 0.1 / 0.7, 0.1])


def test_two_members_by_hand() -> None:
    both = joined(build_chain(ALIKE, "ab"), build_chain(OTHER), weights=(3, 1))
    found = scored(both, "ab")
    expected = [0.75 * 0.7 + 0.25 * 0.5, 0.75 * 0.38 / 0.7 + 0.25 * 0.4, 0.1]
    assert found.log_probabilities == pytest.approx([math.log(value) for value in expected])
    assert found.total == pytest.approx(math.log(math.prod(expected)))
    assert found.dissents == pytest.approx((0, 0.25, 0))  # after a, the second alone holds a to be the likeliest
    assert found.divergences[-1] > 0


def test_the_geometric_mean_by_hand() -> None:
    both = joined(build_chain(ALIKE, "ab"), build_chain(OTHER), weights=(3, 1), mixture="log-linear")
    parts = [0.7**0.75 * 0.5**0.25, 0.2**0.75 * 0.4**0.25, 0.1]
    assert math.exp(scored(both, "a").log_probabilities[0]) == pytest.approx(parts[0] / sum(parts))


def test_what_is_not_read_is_taken_to_go_on_like_what_is() -> None:
    """ab is written by a then b (.08) or by the token ab (.3), which is read: what follows both follows that."""
    rows = {**ALIKE, "ab": {END: 1.0}}
    assert math.exp(scored(joined(build_chain(rows, "ab")), "ab").log_probabilities[-1]) == pytest.approx(1)
    rare = {**rows, "": {"a": 0.4, "b": 0.55, "ab": 0.04, END: 0.01}, "b": {"b": 1.0}}
    assert math.exp(scored(joined(build_chain(rare, "ab")), "ab").log_probabilities[-1]) < 1e-9


def naive(text: str, rows: Rows, tokens: Sequence[str], last: str = "") -> float:
    """Probability that a response begins with `text`: the sum over all ways to cover it."""
    if not text:
        return 1.0
    row = rows.get(last, rows[""])
    total = 0.0
    for token in tokens:
        if token.startswith(text):
            total += row.get(token, 0)
        elif text.startswith(token):
            total += row.get(token, 0) * naive(text[len(token) :], rows, tokens, token)
    return total


def test_exact_where_a_text_decides_what_follows_it() -> None:
    """Tokens with the same last letter have the same row, so it does not matter how a text was cut."""
    tokens = ["a", "b", "c", "ab", "bc", "abc", "ca"]
    draws = torch.Generator().manual_seed(0)
    rows: dict[str, dict[str, float]] = {}
    for letter in ("", "a", "b", "c"):
        shares = torch.rand(len(tokens) + 1, generator=draws, dtype=torch.float64).softmax(0).tolist()
        for token in [token for token in tokens if token.endswith(letter)] if letter else [""]:
            rows[token] = dict(zip([*tokens, END], shares, strict=True))
    model = joined(build_chain(rows, "ab", "bc", "abc", "ca"))
    # A chain's first token follows the prompt's last one, which has the row of "".
    for text in ("abcabca", "cabbcaabc"):
        logs = scored(model, text).log_probabilities
        expected = [naive(text[: n + 1], rows, tokens) / naive(text[:n], rows, tokens) for n in range(len(text))]
        assert logs[:-1] == pytest.approx([math.log(value) for value in expected], rel=1e-9)


def test_where_tokens_are_bytes_it_is_the_mixture_of_tokens() -> None:
    other: Rows = {"": {"a": 0.1, "b": 0.7, END: 0.2}, "b": {"a": 0.6, END: 0.4}, "a": {"b": 0.4, END: 0.6}}
    members = [build_chain({**OTHER, "a": {"a": 0.1, END: 0.9}}), build_chain(other)]
    experts = SeparateExperts([member.model for member in members], (1.0, 2.0), "probability")
    tokens = LanguageModel(
        experts, members[0].tokenizer, ModelConfig(path="it"), torch.device("cpu"), members[0].dialogue
    )
    both = joined(*members, weights=(1, 2))
    for text in ("abba", "", "b"):
        mine, theirs = scored(both, text), scored(tokens, text)
        # In tokens, the space that the form of the conversation puts before an answer has a score too.
        assert mine.log_probabilities == pytest.approx(theirs.log_probabilities[1:])
        assert mine.entropies == pytest.approx(theirs.entropies[1:])
        assert mine.divergences == pytest.approx(theirs.divergences[1:])
        assert mine.dissents == theirs.dissents[1:]
    assert answers(both, GREEDY, ["x"])[0].text == answers(tokens, GREEDY, ["x"])[0].text == "ba"


def test_the_most_probable_byte_need_not_begin_the_most_probable_token() -> None:
    """Why one member answers otherwise in bytes than in tokens: b is the likeliest token, and a the likeliest byte."""
    chain = build_chain(
        {"": {"b": 0.4, "ac": 0.3, "ad": 0.25, END: 0.05}, "b": {END: 1.0}, "ac": {END: 1.0}}, "ac", "ad"
    )
    assert answers(chain, GREEDY, ["x"])[0].text == "b"
    assert answers(joined(chain), GREEDY, ["x"])[0].text == "ac"


def test_texts_are_utf_8_and_cut_at_four_bytes_for_a_token() -> None:
    accent = build_chain({"": {"Ã": 1.0}, "Ã": {"©": 1.0}, "©": {END: 1.0}})
    (found,) = answers(joined(accent, accent), GREEDY, ["x"])
    assert (found.text, found.tokens, found.finished) == ("é", 3, True)
    endless = joined(build_chain({"": {"a": 1.0}}))
    (found,) = answers(endless, SamplingConfig(max_new_tokens=2), ["x"])
    assert (found.text, found.finished) == ("a" * 8, False)


def test_an_unlikely_text_still_has_a_score() -> None:
    model = joined(build_chain({"": {"a": 1.0}, "a": {"a": 1.0}}), build_chain(OTHER))
    found = scored(model, "zzz ü")
    assert all(math.isfinite(value) for value in found.log_probabilities)
    assert found.total < -600


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An ensemble of two members of the zoo that share no tokenizer."""
    made = tmp_path_factory.mktemp("pair") / "ensemble"
    members = ["zoo/nano", "zoo/neox"]
    experts = [(folder(member), weight) for member, weight in zip(members, (1.0, 1.0), strict=True)]
    save_ensemble(made, members[0], experts, bases=[ModelConfig(path=member) for member in members])
    return made


@pytest.fixture(scope="module")
def real(pair: Path) -> LanguageModel:
    model = loading.load(ModelConfig(path=str(pair)), CPU)
    assert isinstance(model, BytewiseModel)
    return model


QUESTIONS = ["What is 17 plus 25?", "Ann has 3 apples and buys 4 more. How many apples does she have now?", "2 + 2"]


def test_two_families_of_the_zoo_answer_together(real: LanguageModel) -> None:
    together = answers(real, GREEDY, QUESTIONS)
    assert [answers(real, GREEDY, [text], slots=1)[0] for text in QUESTIONS] == together
    assert all(row.text and "�" not in row.text for row in together)
    drawn = answers(real, SAMPLED, QUESTIONS[:2])
    assert len({row.text for row in drawn}) > 1
    assert answers(real, SAMPLED, QUESTIONS[1:2]) == drawn[3:]


def test_the_score_of_the_greedy_answer_beats_its_neighbours(real: LanguageModel) -> None:
    (row,) = answers(real, GREEDY, QUESTIONS[:1])
    (chances,) = option_probabilities(real, [(ask(QUESTIONS[0]), [row.text, row.text[::-1], ""])], CPU)
    assert row.text
    assert chances.argmax() == 0


def test_bytes_add_up_to_one_and_branching_caches_change_nothing(real: LanguageModel) -> None:
    mixture = real.model
    for member, trie, lead in zip(mixture.members, mixture.tries, mixture.leads, strict=True):
        prompts = [member.prompt_ids(ask(text)) for text in QUESTIONS[:2]]
        cached, anew = (Prefixes(member, trie, prompts, lead) for _ in range(2))
        assert cached._reader._branches
        anew._reader._branches = False
        with torch.inference_mode():
            for first, second in zip(b"The sum", b" is 42,", strict=True):
                for state in (cached, anew):
                    state.feed(torch.tensor([first, second]))
                    assert state.log_probs.exp().sum(-1).tolist() == pytest.approx([1, 1], abs=1e-9)
                torch.testing.assert_close(cached.log_probs.exp(), anew.log_probs.exp(), atol=1e-4, rtol=0)


def test_close_to_the_sum_over_all_ways_to_write_a_text(real: LanguageModel) -> None:
    """The measured price of reading one way for each place: here below one in a hundred."""
    for member, trie in zip(real.model.members, real.model.tries, strict=True):
        prompt = member.prompt_ids(ask(QUESTIONS[0]))
        total = 0.0
        with torch.inference_mode():
            found = Prefixes(member, trie, [prompt], b"")
            for byte in b"42 i":
                total += float(found.log_probs[0, byte])
                found.feed(torch.tensor([byte]))
        assert total == pytest.approx(math.log(all_ways(member, trie_texts(member), prompt, b"42 i")), abs=0.01)


def trie_texts(member: LanguageModel) -> dict[int, bytes]:
    from w2sg.models.trie import token_bytes

    return token_bytes(member.tokenizer, "it", member.stop_ids)


def all_ways(member: LanguageModel, texts: Mapping[int, bytes], ids: list[int], rest: bytes) -> float:
    """Probability that a response goes on with the bytes of `rest`, by one pass for every way to write them."""
    with torch.inference_mode():
        logits = member.model(torch.tensor([ids])).logits[0, -1].double()
    said = [*texts, *member.stop_ids]
    shares = dict(zip(said, logits[said].softmax(0).tolist(), strict=True))
    total = 0.0
    for id, text in texts.items():
        if text.startswith(rest):
            total += shares[id]
        elif rest.startswith(text):
            total += shares[id] * all_ways(member, texts, [*ids, id], rest[len(text) :])
    return total


def test_what_does_not_fit_the_smallest_context_is_refused(real: LanguageModel) -> None:
    with pytest.raises(ModelError, match="do not fit"):
        score(real, [(ASKED, "a" * 600)], CPU)


def test_fewer_members_and_other_weights(pair: Path) -> None:
    alone = loading.load(ModelConfig(path=str(pair), ensemble=EnsembleConfig(experts=1)), CPU)
    assert not isinstance(alone, BytewiseModel)
    geometric = loading.load(ModelConfig(path=str(pair), ensemble=EnsembleConfig(mixture="log-linear")), CPU)
    assert isinstance(geometric, BytewiseModel)
    assert geometric.model.mixture == "log-linear"
