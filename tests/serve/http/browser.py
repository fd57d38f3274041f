"""Chromium without a window, as Debian installs it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

PICTURES = "MANYHEADS_PICTURES"  # a folder that pictures of pages are kept in
_FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--window-size=1280,1000",
)
# How little any text stands out from what it stands on, by WCAG 2; 4.5 is demanded.
_CONTRASTS = """
const channels = color => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  canvas.fillStyle = color;
  canvas.fillRect(0, 0, 1, 1);
  return [...canvas.getImageData(0, 0, 1, 1).data];
};
const luminance = ([r, g, b]) => {
  const linear = one => (one /= 255) <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4;
  return 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
};
const behind = element => {
  for (let one = element; one; one = one.parentElement) {
    const color = channels(getComputedStyle(one).backgroundColor);
    if (color[3] === 255) return color;
  }
  return [255, 255, 255];
};
const found = [];
const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (texts.nextNode()) {
  const text = texts.currentNode.data.trim(), element = texts.currentNode.parentElement;
  if (!text || !element.checkVisibility()) continue;
  if (element.closest("script, noscript, :disabled")) continue;
  const [a, b] = [channels(getComputedStyle(element).color), behind(element)].map(luminance);
  found.push([text, (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)]);
}
return found;
"""


class Browser:
    """A browser that shows one page."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver

    def open(self, url: str, language: str = "en-GB", dark: bool = False) -> None:
        """Show a page as somebody of a language sees it, by day or by night; nothing is known."""
        agent = {"userAgent": "manyheads tests", "acceptLanguage": language}
        self.driver.execute_cdp_cmd("Emulation.setUserAgentOverride", agent)
        self.shine(dark)
        self.driver.get(url)

    def shine(self, dark: bool) -> None:
        """Let it be night, or day."""
        wish = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [wish]})

    def one(self, selector: str) -> Any:
        """Return the element that a selector of CSS finds."""
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def all(self, selector: str) -> list[Any]:
        """Return all elements that it finds."""
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def wait(self, until: Callable[[], Any], seconds: float = 20) -> Any:
        """Wait until something is so, and return it."""
        return WebDriverWait(self.driver, seconds, 0.05).until(lambda _: until())

    def contrasts(self) -> list[tuple[str, float]]:
        """Return the contrast of every text that can be seen."""
        return self.driver.execute_script(_CONTRASTS)

    def picture(self, name: str, folder: Path) -> None:
        """Keep a picture of the whole page, in a folder of its own where one is asked for."""
        import base64

        size = {"captureBeyondViewport": True, "format": "png"}
        taken = self.driver.execute_cdp_cmd("Page.captureScreenshot", size)
        target = Path(os.environ.get(PICTURES) or folder)
        target.mkdir(parents=True, exist_ok=True)
        (target / f"{name}.png").write_bytes(base64.b64decode(taken["data"]))


def missing() -> str:
    """Return what of a browser is not installed."""
    return ", ".join(one for one in ("chromium", "chromedriver") if shutil.which(one) is None)


@contextmanager
def browsing(profile: Path) -> Iterator[Browser]:
    """Start a browser that knows nothing, and end it."""
    options = webdriver.ChromeOptions()
    options.binary_location = str(shutil.which("chromium"))
    for flag in (*_FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    service = webdriver.ChromeService(executable_path=shutil.which("chromedriver"))
    driver = webdriver.Chrome(options=options, service=service)
    try:
        yield Browser(driver)
    finally:
        driver.quit()
