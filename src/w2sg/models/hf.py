"""Language models of the Hugging Face kind: loaded by zoo name, folder or Hub id, and saved as ordinary folders.

Only safetensors are read, remote code only when the settings say so, and whatever does not load gives one clear
`ModelError`. How conversations become ids is `models.dialogue`; sampling is `decode`, training `models.fit`.
"""

from __future__ import annotations

import contextlib
import copy
import json
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from w2sg.errors import ModelError, StoreError
from w2sg.models.base import ModelConfig, RuntimeConfig
from w2sg.models.dialogue import Dialogue
from w2sg.models.ensemble import is_ensemble
from w2sg.models.identity import locate
from w2sg.models.machine import enough_memory, out_of_memory, threads
from w2sg.records import Prompt

UNLIMITED = 1 << 30
"""The `max_length` of models without a limit on positions."""


@dataclass
class LanguageModel:
    """A causal language model with its tokenizer, ready for sampling (evaluation mode, on its device)."""

    model: Any
    tokenizer: Any
    config: ModelConfig
    device: torch.device
    dialogue: Dialogue

    @property
    def stop_ids(self) -> frozenset[int]:
        """Tokens that end a response."""
        return self.dialogue.stop_ids

    @property
    def end_id(self) -> int:
        """The token that training puts at the end of a response."""
        return self.dialogue.end_id

    @property
    def pad_id(self) -> int:
        """A token for padding; it is always masked."""
        return self.dialogue.pad_id

    @property
    def max_length(self) -> int:
        """The most positions the model can attend to, `UNLIMITED` when it sets none."""
        return max_length(self.model.config)

    def prompt_ids(self, prompt: Prompt) -> list[int]:
        """Return the ids up to where the response begins."""
        return self.dialogue.prompt_ids(prompt)

    def room(self, prompt: Sequence[int], tokens: int) -> int:
        """Return how many ids a response to a prompt (its ids) may have that is to have `tokens` at most."""
        return min(tokens, self.max_length - len(prompt))

    def response_ids(self, text: str) -> list[int]:
        """Return the ids of a response, the end token last."""
        return self.dialogue.response_ids(text)

    def text(self, ids: Sequence[int]) -> str:
        """Return the response in `ids` without its end token and what follows."""
        return self.dialogue.text(ids)


def max_length(config: Any) -> int:
    """Return the most positions that a transformers configuration allows, `UNLIMITED` when it sets no limit."""
    config = config.get_text_config(decoder=True)
    for name in ("max_position_embeddings", "n_positions", "max_seq_len", "seq_length"):
        value = getattr(config, name, None)
        if isinstance(value, int) and value > 0:
            return value
    return UNLIMITED


def device_of(runtime: RuntimeConfig) -> torch.device:
    """Return the device that the settings choose.

    Raises:
        ModelError: the device does not exist here.
    """
    if runtime.device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(runtime.device)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        first = str(error).splitlines()[0]
        raise ModelError(f"The device {runtime.device!r} cannot be used here: {first} Use 'cpu' or 'auto'.") from None
    return device


def dtype_of(runtime: RuntimeConfig, device: torch.device) -> torch.dtype:
    """Return the number format to compute in: as set, else bfloat16 on a GPU and float32 on a CPU."""
    if runtime.dtype != "auto":
        return torch.bfloat16 if runtime.dtype == "bfloat16" else torch.float32
    return torch.float32 if device.type == "cpu" else torch.bfloat16


def load(
    config: ModelConfig, runtime: RuntimeConfig, tuned: Path | None = None, *, merge: bool = True
) -> LanguageModel:
    """Load the model that `config` names, or its tuned form in the folder `tuned`.

    A path that holds nothing but a peft adapter stands for the model that the adapter names, so adapted.

    Args:
        tuned: a full checkpoint, or a peft adapter on `config`'s model.
        merge: fold an adapter into the weights it adapts (for sampling); False keeps it apart (for training).

    Raises:
        ModelError: the model is missing, incomplete, damaged, of an unknown architecture or too large for the
            memory, or its tokenizer does not fit it.
    """
    config, tuned = _without_adapter(config, tuned)
    adapter = tuned if tuned is not None and (tuned / "adapter_config.json").is_file() else None
    source = locate(config) if tuned is None or adapter else str(tuned)
    if Path(source).is_dir():
        check_folder(Path(source))
    device = device_of(runtime)
    with quiet(), enough_memory(f"loading {source!r}"):
        model = _load_weights(source, config, dtype_of(runtime, device))
        _mend_generation(model)
        if adapter:
            with threads(runtime.threads):
                model = _with_adapter(model, adapter, merge)
        tokenizer = load_tokenizer(config, adapter or tuned)
        model.to(device).eval()
    return assemble(model, tokenizer, config, device, source)


