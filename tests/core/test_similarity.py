from __future__ import annotations

import numpy as np
import pytest

from manyheads.core import similarity
from manyheads.core.similarity import nearest


@pytest.mark.parametrize("block", [1, 100, 1 << 24])
def test_the_nearest_are_found_block_by_block(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(similarity, "_BLOCK", block)
    near = np.random.default_rng(0).normal(size=(30, 50))
    asked = []

    def some(rows: slice) -> np.ndarray:
        asked.append(rows)
        return near[rows]

    found, values = nearest(some, 30, 50, 7)
    expected = np.argsort(-near, axis=1)[:, :7]
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(values, np.take_along_axis(near, expected, 1))
    assert len(asked) == {1: 30, 100: 15, 1 << 24: 1}[block]


def test_of_equally_near_ones_the_first_comes_first_and_there_may_be_few() -> None:
    found, values = nearest(lambda rows: np.ones((2, 3))[rows], 2, 3, 10)
    assert found.tolist() == [[0, 1, 2]] * 2 and values.tolist() == [[1.0] * 3] * 2
    assert nearest(lambda rows: np.ones((0, 3)), 0, 3, 2)[0].shape == (0, 2)
