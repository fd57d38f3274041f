"""What is said over the wire, and no connection: parts of long lists, errors by their names."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any

from manyheads import errors
from manyheads.errors import (
    GenerationError,
    ManyHeadsError,
    MissingExtra,
    OutOfMemory,
    Overloaded,
    ServiceError,
    TextError,
)

Item = dict[str, Any]

_MOST_CHARACTERS = 400_000  # in a request: less than 3 megabytes, however they are written
_NUMBERED = re.compile(r"text (\d+)\b")
_SHOWN = 200  # characters of an answer that makes no sense


class Truncate(StrEnum):
    """What becomes of a text that is longer than the model reads."""

    ERROR = "error"
    HEAD = "head"
    TAIL = "tail"
    WINDOWS = "windows"


def parts(sizes: Sequence[int], most: int) -> Iterator[slice]:
    """Cut a list of texts of these sizes in characters into requests of at most `most` texts.

    An empty list is one request: what its answer says besides is still of use.
    """
    start, characters = 0, 0
    for number, size in enumerate(sizes):
        is_full = number - start == most or characters + size > _MOST_CHARACTERS
        if number > start and is_full:
            yield slice(start, number)
            start, characters = number, 0
        characters += size
    yield slice(start, len(sizes))


def texts_of(texts: str | Sequence[str]) -> list[str]:
    """Return texts as a list, one alone too; raises `TextError` for what are none."""
    several = [texts] if isinstance(texts, str) else list(texts)
    require_texts(several)
    return several


def require_texts(texts: Sequence[str]) -> None:
    """Raise `TextError` for what is no text, or no Unicode, by its number."""
    for number, text in enumerate(texts, 1):
        if not isinstance(text, str):
            raise TextError(
                f"text {number} is {text!r}, of type {type(text).__name__}; texts are strings"
            )
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise TextError(
                f"text {number} holds a lone surrogate {text[error.start]!r} at character "
                f"{error.start}, which no encoding can write; leave it out"
            ) from error


def inputs_of(path: str, texts: Sequence[str], pairs: Sequence[str] | None) -> Item:
    """Return texts, or pairs of them, as a route wants them."""
    if path == "/v1/answer":
        rows = zip(texts, pairs or (), strict=True)
        return {"inputs": [{"question": one, "context": other} for one, other in rows]}
    return {"inputs": texts} if pairs is None else {"inputs": texts, "pairs": pairs}


def items_of(answer: Mapping[str, Any], count: int) -> list[Item]:
    """Return the items of an answer, as many as were asked for.

    Raises the first error that an item has, with the number of its text.
    """
    items: list[Item] = answer["items"]
    if len(items) != count:
        raise ServiceError(f"the service answered {count} texts by {len(items)} items; is it ours?")
    for number, item in enumerate(items, 1):
        if "error" in item:
            said = item["error"]
            raise error_named(said["type"], f"text {number}: {said['message']}")
    return items


def error_named(name: str, message: str, retry_after: float = 1.0) -> ManyHeadsError:
    """Return the error of that name; a `ServiceError` where we have none."""
    kind = getattr(errors, name, None)
    if kind is Overloaded:
        return Overloaded(message, retry_after)
    if isinstance(kind, type) and issubclass(kind, ManyHeadsError) and kind is not MissingExtra:
        return kind(message)
    return ServiceError(message)


def error_of(status: int, body: bytes, retry_after: float = 1.0) -> ManyHeadsError:
    """Return the error that an answer says, also one of something that stands in between."""
    try:
        said = json.loads(body)["error"]
        names = (str(said.get("type")), str(said.get("code")))
        message = str(said["message"])
    except (ValueError, TypeError, KeyError, AttributeError):
        shown = " ".join(body.decode(errors="replace").split())[:_SHOWN]
        return ServiceError(f"the answer has status {status}: {shown or 'and nothing else'}")
    name = next((name for name in names if hasattr(errors, name)), "")
    return error_named(name, message, retry_after)


def number_among_all(error: ManyHeadsError, start: int, count: int) -> None:
    """Let the error of a request name its text by its number among all that were given.

    `start` of them came before those `count` texts of the request. Where that is one, the service
    names none.
    """
    message = str(error)
    if found := _NUMBERED.match(message):
        error.args = (f"text {start + int(found[1])}{message[found.end() :]}",)
    elif count == 1 and isinstance(error, TextError | GenerationError | OutOfMemory):
        error.args = (f"text {start + 1}: {message}",)
