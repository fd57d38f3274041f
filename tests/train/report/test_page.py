from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests import tiny
from tests.train.pages import Page

import manyheads as mh
from manyheads.generate import Settings
from manyheads.train import RunReport
from manyheads.train.report.page import duration, write_page

EVIL = '<script>document.title = "evil"</script> & "好吃的" \x07'
QUICK = mh.Recipe(batch_size=8, learning_rate=3e-3, epochs=2, max_tokens=32)


@pytest.fixture(scope="module")
def report() -> RunReport:
    rows = tiny.mood_rows(60)
    evil = [(f"{EVIL} {text}", "good" if label == "bad" else "bad") for text, label in rows[:8]]
    data = tiny.table(
        rows, valid=tiny.columns(tiny.mood_rows(12, seed=5)), test=tiny.columns([*rows[:20], *evil])
    )
    learner = mh.Learner(tiny.SCRATCH, mh.Classification(), data, QUICK, quiet=True)
    learner.fit()
    return learner.report()


@pytest.fixture(scope="module")
def written(report: RunReport, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_page(report, tmp_path_factory.mktemp("page") / "report.html")


def test_all_is_said_and_all_text_is_escaped(written: Path):
    text = written.read_text(encoding="utf-8")
    page = Page(text)
    assert "script" not in page.tags and "\x07" not in text
    assert any('<script>document.title = "evil"</script>' in words for words in page.words)
    expected = ["Summary", "Evaluation", "Training", "Labels", "Slices", "Data", "Recipe"]
    assert set(expected) <= set(page.headings)
    assert {"Confusion matrix", "Confused most often", "Hardest rows"} <= set(page.headings)
    assert "Labels that are probably wrong" in page.headings
    assert page.tags.count("table") == page.tags.count("caption") > 6


def test_pictures_have_words_and_nothing_is_loaded(written: Path):
    page = Page(written.read_text(encoding="utf-8"))
    sources = [value for name, value in page.attributes if name in ("src", "href")]
    assert len(sources) == 3 and all(str(source).startswith("data:") for source in sources)
    described = [value for name, value in page.attributes if name == "alt"]
    assert len(described) == 2 and all(described)
    assert written.stat().st_size < 1_000_000


def test_a_browser_shows_it_by_day_and_by_night_and_asks_nobody(written: Path, tmp_path: Path):
    pytest.importorskip("selenium", reason="selenium, which drives the browser, is not installed")
    from tests.serve.http.browser import browsing, missing

    if missing():
        pytest.skip(f"no browser: there is no {missing()}")
    with browsing(tmp_path / "profile") as browser:
        for dark in (False, True):
            browser.driver.set_window_size(500, 900)
            browser.open(written.as_uri(), dark=dark)
            assert min(contrast for _, contrast in browser.contrasts()) >= 4.5
            loaded = browser.driver.execute_script(
                "return performance.getEntriesByType('resource').map(one => one.name)"
            )
            assert [name for name in loaded if not name.startswith("data:")] == []
            width = "return document.documentElement.scrollWidth - innerWidth"
            assert browser.driver.execute_script(width) <= 0
            shown = "return [...document.images].every(one => one.naturalWidth > 0)"
            assert browser.driver.execute_script(shown)
            assert browser.driver.title.startswith("Classification")
        assert browser.driver.get_log("browser") == []


@pytest.mark.parametrize(
    ("model", "task", "data"),
    [
        (tiny.SCRATCH, mh.MultiLabel(), lambda: tiny.moods(24, valid=0.5)),
        (tiny.SCRATCH, mh.MaskedLanguageModel(), lambda: tiny.lines(20, valid=8)),
        (tiny.DECODER, mh.LanguageModel(), lambda: tiny.lines(20, valid=20)),
        (
            tiny.SEQ2SEQ,
            mh.Translation(search=Settings(max_tokens=4), language="de"),
            lambda: tiny.translations(16, valid=8),
        ),
    ],
)
def test_every_task_has_its_page_and_its_card(model: Any, task: Any, data: Any, tmp_path: Path):
    learner = mh.Learner(model, task, data(), QUICK, quiet=True)
    learner.fit(epochs=1)
    page = Page(learner.write_report(tmp_path / "report.html").read_text(encoding="utf-8"))
    assert {"Summary", "Evaluation", "Hardest rows", "Recipe"} <= set(page.headings)
    assert "Confusion matrix" not in page.headings
    card = learner.write_card(tmp_path)
    assert card is not None and "pipeline_tag" in card.read_text(encoding="utf-8")


def test_without_rows_held_out_there_is_a_page_without_scores(tmp_path: Path):
    learner = mh.Learner(tiny.SCRATCH, mh.Classification(), tiny.moods(16), QUICK, quiet=True)
    page = Page(learner.write_report(tmp_path / "report.html").read_text(encoding="utf-8"))
    assert "Evaluation" not in page.headings and "Training" not in page.headings
    assert any("not evaluated" in words for words in page.words)


def test_times_are_said_as_people_say_them():
    assert [duration(s) for s in (1.25, 75.4, 3700)] == ["1.2 s", "1 min 15 s", "1 h 1 min"]
