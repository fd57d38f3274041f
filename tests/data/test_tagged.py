from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from tests import tiny

import manyheads as mh
from manyheads.data import check
from manyheads.errors import DataError
from manyheads.text.tagged import Tagged

WORDS = [["Bo", "is", "in", "Bonn"], ["北", "京"]]
TAGS = [["B-PER", "O", "O", "B-LOC"], ["B-LOC", "I-LOC"]]


def test_lists_of_words_become_texts() -> None:
    train = mh.read({"tokens": WORDS, "ner_tags": TAGS}, valid=0).train
    assert train.columns["text"] == ["Bo is in Bonn", "北京"]
    assert train.columns["label"][0].spelled() == WORDS[0]
    assert train.columns["label"][1] == Tagged("北京", ((0, 1), (1, 2)), ("B-LOC", "I-LOC"))
    assert mh.read({"tokens": WORDS}, valid=0).train.columns == {"text": ["Bo is in Bonn", "北京"]}


@pytest.mark.parametrize(
    ("words", "tags", "said"),
    [
        (WORDS, [TAGS[0], ["O"]], "row 2 has 1 tags in column 'ner_tags' for 2 words"),
        (WORDS, [TAGS[0], "O O"], "row 2: column 'ner_tags' holds 'O O'; words need a list"),
        ([WORDS[0], "北京"], TAGS, "row 2: column 'tokens' holds '北京', and other rows lists"),
        ([["Bo", 7], WORDS[1]], TAGS, r"row 1: column 'tokens' holds \['Bo', 7\]"),
    ],
)
def test_words_and_tags_that_do_not_fit(words, tags, said: str) -> None:
    with pytest.raises(DataError, match=said):
        mh.read({"tokens": words, "ner_tags": tags}, valid=0)


def test_spans_and_tags_are_read_in_one_form(tmp_path: Path) -> None:
    path = tmp_path / "spans.jsonl"
    rows = [{"text": "Bo is in Bonn", "label": [[0, 2, "PER"], [9, 13, "LOC"]]}]
    rows.append({"text": "nobody", "label": []})
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    labels = mh.read(path, valid=0).train.columns["label"]
    assert [one.tags for one in labels] == [("B-PER", "O", "O", "B-LOC"), ("O",)]
    tiny.write_csv(tmp_path / "t.csv", [("Bo is in Bonn", "B-PER O O B-LOC"), ("no one", "O O")])
    labels = mh.read(tmp_path / "t.csv", valid=0).train.columns["label"]
    assert [one.tags for one in labels] == [("B-PER", "O", "O", "B-LOC"), ("O", "O")]


def test_an_error_names_its_line(tmp_path: Path) -> None:
    path = tmp_path / "spans.jsonl"
    rows = [{"text": "Bo", "label": [[0, 2, "PER"]]}, {"text": "Al", "label": [[0, 3, "PER"]]}]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(DataError, match=r"spans.jsonl, line 2: the span 0:3 \(PER\)"):
        mh.read(path, valid=0)


def test_rows_without_names_are_held_out_in_their_share() -> None:
    rows = [(f"{text} {n}", spans) for n, (text, spans) in enumerate(tiny.named_rows(40))]
    rows += [(f"nobody is here {n}", []) for n in range(60)]
    data = mh.read(tiny.columns(rows), valid=0.5)
    held_out = Counter(bool(label.kinds) for label in data.valid.columns["label"])
    assert held_out == {True: 20, False: 30}


def tagged(rows, **others) -> mh.Dataset:
    words, tags = ([row[at] for row in rows] for at in (0, 1))
    return mh.read({"tokens": words, "tags": tags}, valid=0, **others)


def test_check_says_what_holds_of_tagged_words() -> None:
    data = tiny.names(40, test=10)
    kinds = {finding.kind for finding in check(data).findings}
    assert not kinds & {"conflict", "imbalance", "hardly_repeat", "one_class", "unknown_class"}
    assert "PER (80), LOC (40)" in check(data).summary


def test_check_finds_unknown_types_rare_ones_and_conflicts() -> None:
    rows = [([f"w{n}", "x"], ["B-PER", "O"]) for n in range(20)] + [(["W1", "x"], ["O", "O"])]
    unknown = {"tokens": [["Oslo"]], "tags": [["B-LOC"]]}
    by_kind = {one.kind: one for one in check(tagged(rows, test=unknown)).findings}
    assert by_kind["unknown_class"].message == "test has classes that train lacks: 'LOC'"
    assert by_kind["conflict"].rows == {"train": [2, 21]}
    assert not {"one_class", "imbalance", "no_beginning", "iob1"} & by_kind.keys()


def test_check_finds_entities_that_go_on_without_having_begun() -> None:
    rows = [(["a", "b", "c"], ["B-X", "I-X", "O"]), (["d", "e", "f"], ["I-X", "O", "I-Y"])]
    (finding,) = (one for one in check(tagged(rows)).findings if one.kind == "no_beginning")
    assert finding.message == "2 entities of 3 begin with I-"
    assert finding.rows == {"train": [2]}


def test_check_knows_iob1() -> None:
    rows = [(["a", "b"], ["I-X", "B-X"]), (["c", "d"], ["I-X", "I-X"])]
    kinds = {one.kind for one in check(tagged(rows)).findings}
    assert "iob1" in kinds and "no_beginning" not in kinds
