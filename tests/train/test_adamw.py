from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from tests import tiny
from torch import nn

from manyheads.errors import CheckpointError
from manyheads.train.adamw import AdamW


def group(*parameters: nn.Parameter, **changed: object) -> dict[str, object]:
    usual = {"lr": 0.1, "betas": (0.8, 0.95), "eps": 1e-6, "weight_decay": 0.3}
    return {"params": list(parameters), **usual, **changed}


def weights(*shapes: tuple[int, ...]) -> list[nn.Parameter]:
    torch.manual_seed(0)
    return [nn.Parameter(torch.randn(shape)) for shape in shapes]


def backward(parameters: list[nn.Parameter]) -> None:
    sum((parameter**3).sum() for parameter in parameters).backward()


def test_many_steps_equal_torch_s_own():
    ours, theirs = weights((3, 4), (5,), (2,)), weights((3, 4), (5,), (2,))
    optimizer = AdamW([group(ours[0]), group(*ours[1:], weight_decay=0.0, lr=0.02)])
    reference = torch.optim.AdamW(
        [group(theirs[0]), group(*theirs[1:], weight_decay=0.0, lr=0.02)], fused=True
    )
    for step in range(7):
        used = slice(0, 2 if step < 3 else 3)  # the last one has no gradient at first
        for parameters, one in ((ours, optimizer), (theirs, reference)):
            backward(parameters[used])
            one.step()
            one.zero_grad()
    for mine, other in zip(ours, theirs, strict=True):
        assert torch.equal(mine, other)


def test_zero_grad_forgets_all_gradients():
    parameters = weights((2,), (3,))
    optimizer = AdamW([group(*parameters)])
    backward(parameters)
    optimizer.zero_grad()
    assert [parameter.grad for parameter in parameters] == [None, None]


def test_other_groups_are_refused():
    saved = AdamW([group(*weights((2,), (3,)))])
    for other in (
        AdamW([group(*weights((2,)))]),
        AdamW([group(one) for one in weights((2,), (3,))]),
    ):
        with pytest.raises(CheckpointError, match="trains other parameters"):
            other.restore(saved.tensors(), saved.settings())


def test_other_shapes_are_refused():
    parameters = weights((2,))
    saved = AdamW([group(*parameters)])
    backward(parameters)
    saved.step()
    with pytest.raises(CheckpointError, match="trains other parameters"):
        AdamW([group(*weights((3,)))]).restore(saved.tensors(), saved.settings())


def test_training_does_not_import_the_compiler():
    """It takes seconds, at the start of every training."""
    program = """
import sys
import manyheads as mh
texts = [f"{word} film {n}" for n in range(8) for word in ("good", "bad")]
data = mh.read({"text": texts, "label": ["pos", "neg"] * 8}, valid=0.25)
model = mh.Scratch(layers=1, width=16, heads=2, tokenizer=mh.BytePair(vocabulary=300))
body = model.build(texts)
mh.Learner(body, mh.Classification(), data, mh.Recipe(epochs=1), quiet=True).fit()
print("torch._dynamo" in sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=tiny.ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert (done.returncode, done.stdout.strip()) == (0, "False"), done.stderr
