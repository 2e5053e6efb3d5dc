"""The settings of a model behind an OpenAI-compatible chat endpoint; who asks it is `models.remote`."""

from __future__ import annotations

import re
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, JsonValue, field_validator

from w2sg.config import Config, added, runtime

_OURS = ("model", "messages", "n", "stream")
_VARIABLE = r"^[A-Za-z_][A-Za-z0-9_]*$"


def _unless_secret(value: Any) -> Any:
    """Put a placeholder in the place of what is no variable's name: it may be the key itself, and errors show what they
    refuse."""
    return "(hidden)" if isinstance(value, str) and not re.match(_VARIABLE, value) else value


def _without_password(value: Any) -> Any:
    return re.sub(r"//[^/@]*@", "//(hidden)@", value).rstrip("/") if isinstance(value, str) else value


def _address(base_url: str) -> str:
    try:
        parts = urlsplit(base_url)
        known = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        known = False
    if not known:
        raise ValueError("must be an address such as http://localhost:8000/v1")
    if "@" in parts.netloc:
        raise ValueError("an address must hold no password; put the key in a variable and name it in api_key_env")
    if base_url.endswith("/chat/completions"):
        raise ValueError("give the address up to /v1, without /chat/completions")
    return base_url


class EndpointConfig(Config):
    """Which model behind which endpoint. What it says may change without notice: a server names its model, and shows no
    content that could be checked."""

    base_url: Annotated[str, AfterValidator(_address), BeforeValidator(_without_password)]
    """The address up to `/v1`, such as `http://localhost:8000/v1`."""
    model: str = Field(min_length=1)
    """The model's name on that server."""
    api_key_env: Annotated[str, BeforeValidator(_unless_secret), Field(pattern=_VARIABLE)] | None = runtime(None)
    """The name of the environment variable that holds the key (never the key itself); none sends no key."""
    extra: dict[str, JsonValue] = added({})
    """Further fields of every request (`top_k`, `chat_template_kwargs`, ...); null leaves out a field that would be
    sent (`max_tokens: null`)."""
    concurrency: int = runtime(16, ge=1)
    """Requests under way at once."""
    timeout_seconds: float = runtime(120.0, gt=0)
    """How long the server may be silent before a request is given up and tried again."""
    retries: int = runtime(8, ge=0)
    """How often a request is tried again when the server is down, slow or overloaded (statuses 408, 409, 429 and 5xx),
    after 0.5, 1, 2, 4 and then 8 seconds, or when the server says."""

    @field_validator("extra")
    @classmethod
    def _not_ours(cls, extra: dict[str, JsonValue]) -> dict[str, JsonValue]:
        if clash := sorted(set(extra) & set(_OURS)):
            raise ValueError(f"{', '.join(clash)} cannot be set here")
        return extra
