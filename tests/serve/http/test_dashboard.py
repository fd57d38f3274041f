"""The dashboard, as people see it in a browser."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import numpy as np
import pytest
from tests import tiny
from tests.serve.models import TEXTS

import manyheads as mh

from .server import Server, serving

pytest.importorskip("selenium", reason="selenium, which drives the browser, is not installed")
from .browser import browsing, missing

if TYPE_CHECKING:
    from .browser import Browser

pytestmark = pytest.mark.skipif(bool(missing()), reason=f"no browser: there is no {missing()}")


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browsing(tmp_path_factory.mktemp("profile")) as started:
        yield started


@pytest.fixture(scope="module")
def server(all_kinds: dict[str, Path]) -> Iterator[Server]:
    with serving(*(f"{name}={folder}" for name, folder in all_kinds.items())) as running:
        yield running


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=60) as made:
        yield made


def ask(browser: Browser, model: str, *texts: str) -> None:
    """Fill in the form and send it off by the keyboard."""
    from selenium.webdriver import Keys
    from selenium.webdriver.support.select import Select

    Select(browser.wait(lambda: browser.one("#model:has(option)"))).select_by_value(model)
    for field, text in zip(("#text", "#second"), (*texts, ""), strict=False):
        if browser.one(field).is_displayed():
            browser.one(field).clear()
            browser.one(field).send_keys(text)
    browser.one("#text").send_keys(Keys.CONTROL, Keys.ENTER)
    browser.wait(lambda: browser.one("#ask").is_enabled() and browser.one("#answer").text)


def give_key(browser: Browser, key: str) -> None:
    browser.one("#key").send_keys(key)
    browser.one("#unlock button").click()


def test_it_shows_what_happens(
    browser: Browser, server: Server, client: httpx.Client, tmp_path: Path
) -> None:
    browser.open(server.url)
    browser.wait(lambda: browser.one("#state").text == "ready")
    shown = [one.text for one in browser.all(".model h3")]
    assert shown == ["vectors", "moods", "ranks", "masks", "names", "answers", "writer"]
    for _ in range(5):
        client.post("/v1/embed", json={"inputs": TEXTS * 20, "lane": "bulk"}).raise_for_status()
    client.post("/v1/embed", json={"inputs": TEXTS, "truncate": "error"})
    browser.wait(lambda: browser.one("#items .number").text not in ("", "0"))
    for tile in ("tokens", "requests"):
        assert browser.one(f"#{tile} .number").text != "0"
    assert browser.one("#p95").text.endswith("s")
    assert browser.one("#fill .number").text.endswith("%")
    row = browser.wait(lambda: browser.one("#errors tbody").text)
    assert "TooLong" in row
    said = browser.one("#items svg").get_attribute("aria-label")
    assert said.startswith("Texts a second, 60 s: up to ") and not said.endswith(" 0")
    asked = browser.driver.execute_script(
        "return performance.getEntriesByType('resource').map(one => new URL(one.name).origin)"
    )
    assert set(asked) == {server.url}
    assert [one for one in browser.driver.get_log("browser") if one["level"] == "SEVERE"] == []


def test_labels_of_a_text(browser: Browser, server: Server, folders: dict[str, Path]) -> None:
    browser.open(server.url)
    text = "the lovely food was great"
    expected = mh.load(folders["moods"])(text).probabilities
    ask(browser, "moods", text)
    ranked = sorted(expected, key=lambda one: -expected[one])
    assert [one.text for one in browser.all(".bars dt")] == ranked
    shown = [float(one.text.rstrip("%")) for one in browser.all(".bars span")]
    assert shown == pytest.approx([100 * expected[one] for one in ranked], abs=0.06)
    assert browser.one(".bars dt.best").text == ranked[0]
    ask(browser, "ranks", TEXTS[0], TEXTS[1])
    value = mh.load(folders["ranks"])([TEXTS[0]], [TEXTS[1]])[0].value
    assert float(browser.one(".said").text.split()[0]) == pytest.approx(value, abs=1e-4)


def test_vectors_of_two_texts(browser: Browser, server: Server, folders: dict[str, Path]) -> None:
    browser.open(server.url)
    a, b = mh.load(folders["vectors"])(TEXTS[:2])
    ask(browser, "vectors", TEXTS[0], TEXTS[1])
    assert float(browser.one(".said").text.split()[0]) == pytest.approx(float(a @ b), abs=1e-4)
    for vector, shown in zip((a, b), browser.all("#answer code"), strict=True):
        numbers = [float(one) for one in shown.text.strip("[], …").split(",")]
        np.testing.assert_allclose(numbers, vector[:8], atol=1e-4)
    assert len(browser.all(".stripes")) == 2 and "tokens" in browser.one("#answer").text
    ask(browser, "vectors", TEXTS[7])
    assert "not seen" in browser.one("#answer").text
    assert len(browser.all("#answer code")) == 1


def test_masks_and_what_is_written(
    browser: Browser, server: Server, all_kinds: dict[str, Path]
) -> None:
    browser.open(server.url)
    filler = mh.load(all_kinds["masks"])
    text = f"the food {filler.mask} great"
    ask(browser, "masks", text)
    assert filler.mask in browser.one("#text-label").text
    assert not browser.one("#second").is_displayed()
    expected = filler(text, top=5)
    assert browser.one(".written").text == expected.text
    tokens = [one.get_attribute("textContent") for one in browser.all(".bars dt")]
    assert tokens == [one.token for one in expected.candidates[0]]
    ask(browser, "masks", "no mask in here")
    assert "has no mask" in browser.one("#answer .wrong").text
    ask(browser, "writer", "A hot dog")
    written = mh.Generator(all_kinds["writer"])("A hot dog", mh.Wording(max_tokens=200))
    assert browser.one(".written").get_attribute("textContent") == written
    assert "written" in browser.one("#answer").text.splitlines()[-1]


def test_questions_about_a_context(
    browser: Browser, server: Server, all_kinds: dict[str, Path]
) -> None:
    browser.open(server.url)
    question, context = "which color was it?", "we saw a red fox in rome"
    ask(browser, "answers", question, context)
    assert "answers the question" in browser.one("#second-label").text
    found = mh.load(all_kinds["answers"])(question, context)
    shown = [one.get_attribute("textContent") for one in browser.all(".bars dt")]
    assert shown == [str(one) for one in found.candidates[:5]]
    ask(browser, "answers", question, "")
    assert "(no answer)" in browser.one("#answer").text


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize(
    ("language", "word"), [("en-GB", "ready"), ("zh-CN", "就绪")], ids=["en", "zh"]
)
def test_everybody_can_read_it(
    browser: Browser,
    server: Server,
    client: httpx.Client,
    tmp_path: Path,
    dark: bool,
    language: str,
    word: str,
) -> None:
    """With all of it filled, by day and night, in both languages; a picture of each is kept."""
    stop = threading.Event()

    def traffic() -> None:
        while not stop.wait(0.03):
            client.post("/v1/embed", json={"inputs": TEXTS[: len(language)]})

    clients = [threading.Thread(target=traffic) for _ in range(2)]
    for one in clients:
        one.start()
    try:
        browser.open(server.url, language, dark)
        browser.wait(lambda: browser.one("#state").text == word)
        assert browser.one("html").get_attribute("lang") == language[:2]
        client.post("/v1/embed", json={"inputs": TEXTS, "truncate": "error"})
        ask(browser, "moods", "the lovely food was great")
        browser.wait(lambda: browser.one("#errors").is_displayed())
        browser.picture(f"dashboard-{language[:2]}-{'dark' if dark else 'light'}", tmp_path)
        contrasts = browser.contrasts()
    finally:
        stop.set()
        for one in clients:
            one.join()
    assert len(contrasts) > 60
    assert [one for one in contrasts if one[1] < 4.5] == []
    for control in browser.all("select, textarea, button"):
        if control.is_displayed():
            assert control.accessible_name
    assert all(one.accessible_name for one in browser.all("svg[role=img]"))


def test_what_models_say_is_never_markup(browser: Browser, tmp_path: Path) -> None:
    columns = tiny.columns(tiny.mood_rows(40))
    columns["label"] = [f"<b>{label}</b><img src=x onerror=alert(1)>" for label in columns["label"]]
    learner = mh.Learner(tiny.SCRATCH, mh.Classification(), mh.read(columns))
    learner.fit(epochs=1)
    folder = learner.predictor().save(tmp_path / "marked")
    with serving(f"<i>moods</i>&amp;={folder}") as server:
        browser.open(server.url)
        ask(browser, "<i>moods</i>&amp;", "the lovely food was great")
        labels = {one.text for one in browser.all(".bars dt")}
        assert labels == set(columns["label"])
        assert browser.one(".model h3").text == "<i>moods</i>&amp;"
        assert browser.all("main b, main img, .model i") == []


def test_a_key_is_asked_for_and_kept_by_the_tab(
    browser: Browser, folders: dict[str, Path], tmp_path: Path
) -> None:
    file = tmp_path / "keys"
    file.write_text("schlüssel-钥匙\n", encoding="utf-8")
    with serving(folders["vectors"], options=["--api-keys", str(file)]) as server:
        browser.open(server.url)
        browser.wait(lambda: browser.one("#locked").is_displayed())
        assert browser.one("#items .number").text == ""
        give_key(browser, "wrong")
        browser.wait(lambda: browser.one("#refused").is_displayed())
        browser.shine(dark=True)
        browser.picture("dashboard-key", tmp_path)
        give_key(browser, "schlüssel-钥匙")
        browser.wait(lambda: browser.one("#state").text == "ready")
        ask(browser, "vectors", TEXTS[0])
        assert browser.all("#answer code")
        browser.driver.refresh()
        browser.wait(lambda: browser.one("#state").text == "ready")
        browser.one("#forget").click()
        browser.wait(lambda: browser.one("#locked").is_displayed())
        assert browser.driver.execute_script("return sessionStorage.length") == 0


def test_it_says_when_the_service_is_gone(browser: Browser, folders: dict[str, Path]) -> None:
    with serving(folders["vectors"]) as server:
        browser.open(server.url)
        browser.wait(lambda: browser.one("#state").text == "ready")
        assert server.end() == 0
        browser.wait(lambda: browser.one("#banner").is_displayed())
        assert "does not answer" in browser.one("#banner").text
        assert browser.one("#state").text == "no answer"
        ask(browser, "vectors", TEXTS[0])
        assert browser.one("#answer .wrong").text == "Failed to fetch"
