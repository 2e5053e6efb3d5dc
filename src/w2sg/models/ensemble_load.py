"""Loading an ensemble's folder as a language model, and the checks that its experts belong together.

Adapters on one base are stacked where they can be (`models.adapters`); other experts are loaded one by one
(`models.mixture`). What the folder holds is `models.ensemble`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from w2sg.errors import ModelError
from w2sg.models.adapters import AdapterExperts, stacked
from w2sg.models.base import EnsembleConfig, ModelConfig, RuntimeConfig
from w2sg.models.ensemble import Ensemble, is_adapter, read_ensemble
from w2sg.models.hf import LanguageModel, assemble, check_adapter, explained, load_tokenizer, quiet
from w2sg.models.hf import load as load_one
from w2sg.models.identity import locate, resolve
from w2sg.models.machine import enough_memory, threads
from w2sg.models.mixture import SeparateExperts


def load(config: ModelConfig, runtime: RuntimeConfig, tuned: Path | None = None) -> LanguageModel:
    """Load the ensemble in the folder that `config` names, or the one in `tuned`, whose base is `config`'s model.

    The ensemble is asked as any language model is: its logits are log-probabilities of the mixture. One of one expert
    is loaded as that expert.

    Raises:
        ModelError: the file or an expert is missing or damaged, or the experts differ in base, tokenizer, chat
            template, end tokens or vocabulary.
    """
    folder = tuned or Path(locate(config))
    found = read_ensemble(folder, config.ensemble)
    members = [folder / expert.path for expert in found.experts]
    base = config.model_copy(update={"ensemble": EnsembleConfig()})
    if tuned is None:
        base = base.model_copy(update={"path": found.base})
    adapters = [member for member in members if is_adapter(member)]
    if adapters:
        _check_one_base(folder, adapters, base)
    if len(members) == 1:
        return load_one(base, runtime, members[0])
    _check_one_tokenizer(folder, members, base)
    if len(adapters) == len(members):
        together = _stacked(found, members, base, runtime)
        if together is not None:
            return replace(together, config=config)
    return replace(_separate(found, members, base, runtime), config=config)


def _stacked(
    found: Ensemble, members: Sequence[Path], base: ModelConfig, runtime: RuntimeConfig
) -> LanguageModel | None:
    """Load the base once, with all adapters; None where they cannot be stacked."""
    from peft import PeftModel

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
        experts = AdapterExperts(adapted.unload(), layers, found.weights, found.mixture)
        experts.to(model.device).eval()
    return assemble(experts, load_tokenizer(base, members[0]), base, model.device, str(members[0].parent))


def _separate(found: Ensemble, members: Sequence[Path], base: ModelConfig, runtime: RuntimeConfig) -> LanguageModel:
    """Load every expert as a model of its own."""
    models = [load_one(base, runtime, member) for member in members]
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
    experts = SeparateExperts([model.model for model in models], found.weights, found.mixture)
    experts.to(first.device).eval()
    return assemble(experts, first.tokenizer, base, first.device, str(members[0].parent))


def _check_one_base(folder: Path, adapters: Sequence[Path], base: ModelConfig) -> None:
    """Check that the adapters name one base, and that it is the ensemble's, as far as can be told from here."""
    bases = [_base_of(adapter) for adapter in adapters]
    for adapter, other in zip(adapters[1:], bases[1:], strict=True):
        if other != bases[0]:
            raise ModelError(
                f"The experts of the ensemble in {str(folder)!r} adapt different bases: {adapters[0].name!r} adapts "
                f"{bases[0]!r} and {adapter.name!r} adapts {other!r}. Train them on one base, or merge each with its "
                "own, where the bases share their tokenizer."
            )
    stated = Path(bases[0])
    if stated.is_dir() and Path(locate(base)).is_dir():
        same = resolve(ModelConfig(path=str(stated))) == resolve(ModelConfig(path=base.path))
        if not same:
            raise ModelError(
                f"The ensemble in {str(folder)!r} names the base {base.path!r}, but its adapters were trained on "
                f"another model, {bases[0]!r}. Put the right base into ensemble.json."
            )


def _base_of(adapter: Path) -> str:
    try:
        stored = json.loads((adapter / "adapter_config.json").read_text(encoding="utf-8"))
        return str(stored["base_model_name_or_path"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"The adapter in {str(adapter)!r} does not say which model it adapts: {error!r}.") from None


def _check_one_tokenizer(folder: Path, members: Sequence[Path], base: ModelConfig) -> None:
    first = _told(load_tokenizer(base, members[0]))
    for member in members[1:]:
        other = _told(load_tokenizer(base, member))
        different = [name for name in first if first[name] != other[name]]
        if different:
            raise ModelError(
                f"The experts {members[0].name!r} and {member.name!r} of the ensemble in {str(folder)!r} differ in "
                f"{' and '.join(different)}, so their next tokens cannot be mixed one by one. Give experts with the "
                "same tokenizer and chat template."
            )


def _told(tokenizer: Any) -> dict[str, Any]:
    """Return what must agree between tokenizers whose tokens are mixed."""
    special = sorted(tokenizer.all_special_ids), tokenizer.eos_token_id
    return {
        "the tokenizer's vocabulary": tokenizer.get_vocab(),
        "special tokens": special,
        "chat template": tokenizer.chat_template,
    }
