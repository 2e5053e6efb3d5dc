"""The base of every setting: frozen pydantic models, canonical text and fingerprints, files and overrides.

A setting either decides the result (the default: it is in the fingerprint) or merely runs it (marked with
`runtime()`: device, micro-batch, workers). What is built from settings lives with the thing that is built.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, Self, TypeVar, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from w2sg.errors import ConfigError

Key = TypeVar("Key", str, int)
Made = TypeVar("Made")

_RUNTIME = "w2sg_runtime"
_ADDED = "w2sg_added"
_PART: Literal["part"] = "part"


def runtime(default: Any, **keywords: Any) -> Any:
    """A field that runs the work without deciding its result; left out of the fingerprint."""
    return Field(default, json_schema_extra={_RUNTIME: True}, **keywords)


def added(default: Any, **keywords: Any) -> Any:
    """A field added after release whose default changes nothing; at its default it is left out of the
    fingerprint, so that earlier results stay valid."""
    return Field(default, json_schema_extra={_ADDED: True}, **keywords)


class Config(BaseModel):
    """Base of all settings: immutable, unknown keys refused, runtime fields out of the fingerprint."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, validate_default=True, allow_inf_nan=False
    )

    def identity(self) -> dict[str, Any]:
        """Return what decides the result, as plain JSON values, runtime fields left out at every depth."""
        found: dict[str, Any] = {}
        for name, field in type(self).model_fields.items():
            marks = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
            value = getattr(self, name)
            if marks.get(_RUNTIME) or (marks.get(_ADDED) and value == field.default):
                continue
            found[name] = _identity_of(value)
        return found

    @classmethod
    def parse(cls, data: Any, where: str, context: Any = None) -> Self:
        """Validate `data`, which came from `where` (a file, the command line); `context` is shown to its validators.

        Raises:
            ConfigError: names every problem at once, each with its dotted path, the value found and, for an
                unknown key, the nearest known one.
        """
        try:
            return cls.model_validate(data, context=context)
        except ValidationError as error:
            raise ConfigError(f"{where} does not fit. {describe(error, cls)}") from None


class Part(Config):
    """Base of the settings of an exchangeable part (an elicitor, a recipe): its results have a meaning of their own,
    and `version` is raised when that meaning changes."""

    version: ClassVar[int] = 1

    def identity(self) -> dict[str, Any]:
        """Return what decides the result: the fields, and the version of their meaning."""
        return {**super().identity(), "version": self.version}


def _identity_of(value: Any) -> Any:
    if isinstance(value, Config):
        return value.identity()
    if isinstance(value, Mapping):
        return {str(key): _identity_of(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_identity_of(part) for part in value]
    return str(value) if isinstance(value, Path) else value


def canonical(value: Any, path: str = "value") -> str:
    """Return the one text form of a JSON-like value, on which fingerprints rest.

    Raises:
        TypeError: the value holds something without a stable text form (a function, an object, a NaN).
    """
    _refuse_unstable(value, path)
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def _refuse_unstable(value: Any, path: str) -> None:
    if isinstance(value, Mapping):
        for key, part in value.items():
            if not isinstance(key, str):
                raise TypeError(f"{path} has the key {key!r} of type {type(key).__name__}; keys must be strings")
            _refuse_unstable(part, f"{path}.{key}")
    elif isinstance(value, list | tuple):
        for position, part in enumerate(value):
            _refuse_unstable(part, f"{path}[{position}]")
    elif isinstance(value, float) and not math.isfinite(value):
        raise TypeError(f"{path} is {value}, which has no stable text form")
    elif not isinstance(value, str | int | float | bool | None):
        raise TypeError(
            f"{path} holds a {type(value).__name__}, which has no stable text form; use a number, string, list, "
            "dict or Config"
        )


def fingerprint(value: Any) -> str:
    """Return 16 hexadecimal digits of the SHA-256 of `canonical(value)`."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()[:16]


def parts_of(part: object) -> Iterator[object]:
    """Yield `part` and, where it is made of settings or a list of them, all that it is made of, however deep."""
    yield part
    if isinstance(part, Config):
        for name in type(part).model_fields:
            yield from parts_of(getattr(part, name))
    elif isinstance(part, list | tuple):
        for one in part:
            yield from parts_of(one)


def each(parts: Mapping[Key, Any], make: Callable[[Key, Any], Made]) -> dict[Key, Made]:
    """Return what `make` makes of every key and part; for validators.

    Raises:
        ValidationError: the ConfigErrors of all parts, each in its place.
    """
    made: dict[Key, Made] = {}
    wrong: list[InitErrorDetails] = []
    for key, part in parts.items():
        try:
            made[key] = make(key, part)
        except ConfigError as error:
            kind = PydanticCustomError(_PART, "{told}", {"told": str(error)})
            wrong.append({"type": kind, "loc": (key,), "input": part})
    if wrong:
        raise ValidationError.from_exception_data("parts", wrong)
    return made


def describe(error: ValidationError, model: type[BaseModel] | None = None) -> str:
    """Turn pydantic's findings into sentences: dotted path, what is wrong, the value found, a suggestion."""
    sentences = []
    for found in error.errors():
        place = ".".join(str(part) for part in found["loc"]) or "the whole"
        if found["type"] == "extra_forbidden":
            known = _keys_at(model, found["loc"][:-1]) if model else []
            key = str(found["loc"][-1])
            inside = list(_places(model, key)) if model and not difflib.get_close_matches(key, known, n=1) else []
            hint = f" here (perhaps you meant {' or '.join(inside)})" if inside else suggest(key, known)
            if key in known:
                hint = " for this kind (another kind of this part has it)"
            sentences.append(f"{place}: unknown key{hint}.")
        elif found["type"] == "union_tag_invalid":
            context = found["ctx"]
            known = [tag.strip().strip("'") for tag in str(context["expected_tags"]).split(",")]
            sentences.append(f"{place}: there is no {context['tag']!r} here{suggest(str(context['tag']), known)}.")
        elif found["type"] == "union_tag_not_found":
            sentences.append(f"{place}: name a kind, alone or as `kind: ...` (found {found['input']!r:.80}).")
        else:
            value = repr(found["input"])
            value = value if len(value) <= 80 else value[:77] + "..."
            message = found["msg"].removeprefix("Value error, ").rstrip(".")
            told = "" if found["type"] == _PART else f" (found {value})"  # which names what it found itself
            sentences.append(f"{place}: {message[:1].lower()}{message[1:]}{told}.")
    count = len(sentences)
    return (f"{count} problems: " if count > 1 else "") + " ".join(sentences)


def _keys_at(model: type[BaseModel], path: Sequence[int | str]) -> list[str]:
    """The field names that `model` knows at `path`; every union member met on the way contributes."""
    here: list[type[BaseModel]] = [model]
    for part in path:
        if not isinstance(part, str):
            continue
        inner = [
            member
            for candidate in here
            if part in candidate.model_fields
            for member in _models_in(candidate.model_fields[part].annotation)
        ]
        here = inner or here  # a union's tag stands in the path without being a field
    return sorted({name for candidate in here for name in candidate.model_fields})


def _places(model: type[BaseModel], key: str) -> Iterator[str]:
    """Yield where in the parts of `model` there is a field called `key`, as settings of one part or of each of many."""
    for name, field in model.model_fields.items():
        inner = next((one for one in _models_in(field.annotation) if key in one.model_fields), None)
        if inner is None:
            continue
        first = next(iter(inner.model_fields))
        forms: dict[Any, str] = {tuple: f"{name}=[{{{first}: ..., {key}: ...}}]", dict: f"{name}.NAME.{key}"}
        yield forms.get(get_origin(field.annotation), f"{name}.{key}")


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in _models_in(part)]


