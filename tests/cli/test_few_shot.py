"""`manyheads train --few-shot`: from some rows of each class to a classifier, and where not."""

from __future__ import annotations

import json

import pytest


def test_a_few_rows_make_a_classifier(shell, table, write, tiny_bert, tmp_path):
    rows = [line.split(",") for line in table.read_text(encoding="utf-8").splitlines()[1:]]
    few = write(tmp_path / "few.csv", [*rows[:8], ("很好 的 电影", "pos")])
    out = tmp_path / "model"
    settings = ("--set", "epochs=1", "--set", "batch_size=16", "--set", "learning_rate=0.001")
    command = ("train", few, "--few-shot", "--test", table, "--model", tiny_bert, *settings)
    done = shell(*command, "--out", out, "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["steps"] == 23  # 2 · 20 pairs of each of 9 rows, by 16
    assert document["evaluation"]["split"] == "test"
    assert document["evaluation"]["baseline"]["accuracy"] > 0
    assert "valid " not in done.stderr  # of so few rows none is held out unless asked
    assert json.loads((out / "manyheads.json").read_text())["task"]["name"] == "classification"
    predicted = shell("predict", out, "a great film", "--json")
    assert json.loads(predicted.stdout)["predictions"][0]["prediction"] in ("pos", "neg")
    repeated = shell("train", "--from", out, "--out", tmp_path / "again", "--quiet", "--json")
    assert repeated.returncode == 0, repeated.stderr
    assert json.loads(repeated.stdout)["evaluation"]["loss"] == document["evaluation"]["loss"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--task", "regression"), "--few-shot is for classification"),
        (("--task", "multi-label"), "--few-shot is for classification"),
        (("--model", "scratch"), "published model"),
    ],
)
def test_where_it_makes_no_sense(shell, table, options, words):
    done = shell("train", table, "--few-shot", *options)
    assert done.returncode == 2
    assert words in done.stderr
    assert done.stderr.count("\n") == 1
