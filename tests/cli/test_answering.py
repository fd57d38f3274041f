"""Questions about contexts in real processes: train, predict, evaluate, check."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from tests import questions
from tests.cli.test_bad_input import assert_refused
from tests.library import shelf

import manyheads as mh

SIZES = ("--model", "scratch", "--layers", "1", "--width", "32", "--heads", "2")
OPTIONS = (*SIZES, "--set", "learning_rate=0.005", "--set", "max_tokens=48", "--quiet")


def squad(path: Path, count: int, seed: int = 0) -> Path:
    """Questions as SQuAD 2.0 publishes them, an article for each."""
    rows = questions.rows(count, seed, refusing=True)
    data = [
        {
            "title": f"article {number}",
            "paragraphs": [
                {
                    "context": context,
                    "qas": [
                        {
                            "id": str(number),
                            "question": question,
                            "is_impossible": not answers["text"],
                            "answers": [
                                {"text": text, "answer_start": start}
                                for text, start in zip(*answers.values(), strict=True)
                            ],
                        }
                    ],
                }
            ],
        }
        for number, (question, context, answers) in enumerate(zip(*rows.values(), strict=True))
    ]
    path.write_text(json.dumps({"version": "v2.0", "data": data}), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def squad_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return squad(tmp_path_factory.mktemp("squad") / "train-v2.0.json", 90)


@pytest.fixture(scope="module")
def answerer(shell, squad_file, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("answers") / "model"
    done = shell("train", squad_file, *OPTIONS, "--set", "epochs=2", "--out", out)
    assert done.returncode == 0, done.stderr
    return out


def test_a_file_of_squad_is_trained_on(shell, answerer, squad_file):
    opened = mh.load(answerer)
    assert isinstance(opened, mh.Answerer) and opened.task.may_refuse
    done = shell("evaluate", answerer, squad_file, "--json")
    assert done.returncode == 0, done.stderr
    scores = json.loads(done.stdout)["scores"]
    assert scores["questions"] == 90
    assert 0 <= scores["exact_match"] <= scores["f1"] <= 1
    said = shell("evaluate", answerer, squad_file).stdout
    assert "exact match" in said and "unanswerable accuracy" in said
    assert shell("info", answerer).stdout.count("answering") == 1


def test_questions_of_a_table_are_answered(shell, answerer, tmp_path):
    rows = questions.rows(5, seed=3, refusing=True)
    source, out = tmp_path / "asked.csv", tmp_path / "out.csv"
    with source.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("q", "c"), *zip(*list(rows.values())[:2], strict=True)])
    options = ("--file", source, "--text", "q", "--pair", "c")
    done = shell("predict", answerer, *options, "--out", out)
    assert done.returncode == 0, done.stderr
    expected = mh.load(answerer)(rows["question"], rows["context"])
    with out.open(newline="", encoding="utf-8") as file:
        found = list(csv.DictReader(file))
    assert [row["prediction"] for row in found] == [one.text for one in expected]
    assert [int(row["start"]) for row in found] == [one.start for one in expected]
    assert found[0].keys() == {"q", "c", "prediction", "probability", "start", "end", "truncated"}
    lines = shell("predict", answerer, *options).stdout.splitlines()
    assert [line.split("\t")[0] for line in lines] == [str(one) for one in expected]


def test_questions_are_asked_about_one_text(shell, answerer):
    asked, context = ["which color was it?", "which city was it?"], "we saw a red fox in rome"
    done = shell("predict", answerer, *asked, "--context", context)
    assert done.returncode == 0, done.stderr
    expected = mh.load(answerer)(asked, context)
    assert [line.split("\t")[0] for line in done.stdout.splitlines()] == list(map(str, expected))


def test_an_answer_over_several_lines_stays_on_one(shell, tmp_path):
    answerer = shelf.answerer().save(tmp_path / "model")
    asked = [f"Who sleeps {when}?" for when in ("now", "all day", "at night", "here", "on tea")]
    context = "Cats\n\nsleep\nall\nday."
    expected = [one.text for one in mh.load(answerer)(asked, context)]
    assert any("\n" in one for one in expected)
    lines = shell("predict", answerer, *asked, "--context", context).stdout.splitlines()
    said = [" ".join(one.split()) or "(no answer)" for one in expected]
    assert [line.split("\t")[0] for line in lines] == said


def test_columns_of_questions_are_found_by_their_names(shell, answerer, squad_file):
    done = shell("predict", answerer, "--file", squad_file, "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)["predictions"]
    assert len(found) == 90
    assert found[0].keys() == {"text", "prediction", "probability", "start", "end", "truncated"}


def test_a_csv_of_plain_answers_is_trained_on_as_well(shell, tmp_path):
    rows = questions.rows(30, refusing=True)
    answers = [label["text"][0] if label["text"] else "" for label in rows["answers"]]
    source = tmp_path / "qa.csv"
    with source.open("w", newline="", encoding="utf-8") as file:
        columns = (rows["question"], rows["context"], answers)
        csv.writer(file).writerows([("question", "context", "answer"), *zip(*columns, strict=True)])
    done = shell("train", source, *OPTIONS, "--set", "epochs=1", "--json")
    assert done.returncode == 0, done.stderr
    assert "unanswerable_accuracy" in done.stdout
    json.loads(done.stdout)
    checked = shell("check", source, "--strict")
    assert checked.returncode == 0 and "label" not in checked.stdout.split("scripts")[1]


def test_what_cannot_be_answered_is_one_line(shell, answerer, trained, squad_file, tmp_path):
    assert_refused(shell("predict", answerer, "who?"), "--pair COL")
    assert_refused(
        shell("predict", answerer, "--file", squad_file, "--text", "question"), "--pair COL"
    )
    refused = shell("predict", answerer, "--file", squad_file, "--context", "a")
    assert_refused(refused, "--pair COL")
    lost = tmp_path / "lost.jsonl"
    row = {"question": "who", "context": "it was me", "answers": ["you"]}
    lost.write_text(f"{json.dumps(row)}\n" * 4)
    for command in (("train", lost, *SIZES), ("evaluate", answerer, lost)):
        done = shell(*command)
        assert_refused(done, "4 of 4 rows have an answer that is not in their context", "line 1")
    wrong = tmp_path / "wrong.json"
    wrong.write_text(json.dumps({"data": [{"paragraphs": [{"context": "a"}]}]}))
    assert_refused(shell("train", wrong, *SIZES), 'data[0].paragraphs[0] has no list "qas"')
    decoder = shell("train", squad_file, "--task", "answering", "--label-smoothing", "0.1", *SIZES)
    assert_refused(decoder, "--label-smoothing", "answering")
    assert_refused(shell("evaluate", trained, squad_file), "no")
    assert_refused(shell("fill-mask", "--model", answerer, "[MASK]"), "answering")