def assemble(model: Any, tokenizer: Any, config: ModelConfig, device: torch.device, source: str) -> LanguageModel:
    """Put a module (in evaluation mode, on its device) and its tokenizer together; `source` names it in errors.

    Raises:
        ModelError: the tokenizer does not fit the model.
    """
    generation = getattr(model, "generation_config", None)
    ends = getattr(generation, "eos_token_id", None)
    ends = [ends] if isinstance(ends, int) else ends or []
    rows = model.get_input_embeddings().weight.shape[0]
    dialogue = Dialogue(tokenizer, config.system, rows, ends, repr(source))
    return LanguageModel(model, tokenizer, config, device, dialogue)


def _without_adapter(config: ModelConfig, tuned: Path | None) -> tuple[ModelConfig, Path | None]:
    """Take a path to an adapter apart: the model that the adapter was trained on, and the adapter's folder."""
    if tuned is not None:
        return config, tuned
    folder = Path(locate(config))
    settings = folder / "adapter_config.json"
    weights = {path.name for path in folder.glob("*.safetensors")} - {_ADAPTER_WEIGHTS}
    if not settings.is_file() or ((folder / "config.json").is_file() and weights):
        return config, tuned
    try:
        stored = json.loads(settings.read_text(encoding="utf-8"))
        base = stored["base_model_name_or_path"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"The adapter in {str(folder)!r} does not say which model it adapts: {error!r}.") from None
    return config.model_copy(update={"path": str(base), "revision": stored.get("revision")}), folder


def load_tokenizer(config: ModelConfig, tuned: Path | None = None) -> Any:
    """Load the tokenizer in `tuned` when it holds one, else that of `config`'s model.

    Raises:
        ModelError: there is no tokenizer, or it does not load.
    """
    from transformers import AutoTokenizer

    own = tuned is not None and any((tuned / name).is_file() for name in _TOKENIZER_FILES)
    source = str(tuned) if own else locate(config)
    with quiet(), explained(source, "tokenizer"):
        return AutoTokenizer.from_pretrained(
            source,
            revision=None if Path(source).is_dir() else config.revision,
            trust_remote_code=config.trust_remote_code,
        )


def save(model: LanguageModel, folder: Path) -> None:
    """Write weights (safetensors), tokenizer and generation settings with every stop id; the folder appears whole.

    Raises:
        StoreError: the disk refuses.
    """
    settings = copy.deepcopy(model.model.generation_config)
    settings.eos_token_id = [model.end_id, *sorted(model.stop_ids - {model.end_id})]
    settings.pad_token_id = model.pad_id
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".tmp", dir=folder.parent))
        try:
            with quiet():
                model.model.save_pretrained(fresh)
                model.tokenizer.save_pretrained(fresh)
                settings.save_pretrained(fresh)
            fresh.chmod(0o755)
            for path in fresh.iterdir():  # libraries write weights for their owner alone
                path.chmod(0o644)
            if folder.exists():
                shutil.rmtree(folder)
            os.replace(fresh, folder)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
    except OSError as error:
        raise StoreError(
            f"Could not write the model to {str(folder)!r}: {error.strerror or error}. Check that the disk is "
            "writable and has free space, then run the same command again."
        ) from None


_TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "tokenizer_config.json")
_ADAPTER_WEIGHTS = "adapter_model.safetensors"
_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")


def check_folder(folder: Path) -> None:
    """Check that a local folder holds a configuration and weights that may be read.

    Raises:
        ModelError: something is missing, damaged, or there as a pickle only.
    """
    if is_ensemble(folder):
        raise ModelError(
            f"The folder {str(folder)!r} holds an ensemble, which can teach and answer but not be trained, nor be a "
            "member of another. Give one of its experts, or the model that they were made from."
        )
    if not (folder / "config.json").is_file():
        raise ModelError(
            f"The folder {str(folder)!r} has no config.json, so it is not a model in Hugging Face format. Give the "
            "folder that save_pretrained wrote."
        )
    try:
        json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"The config.json in {str(folder)!r} cannot be read: {error}. Copy it again.") from None
    if any(folder.glob("*.safetensors")):
        return
    pickles = sorted(path.name for pattern in _PICKLES for path in folder.glob(pattern))
    if pickles:
        raise ModelError(
            f"The folder {str(folder)!r} holds its weights as a pickle ({pickles[0]}), which can run any code when "
            "read. Load it once where you trust it and write it anew with save_pretrained, which makes safetensors."
        )
    raise ModelError(f"The folder {str(folder)!r} holds no weights (*.safetensors). Copy them there.")


