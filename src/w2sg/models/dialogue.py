"""How a conversation becomes token ids, once for training and sampling: template, BOS, end token, stop ids.

Prompt and response are encoded apart and joined, so what a model is trained on is, id for id, what it meets and
says when sampled; no merge can cross the boundary. Templates that write today's date (`strftime_now`, as Llama 3
does) are given one fixed date, so that a prompt has the same ids every day. Loading models is left to `models.hf`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any

from w2sg.errors import ModelError
from w2sg.records import Message, Prompt

_DATE = "26 Jul 2024"  # what the templates of Llama 3 take for today where they cannot ask
_FIXED_DATE = "{%- macro strftime_now(format) -%}" + _DATE + "{%- endmacro %}\n"
_QUESTION, _ANSWER = "Qx7Q", "Ax7A"  # letters and digits that no template adds itself


class Dialogue:
    """One tokenizer's rendering of conversations.

    Args:
        tokenizer: a transformers tokenizer, with or without a chat template.
        system: a system prompt put before every question, or None.
        vocabulary: rows of the model's embedding; ids at or past it cannot be fed.
        end_ids: end tokens that the model's generation settings name.
        name: what error messages call the model.

    Raises:
        ModelError: no token ends a response, or the template does not render a question and an answer.
    """

    def __init__(
        self, tokenizer: Any, system: str | None, vocabulary: int, end_ids: Iterable[int] = (), name: str = "the model"
    ) -> None:
        self.tokenizer = tokenizer
        self.name = name
        self._system = (Message("system", system),) if system else ()
        if len(tokenizer) > vocabulary:
            raise ModelError(
                f"The tokenizer of {name} has {len(tokenizer)} tokens and the model's embedding only {vocabulary} "
                "rows. They do not belong together: use the tokenizer the model was trained with, or resize the "
                "embedding and train it."
            )
        self._bos = self._leading_specials()
        self._before, self._lead, after = self._shape()
        stops = [id for id in (tokenizer.eos_token_id, *end_ids) if id is not None and 0 <= id < vocabulary]
        self.end_id = self._end_of_template(after, stops)
        self.stop_ids = frozenset([self.end_id, *stops])
        pad = tokenizer.pad_token_id
        self.pad_id: int = self.end_id if pad is None else pad  # pads are masked: any id that can be fed will do

    def prompt_ids(self, prompt: Prompt) -> list[int]:
        """Return the ids up to where the response begins, with exactly one BOS where the tokenizer uses one."""
        ids = self._encode(self.prompt_text(prompt))
        return ids if ids[: len(self._bos)] == self._bos else self._bos + ids

    def response_ids(self, text: str) -> list[int]:
        """Return the ids of a response, the end token last."""
        ids = self._encode(self._before + self._lead + text)
        head = self._head_ids
        # Encoded after the text that precedes it, a response gets the ids it has there (tokenizers that mark the
        # start of a text would add a space); where a merge crosses the boundary it is encoded alone.
        ids = ids[len(head) :] if ids[: len(head)] == head else self._encode(self._lead + text)
        return [*ids, self.end_id]

    def text(self, ids: Sequence[int]) -> str:
        """Return the response in `ids`, without the first stop token and what follows, outer white space stripped."""
        end = next((place for place, id in enumerate(ids) if id in self.stop_ids), len(ids))
        decoded = self.tokenizer.decode(ids[:end], skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return str(decoded).strip()

    def prompt_text(self, prompt: Prompt) -> str:
        """Return the prompt as text: the chat template's form, or question and answer lines where there is none.

        What a turn quotes (another model's words, a row of somebody's file) is text alone: a control token that stands
        in it is broken by a space, so that it cannot end the turn and speak for the model.
        """
        said = tuple(
            Message(turn.role, self._as_text(turn.content)) if turn.role != "system" else turn for turn in prompt
        )
        messages = (*self._system, *said) if self._system and said[0].role != "system" else said
        if not self.tokenizer.chat_template:
            return _plain(messages)
        return self._render(messages) + self._opening

    def _as_text(self, content: str) -> str:
        return self._control.sub(lambda found: f"{found[0][0]} {found[0][1:]}", content)

    @cached_property
    def _control(self) -> re.Pattern[str]:
        """What the tokenizer reads as a control token wherever it stands."""
        added = self.tokenizer.added_tokens_decoder.values()
        words = {*self.tokenizer.all_special_tokens, *(token.content for token in added if token.special)}
        known = sorted((word for word in words if len(word) > 1), key=len, reverse=True)
        return re.compile("|".join(map(re.escape, known)) or r"(?!)")

    def _render(self, messages: Sequence[Message], answered: bool = False) -> str:
        from jinja2 import TemplateError

        def apply(turns: Sequence[Message]) -> str:
            rows = [{"role": turn.role, "content": turn.content} for turn in turns]
            return str(
                self.tokenizer.apply_chat_template(
                    rows, tokenize=False, add_generation_prompt=not answered, **self._dated
                )
            )

        try:
            return apply(messages)
        except TemplateError as error:
            if messages[0].role != "system" or len(messages) < 2:
                raise self._unusable(str(error)) from None
            first = Message(messages[1].role, f"{messages[0].content}\n\n{messages[1].content}")
        try:  # templates without a system role get the system prompt at the head of the first turn
            return apply((first, *messages[2:]))
        except TemplateError as error:
            raise self._unusable(str(error)) from None

    @cached_property
    def _dated(self) -> dict[str, str]:
        """What fixes the date of a template that asks for it: a macro of the function's name stands before it."""
        template = self.tokenizer.chat_template
        if isinstance(template, dict):
            template = self.tokenizer.get_chat_template()
        if "strftime_now" not in template:
            return {}
        return {"chat_template": _FIXED_DATE + template, "date_string": _DATE}

    def _unusable(self, why: str) -> ModelError:
        return ModelError(
            f"The chat template of {self.name} does not render a question and an answer ({why}). Mend the template "
            "in the model's folder, or delete it to use plain question and answer lines."
        )

    @cached_property
    def _opening(self) -> str:
        """What the template writes before an answer beyond its generation prompt, such as an empty thought."""
        question = Message("user", _QUESTION)
        prompt = self._render((question,))
        whole = self._render((question, Message("assistant", _ANSWER)), answered=True)
        opening, found, _ = whole.removeprefix(prompt).partition(_ANSWER)
        if not whole.startswith(prompt) or not found:
            return ""
        return opening if opening.strip() else ""

    def _shape(self) -> tuple[str, str, str]:
        """Return what stands before a response from the question's end on, the white space that leads it, and what
        follows it."""
        if not self.tokenizer.chat_template:
            return "\nAnswer:", " ", ""
        question = Message("user", _QUESTION)
        prompt = self._render((question,)) + self._opening
        whole = self._render((question, Message("assistant", _ANSWER)), answered=True)
        _, asked, before = prompt.rpartition(_QUESTION)
        lead, answered, after = whole.rpartition(_ANSWER)
        if not asked or not answered:
            raise self._unusable("the question or the answer is missing from its text")
        lead = lead.removeprefix(prompt) if lead.startswith(prompt) else ""
        return before, lead, after

    def _end_of_template(self, after: str, stops: Sequence[int]) -> int:
        """Return the token that ends a response: the first special one that the template puts after it, else the
        tokenizer's EOS, else the first that the generation settings name."""
        special = set(self.tokenizer.all_special_ids) | set(self.tokenizer.added_tokens_decoder)
        for id in self._encode(after):
            if id in special:
                return id
        if stops:
            return stops[0]
        raise ModelError(
            f"The tokenizer of {self.name} has no end-of-text token and its chat template ends no turn with a special "
            "token, so no response could end. Set eos_token in tokenizer_config.json to the token that ended the "
            "texts of its pretraining."
        )

    def _leading_specials(self) -> list[int]:
        """Return what the tokenizer itself puts before a text: BOS, or nothing."""
        bare = self._encode("a")
        full = list(self.tokenizer("a", add_special_tokens=True)["input_ids"])
        for start in range(len(full) - len(bare) + 1):
            if full[start : start + len(bare)] == bare:
                return full[:start]
        return []

    @cached_property
    def _head_ids(self) -> list[int]:
        return self._encode(self._before)

    def _encode(self, text: str) -> list[int]:
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])


def _plain(messages: Sequence[Message]) -> str:
    """Render turns for a model without a chat template; what the user says is a question, the reply its answer."""
    parts = {"system": "{}\n\n", "user": "Question: {}\nAnswer:", "assistant": " {}\n\n"}
    return "".join(parts[message.role].format(message.content) for message in messages)
