"""`manyheads train --folds` and `--seeds`: killed and resumed, used, repeated, refused."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from pathlib import Path

import numpy as np
import pytest

import manyheads as mh
from manyheads.cli.info import info
from manyheads.cli.output import Interrupted
from manyheads.cli.run_folder import RunFolder


@pytest.fixture(scope="module")
def command(table, scratch):
    settings = ("epochs=3", "batch_size=8", "checkpoint_every=1", "token_dropout=0.1")
    assignments = [part for setting in settings for part in ("--set", setting)]
    return ("train", table, *scratch, "--test", "0.2", "--folds", "3", *assignments)


@pytest.fixture(scope="module")
def folds(shell, command, tmp_path_factory):
    out = tmp_path_factory.mktemp("folds") / "model"
    done = shell(*command, "--out", out, "--json")
    assert done.returncode == 0, done.stderr
    return out, json.loads(done.stdout)


def weights_of(out: Path) -> list[str]:
    paths = sorted(out.glob("*/model.safetensors"))
    return [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]


def test_a_killed_run_goes_on_in_the_fold_where_it_was(start, shell, command, folds, tmp_path):
    expected, document = folds
    out = tmp_path / "model"
    process = start(*command, "--out", out)
    while not list(out.glob("fold-2/run/checkpoints/step-*")) and process.poll() is None:
        time.sleep(0.002)
    process.kill()
    process.communicate()
    assert not (out / "manyheads.json").exists(), "what is not over is no predictor"
    written = (out / "fold-1/model.safetensors").stat().st_mtime_ns
    done = shell(*command, "--out", out, "--resume", "--json")
    assert done.returncode == 0, done.stderr
    assert "resumed after step" in done.stderr
    assert (out / "fold-1/model.safetensors").stat().st_mtime_ns == written
    assert weights_of(out) == weights_of(expected)
    assert json.loads(done.stdout) == {**document, "out": str(out)}
    assert list(out.rglob("checkpoints")) == []


def test_the_ensemble_predicts_and_is_scored(shell, folds, table):
    out, document = folds
    assert document["ensemble"]["accuracy"] >= 0.5 and len(document["runs"]) == 3
    done = shell("predict", out, "a lovely film", "很好的电影", "--json")
    assert done.returncode == 0, done.stderr
    said = [one["probabilities"] for one in json.loads(done.stdout)["predictions"]]
    texts = ["a lovely film", "很好的电影"]
    parts = [mh.load(out / name).probabilities(texts) for name in ("fold-1", "fold-2", "fold-3")]
    found = [[shares["neg"], shares["pos"]] for shares in said]
    assert np.allclose(found, np.mean(parts, axis=0), atol=1e-5)
    done = shell("evaluate", out, table, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["scores"]["count"] == 64


def test_what_an_ensemble_is(folds, capsys):
    out, _ = folds
    info(str(out), as_json=True)
    facts = json.loads(capsys.readouterr().out)
    assert facts["ensemble"] == ["fold-1", "fold-2", "fold-3"] and facts["folder"] == str(out)


def test_ctrl_c_says_what_is_kept(tmp_path):
    for name in ("fold-1", "fold-10", "fold-2"):
        (tmp_path / name / "run").mkdir(parents=True)
        (tmp_path / name / "run/trial.json").touch()
    said = pytest.raises(Interrupted, match=r"keeps what is in fold-1, fold-2, fold-10, and")
    with said, RunFolder(tmp_path).guarded():
        raise KeyboardInterrupt


def test_a_run_of_folds_is_repeated_to_the_same_bits(shell, folds, tmp_path):
    out, document = folds
    done = shell("train", "--from", out, "--out", tmp_path / "again", "--json")
    assert done.returncode == 0, done.stderr
    assert weights_of(tmp_path / "again") == weights_of(out)
    assert json.loads(done.stdout)["mean"] == document["mean"]


def test_what_cannot_be_done_is_one_line(shell, table, scratch, tmp_path):
    done = shell("train", table, *scratch, "--folds", "2", "--seeds", "2")
    assert done.returncode == 2 and "choose one" in done.stderr
    out = tmp_path / "out"
    done = shell("train", table, *scratch, "--folds", "1", "--out", out, "--quiet")
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert "folds=1 holds nothing out" in done.stderr and not out.exists()
    for what in ("--estimate", "--plan"):
        for option, said in (("--folds", "folds=1 holds nothing"), ("--seeds", "seeds=1 says")):
            done = shell("train", table, *scratch, option, "1", what, "--quiet")
            assert done.returncode == 2 and done.stderr.count("\n") == 1
            assert said in done.stderr and done.stdout == ""


def test_runs_of_other_data_are_not_gone_on_with(shell, command, folds, table, tmp_path):
    out = tmp_path / "model"
    shutil.copytree(folds[0], out)
    again = ("--out", out, "--resume", "--quiet")
    done = shell(*command, *again)
    assert done.returncode == 0 and "nothing left to do" in done.stderr
    text = table.read_text(encoding="utf-8")
    try:
        table.write_text("".join(text.splitlines(keepends=True)[:-1]), encoding="utf-8")
        finished = shell(*command, *again)
        for name in ("run/report.json", "fold-3/run/trial.json"):
            (out / name).unlink()
        stopped = shell(*command, *again)
    finally:
        table.write_text(text, encoding="utf-8")
    for done in (finished, stopped):
        assert done.returncode == 2 and done.stderr.count("\n") == 1 and done.stdout == ""
        assert "the data are not those of the run" in done.stderr and "test: " in done.stderr


def files_of(out: Path) -> dict[str, str]:
    files = [path for path in out.rglob("*") if path.is_file()]
    return {
        path.relative_to(out).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }


def test_a_run_that_fails_leaves_the_one_before(shell, table, scratch, tmp_path):
    out = tmp_path / "model"
    quick = ("train", table, *scratch, "--set", "epochs=1", "--quiet", "--out", out)
    assert shell(*quick, "--folds", "2").returncode == 0
    before = files_of(out)
    assert "fold-1/model.safetensors" in before and "out-of-fold.jsonl" in before
    done = shell(*quick, "--set", "learning_rate=1e30", "--set", "clip_norm=1e30")
    assert done.returncode == 2 and "the loss is" in done.stderr, done.stderr
    assert files_of(out) == before
    with pytest.raises(RuntimeError), RunFolder(out).guarded():
        RunFolder(out).begin({}, {}, {})
        assert not (out / "fold-1").exists()
        assert len(mh.load(out).parts) == 2, "the predictor stays until there is a new one"
        raise RuntimeError
    assert files_of(out) == before


def test_a_stopped_run_leaves_the_predictor_of_several(start, shell, table, scratch, tmp_path):
    out = tmp_path / "model"
    quick = ("train", table, *scratch, "--quiet", "--out", out, "--set")
    assert shell(*quick, "epochs=1", "--folds", "2").returncode == 0
    said = shell("predict", out, "a lovely film", "--json").stdout
    process = start(*quick, "epochs=40", "--set", "checkpoint_every=1")
    while not list(out.glob("run/checkpoints/step-*")) and process.poll() is None:
        time.sleep(0.002)
    process.kill()
    process.communicate()
    done = shell("predict", out, "a lovely film", "--json")
    assert done.returncode == 0 and done.stdout == said, done.stderr
    assert shell(*quick, "epochs=1").returncode == 0
    assert len(mh.load(out).parts) == 0 and not (out / ".replaced").exists()


def test_another_kind_of_run_leaves_nothing_of_the_one_before(shell, table, scratch, tmp_path):
    out = tmp_path / "model"
    quick = ("train", table, *scratch, "--set", "epochs=1", "--quiet", "--out", out)
    assert shell(*quick, "--test", "0.2").returncode == 0
    single = set(files_of(out))
    assert {"model.safetensors", "README.md", "training-curve.png"} <= single
    (out / "notes.txt").write_text("mine")
    assert shell(*quick, "--folds", "2").returncode == 0
    assert not {"model.safetensors", "config.json", "README.md", "training-curve.png"} & set(
        files_of(out)
    )
    assert shell(*quick, "--test", "0.2").returncode == 0
    assert set(files_of(out)) == {*single, "notes.txt"}
    assert (out / "notes.txt").read_text() == "mine"
