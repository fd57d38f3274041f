"""`fill-mask` in real processes."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import pytest
import torch
from tests.cli.test_bad_input import assert_refused

import manyheads as mh
from manyheads.hub import locate

LINES = ["Paris is the [MASK] of France.", "", "今天的[MASK]气很[MASK]。"]


@pytest.fixture(scope="session")
def bert(minilm: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A masked language model of random weights with the tokenizer of MiniLM."""
    transformers = pytest.importorskip("transformers")
    folder = tmp_path_factory.mktemp("masked")
    torch.manual_seed(0)
    config = transformers.BertConfig(
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=24,
        max_position_embeddings=48,
        initializer_range=0.3,
    )
    transformers.BertForMaskedLM(config).save_pretrained(folder)
    for path in locate(minilm).iterdir():
        if "token" in path.name or path.name == "vocab.txt":
            shutil.copy(path, folder / path.name)
    return folder


def test_lines_are_answered_in_their_places(shell, bert):
    done = shell("fill-mask", "--model", bert, stdin="\n".join(LINES).encode())
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    first, blank, last = done.stdout.split("\n")[:-1]
    assert blank == ""
    for line, text in ((first, LINES[0]), (last, LINES[2])):
        expected = mh.load(bert)(text)
        filled, *masks = line.split("\t")
        assert filled == expected.text
        for said, some in zip(masks, expected.candidates, strict=True):
            assert said == " ".join(f"{one.token} {one.probability:.4f}" for one in some)


def test_json_names_all_candidates(shell, bert):
    done = shell("fill-mask", "--model", bert, "--top", "2", "--json", LINES[0], LINES[2])
    assert done.returncode == 0, done.stderr
    answers = json.loads(done.stdout)["answers"]
    expected = mh.load(bert)([LINES[0], LINES[2]], top=2)
    assert [one["filled"] for one in answers] == [one.text for one in expected]
    assert [len(some) for some in answers[1]["masks"]] == [2, 2]
    best = answers[0]["masks"][0][0]
    assert best["id"] == expected[0].candidates[0][0].id
    assert best["probability"] == pytest.approx(expected[0].candidates[0][0].probability, rel=1e-4)
    assert answers[0]["tokens"] == [best["token"]]


def test_a_table_gets_columns(shell, bert, tmp_path):
    source, out = tmp_path / "in.csv", tmp_path / "out.jsonl"
    with source.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("body",), ("it [MASK]",), ("[MASK] " + "food " * 100,)])
    options = ("--text", "body", "--out", out, "--device", "cpu")
    done = shell("fill-mask", "--model", bert, "--file", source, *options)
    assert done.returncode == 0, done.stderr
    assert "1 of 2 texts were longer than the model reads" in done.stderr
    rows = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert [row["truncated"] for row in rows] == [0, 101 - 46]
    assert rows[0]["filled"] == mh.load(bert)("it [MASK]").text
    assert len(rows[0]["tokens"]) == len(rows[0]["probabilities"]) == 1
    quiet = shell("fill-mask", "--model", bert, "--file", source, *options, "--quiet")
    assert quiet.stderr == ""


def test_what_cannot_be_filled_is_one_line(shell, bert, tiny_bert, trained):
    lines = b"a [MASK]\n\nno mask at all\n"
    said = ["line 3 has no mask", "'no mask at all'", "[MASK]"]
    assert_refused(shell("fill-mask", "--model", bert, stdin=lines), *said)
    text = "[MASK] " + "food " * 100 + "[MASK]"
    assert_refused(
        shell("fill-mask", "--model", bert, text), "text 1 has 104 tokens", "1 of its 2 masks"
    )
    assert_refused(shell("fill-mask", "--model", bert, "--top", "0", "[MASK]"), "top=0")
    body = shell("fill-mask", "--model", tiny_bert, "[MASK]")
    assert_refused(body, "published output for masked tokens")
    classifier = shell("fill-mask", "--model", trained, "[MASK]")
    assert_refused(classifier, "classification", "fills in no masks")
    assert_refused(shell("predict", bert, "[MASK]"), "masked-language-model", "fill-mask")
