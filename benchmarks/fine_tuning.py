"""What the engines of `finetune.py` are given to learn: drug reviews, judged, tagged and asked.

Conditions are given with the reviews. Words are tagged, and questions answered, by two rules: a
dose is a number before a unit of weight or volume, a time is a number before a unit of time. All
models can find that out, so that speed is compared at equal quality.
"""

from __future__ import annotations

import csv
import importlib.util
import re
from pathlib import Path
from typing import Any

from encode import drug_reviews

ROWS, HELD_OUT = 240, 120
DATA = Path(__file__).parent.parent / "build" / "benchmarks" / "reviews"
MOST_WORDS = 150  # of a review that is asked: it fits into one window

RULES = {
    "DOSE": re.compile(r"\b\d+(?:\.\d+)? ?(?:mgs?|mcg|ml|milligrams?)\b", re.IGNORECASE),
    "TIME": re.compile(
        r"\b(?:\d+|one|two|three|four|five|six|several|few) "
        r"(?:hours?|days?|weeks?|months?|years?)\b",
        re.IGNORECASE,
    ),
}
QUESTIONS = {"DOSE": "How much of it was taken?", "TIME": "What time is spoken of?"}
TAGS = ("O", *(f"{place}-{kind}" for kind in RULES for place in "BI"))

Columns = dict[str, list[Any]]


def judged() -> tuple[Columns, Columns]:
    """Return the reviews of the demo, and the conditions that they are about."""
    script = Path(__file__).parent.parent / "demo" / "prepare.py"
    spec = importlib.util.spec_from_file_location("prepare", script)
    assert spec is not None and spec.loader is not None
    prepare = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(prepare)
    prepare.main(DATA)
    splits = []
    for split in ("train", "test"):
        with (DATA / f"{split}.csv").open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        splits.append(
            {"text": [row["review"] for row in rows], "label": [row["condition"] for row in rows]}
        )
    return splits[0], splits[1]


def tagged() -> tuple[Columns, Columns]:
    """Return the words of reviews with a dose or a time in them, and a tag for each word."""
    columns: Columns = {"text": [], "label": []}
    for review in drug_reviews():
        spans = _spans(review)
        if spans:
            places = list(re.finditer(r"\w+|[^\w\s]", review))
            columns["text"].append([place.group() for place in places])
            columns["label"].append([_tag(place, spans) for place in places])
    return _halves(columns)


def asked() -> tuple[Columns, Columns]:
    """Return a question about each review that has just one dose, or one time, in it."""
    columns: Columns = {"question": [], "context": [], "answers": []}
    for review in drug_reviews():
        spans = _spans(review)
        for kind, question in QUESTIONS.items():
            found = [span for span in spans if span[0] == kind]
            if len(found) == 1 and len(review.split()) <= MOST_WORDS:
                _, start, end = found[0]
                columns["question"].append(question)
                columns["context"].append(review)
                columns["answers"].append({"text": [review[start:end]], "answer_start": [start]})
    return _halves(columns)


def _spans(review: str) -> list[tuple[str, int, int]]:
    return [(kind, *one.span()) for kind, rule in RULES.items() for one in rule.finditer(review)]


def _tag(word: re.Match[str], spans: list[tuple[str, int, int]]) -> str:
    for kind, start, end in spans:
        if start <= word.start() < end:
            return f"B-{kind}" if word.start() == start else f"I-{kind}"
    return "O"


def _halves(columns: Columns) -> tuple[Columns, Columns]:
    return (
        {name: column[:ROWS] for name, column in columns.items()},
        {name: column[ROWS : ROWS + HELD_OUT] for name, column in columns.items()},
    )