def suggest(wrong: str, known: Iterable[str]) -> str:
    """Return ` (perhaps you meant 'x')`, or the known names when none is near, or nothing when none is known."""
    known = list(known)
    near = difflib.get_close_matches(wrong, known, n=1)
    if near:
        return f" (perhaps you meant {near[0]!r})"
    return f" (known: {', '.join(known)})" if known else ""


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML file that holds one mapping.

    Raises:
        ConfigError: the file is missing, unreadable, not YAML, or not a mapping.
    """
    import yaml

    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(f"There is no file {str(path)!r}. Give the path of an experiment file.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"The file {str(path)!r} cannot be read as text: {error}.") from None
    try:
        data = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        first = " ".join(str(error).split())
        raise ConfigError(f"The file {str(path)!r} is not valid YAML: {first}") from None
    _refuse_odd(data, f"The file {str(path)!r}")
    if not isinstance(data, dict):
        raise ConfigError(f"The file {str(path)!r} must hold a mapping of settings, and holds {type(data).__name__}.")
    return data


def override(data: Mapping[str, Any], settings: Iterable[str]) -> dict[str, Any]:
    """Return `data` with every `a.b.c=value` of `settings` put in its place; values are read as YAML.

    Raises:
        ConfigError: some settings have no `=`, no key, a value that is not YAML, or a path through a non-mapping; it
            names the fault of each.
    """
    result: dict[str, Any] = _copy(data)
    faults: list[str] = []
    for setting in settings:
        try:
            _put(result, setting)
        except ConfigError as error:
            faults.append(str(error))
    if faults:
        raise ConfigError((f"{len(faults)} problems: " if len(faults) > 1 else "") + " ".join(faults))
    return result


def _put(data: dict[str, Any], setting: str) -> None:
    """Put one `a.b.c=value` in its place in `data`."""
    import yaml

    key, sign, text = setting.partition("=")
    parts = key.strip().split(".")
    if not sign or not all(parts):
        raise ConfigError(f"The setting {setting!r} must have the form key=value or outer.inner=value.")
    try:
        value = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigError(f"The value in {setting!r} is not valid YAML: {' '.join(str(error).split())}.") from None
    _refuse_odd(value, f"The value in {setting!r}")
    place = data
    for depth, part in enumerate(parts[:-1]):
        inner = place.setdefault(part, {})
        if inner is None:
            inner = place[part] = {}
        if not isinstance(inner, dict):
            where = ".".join(parts[: depth + 1])
            whole = f" Give the list as a whole: {where}=[...]." if isinstance(inner, list) else ""
            raise ConfigError(
                f"The setting {setting!r} goes through {where!r}, which is {inner!r}, not a mapping.{whole}"
            )
        place = inner
    place[parts[-1]] = value


def _refuse_odd(value: Any, where: str, above: tuple[int, ...] = ()) -> None:
    """Refuse what YAML can say and settings cannot mean: a part that holds itself, text that is not Unicode."""
    if isinstance(value, str):
        if not value.isascii() and any("\ud800" <= sign <= "\udfff" for sign in value):
            raise ConfigError(f"{where} holds half a character ({value!r:.60}). Write the text as plain UTF-8.")
    elif isinstance(value, Mapping | list):
        if id(value) in above:
            raise ConfigError(f"{where} holds a part that contains itself (a YAML alias inside its own anchor).")
        parts = [*value.keys(), *value.values()] if isinstance(value, Mapping) else value
        for part in parts:
            _refuse_odd(part, where, (*above, id(value)))


def _copy(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _copy(part) for key, part in value.items()}
    return [_copy(part) for part in value] if isinstance(value, list) else value
