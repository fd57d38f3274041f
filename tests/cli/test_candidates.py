"""Labels without training in the shell: `predict --candidate`, and `evaluate` with them."""

from __future__ import annotations

import json

import pytest


def test_texts_get_the_nearest_label_and_tables_are_scored(shell, write, minilm, tmp_path):
    texts = ["The striker scored twice in the cup match.", "Parliament voted on the tax law."]
    candidates = ("--candidate", "sport=a football match", "--candidate", "sport=tennis")
    candidates = (*candidates, "--candidate", "politics", "--candidate", "体育")
    table = write(tmp_path / "t.csv", zip(texts, ("sport", "politics"), strict=True))
    done = shell("predict", minilm, *texts, *candidates, "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)["predictions"]
    assert [one["prediction"] for one in found] == ["sport", "politics"]
    assert list(found[0]["probabilities"]) == ["sport", "politics", "体育"]
    scored = shell("evaluate", minilm, table, *candidates, "--template", "{}", "--json")
    assert scored.returncode == 0, scored.stderr
    assert json.loads(scored.stdout)["scores"]["accuracy"] == 1.0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--template", "about {}"), "--template is for labels without training"),
        (("--candidate", "a", "--candidate", "b", "--multi-label"), "classifier of entailment"),
    ],
)
def test_options_that_do_not_fit(shell, minilm, options, words):
    done = shell("predict", minilm, "a text", *options)
    assert done.returncode == 2
    assert words in done.stderr
    assert done.stderr.count("\n") == 1
