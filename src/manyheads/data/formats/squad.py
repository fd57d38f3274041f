"""SQuAD's own JSON, which CMRC, DRCD and others share: articles of paragraphs with questions."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from manyheads.errors import DataError

_COLUMNS = ("id", "title", "question", "context", "answers")


def find_articles(text: str) -> Sequence[Any] | None:
    """Return the articles of a file, or None where it is no JSON of this form.

    That is seen from its first value: lines of JSON are not read as a whole for it.
    """
    try:
        document, _ = json.JSONDecoder().raw_decode(text.lstrip())
    except (json.JSONDecodeError, RecursionError):
        return None
    articles = document.get("data") if isinstance(document, dict) else None
    if not isinstance(articles, list):
        return None
    if not articles:
        return articles if document.keys() <= {"data", "version"} else None
    return articles if _has_paragraphs(articles[0]) else None


def questions_of(articles: Sequence[Any], source: str) -> dict[str, list[Any]]:
    """Return a row for each question: its id, title, question, context, and answers with places.

    Where no question has answers, as in data to be judged elsewhere, there is no such column.
    Raises `DataError` naming the place of what is missing.
    """
    rows = [
        row
        for number, article in enumerate(articles)
        for row in _rows(article, f"{source}, data[{number}]")
    ]
    if not rows:
        held = "questions, only articles" if articles else "articles"
        raise DataError(f"{source}: holds no {held}")
    columns = {name: [row[name] for _, row in rows] for name in _COLUMNS}
    missing = [place for place, row in rows if row["answers"] is None]
    if len(missing) == len(rows):
        del columns["answers"]
    elif missing:
        raise DataError(
            f'{missing[0]} has no "answers" and is not said to be impossible; so are '
            f"{len(missing):,} of {len(rows):,} questions"
        )
    return columns


def _has_paragraphs(article: Any) -> bool:
    return isinstance(article, dict) and isinstance(article.get("paragraphs"), list)


def _rows(article: Any, place: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the questions of an article, each with its place."""
    title = article.get("title") if isinstance(article, dict) else None
    for number, paragraph in enumerate(_listed(article, "paragraphs", place)):
        at = f"{place}.paragraphs[{number}]"
        context = _text(paragraph, "context", at)
        for position, asked in enumerate(_listed(paragraph, "qas", at)):
            here = f"{at}.qas[{position}]"
            yield (
                here,
                {
                    "id": asked.get("id") if isinstance(asked, dict) else None,
                    "title": title,
                    "question": _text(asked, "question", here),
                    "context": context,
                    "answers": _answers(asked, here),
                },
            )


def _answers(asked: Mapping[str, Any], place: str) -> dict[str, list[Any]] | None:
    """Return answers and where they begin, by columns; None where nothing is said of them."""
    if asked.get("answers") is None and not asked.get("is_impossible"):
        return None
    answers = _listed(asked, "answers", place) if asked.get("answers") else []
    if answers and asked.get("is_impossible"):
        raise DataError(f"{place} is said to be impossible, and has answers; decide on one")
    found: dict[str, list[Any]] = {"text": [], "answer_start": []}
    for number, answer in enumerate(answers):
        at = f"{place}.answers[{number}]"
        found["text"].append(_text(answer, "text", at))
        start = answer.get("answer_start", -1)
        if not isinstance(start, int):
            raise DataError(f'{at}: "answer_start" is {start!r:.40}; it is a number of characters')
        found["answer_start"].append(start)
    return found


def _listed(document: Any, name: str, place: str) -> list[Any]:
    found = document.get(name) if isinstance(document, dict) else None
    if not isinstance(found, list):
        raise DataError(f'{place} has no list "{name}"; SQuAD has one there')
    return found


def _text(document: Any, name: str, place: str) -> str:
    found = document.get(name) if isinstance(document, dict) else None
    if not isinstance(found, str):
        raise DataError(f'{place} has no text "{name}"; SQuAD has one there')
    return found
