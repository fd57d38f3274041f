"""`manyheads index`, `search` and `ask`: real processes over real files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.cli.test_bad_input import assert_refused
from tests.library import shelf

import manyheads as mh
from manyheads.core.machine import multiplies_bfloat16

pytest.importorskip("usearch")

CUT = ("--tokens", 14, "--overlap", 4)


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    return shelf.model(tmp_path_factory.mktemp("index") / "vectors-model")


@pytest.fixture
def papers(tmp_path) -> Path:
    folder = tmp_path / "papers"
    folder.mkdir()
    for name, text in zip(shelf.ROWS["id"], shelf.ROWS["text"], strict=True):
        (folder / f"{name}.txt").write_text(text, encoding="utf-8")
    return folder


def test_indexed_brought_up_to_date_searched_and_asked(shell, model, papers, tmp_path):
    (papers / "empty.md").write_bytes(b"")
    out = tmp_path / "library"
    done = shell("index", papers, "--out", out, "--model", model, *CUT, "--json")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert (said["documents"], said["added"], said["embedded"]) == (3, 3, said["passages"])
    assert "left out: " in done.stderr and "empty.md: the file is empty" in done.stderr

    (papers / "lakes.txt").unlink()
    done = shell("index", papers, "--out", out, "--quiet")
    assert done.returncode == 0 and done.stderr == ""
    assert done.stdout.startswith("2 documents, ")
    assert "(1 removed, 2 unchanged, 1 left out; 0 passages embedded)" in done.stdout

    (papers / "cats.txt").rename(papers / "pets.txt")
    done = shell("index", papers, "--out", out, "--quiet", "--add")
    assert "(1 added, 1 unchanged, 1 left out; " in done.stdout
    (papers / "pets.txt").rename(papers / "cats.txt")
    assert shell("index", papers, "--out", out, "--quiet").stdout.startswith("2 documents, ")

    done = shell("search", out, "图书馆", "--by", "words", "--json")
    assert done.returncode == 0, done.stderr
    (first, *_) = json.loads(done.stdout)["passages"]
    assert first["document"] == "tea.txt" and first["title"] == "tea"
    assert shelf.ROWS["text"][2][first["start"] : first["end"]] == first["text"]
    done = shell("search", out, "cats", "-n", 1)
    score, place, text = done.stdout.rstrip("\n").split("\t")
    assert float(score) > 0 and place.startswith("cats.txt:") and text
    assert shell("search", out, "zebra", "--by", "words").stdout == "(nothing found)\n"

    done = shell("similar", out, "cats.txt", "--json")
    (found,) = json.loads(done.stdout)["documents"]
    assert found["document"] == "tea.txt"

    answerer = shelf.answerer().save(tmp_path / "answers-model")
    done = shell("ask", out, "Who sleeps?", "--answerer", answerer, "--answers", 2, "--json")
    assert done.returncode == 0, done.stderr
    answers = json.loads(done.stdout)["answers"]
    assert len(answers) == 2
    for one in answers:
        text = (papers / one["passage"]["document"]).read_text(encoding="utf-8")
        assert text[one["start"] : one["end"]] == one["text"]
    if multiplies_bfloat16():
        halved = ("--answerer", answerer, "--answers", 1, "--half", "--json")
        done = shell("ask", out, "Who sleeps?", *halved)
        assert done.returncode == 0, done.stderr
        (nearly,) = json.loads(done.stdout)["answers"]
        assert nearly["probability"] == pytest.approx(answers[0]["probability"], abs=0.05)
        done = shell("index", papers, "--out", tmp_path / "half", "--model", model, *CUT, "--half")
        assert done.returncode == 0 and done.stdout.startswith("2 documents, "), done.stderr
    done = shell("ask", out, "Who sleeps?", "--answerer", answerer, "--answers", 1)
    share, text, _, around = done.stdout.rstrip("\n").split("\t")
    assert float(share) == pytest.approx(answers[0]["probability"], abs=1e-3)
    assert text == answers[0]["text"] and f"[{text}]" in around


def test_an_answer_over_several_lines_stays_on_one(shell, model, tmp_path):
    (tmp_path / "papers").mkdir()
    text = "Cats\n\nsleep\nall\nday."
    (tmp_path / "papers" / "cats.txt").write_text(text, encoding="utf-8")
    out, answerer = tmp_path / "library", shelf.answerer().save(tmp_path / "answers-model")
    shell("index", tmp_path / "papers", "--out", out, "--model", model, *CUT)
    asked = ("ask", out, "Who sleeps?", "--answerer", answerer, "--answers", 9)
    answers = json.loads(shell(*asked, "--json").stdout)["answers"]
    assert any("\n" in one["text"] for one in answers)
    assert all(text[one["start"] : one["end"]] == one["text"] for one in answers)
    lines = shell(*asked).stdout.splitlines()
    assert [line.split("\t")[1] for line in lines] == [
        " ".join(one["text"].split()) for one in answers
    ]


def test_a_table(shell, model, write, tmp_path):
    rows = list(zip(*shelf.ROWS.values(), strict=True))
    table = write(tmp_path / "rows.csv", rows, ("url", "head", "body"))
    columns = ("--text", "body", "--title", "head", "--id", "url")
    out = tmp_path / "library"
    done = shell("index", table, *columns, "--out", out, "--model", model, *CUT)
    assert done.returncode == 0, done.stderr
    done = shell("search", out, "lakes", "--by", "words", "-n", 1, "--json")
    (first,) = json.loads(done.stdout)["passages"]
    assert (first["document"], first["title"]) == ("lakes", "Lakes")
    assert first["source"] == str(table.resolve())


def test_a_reranker_orders_the_passages(shell, model, papers, write, scratch, tmp_path):
    out, ranker = tmp_path / "library", tmp_path / "ranker"
    rows = [("cats", "the cats sleep", 1), ("cats", "green tea", 0)] * 8
    table = write(tmp_path / "asked.csv", rows, ("query", "document", "relevant"))
    columns = ("--text", "query", "--pair", "document", "--label", "relevant")
    trained = ("--task", "reranking", *columns, *scratch, "--set", "epochs=1", "--out", ranker)
    assert shell("train", table, *trained, "--quiet").returncode == 0
    assert shell("index", papers, "--out", out, "--model", model, *CUT).returncode == 0
    done = shell("search", out, "cats", "--reranker", ranker, "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)["passages"]
    expected = mh.Reranker.open(ranker).predict([("cats", one["text"]) for one in found])
    assert [one["score"] for one in found] == pytest.approx(expected.tolist(), abs=1e-5)
    done = shell("search", out, "cats", "--reranker", model)
    assert_refused(done, "is a model for vectors of texts, which orders no documents")


def test_what_is_refused(shell, model, papers, trained, tmp_path):
    out = tmp_path / "library"
    asked = ("index", papers, "--out", out)
    assert_refused(shell("search", out, "cats"), "is no library", "manyheads index")
    assert_refused(shell(*asked, "--model", trained, *CUT), "which makes no vectors")
    assert shell(*asked, "--model", model, *CUT).returncode == 0
    assert_refused(shell(*asked, *CUT), "its passages are cut")
    assert_refused(shell("index", tmp_path / "no", "--out", out), "no such file or folder")
    assert_refused(shell("search", out, " "), "the query is empty")
    done = shell("ask", out, "Who?", "--answerer", trained)
    assert_refused(done, "finds no answers in texts")


def test_a_mistyped_source_leaves_no_library(shell, model, papers, tmp_path):
    out = tmp_path / "library"
    asked = ("--out", out, "--model", model, *CUT, "--quiet")
    assert_refused(shell("index", tmp_path / "papres", *asked), "Did you mean 'papers'")
    assert not out.exists()
    table = tmp_path / "rows.jsonl"
    table.write_text('{"body": "Otters swim."}\n{"body": "Cats sleep."}\n', encoding="utf-8")
    assert_refused(shell("index", table, "--text", "bdoy", *asked), "Did you mean 'body'")
    assert not out.exists()
    assert shell("index", papers, *asked).returncode == 0