def _load_weights(source: str, config: ModelConfig, dtype: torch.dtype) -> Any:
    from transformers import AutoModelForCausalLM

    with explained(source, "model"):
        model, report = AutoModelForCausalLM.from_pretrained(
            source,
            revision=None if Path(source).is_dir() else config.revision,
            trust_remote_code=config.trust_remote_code,
            use_safetensors=True,
            dtype=dtype,
            output_loading_info=True,
        )
    if missing := sorted(report["missing_keys"]):
        raise ModelError(
            f"The weights of {source!r} lack {len(missing)} tensors of a causal language model, first {missing[0]!r}; "
            "they would have been random. Give a complete checkpoint of a causal language model."
        )
    return model


_SAMPLING_ONLY = ("temperature", "top_p", "top_k", "min_p", "top_h", "typical_p", "epsilon_cutoff", "eta_cutoff")


def _mend_generation(model: Any) -> None:
    """Drop generation settings that contradict one another: they load, but could not be saved with a tuned model.

    Sampling here never reads them, beyond the end tokens.
    """
    from transformers import GenerationConfig

    settings = getattr(model, "generation_config", None)
    if settings is None:
        return
    if not settings.do_sample:
        for name in _SAMPLING_ONLY:
            if getattr(settings, name, None) is not None:
                setattr(settings, name, None)
    try:
        settings.validate(strict=True)
    except ValueError:
        pad = settings.pad_token_id
        model.generation_config = GenerationConfig(
            bos_token_id=settings.bos_token_id,
            eos_token_id=settings.eos_token_id,
            pad_token_id=pad if pad is None or pad >= 0 else None,
        )


def _with_adapter(model: Any, folder: Path, merge: bool) -> Any:
    from peft import PeftModel

    check_adapter(folder)
    with explained(str(folder), "adapter"):
        adapted = PeftModel.from_pretrained(model, str(folder), is_trainable=not merge)
        return adapted.merge_and_unload() if merge else adapted


def check_adapter(folder: Path) -> None:
    """Check that an adapter's weights may be read: where they are missing, peft would read a pickle in their place.

    Raises:
        ModelError: there are no safetensors.
    """
    if not (folder / _ADAPTER_WEIGHTS).is_file():
        raise ModelError(
            f"The adapter in {str(folder)!r} has no {_ADAPTER_WEIGHTS}. Other forms (*.bin) are pickles, which can "
            "run any code when read: load it once where you trust it and write it anew with save_pretrained."
        )


@contextlib.contextmanager
def explained(source: str, what: str) -> Iterator[None]:
    """Turn what the libraries raise for an unusable model into one paragraph."""
    from safetensors import SafetensorError

    try:
        yield
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, ImportError, SafetensorError) as error:
        if out_of_memory(error):
            raise
        raise ModelError(f"The {what} {source!r} does not load. {_reason(source, error)}") from None


def _reason(source: str, error: Exception) -> str:
    first = " ".join(str(error).split())
    first = first if len(first) <= 300 else first[:297] + "..."
    if "trust_remote_code" in str(error):
        return (
            "It comes with code of its own; if you trust its authors, set trust_remote_code: true (for predict and "
            "eval, give --trust-remote-code)."
        )
    if type(error).__name__ == "SafetensorError" or ("afetensor" in first and Path(source).is_dir()):
        return f"Its weights are damaged or incomplete ({first}). Copy or download them again."
    if "does not recognize this architecture" in first or "Unrecognized" in first:
        return f"Its architecture is not a causal language model that the installed transformers knows ({first})"
    if not Path(source).is_dir() and isinstance(error, OSError):
        return (
            "It is not on the Hugging Face Hub under this id, or the Hub cannot be reached from here and it was not "
            f"downloaded before ({first}). Check the id and the connection, or give a local folder."
        )
    return f"The library says: {type(error).__name__}: {first}"


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep the libraries' progress bars and notices off the screen; ours say what matters."""
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            # peft still reads what transformers renamed
            warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)
            yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
