"""`manyheads evaluate`: tables whose labels alone suggest other types than those of training."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

EPOCH = ("--set", "epochs=1", "--set", "max_tokens=16", "--quiet")


@pytest.mark.parametrize(
    ("learnt", "judged"),
    [
        (("true", "false", "maybe"), ("true", "false")),
        (("1.0", "2.0", "beta"), ("1.0", "2.0")),
        (("TRUE", "FALSE"), ("true", "false")),
        (("0", "1"), ("0", "1")),
    ],
)
def test_labels_are_those_of_the_predictor(
    shell, write, scratch, tmp_path: Path, learnt: tuple[str, ...], judged: tuple[str, ...]
):
    train, test = (
        write(tmp_path / name, [(f"text {n} {one}", one) for n in range(8) for one in labels])
        for name, labels in (("train.csv", learnt), ("test.csv", judged))
    )
    model = tmp_path / "model"
    done = shell("train", train, *scratch, *EPOCH, "--out", model)
    assert done.returncode == 0, done.stderr
    done = shell("evaluate", model, test, "--json", "--report", tmp_path / "page.html")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["scores"]["count"] == 16


def test_numbers_stay_numbers_and_each_head_has_its_labels(shell, write, scratch, tmp_path: Path):
    rows = [(f"text {n}", ("true", "false", "maybe")[n % 3], f"{n}.5") for n in range(24)]
    header = ("text", "truth", "score")
    write(tmp_path / "train.csv", rows, header)
    write(tmp_path / "test.csv", [row for row in rows if row[1] != "maybe"], header)
    for name in ("train", "test"):
        heads = "[heads.truth]\nlabel = 'truth'\n[heads.score]\nlabel = 'score'\n"
        shares = f"data = '{name}.csv'\nvalid = 0.25\n"
        (tmp_path / f"{name}.toml").write_text(shares + heads)
    model, page = tmp_path / "model", tmp_path / "page.html"
    done = shell("train", tmp_path / "train.toml", *scratch, *EPOCH, "--out", model)
    assert done.returncode == 0, done.stderr
    done = shell("evaluate", model, tmp_path / "test.toml", "--json", "--report", page)
    assert done.returncode == 0, done.stderr
    heads = json.loads(done.stdout)["scores"]["heads"]
    assert heads["truth"]["count"] == heads["score"]["count"] == 16
