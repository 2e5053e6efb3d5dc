"""Loading an ensemble's folder as a language model, and the checks that its experts belong together.

Adapters on one base are stacked where they can be (`models.adapters`); other experts are loaded one by one
(`models.mixture`), and those of different tokenizers joined (`models.mixture_bytes`). What the folder holds is
`models.ensemble`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from w2sg.errors import ModelError
from w2sg.models.adapters import AdapterExperts, stacked
from w2sg.models.base import EnsembleConfig, Mixture, ModelConfig, RuntimeConfig
from w2sg.models.ensemble import is_adapter, read_ensemble
from w2sg.models.hf import LanguageModel, assemble, check_adapter, explained, load_tokenizer, quiet
from w2sg.models.hf import load as load_one
from w2sg.models.identity import locate, resolve
from w2sg.models.machine import enough_memory, threads
from w2sg.models.mixture import SeparateExperts
from w2sg.models.mixture_bytes import BytewiseModel


def load(config: ModelConfig, runtime: RuntimeConfig, tuned: Path | None = None) -> LanguageModel:
    """Load the ensemble in the folder that `config` names, or the one in `tuned`, whose base is `config`'s model.

    The ensemble is asked as any language model is: its logits are log-probabilities of the mixture. One of one expert
    is loaded as that expert. Experts that share a tokenizer are mixed token by token. Where there are several
    tokenizers, each such family of experts counts as one member, and the members are mixed byte by byte.

    Raises:
        ModelError: the file or an expert is missing or damaged, adapters are not of the base that the file names,
            experts of one tokenizer differ in end tokens or vocabulary, or tokenizers differ and are not byte-level.
    """
    folder = tuned or Path(locate(config))
    found = read_ensemble(folder, config.ensemble)
    base = config.model_copy(update={"ensemble": EnsembleConfig()})
    if tuned is None:
        base = base.model_copy(update={"path": found.base})
    experts = [_Expert(folder / expert.path, found.base_of(expert, base), expert.weight) for expert in found.experts]
    _check_bases(folder, experts)
    families = _families(experts)
    models = [_family(family, found.mixture, runtime) for family in families]
    if len(models) == 1:
        return models[0] if len(experts) == 1 else replace(models[0], config=config)
    weights = [sum(expert.weight for expert in family) for family in families]
    return BytewiseModel.of(models, weights, found.mixture, config)


@dataclass(frozen=True)
class _Expert:
    """An expert: its folder, the model that it was made from, and its weight."""

    folder: Path
    base: ModelConfig
    weight: float

    @property
    def is_adapter(self) -> bool:
        return is_adapter(self.folder)


def _families(experts: Sequence[_Expert]) -> list[list[_Expert]]:
    """Return the experts parted by what they read and write: tokenizer, special tokens, chat template."""
    families: list[list[_Expert]] = []
    kinds: list[dict[str, Any]] = []
    for expert in experts:
        kind = kind_of_tokens(load_tokenizer(expert.base, expert.folder)) if len(experts) > 1 else {}
        if kind not in kinds:
            kinds.append(kind)
            families.append([])
        families[kinds.index(kind)].append(expert)
    return families


def _family(experts: Sequence[_Expert], mixture: Mixture, runtime: RuntimeConfig) -> LanguageModel:
    """Load experts that share a tokenizer as one model."""
    if len(experts) == 1:
        return load_one(experts[0].base, runtime, experts[0].folder)
    if all(expert.is_adapter and expert.base == experts[0].base for expert in experts):
        together = _stacked(experts, mixture, runtime)
        if together is not None:
            return together
    return _separate(experts, mixture, runtime)


def _stacked(experts: Sequence[_Expert], mixture: Mixture, runtime: RuntimeConfig) -> LanguageModel | None:
    """Load the base once, with all adapters; None where they cannot be stacked."""
    from peft import PeftModel

    base, members = experts[0].base, [expert.folder for expert in experts]
    model = load_one(base, runtime)
    names = [f"expert-{number}" for number in range(len(members))]
    with quiet(), enough_memory(f"loading the ensemble {base.path!r}"), threads(runtime.threads):
        for member in members:
            check_adapter(member)
        with explained(str(members[0]), "adapter"):
            adapted = PeftModel.from_pretrained(model.model, str(members[0]), adapter_name=names[0])
        for name, member in zip(names[1:], members[1:], strict=True):
            with explained(str(member), "adapter"):
                adapted.load_adapter(str(member), adapter_name=name)
        layers = stacked(adapted, names)
        if layers is None:
            return None
        together = AdapterExperts(adapted.unload(), layers, [expert.weight for expert in experts], mixture)
        together.to(model.device).eval()
    return assemble(together, load_tokenizer(base, members[0]), base, model.device, str(members[0].parent))


def _separate(experts: Sequence[_Expert], mixture: Mixture, runtime: RuntimeConfig) -> LanguageModel:
    """Load every expert as a model of its own."""
    members = [expert.folder for expert in experts]
    models = [load_one(expert.base, runtime, expert.folder) for expert in experts]
    first = models[0]
    for member, model in zip(members[1:], models[1:], strict=True):
        rows = [one.model.get_input_embeddings().weight.shape[0] for one in (first, model)]
        if rows[0] != rows[1]:
            raise ModelError(
                f"The experts {members[0].name!r} and {member.name!r} of the ensemble in {str(member.parent)!r} have "
                f"vocabularies of {rows[0]} and {rows[1]} rows, so their distributions cannot be mixed. Give experts "
                "tuned from one model."
            )
        if model.stop_ids != first.stop_ids:
            raise ModelError(
                f"The experts {members[0].name!r} and {member.name!r} of the ensemble in {str(member.parent)!r} end "
                f"their responses with different tokens ({sorted(first.stop_ids)} and {sorted(model.stop_ids)}). "
                "Give them the same eos_token_id in generation_config.json."
            )
    together = SeparateExperts([model.model for model in models], [expert.weight for expert in experts], mixture)
    together.to(first.device).eval()
    return assemble(together, first.tokenizer, experts[0].base, first.device, str(members[0].parent))


def _check_bases(folder: Path, experts: Sequence[_Expert]) -> None:
    """Check that the adapters of each base were trained on it, as far as can be told from here."""
    bases: list[ModelConfig] = []
    for expert in experts:
        if expert.is_adapter and expert.base not in bases:
            bases.append(expert.base)
    for base in bases:
        adapters = [expert.folder for expert in experts if expert.is_adapter and expert.base == base]
        _check_one_base(folder, adapters, base)


def _check_one_base(folder: Path, adapters: Sequence[Path], base: ModelConfig) -> None:
    """Check that the adapters name one base, and that it is the ensemble's, as far as can be told from here."""
    stated = [_base_of(adapter) for adapter in adapters]
    for adapter, other in zip(adapters[1:], stated[1:], strict=True):
        if other != stated[0]:
            raise ModelError(
                f"The experts of the ensemble in {str(folder)!r} adapt different bases: {adapters[0].name!r} adapts "
                f"{stated[0]!r} and {adapter.name!r} adapts {other!r}. Train them on one base, name the other's base "
                "in ensemble.json, or merge each with its own."
            )
    place = Path(stated[0])
    if place.is_dir() and Path(locate(base)).is_dir():
        same = resolve(ModelConfig(path=str(place))) == resolve(ModelConfig(path=base.path))
        if not same:
            raise ModelError(
                f"The ensemble in {str(folder)!r} names the base {base.path!r}, but its adapters were trained on "
                f"another model, {stated[0]!r}. Put the right base into ensemble.json."
            )


def _base_of(adapter: Path) -> str:
    try:
        stored = json.loads((adapter / "adapter_config.json").read_text(encoding="utf-8"))
        return str(stored["base_model_name_or_path"])
    except (OSError, ValueError, KeyError, TypeError):
        raise ModelError(
            f"The adapter in {str(adapter)!r} does not say which model it adapts: its adapter_config.json is missing "
            "or damaged, or holds no base_model_name_or_path. Put the file that peft wrote back, or make the expert "
            "again."
        ) from None


def kind_of_tokens(tokenizer: Any) -> dict[str, Any]:
    """Return what agrees between tokenizers whose models' distributions can be mixed, or learnt from one another."""
    return {
        "vocabulary": tokenizer.get_vocab(),
        "special": (sorted(tokenizer.all_special_ids), tokenizer.eos_token_id),
        "template": tokenizer.chat_template,
    }
