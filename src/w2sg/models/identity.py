"""Which model a path means: where it lies, and the content that identifies it in fingerprints. No torch here."""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path
from typing import Any

from w2sg.errors import ModelError, StoreError
from w2sg.models.base import EnsembleConfig, ModelConfig
from w2sg.models.ensemble import is_adapter, is_ensemble, read_ensemble
from w2sg.storage import hash_file, write_json

SCRIPTED = "scripted:"
"""What the path of a scripted model begins with."""

_DECIDING = (
    "config.json",
    "generation_config.json",
    "adapter_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "tokenizer.model",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "vocab.txt",
    "merges.txt",
    "chat_template.json",
    "chat_template.jinja",
    "*.safetensors",
    "*.safetensors.index.json",
    "*.py",
)


def locate(config: ModelConfig) -> str:
    """Return what `from_pretrained` takes: a zoo member's folder, a local folder, or a Hub id.

    Raises:
        ModelError: there is no such zoo member or folder.
    """
    path = config.path
    if path.startswith("zoo/"):
        from w2sg.models.zoo import folder

        return str(folder(path.removeprefix("zoo/")))
    local = Path(path).expanduser()
    if local.is_dir():
        return str(local)
    if local.is_file():
        raise ModelError(f"The model path {path!r} is a file. Give the folder that holds it and its config.json.")
    if path.startswith((".", "/", "~")) or path.count("/") > 1 or "\\" in path:
        raise ModelError(
            f"There is no model folder {path!r}. Give a folder that exists, a Hub id such as 'org/name', or a member "
            "of the zoo as 'zoo/<member>'."
        )
    return path


def resolve(config: ModelConfig) -> dict[str, Any]:
    """Return what identifies the model's content, as plain JSON values.

    Zoo members and local folders are identified by the SHA-256 of every file that decides what the model says, so
    that a moved folder stays the same model; Hub models by id and revision (pin a commit to be exact); ensembles by
    the experts that are used, their weights and their mixture.

    Raises:
        ModelError: the model is missing, its folder holds no model, or it is to be used as an ensemble and is none.
    """
    if config.path.startswith(SCRIPTED):
        return {"scripted": config.path.removeprefix(SCRIPTED)}
    place = locate(config)
    folder = Path(place)
    if is_ensemble(folder):
        return {"ensemble": _ensemble(config, folder)}
    check_no_ensemble_settings(config)
    if not folder.is_dir():
        return {"hub": place, "revision": config.revision or "main"}
    return {"files": _files(config.path, folder)}


def check_no_ensemble_settings(config: ModelConfig) -> None:
    """Check that the settings of a model that is no ensemble do not say how to use one.

    Raises:
        ModelError: they do.
    """
    if config.ensemble != EnsembleConfig():
        raise ModelError(
            f"The model {config.path!r} is no ensemble, yet its settings say how to use one ({config.ensemble}). "
            "Remove `ensemble`, or give the folder of an ensemble."
        )


def _ensemble(config: ModelConfig, folder: Path) -> dict[str, Any]:
    found = read_ensemble(folder, config.ensemble)
    members = [folder / expert.path for expert in found.experts]
    content: dict[str, Any] = {
        "mixture": found.mixture,
        "weights": list(found.weights),
        "experts": [_files(str(member), member) for member in members],
    }
    base = ModelConfig(path=found.base, revision=config.revision)
    if any(map(is_adapter, members)):
        content["base"] = resolve(base)
    others = {
        str(number): resolve(found.base_of(expert, base))
        for number, (expert, member) in enumerate(zip(found.experts, members, strict=True))
        if expert.base is not None and is_adapter(member)
    }
    return {**content, "bases": others} if others else content


def _files(name: str, folder: Path) -> dict[str, str]:
    """Return the digests of the files in `folder` that decide what the model called `name` says."""
    files = sorted({path for pattern in _DECIDING for path in folder.glob(pattern) if path.is_file()})
    if not files:
        inside = f" Its folder {str(folder / 'model')!r} may be meant." if (folder / "model").is_dir() else ""
        raise ModelError(f"The folder {name!r} holds no model: no config.json and no *.safetensors.{inside}")
    return {path.name: _digest(path) for path in files}


def parameter_guess(config: ModelConfig) -> float:
    """Return about how many parameters a model on this disk has, from the size of its weights (2 bytes each).

    An adapter counts as the model that it adapts, an ensemble as its experts one by one, a scripted model as one
    parameter, an unknown model as 0.
    """
    if config.path.startswith(SCRIPTED):
        return 1.0
    try:
        folder = Path(locate(config))
        if is_ensemble(folder):
            found = read_ensemble(folder, config.ensemble)
            members = [folder / expert.path for expert in found.experts]
            bases = [expert.base or found.base for expert in found.experts]
            models = [
                ModelConfig(path=base if is_adapter(member) else str(member))
                for base, member in zip(bases, members, strict=True)
            ]
            return sum(map(parameter_guess, models))
        adapter = folder / "adapter_config.json"
        if adapter.is_file() and not (folder / "config.json").is_file():
            base = json.loads(adapter.read_text(encoding="utf-8"))["base_model_name_or_path"]
            folder = Path(locate(config.model_copy(update={"path": base})))
            if not (folder / "config.json").is_file():
                return 0.0
        return sum(file.stat().st_size for file in folder.glob("*.safetensors")) / 2
    except (ModelError, OSError, ValueError, KeyError, TypeError, AttributeError):
        return 0.0  # loading will tell what is wrong with the model


def _digest(path: Path) -> str:
    """Return the file's SHA-256, remembered by path, size and time of change: weights can be many gigabytes."""
    state = path.stat()
    key = f"{path.resolve()}:{state.st_size}:{state.st_mtime_ns}:{state.st_ino}"
    known = _remembered()
    if key not in known:
        known[key] = hash_file(path)
        if state.st_size >= 1 << 20:  # smaller files hash faster than the memory is read
            _remember(known)
    return known[key]


def _memory_file() -> Path:
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "w2sg" / "digests.json"


@cache
def _remembered() -> dict[str, str]:
    try:
        found = json.loads(_memory_file().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _remember(known: dict[str, str]) -> None:
    try:
        write_json(_memory_file(), {key: known[key] for key in list(known)[-10_000:]})
    except StoreError:
        return  # without the memory the next run hashes again, and nothing else changes
