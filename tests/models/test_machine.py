"""What is said when memory runs out, and what is left alone."""

from __future__ import annotations

import pytest
import torch

from w2sg.errors import ModelError
from w2sg.models.machine import enough_memory, threads


def test_memory_is_explained_once_and_other_errors_pass() -> None:
    once = pytest.raises(ModelError, match=r"^The memory ran out while loading 'm'")
    with once, enough_memory("training 'm'"), enough_memory("loading 'm'"):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
    with pytest.raises(ModelError, match="while reading"), enough_memory("reading"):
        raise MemoryError
    with pytest.raises(RuntimeError, match=r"^shapes differ$"), enough_memory("training"):
        raise RuntimeError("shapes differ")


def test_threads_are_given_back_after_an_error() -> None:
    before = torch.get_num_threads()
    with pytest.raises(KeyError), threads(before + 1):
        raise KeyError
    assert torch.get_num_threads() == before
