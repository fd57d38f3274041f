"""What many heads say, as columns of a table."""

from __future__ import annotations

import pytest

from manyheads.cli.predict_heads import with_heads
from manyheads.errors import DataError

SAID = [{"prediction": "x", "probability": 0.5}]


def test_a_head_has_two_columns() -> None:
    whole = with_heads({"text": ["a"]}, {"one": SAID, "two": [{"prediction": ["y"]}]})
    assert whole == {"text": ["a"], "one": ["x"], "one_probability": [0.5], "two": [["y"]]}


@pytest.mark.parametrize("heads", [("text",), ("one", "one_probability")])
def test_no_column_takes_the_place_of_another(heads: tuple[str, ...]) -> None:
    with pytest.raises(DataError, match=f"already has a column '{heads[-1]}'"):
        with_heads({"text": ["a"]}, dict.fromkeys(heads, SAID))
