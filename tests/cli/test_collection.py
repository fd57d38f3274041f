"""`manyheads duplicates` and `topics`: real processes over a small table."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.cli.test_bad_input import assert_refused
from tests.serve import models
from tests.similar.shelf import collection

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
