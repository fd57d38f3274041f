"""What a run leaves beside its predictor for people: its page, its pictures, and a model card."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from manyheads.errors import MissingExtra
from manyheads.hub.atomic import write_atomically
from manyheads.train.report.card import CARD, write_card
from manyheads.train.report.page import write_page
from manyheads.train.report.run_report import RunReport

PAGE = "report.html"


def write_report(report: RunReport, folder: Path, say: Callable[[str], None]) -> None:
    """Write the page of a run, its pictures alone, and the model card; `say` what is left out."""
    try:
        for name, picture in report.pictures().items():
            write_atomically(folder / f"{name}.png", picture)
    except MissingExtra as missing:
        say(f"no pictures were drawn: {missing}")
    write_page(report, folder / PAGE)
    if write_card(report, folder) is None:
        say(f"{folder / CARD} is not as manyheads wrote it, and was left as it is")
