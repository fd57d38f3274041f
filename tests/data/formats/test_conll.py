from __future__ import annotations

from pathlib import Path

import pytest

import manyheads as mh
from manyheads.data.formats.conll import looks_tagged, parse_sentences
from manyheads.data.formats.tables import read_table
from manyheads.errors import DataError

CONLL_2003 = """-DOCSTART- -X- -X- O

EU NNP B-NP B-ORG
rejects VBZ B-VP O
. . O O

-DOCSTART- -X- -X- O

Peter NNP B-NP B-PER
Blackburn NNP I-NP I-PER


"""
CONLLU = """# sent_id = 1
# text = Vámonos al mar
1-2\tVámonos\t_\t_\t_\t_\t_\t_\t_\t_
1\tVamos\tir\tVERB\t_\t_\t0\troot\t_\t_
2\tnos\tnosotros\tPRON\t_\t_\t1\tobj\t_\t_
2.1\tgone\tgo\tVERB\t_\t_\t_\t_\t_\t_
3\tmar\tmar\tNOUN\t_\t_\t1\tobl\t_\t_

# sent_id = 2
1\tSí\tsí\tINTJ\t_\t_\t0\troot\t_\t_
"""


def parsed(text: str, universal: bool = False):
    return parse_sentences(text, "x.conll", universal=universal)


@pytest.mark.parametrize("text", [CONLL_2003, CONLL_2003.replace(" ", "\t")], ids=["space", "tab"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_the_layout_of_conll_2003(text: str, end: str) -> None:
    found = parsed(text.replace("\n", end))
    assert list(found.columns) == ["0", "1", "2", "3"]
    assert found.columns["0"] == [["EU", "rejects", "."], ["Peter", "Blackburn"]]
    assert found.columns["3"] == [["B-ORG", "O", "O"], ["B-PER", "I-PER"]]
    assert found.lines == [3, 9]


TWO = "EU B-ORG\nrejects O\n\nPeter B-PER\n# O\n"


@pytest.mark.parametrize(
    "text",
    [
        TWO,
        TWO.replace("\n", "\r"),
        TWO.replace(" ", "\t").replace("\n", "\t\n"),
        TWO.replace(" ", "\t").replace("Peter\t", "Peter "),
        "# sent_id = 1\n# text = EU rejects\n" + TWO.replace("Peter", "# id 2\nPeter"),
    ],
    ids=["usual", "lone CR", "a tab at the end", "tabs and spaces", "comments"],
)
def test_lines_are_read_however_they_are_written(text: str) -> None:
    assert looks_tagged(text)
    found = parsed(text)
    assert found.columns == {
        "0": [["EU", "rejects"], ["Peter", "#"]],
        "1": [["B-ORG", "O"], ["B-PER", "O"]],
    }


def test_a_comment_as_wide_as_the_lines_behind_it() -> None:
    assert parsed("# id 1 domain=en\nEU _ _ B-ORG\n").columns["0"] == [["EU"]]
    assert parsed("# _ _ O\nEU _ _ B-ORG\n").columns["0"] == [["#", "EU"]]
    assert parsed("# SYM\n1 NUM\n").columns["0"] == [["#", "1"]]


def test_universal_dependencies() -> None:
    found = parsed(CONLLU, universal=True)
    assert found.columns["form"] == [["Vamos", "nos", "mar"], ["Sí"]]
    assert found.columns["upos"] == [["VERB", "PRON", "NOUN"], ["INTJ"]]
    assert found.lines == [4, 10]


@pytest.mark.parametrize(
    ("text", "universal", "said"),
    [
        ("a O\nb O\nc NN O\n", False, "x.conll, line 3: has 3 columns where the lines before"),
        ("a\nb\n", False, "x.conll: has a single column"),
        ("\n \n", False, "x.conll: holds no words"),
        ("1\ta\tNOUN\n", True, "has 3 columns, and CoNLL-U has 10"),
    ],
)
def test_what_cannot_be_read_is_named(text: str, universal: bool, said: str) -> None:
    with pytest.raises(DataError, match=said):
        parsed(text, universal)


@pytest.mark.parametrize(
    ("text", "tagged"),
    [
        (CONLL_2003, True),
        ("a\tO\nb\tB-X\n", True),
        ("a O\n", False),
        ("good film\nbad film\n", False),
        ("a NN\nb VB\n", False),
        ("a O\nb c O\n", False),
        ("", False),
    ],
)
def test_whether_a_text_file_is_one(text: str, tagged: bool) -> None:
    assert looks_tagged(text) is tagged


def test_files_by_their_endings(tmp_path: Path) -> None:
    for name in ("a.conll", "a.bio", "a.txt"):
        (tmp_path / name).write_text(CONLL_2003)
        table = read_table(tmp_path / name)
        assert table.roles == {"text": "0", "label": "3"}
    (tmp_path / "a.conllu").write_text(CONLLU, encoding="utf-8")
    data = mh.read(tmp_path / "a.conllu", valid=0)
    assert data.train.columns["text"] == ["Vamos nos mar", "Sí"]
    assert data.train.columns["label"][0].tags == ("VERB", "PRON", "NOUN")
    lemmas = mh.read(tmp_path / "a.conllu", label="lemma", valid=0).train.columns["label"]
    assert lemmas[0].tags == ("ir", "nosotros", "mar")
    (tmp_path / "plain.txt").write_text("one line\nanother line\n")
    assert mh.read(tmp_path / "plain.txt", valid=0).train.columns["text"][0] == "one line"


def test_rows_are_the_lines_where_sentences_begin(tmp_path: Path) -> None:
    (tmp_path / "a.conll").write_text(CONLL_2003)
    train = mh.read(tmp_path / "a.conll", valid=0).train
    assert train.describe(1).endswith("a.conll, line 9")
    assert train.columns["label"][1].spelled() == ["Peter", "Blackburn"]
