"""Labels that a model knows by name, whatever types a table by itself suggests."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from manyheads.data import joined, read
from manyheads.data.joined import JoinedSplit
from manyheads.data.splits import with_known_labels


def labels_of(folder: Path, labels: list[str], names: tuple[str, ...]) -> list[object]:
    path = folder / "table.csv"
    path.write_text("text,label\n" + "".join(f"text {one},{one}\n" for one in labels))
    split = with_known_labels(read(path, valid=0).train, {"": names})
    return split.columns["label"]


@pytest.mark.parametrize(
    ("labels", "names", "expected"),
    [
        (["true", "false"], ("false", "maybe", "true"), ["true", "false"]),
        (["true", "FALSE"], ("False", "True"), ["True", "False"]),
        (["true", "perhaps"], ("False", "True"), ["True", "perhaps"]),
        (["1.0", "2.0"], ("1.0", "2.0", "beta"), ["1.0", "2.0"]),
        (["1.1", "1.10"], ("1.1", "1.10", "beta"), ["1.1", "1.10"]),
        (["0", "1"], ("0", "1"), ["0", "1"]),
        (["1.5", "2"], ("1", "2"), ["1.5", "2"]),
        (["a|b", "1"], ("1", "a", "b"), ["a|b", "1"]),
    ],
)
def test_labels_are_spelled_as_they_are_known(
    tmp_path: Path, labels: list[str], names: tuple[str, ...], expected: list[str]
) -> None:
    assert labels_of(tmp_path, labels, names) == expected


def test_labels_without_names_keep_their_type(tmp_path: Path) -> None:
    assert labels_of(tmp_path, ["1.0", "2.5"], ()) == [1.0, 2.5]


def test_each_head_knows_its_own_labels(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("text,truth,score\na,true,1.0\nb,false,2.0\n")
    heads = {name: read(path, label=name, valid=0) for name in ("truth", "score")}
    judged = replace(joined(heads).train, name="test")
    split = with_known_labels(judged, {"truth": ("false", "maybe", "true")})
    assert isinstance(split, JoinedSplit) and split.name == "test"
    assert split.columns["label"] == ["true", "false", 1.0, 2.0]
    assert split.parts["truth"].columns["label"] == ["true", "false"]


def test_lists_stay_as_they_are() -> None:
    split = read({"text": ["a", "b"], "label": [["x"], ["x", "1"]]}, valid=0).train
    assert with_known_labels(split, {"": ("1", "x")}).columns["label"] == [["x"], ["x", "1"]]
