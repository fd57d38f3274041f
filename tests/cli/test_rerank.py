"""Rerankers in the shell: trained from a table, then `rerank`."""

from __future__ import annotations

import json


def test_a_reranker_is_trained_and_orders_documents(shell, write, scratch, table, tmp_path):
    rows = [line.split(",") for line in table.read_text(encoding="utf-8").splitlines()[1:]]
    asked = [
        (f"which film {n // 8}", text, int(mood == "pos")) for n, (text, mood) in enumerate(rows)
    ]
    source = write(tmp_path / "asked.csv", asked, ("query", "document", "relevant"))
    out = tmp_path / "model"
    columns = ("--text", "query", "--pair", "document", "--label", "relevant")
    command = ("train", source, "--task", "reranking", *columns, *scratch, "--valid", "0.25")
    done = shell(*command, "--set", "epochs=2", "--out", out, "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert 0 < document["evaluation"]["scores"]["ndcg_at_10"] <= 1
    assert document["evaluation"]["scores"]["count"] == 2  # all documents of two queries
    assert "ndcg_at_10" in document["evaluation"]["baseline"]
    card = (out / "README.md").read_text(encoding="utf-8")
    assert "CrossEncoder" in card and "pipeline_tag: text-ranking" in card
    documents = "an awful film\na lovely film\n好 电影\n".encode()
    done = shell("rerank", out, "which film", "--top", "2", "--json", stdin=documents)
    assert done.returncode == 0, done.stderr
    ranks = json.loads(done.stdout)["ranks"]
    assert len(ranks) == 2 and ranks[0]["score"] >= ranks[1]["score"]
    assert all(set(one) == {"index", "score", "text"} for one in ranks)
    scored = shell("evaluate", out, source, *columns, "--json")
    assert scored.returncode == 0, scored.stderr
    assert json.loads(scored.stdout)["scores"]["count"] == 8


def test_a_model_that_orders_nothing_is_told(shell, minilm):
    done = shell("rerank", minilm, "a query", "a document")
    assert done.returncode == 2
    assert "orders no documents" in done.stderr and done.stderr.count("\n") == 1
