"""`manyheads duplicates` and `topics`: real processes over a small table."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.cli.test_bad_input import assert_refused
from tests.serve import models
from tests.similar.shelf import collection

import manyheads as mh

pytest.importorskip("sklearn")


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    return models.embedder(tmp_path_factory.mktemp("collection") / "vectors-model")


@pytest.fixture
def table(tmp_path) -> Path:
    texts = [text[:40] for text in collection(8)[0]]
    rows = [{"said": text} for text in (*texts, "", texts[3])]
    path = tmp_path / "texts.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_duplicates(shell, model, table):
    arguments = ("duplicates", table, "--text", "said", "--model", model, "--threshold", 1)
    done = shell(*arguments, "--json")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert [4, 29] in said["groups"] and 29 in said["redundant"] and said["texts"] == 28
    assert "1 of 29 rows have no text" in done.stderr
    done = shell(*arguments, "--quiet")
    assert done.stderr == "" and done.stdout.splitlines()[-1].endswith("texts are redundant")


def test_topics(shell, model, table, tmp_path):
    arguments = ("topics", table, "--text", "said", "--model", model, "-n", 3)
    done = shell(*arguments, "--out", tmp_path / "topics.html", "--json")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert len(said["topics"]) == 3 and len(said["rows"]) == said["texts"] == 28
    assert sum(one["size"] for one in said["topics"]) + len(said["outliers"]) == 28
    assert (tmp_path / "topics.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    refused = shell("topics", table, "--text", "said", "--out", tmp_path / "topics.png")
    assert_refused(refused, "the page is HTML")


def test_a_library_has_its_texts_and_vectors(shell, model, tmp_path):
    pytest.importorskip("usearch")
    folder, texts = tmp_path / "library", [text[:40] for text in collection(4)[0]]
    library = mh.Library.create(folder, embedder=model, passages=mh.Passages(14, 4))
    ids = [f"text {number}" for number in range(len(texts))]
    library.update({"id": [*ids, "copy"], "text": [*texts, texts[2]]}, id="id", name="here")
    library.update({"id": ["copy"], "text": [texts[3]]}, id="id", name="there")
    done = shell("duplicates", folder, "--threshold", 1, "--json")
    assert done.returncode == 0, done.stderr
    groups = json.loads(done.stdout)["groups"]
    assert ["here: text 2", "here: copy"] in groups and ["here: text 3", "there: copy"] in groups
    done = shell("topics", folder, "-n", 2)
    assert done.returncode == 0 and done.stdout.startswith("2 topics"), done.stderr
    refused = shell("topics", folder, "--text", "said")
    assert_refused(refused, "--text is for tables; a library has its texts and vectors")
    assert_refused(shell("topics", tmp_path), "is no library")
