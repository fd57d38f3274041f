"""Whatever is wrong with data, model or recipe: exit code 2, one line, nothing half-written."""

from __future__ import annotations

import json
import shutil

import pytest
from safetensors.torch import load_file, save_file

GOOD = [(f"{'great' if n % 2 else 'sad'} film {n}", "pos" if n % 2 else "neg") for n in range(20)]


def assert_refused(done, *said):
    """The process ended as the user's mistake should end it."""
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("manyheads: ")
    for words in said:
        assert words in line, line


@pytest.fixture
def refuse(shell, tmp_path, scratch):
    """Train on a source in `tmp_path` with options; check the one line and that nothing is left."""

    def run(source, *options, said, model=scratch):
        out = tmp_path / "out"
        done = shell("train", source, *model, *options, "--out", out, cwd=tmp_path)
        assert_refused(done, *said)
        assert not out.exists()

    return run


def test_a_missing_file(refuse):
    refuse("reviews.csv", said=["reviews.csv: no such file"])


def test_a_missing_column(refuse, write, tmp_path):
    write(tmp_path / "t.csv", GOOD, header=("review", "label"))
    refuse("t.csv", "--text", "reviw", said=["t.csv", "'reviw'", "Did you mean 'review'?"])


@pytest.mark.parametrize("content", ["", " \n\n", "text,label\n"])
def test_an_empty_file(refuse, tmp_path, content):
    (tmp_path / "t.csv").write_text(content)
    refuse("t.csv", said=["t.csv"])


def test_texts_that_are_all_empty(refuse, write, tmp_path):
    write(tmp_path / "t.csv", [("", "a"), (" ", "b")])
    refuse("t.csv", said=["t.csv", "every text", "'text'"])


def test_one_class_only(refuse, write, tmp_path):
    write(tmp_path / "t.csv", [(text, "same") for text, _ in GOOD])
    refuse("t.csv", said=["'same'", "2 classes"])


def test_one_row(refuse, write, tmp_path):
    write(tmp_path / "t.csv", GOOD[:1])
    refuse("t.csv", said=["2 classes"])


def test_a_class_in_validation_that_training_lacks(refuse, write, tmp_path):
    write(tmp_path / "t.csv", GOOD)
    write(tmp_path / "v.csv", [("a fine film", "posi")])
    refuse(
        *("t.csv", "--valid", "v.csv"),
        said=["v.csv, line 2", "'posi'", "the model does not know", "Did you mean 'pos'?"],
    )


def test_labels_that_are_absent(refuse, write, tmp_path):
    write(tmp_path / "t.csv", [*GOOD[:3], ("a film", ""), *GOOD[3:]])
    refuse("t.csv", said=["t.csv", "no label", "line 5"])


def test_labels_that_are_not_a_number(refuse, write, tmp_path):
    write(tmp_path / "t.csv", [("a film", 1), ("b film", "NaN"), ("c film", 0)])
    refuse("t.csv", said=["t.csv", "no label", "line 3"])


def test_numbers_given_as_classes(refuse, write, tmp_path):
    write(tmp_path / "t.csv", [(text, n / 2) for n, (text, _) in enumerate(GOOD)])
    refuse("t.csv", said=["t.csv", "--task regression"])


def test_bytes_that_are_no_text_of_the_encoding(refuse, tmp_path):
    lines = [f"{text} für alle,{label}\n" for text, label in GOOD]
    (tmp_path / "t.csv").write_bytes("".join(["text,label\n", *lines]).encode("cp1252"))
    refuse("t.csv", "--encoding", "utf-8", said=["t.csv, line 2", "0xFC"])
    refuse("t.csv", "--encoding", "utf-88", said=["utf-88", "Did you mean"])


def test_lone_surrogates(refuse, tmp_path):
    rows = [{"text": text, "label": label} for text, label in GOOD]
    rows[3]["text"] += "\ud83d"
    (tmp_path / "t.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    refuse("t.jsonl", said=["t.jsonl, line 4", "--clean surrogates"])


def test_a_recipe_with_a_typo(refuse, write, tmp_path):
    write(tmp_path / "t.csv", GOOD)
    (tmp_path / "recipe.toml").write_text("epohs = 3\n")
    refuse("t.csv", "--recipe", "recipe.toml", said=["recipe.toml", "Did you mean 'epochs'?"])


def test_options_that_do_not_fit_together(refuse, write, tmp_path):
    write(tmp_path / "t.csv", GOOD)
    refuse("t.csv", "--device", "cuda:99", said=["cuda:99", "cpu"])
    refuse("t.csv", "--layers", "2", model=("--model", "x/y"), said=["--layers", "scratch"])
    refuse("t.csv", "--width", "33", said=["width=33"])


def test_an_unknown_model_reference(refuse, write, tmp_path):
    write(tmp_path / "t.csv", GOOD)
    for reference in ("nowhere", "package:no_such_package/model"):
        refuse("t.csv", model=("--model", reference), said=[reference])


def test_model_folders_that_are_damaged(refuse, write, tmp_path, tiny_bert):
    write(tmp_path / "t.csv", GOOD)
    damaged = tmp_path / "damaged"
    shutil.copytree(tiny_bert, damaged)
    weights = damaged / "model.safetensors"
    tensors = load_file(weights)

    weights.write_bytes(weights.read_bytes()[:-1000])
    refuse("t.csv", model=("--model", damaged), said=["model.safetensors", "damaged"])

    names = [name for name in tensors if name.endswith("output.LayerNorm.weight")][:2]
    save_file(tensors | {name: tensors[name][:-1].clone() for name in names}, weights)
    refuse("t.csv", model=("--model", damaged), said=["(31,)", "(32,)", ";"])

    (damaged / "config.json").unlink()
    refuse("t.csv", model=("--model", damaged), said=["damaged", "config.json"])


def test_a_folder_that_is_somebody_elses(shell, write, scratch, tmp_path):
    source = write(tmp_path / "t.csv", GOOD)
    out = tmp_path / "out"
    out.mkdir()
    (out / "thesis.doc").write_text("years of work")
    assert_refused(shell("train", source, *scratch, "--out", out), "thesis.doc", "--out")
    assert_refused(shell("train", source, *scratch, "--out", source), "is a file")
    assert [path.name for path in out.iterdir()] == ["thesis.doc"]


def test_what_is_no_predictor(shell, write, tmp_path, tiny_bert, minilm):
    (tmp_path / "empty").mkdir()
    assert_refused(shell("predict", tmp_path / "empty", "a text"), "config.json")
    assert_refused(shell("predict", tiny_bert, "a text"), "without a task")
    assert_refused(shell("predict", minilm, "a text"), "vectors of texts, which says no labels")
    source = write(tmp_path / "t.csv", GOOD)
    assert_refused(
        shell("evaluate", minilm, source, "--text", "text", "--label", "label"),
        "a text stands alone, without one that it belongs to",
    )
    assert_refused(shell("info", tmp_path / "nowhere"), "nowhere")
