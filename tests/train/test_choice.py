from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyheads.errors import RecipeError
from manyheads.train.choice import Choice


@dataclass(frozen=True)
class Circle:
    radius: float = 1.0


@dataclass(frozen=True)
class Square:
    side: int
    name: str = "square"


@dataclass(frozen=True)
class Point:
    pass


SHAPES = Choice({"circle": Circle, "square": Square, "point": Point}, numbers={float: "circle"})


@pytest.mark.parametrize(
    ("value", "shape"),
    [
        (Circle(2.0), Circle(2.0)),
        ("point", Point()),
        ("circle", Circle()),
        ({"kind": "circle", "radius": 3}, Circle(3.0)),
        ({"side": 4}, Square(4)),
        (0.5, Circle(0.5)),
    ],
)
def test_ways_to_write_a_choice(value: object, shape: object):
    assert SHAPES.parse(value, "shape") == shape


@given(st.builds(Circle, st.floats(0, 9)) | st.builds(Square, st.integers()) | st.builds(Point))
def test_what_is_dumped_is_parsed_back(shape: object):
    assert SHAPES.parse(SHAPES.dump(shape), "shape") == shape


def test_a_single_variant_needs_no_kind():
    only = Choice({"circle": Circle})
    assert only.dump(Circle(2.0)) == {"radius": 2.0}
    assert only.parse({}, "shape") == Circle()


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (7, "shape=7 is not understood; choose circle, square, point"),
        ("sqare", "shape='sqare' is unknown. Did you mean 'square'?"),
        ("square", "shape='square' needs a value for side"),
        ({}, 'shape={} needs a kind, as in shape = { kind = "…" }; choose circle, square, point'),
        (
            {"square": {"side": 2}},
            "shape={'square': {'side': 2}} needs a kind, as in shape = { kind = \"square\" }; "
            "choose circle, square, point",
        ),
        ({"kind": "point", "x": 1}, "unknown recipe key 'shape.x'. 'point' has no settings."),
        ({"side": True}, "shape.side=True is a truth value where none is expected"),
        (
            {"side": 1.5},
            "shape.side=1.5 must be a valid integer, got a number with a fractional part",
        ),
    ],
)
def test_errors_name_key_value_and_choices(value: object, message: str):
    with pytest.raises(RecipeError) as caught:
        SHAPES.parse(value, "shape")
    assert str(caught.value) == message


def test_changing_a_part_keeps_what_fits():
    table = {"kind": "square", "side": 4, "name": "big"}
    assert SHAPES.change(table, "side", 5) == {"kind": "square", "side": 5, "name": "big"}
    assert SHAPES.change(table, "radius", 2.0) == {"radius": 2.0}
    assert SHAPES.change(table, "kind", "point") == {"kind": "point"}
    assert SHAPES.change(table, "kind", "square") == table
    assert SHAPES.change({}, "side", 5) == {"side": 5}
    assert SHAPES.change(table, "sied", 5) == {**table, "sied": 5}  # refused when it is parsed
