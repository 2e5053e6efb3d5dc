"""What a pretraining step reads: tokenizers, documents as ids in the form of the chat template, packing."""

from __future__ import annotations

import random
from functools import cache
from typing import Any

import pytest

from w2sg.models import tokenizer
from w2sg.models.dialogue import Dialogue
from w2sg.models.pretrain_data import USER_LOSS_EVERY, WIDTHS, Steps, batch, fill, pack
from w2sg.records import Message
from w2sg.tasks.world import corpus

SEED = 1


@cache
def learnt(name: tokenizer.Name) -> Any:
    return tokenizer.train(SEED, 1000, name)


@pytest.mark.parametrize("name", tokenizer.RECIPES)
def test_tokenizer_keeps_every_text(name: tokenizer.Name) -> None:
    tok = learnt(name)
    assert len(tok) == tokenizer.RECIPES[name].vocabulary
    assert tokenizer.recipe_of(tok) is tokenizer.RECIPES[name]
    for text in ("Ann has 12 eggs.\nAnswer: 7", "Ünïcode → 語 \t two  spaces ", "<not special>", "### Answer:\n"):
        assert tok.decode(tok(text, add_special_tokens=False)["input_ids"]) == text


def test_tokenizers_cut_numbers_differently() -> None:
    assert learnt("turns").tokenize("12 + 7") == ["12", "Ġ+", "Ġ7"]
    assert learnt("marks").tokenize("12 + 7") == ["1", "2", "Ġ+", "Ġ7"]


def test_foreign_tokenizer_has_no_recipe() -> None:
    class Foreign:
        chat_template = None

    with pytest.raises(ValueError, match="none of the zoo's recipes"):
        tokenizer.recipe_of(Foreign())


@pytest.mark.parametrize("name", tokenizer.RECIPES)
def test_corpus_documents_read_like_the_chat_template_and_the_dialogue(name: tokenizer.Name) -> None:
    tok = learnt(name)
    steps = Steps(tok, SEED, 1000, 1024)
    dialogue = Dialogue(tok, None, len(tok))
    conversations = 0
    for number, (ids, counts) in zip(range(50_000, 50_200), steps.encode(50_000, 50_200), strict=True):
        document = corpus.document(SEED, number)
        assert ids[0] == tok.bos_token_id
        assert ids[-1] == tok.eos_token_id
        assert not counts[0]
        assert counts[-1]
        if document[-1].turn == "text":
            continue
        conversations += 1
        messages = [{"role": part.turn, "content": part.text} for part in document]
        text = tok.apply_chat_template(messages, tokenize=False)
        assert tok(text, add_special_tokens=False)["input_ids"] == ids
        asked = tuple(Message(part.turn, part.text) for part in document[:-1] if part.turn != "text")
        assert dialogue.prompt_ids(asked) + dialogue.response_ids(document[-1].text) == ids
    assert conversations > 50


def test_user_turns_count_in_one_document_of_so_many() -> None:
    steps = Steps(learnt("turns"), SEED, 1000, 1024)
    user, answer = (steps.tokenizer.convert_tokens_to_ids(turn) for turn in ("<|user|>", "<|assistant|>"))
    counting = set()
    for number, (ids, counts) in zip(range(50_000, 50_200), steps.encode(50_000, 50_200), strict=True):
        if user in ids:
            said = counts[ids.index(user) + 1 : ids.index(answer)]
            assert len(set(said)) == 1
            assert said[0] == (number % USER_LOSS_EVERY == 0)
            counting.add(said[0])
    assert counting == {True, False}


def test_packed_documents_do_not_see_each_other() -> None:
    texts = [([1, 7, 8, 2], [False, True, True, True]), ([1, 9, 2], [False, False, True])]
    found = batch([texts], 8, pad=0)
    assert found["input_ids"].tolist() == [[1, 7, 8, 2, 1, 9, 2, 0]]
    assert found["labels"].tolist() == [[-100, 7, 8, 2, -100, -100, 2, -100]]
    assert found["position_ids"][0, :7].tolist() == [0, 1, 2, 3, 0, 1, 2]
    seen = found["attention_mask"][0, 0] == 0
    assert seen[5].nonzero().flatten().tolist() == [4, 5]
    assert seen[3].nonzero().flatten().tolist() == [0, 1, 2, 3]


def plain_fill(lengths: list[int], rows: tuple[int, int]) -> list[list[int]]:
    room = [WIDTHS[1]] * rows[1] + [WIDTHS[0]] * rows[0]
    held: list[list[int]] = [[] for _ in room]
    for number in sorted(range(len(lengths)), key=lambda number: -lengths[number]):
        row = next((row for row in range(len(room)) if room[row] >= lengths[number]), None)
        if row is not None:
            room[row] -= lengths[number]
            held[row].append(number)
    return held


def test_fill_is_the_plain_first_fit() -> None:
    rng = random.Random(0)
    for _ in range(50):
        lengths = [rng.choice((rng.randint(2, 60), rng.randint(20, 300))) for _ in range(rng.randint(0, 60))]
        rows = (rng.randint(1, 12), rng.randint(0, 6))
        assert [held for _, held in fill(lengths, rows)] == plain_fill(lengths, rows)


def test_without_a_number_of_rows_every_document_that_fits_has_one() -> None:
    lengths = [300, 200, 150, 100, 60, 50, 30]
    assert fill(lengths) == [(256, [1, 5]), (256, [2, 3]), (128, [4, 6])]
    assert fill([]) == []


def test_what_finds_no_room_is_left_out() -> None:
    long = ([5] * 200, [True] * 200)
    ((narrow, wide),) = pack([long, long], (1, 1), 1, pad=0)
    assert int((narrow["input_ids"] == 5).sum()) == 0
    assert int((wide["input_ids"] == 5).sum()) == 200


@pytest.mark.parametrize("name", tokenizer.RECIPES)
def test_steps_have_two_shapes_lose_little_and_depend_on_their_number_alone(name: tokenizer.Name) -> None:
    tok = learnt(name)
    steps = Steps(tok, SEED, 400_000, 4096)
    later = range(4800, 4832)  # past the documents that the corpus begins with, which are of one kind
    real = places = 0
    for step in later:
        shapes = [part["input_ids"].shape for part in steps[step]]
        assert shapes == list(zip(steps.rows, WIDTHS, strict=True))
        places += sum(rows * width for rows, width in shapes)
        real += sum(int((part["input_ids"] != tok.pad_token_id).sum()) for part in steps[step])
    drawn = sum(len(ids) for ids, _ in steps.encode(later[0] * steps.drawn, (later[-1] + 1) * steps.drawn))
    assert abs(places - 4096 * len(later)) <= 64 * len(later)
    assert real / places > 0.93
    assert 0.98 < real / drawn <= 1
    again = Steps(tok, SEED, 400_000, 4096)[4817]
    for one, other in zip(again, steps[4817], strict=True):
        assert all(one[key].equal(other[key]) for key in one)
