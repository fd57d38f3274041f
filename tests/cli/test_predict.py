"""`manyheads predict`, `evaluate` and `info` with a predictor that another process trained."""

from __future__ import annotations

import csv
import json

import pytest

TEXTS = ["the great film was happy", "an awful and sad movie", "好电影 \u2028 great"]


def test_texts_as_arguments(shell, trained):
    done = shell("predict", trained, *TEXTS)
    assert done.returncode == 0, done.stderr
    lines = [line.split("\t") for line in done.stdout.splitlines()]
    assert [line[0] for line in lines][:2] == ["pos", "neg"]
    assert all(0.5 <= float(line[1]) <= 1 for line in lines)
    document = json.loads(shell("predict", trained, *TEXTS, "--json").stdout)
    first = document["predictions"][0]
    assert first["text"] == TEXTS[0]
    assert first["prediction"] == "pos"
    assert first["probability"] == first["probabilities"]["pos"]
    assert first["truncated"] == 0


def test_lines_of_stdin(shell, trained):
    stdin = "\n".join([TEXTS[0], "", TEXTS[2]]) + "\n"
    done = shell("predict", trained, "--json", stdin=stdin.encode())
    answers = json.loads(done.stdout)["predictions"]
    assert [answer["text"] for answer in answers] == [TEXTS[0], "", TEXTS[2]]


def test_json_lines_through_pipes(shell, trained):
    rows = [{"id": n, "text": text, "tags": ["x", n]} for n, text in enumerate(TEXTS)]
    stdin = "".join(json.dumps(row) + "\n" for row in rows).encode()
    done = shell("predict", trained, "--file", "-", "--out", "-", stdin=stdin)
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.split("\n") if line]
    assert [{key: answer[key] for key in rows[0]} for answer in answers] == rows
    assert answers[0]["prediction"] == "pos"
    assert list(answers[0])[-3:] == ["prediction", "probability", "truncated"]


def test_tables_keep_their_columns(shell, trained, tmp_path):
    source = tmp_path / "in.jsonl"
    rows = [{"id": f"00{n}", "review": text, "n": n} for n, text in enumerate(TEXTS)]
    source.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    out = tmp_path / "out.csv"
    done = shell("predict", trained, "--file", source, "--text", "review", "--out", out, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"out": str(out), "rows": 3, "truncated": 0}
    with out.open(newline="", encoding="utf-8") as file:
        answers = list(csv.DictReader(file))
    assert list(answers[0]) == ["id", "review", "n", "prediction", "probability", "truncated"]
    assert [answer["review"] for answer in answers] == TEXTS
    assert [answer["id"] for answer in answers] == ["000", "001", "002"]
    assert [answer["prediction"] for answer in answers][:2] == ["pos", "neg"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.jsonl", "out.csv"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--file", "in.csv", "--out", "out.xlsx"), ".csv"),
        (("--file", "in.csv", "--out", "nowhere/out.csv"), "nowhere"),
        (("--file", "in.csv", "--text", "reviw"), "Did you mean 'review'?"),
        (("--file", "in.csv", "--text", "review", "--out", "o.csv"), "already has a column"),
        (("a text", "--file", "in.csv"), "give one of them"),
        (("--file", "-", "--text", "review"), "standard input"),
    ],
)
def test_what_cannot_be_predicted_is_one_line(shell, trained, write, tmp_path, arguments, said):
    write(tmp_path / "in.csv", [("great", "x")], header=("review", "prediction"))
    done = shell("predict", trained, *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("manyheads: ")
    assert said in line
    assert [path.name for path in tmp_path.iterdir()] == ["in.csv"]


def test_evaluate(shell, trained, table):
    done = shell("evaluate", trained, table, "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["scores"]["count"] == 64
    assert document["scores"]["accuracy"] > 0.8
    assert document["baseline"] is None
    assert "accuracy" in shell("evaluate", trained, table, "--quiet").stdout


def test_evaluate_needs_labels_that_the_predictor_knows(shell, trained, write, tmp_path):
    unknown = write(tmp_path / "unknown.csv", [("great", "positive")])
    unlabelled = write(tmp_path / "unlabelled.csv", [("great", "x")], header=("text", "id"))
    for source, said in ((unknown, "unknown.csv, line 2"), (unlabelled, "--label")):
        done = shell("evaluate", trained, source)
        assert done.returncode == 2
        (line,) = done.stderr.splitlines()
        assert line.startswith("manyheads: ")
        assert said in line


def test_info_of_a_predictor(shell, trained):
    facts = json.loads(shell("info", trained, "--json").stdout)
    assert (facts["family"], facts["layers"], facts["width"]) == ("modernbert", 1, 32)
    assert (facts["task"], facts["labels"]) == ("classification", ["neg", "pos"])
    assert facts["files"]["model.safetensors"] > 4 * facts["parameters"]
    text = shell("info", trained).stdout
    assert "neg, pos" in text
    assert f"{facts['parameters']:,}" in text


def test_info_of_a_body_without_a_task(shell, tiny_bert):
    facts = json.loads(shell("info", tiny_bert, "--json").stdout)
    assert (facts["family"], facts["task"], facts["labels"]) == ("bert", None, [])
    assert facts["max_tokens"] == 128
