"""Work is shared out between cores: evenly where it is little, in many batches where it is much."""

from __future__ import annotations

import pytest
import torch

from manyheads.predict import running
from manyheads.predict.running import in_batches


def shared(lengths: list[int], streams: int, monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    """Return the tokens of the sequences in each batch; all sequences must have come once."""
    monkeypatch.setattr(running, "streams_on", lambda device: streams)
    found = list(in_batches(lambda rows: rows, lengths, device=torch.device("cpu")))
    assert all(result == rows for rows, result in found)
    assert sorted(row for rows, _ in found for row in rows) == list(range(len(lengths)))
    return [[lengths[row] for row in rows] for rows, _ in found]


def test_little_work_is_a_batch_for_each_core(monkeypatch: pytest.MonkeyPatch) -> None:
    batches = shared([90, 80, 100, 95, 85, 70, 110, 88, 92, 90], 2, monkeypatch)
    assert len(batches) == 2
    assert abs(sum(batches[0]) - sum(batches[1])) <= 30


def test_very_little_or_uneven_work_is_one_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    assert shared([100, 200], 2, monkeypatch) == [[200, 100]]
    assert shared([500, 20], 2, monkeypatch) == [[500, 20]]
    assert shared([], 2, monkeypatch) == []


def test_batches_stay_large_enough_on_many_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    batches = shared([50] * 30, 16, monkeypatch)
    assert len(batches) == 5 and min(map(sum, batches)) >= 256


def test_much_work_is_several_batches_for_each_core(monkeypatch: pytest.MonkeyPatch) -> None:
    batches = shared([64] * 500, 2, monkeypatch)
    assert len(batches) >= 8 and max(map(sum, batches)) <= running.BATCH_TOKENS
