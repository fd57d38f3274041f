"""`manyheads train`, `evaluate`, `predict` and `check` of tagged words."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests import tiny
from tests.cli.test_bad_input import assert_refused


def conll(rows: int, seed: int = 0) -> str:
    """Tagged sentences, a word a line."""
    labels = tiny.names(rows).train.columns["label"]
    sentences = (zip(one.spelled(), one.tags, strict=True) for one in labels)
    return "\n".join("".join(f"{word}\t{tag}\n" for word, tag in pairs) for pairs in sentences)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("names") / "names.conll"
    path.write_text(conll(64), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def names(shell, scratch, source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("trained") / "names"
    done = shell("train", source, *scratch, "--set", "epochs=8", "--out", out, "--json")
    assert done.returncode == 0, done.stderr
    evaluation = json.loads(done.stdout)["evaluation"]
    assert evaluation["scores"]["f1"] > 0.5 and "f1" in evaluation["baseline"]
    return out


def test_entities_of_texts(shell, names: Path) -> None:
    text = "Anna met Dora in Bonn."
    done = shell("predict", names, text, "--json")
    assert done.returncode == 0, done.stderr
    (answer,) = json.loads(done.stdout)["predictions"]
    assert answer["truncated"] == 0 and answer["prediction"]
    for one in answer["prediction"]:
        assert text[one["start"] : one["end"]] == one["text"]
    line = shell("predict", names, text).stdout
    first = answer["prediction"][0]
    assert line.startswith(f"{first['label']} {first['text']}")


def test_words_of_a_file_are_tagged_as_they_are(shell, names: Path, tmp_path: Path) -> None:
    words = tmp_path / "words.conll"
    words.write_text("Anna O\nmet O\nDo.ra O\n\nin O\nBonn. O\n", encoding="utf-8")
    done = shell("predict", names, "--file", words, "--out", tmp_path / "said.jsonl")
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in (tmp_path / "said.jsonl").read_text().splitlines()]
    assert [row["0"] for row in rows] == [["Anna", "met", "Do.ra"], ["in", "Bonn."]]
    said = json.loads(shell("predict", names, "--file", words, "--json").stdout)["predictions"]
    assert [one["text"] for one in said] == ["Anna met Do.ra", "in Bonn."]
    assert [one["prediction"] for one in said] == [row["prediction"] for row in rows]
    for one in said:
        for entity in one["prediction"]:
            assert one["text"][entity["start"] : entity["end"]] == entity["text"]


def test_a_tagger_is_scored_and_refuses_pairs(shell, names: Path, source: Path) -> None:
    done = shell("evaluate", names, source, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["scores"]["f1"] > 0.5
    rows = '{"text": "a", "pair": "b"}\n'
    asked = ("predict", names, "--file", "-", "--pair", "pair", "--out", "-")
    assert_refused(shell(*asked, stdin=rows.encode()), "this model reads no pairs")


def test_spans_and_tags_in_tables(shell, scratch, tmp_path: Path) -> None:
    rows = [{"text": text, "label": spans} for text, spans in tiny.named_rows(24)]
    (tmp_path / "spans.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    tagged = tiny.names(24).train.columns["label"]
    cells = [(" ".join(one.spelled()), " ".join(one.tags)) for one in tagged]
    tiny.write_csv(tmp_path / "tags.csv", cells)
    for name in ("spans.jsonl", "tags.csv"):
        done = shell("train", tmp_path / name, *scratch, "--set", "epochs=1", "--json")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["labels"] == ["O", "B-LOC", "I-LOC", "B-PER", "I-PER"]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.conll", "Bo\tB-PER\nx\n", ["a.conll, line 2", "columns"]),
        ("a.conll", "Bo\tB-PER\n\nx\tNN\n", ["a.conll, line 3", "'x' has the tag 'NN'"]),
        ("a.conll", "Bo\tO\n", ["all words of the training texts are tagged 'O'"]),
        (
            "a.jsonl",
            '{"text": "Bo", "label": [[0, 2, "X"]]}\n{"text": "Al", "label": [[0, 9, "X"]]}\n',
            ["a.jsonl, line 2", "is not within the 2 characters"],
        ),
        ("a.csv", "text,label\nBo is,B-X O\nAl is,B-X\n", ["a.csv, line 3", "1 tags for 2 words"]),
    ],
)
def test_bad_lines_are_named(
    shell, scratch, tmp_path: Path, name: str, text: str, said: list[str]
) -> None:
    (tmp_path / name).write_text(text)
    done = shell("train", tmp_path / name, *scratch, "--task", "tagging", "--valid", "0")
    assert_refused(done, *said)


def test_check_of_tagged_words(shell, source: Path) -> None:
    done = shell("check", source)
    assert done.returncode == 0, done.stderr
    assert "PER (" in done.stdout and "class weights" not in done.stdout
