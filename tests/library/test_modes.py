"""Reciprocal rank fusion."""

from __future__ import annotations

import numpy as np
import pytest

from manyheads.errors import ConfigError
from manyheads.library import ByBoth, Reranked
from manyheads.library.modes import fused


def test_what_both_have_in_front_comes_first() -> None:
    rows, scores = fused([[3, 1, 2], np.array([1, 4])], 60.0, 3)
    assert rows.tolist() == [1, 3, 4]
    np.testing.assert_allclose(scores, [1 / 62 + 1 / 61, 1 / 61, 1 / 62], rtol=1e-6)
    rows, scores = fused([[], []], 60.0, 3)
    assert len(rows) == len(scores) == 0


def test_what_is_refused() -> None:
    with pytest.raises(ConfigError, match="depth=0"):
        ByBoth(depth=0)
    with pytest.raises(ConfigError, match="constant=-1"):
        ByBoth(constant=-1)
    with pytest.raises(ConfigError, match="depth=0"):
        Reranked(None, depth=0)  # type: ignore[arg-type]
