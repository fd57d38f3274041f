"""The page of several runs: scores, links to the page of each, and labels that they doubt."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from tests import tiny
from tests.train.pages import Page

import manyheads as mh
from manyheads.train import Trials

QUICK = mh.Recipe(batch_size=8, learning_rate=3e-3, epochs=6, probe_examples=0)
WRONG = 5  # the row whose label is turned round


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("folds")


@pytest.fixture(scope="module")
def folds(home: Path) -> Trials:
    rows = tiny.mood_rows(48)
    text, label = rows[WRONG]
    rows[WRONG] = text, "bad" if label == "good" else "good"
    data = tiny.table(rows, test=tiny.columns(tiny.mood_rows(12, seed=6)))
    task = mh.Classification()
    return mh.cross_validate(tiny.SCRATCH, task, data, QUICK, folds=3, folder=home, quiet=True)


def test_every_run_has_a_page_that_the_common_one_leads_to(folds: Trials, home: Path):
    page = Page((home / "report.html").read_text(encoding="utf-8"))
    addresses = [value for name, value in page.attributes if name == "href" and value != "data:,"]
    assert addresses == 2 * [f"fold-{number}/report.html" for number in (1, 2, 3)]
    for address in addresses:
        assert address is not None
        single = Page((home / address).read_text(encoding="utf-8"))
        assert {"Evaluation", "Training", "Data", "Recipe"} <= set(single.headings)
    assert (home / "fold-2/README.md").is_file()
    assert (home / "fold-2/confusion-matrix.png").is_file()


def test_the_scores_are_those_of_the_runs(folds: Trials, home: Path):
    text = (home / "report.html").read_text(encoding="utf-8")
    page = Page(text)
    cells = [words.strip() for words in page.words]
    for trial in folds.trials:
        assert trial.fold is not None and trial.common is not None
        assert f"{trial.fold['loss']:.4f}" in cells and f"{trial.common['loss']:.4f}" in cells
    mean = folds.mean()
    assert f"{mean.low:.4f} to {mean.high:.4f}" in cells
    first, second = re.findall(r'<svg class="strip".*?</svg>', text, re.DOTALL)
    assert first.count("<circle") == 3
    assert second.count("<circle") == 4 and ">ensemble</text>" in second
    heights = [float(one) for one in re.findall(r'cx="([\d.]+)"', first)]
    scores = [trial.fold["accuracy"] for trial in folds.trials if trial.fold]
    assert sorted(heights) == [
        height for _, height in sorted(zip(scores, heights, strict=True), key=lambda one: one[0])
    ], "a better run stands further right"


def test_labels_that_unseeing_models_doubt_are_listed(folds: Trials, home: Path):
    pytest.importorskip("cleanlab")
    page = Page((home / "report.html").read_text(encoding="utf-8"))
    assert page.headings[-1] == "Labels that are probably wrong"
    wrong = folds.out_of_fold[WRONG]
    assert wrong["prediction"] != wrong["label"]
    assert wrong["text"] in [words.strip() for words in page.words]


def test_without_cleanlab_the_page_says_so(
    folds: Trials, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    from manyheads.train.repeats.page import write_trials_page

    monkeypatch.setitem(sys.modules, "cleanlab.filter", None)
    text = write_trials_page(folds, tmp_path / "report.html").read_text(encoding="utf-8")
    assert "None were looked for: looking for wrong labels needs" in text


def test_runs_without_labels_or_means_have_a_page_too(tmp_path: Path):
    recipe = mh.Recipe(**{**dict(QUICK), "epochs": 1})
    data = tiny.translations(8, valid=4)
    mh.repeat_seeds(
        tiny.SEQ2SEQ, mh.Translation(), data, recipe, seeds=2, folder=tmp_path, quiet=True
    )
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert page.headings[1] == "Summary" and len(page.headings) == 3
    assert any("There is no ensemble" in words for words in page.words)
