"""The softmax of each window over its own tokens, as torch has it for one."""

from __future__ import annotations

import pytest
import torch
from tests import tiny

import manyheads as mh
from manyheads.tasks import Answering, Reading
from manyheads.tasks.answering.model import log_softmax
from manyheads.text import Cleaning, Head

COUNTS = (3, 1, 7, 1, 2)


def outputs(scale: float = 1.0) -> torch.Tensor:
    torch.manual_seed(0)
    return (torch.randn(sum(COUNTS), 2) * scale).requires_grad_()


@pytest.mark.parametrize("scale", [1.0, 200.0])
def test_each_window_has_a_softmax_of_its_own(scale: float) -> None:
    outputs_P2 = outputs(scale)
    found = log_softmax(outputs_P2, COUNTS)
    for part, expected in zip(found.split(COUNTS), outputs_P2.split(COUNTS), strict=True):
        torch.testing.assert_close(part, expected.log_softmax(0), atol=1e-5, rtol=1e-5)


def test_gradients_are_those_of_torch() -> None:
    upstream = torch.randn(sum(COUNTS), 2)
    ours, theirs = outputs(3.0), outputs(3.0)
    (log_softmax(ours, COUNTS) * upstream).sum().backward()
    parts = [part.log_softmax(0) for part in theirs.split(COUNTS)]
    (torch.cat(parts) * upstream).sum().backward()
    torch.testing.assert_close(ours.grad, theirs.grad, atol=1e-5, rtol=1e-5)


def test_a_window_of_one_token_has_no_gradient() -> None:
    ours = outputs()
    log_softmax(ours, COUNTS)[3].sum().backward()
    assert not ours.grad.any()


def test_half_precision_is_summed_in_single() -> None:
    outputs_P2 = outputs().detach().bfloat16()
    found = log_softmax(outputs_P2, COUNTS)
    assert found.dtype == torch.float32
    (first, *_) = found.split(COUNTS)
    torch.testing.assert_close(first, outputs_P2[:3].float().log_softmax(0))


def test_what_shares_a_batch_changes_nothing() -> None:
    lines = tiny.lines(30).train.columns["text"]
    task = Answering()
    pretrained = tiny.SCRATCH.build(lines)
    model = task.model_of(pretrained).eval()
    reader = task.reader(pretrained, Reading(Cleaning(), Head, 32))
    windows = reader.read(["what was it", "why"], [lines[0], " ".join(lines[:6])])
    assert len(windows) > 3
    with torch.no_grad():
        together = task.speak(model)(task.collate(windows))
        for window, part in zip(windows, together, strict=True):
            (alone,) = task.speak(model)(task.collate([window]))
            torch.testing.assert_close(part, alone, atol=1e-5, rtol=1e-5)
            torch.testing.assert_close(part.exp().sum(0), torch.ones(2))


def test_the_loss_is_the_mean_of_both_cross_entropies() -> None:
    lines = tiny.lines(30).train.columns["text"]
    task = mh.Answering()
    pretrained = tiny.SCRATCH.build(lines)
    model = task.model_of(pretrained).eval()
    reader = task.reader(pretrained, Reading(Cleaning(), Head, 32))
    columns = {
        "text": ["what was it", "why", "who"],
        "pair": [lines[0], " ".join(lines[:6]), lines[1]],
        "label": [lines[0].split()[2], lines[3].split()[1], []],
    }
    batch = task.collate(task.read(reader, columns, str))
    loss = task.loss(model, batch)
    losses = [
        torch.nn.functional.cross_entropy(part.T, target)
        for part, target in zip(model(batch).split(batch.counts), batch.targets, strict=True)
    ]
    assert loss.weight == len(batch)
    torch.testing.assert_close(loss.mean, torch.stack(losses).mean())
    loss.mean.backward()
    assert all(parameter.grad is not None for parameter in model.head.parameters())
