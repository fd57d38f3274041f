"""Several texts are a list, a column or an iterator; one text and a table are not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from manyheads.errors import TextError
from manyheads.text.several import several


@pytest.mark.parametrize(
    "texts",
    [["a", "b"], ("a", "b"), np.array(["a", "b"]), iter(["a", "b"]), {"a": 0, "b": 1}.keys()],
)
def test_what_holds_texts_in_order(texts: Any) -> None:
    assert several(texts) == ["a", "b"]


def test_a_column_whatever_its_rows_are_called() -> None:
    pandas = pytest.importorskip("pandas")
    assert several(pandas.Series(["a", "b"], index=[7, 3])) == ["a", "b"]


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ("a text", "contexts are one text, 'a text'; give a list of contexts"),
        ("x" * 100, "contexts are one text, 'xxx.*…; give"),
        (3, "contexts are 3; give a list of contexts"),
        (None, "contexts are None; give"),
        (b"a", "contexts are b'a'; give"),
        ({"a": "b"}, "contexts are {'a': 'b'}; give"),
    ],
)
def test_what_does_not(texts: Any, message: str) -> None:
    with pytest.raises(TextError, match=message):
        several(texts, "contexts")


def test_a_table_is_no_list() -> None:
    pandas = pytest.importorskip("pandas")
    with pytest.raises(TextError, match="texts are a whole DataFrame; give one of its columns"):
        several(pandas.DataFrame({"text": ["a"]}))
