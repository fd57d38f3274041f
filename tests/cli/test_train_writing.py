"""`manyheads train` for what writes: translation, summaries, language models, masks."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

SIZES = ("--layers", "1", "--width", "32", "--heads", "2", "--vocabulary", "280")
FAST = ("--set", "learning_rate=0.01", "--set", "epochs=2", "--set", "batch_size=8")
WORDS = ("null", "eins", "zwei", "drei", "vier")


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of two aligned files: digits, and their names."""
    folder = tmp_path_factory.mktemp("pairs")
    chance = random.Random(0)
    rows = [[chance.randrange(5) for _ in range(chance.randint(1, 5))] for _ in range(80)]
    (folder / "train.en").write_text("\n".join(" ".join(map(str, row)) for row in rows))
    (folder / "train.de").write_text("\n".join(" ".join(WORDS[i] for i in row) for row in rows))
    return folder


def test_a_translator_is_trained_evaluated_and_used(shell, pairs, tmp_path):
    out = tmp_path / "model"
    languages = ("--text", "en", "--target", "de")
    done = shell(
        *("train", pairs, *languages, "--task", "translation", "--language", "de"),
        *("--beam", "2", *SIZES, *FAST, "--out", out, "--json"),
    )
    assert done.returncode == 0, done.stderr
    evaluation = json.loads(done.stdout)["evaluation"]
    assert {"bleu", "chrf", "ter", "perplexity"} <= evaluation["scores"].keys()
    assert "tok:13a" in evaluation["scores"]["signatures"]["bleu"]
    assert "bleu" in evaluation["baseline"]
    written = json.loads((out / "generation_config.json").read_text())
    assert written["num_beams"] == 2
    scored = shell("evaluate", out, pairs, *languages, "--json")
    assert scored.returncode == 0, scored.stderr
    assert "bleu" in json.loads(scored.stdout)["scores"]
    used = shell("translate", "--model", out, "--quiet", stdin=b"1 2\n\n3\n")
    assert used.returncode == 0, used.stderr
    assert len(used.stdout.splitlines()) == 3


@pytest.mark.parametrize(
    ("task", "module"),
    [("translation", "sacrebleu"), ("summarization", "rouge_score"), ("regression", "sklearn")],
)
def test_what_scoring_takes_is_missed_before_training(shell, tmp_path, task, module):
    rows = [f"text number {n},{n}\n" for n in range(40)]
    (tmp_path / "t.csv").write_text("".join(["text,target\n", *rows]))
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / f"{module}.py").write_text("raise ImportError")
    column = ("--label" if task == "regression" else "--target", "target")
    model = ("--task", task, "--model", "scratch", *SIZES, "--out", tmp_path / "out")
    done = shell("train", tmp_path / "t.csv", *column, *model, before=[hidden])
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "pip install 'manyheads[eval]'" in line
    assert not (tmp_path / "out").exists()


def test_a_language_model_goes_on_writing(shell, tmp_path):
    book = tmp_path / "book.txt"
    book.write_text("the cat sat on the mat\nthe dog sat on the log\n" * 60)
    out = tmp_path / "model"
    done = shell("train", book, "--task", "language-model", *SIZES, *FAST, "--out", out)
    assert done.returncode == 0, done.stderr
    assert "bits per byte" in done.stdout
    used = shell("generate", "--model", out, "--max-tokens", "5", "--quiet", "the cat")
    assert used.returncode == 0, used.stderr


def test_masks_are_learnt_from_plain_text(shell, tmp_path, tiny_bert):
    book = tmp_path / "book.txt"
    book.write_text("good film\nbad film\n" * 40)
    arguments = ("train", book, "--task", "masked-language-model", "--model", tiny_bert, *FAST)
    done = shell(*arguments, "--out", tmp_path / "model")
    assert done.returncode == 0, done.stderr
    assert "perplexity" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--task", "summarization"), "no target column"),
        (("--task", "language-model", "--beam", "4"), "--beam is for text-to-text"),
        (("--beam", "0", "--target", "label", "--task", "translation"), "beams=0 is below 1"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(shell, table, arguments, message):
    done = shell("train", table, "--text", "text", *arguments)
    assert done.returncode == 2
    assert message in done.stderr and done.stderr.count("\n") == 1
