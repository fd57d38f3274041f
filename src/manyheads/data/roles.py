"""Which column of a table is for what: given by name, said by the format, or guessed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from manyheads.data.dataset import shorten
from manyheads.data.formats.tmx import matching_languages
from manyheads.data.questions import ANSWER_NAMES
from manyheads.data.table import Table
from manyheads.errors import DataError, did_you_mean

_TEXT_NAMES = (
    *("text", "sentence", "review", "content", "comment", "message", "document", "body"),
    *("tokens", "words"),
)
_LABEL_NAMES = ("label", "labels", "class", "category", "target", "sentiment", "ner_tags", "tags")
_ROLES = ("text", "pair", "negative", "target", "label")
_QUESTIONS = {"text": "question", "pair": "context"}
# Columns that are the two texts of a pair, as published tables call them.
_PAIRS = (
    *(("sentence1", "sentence2"), ("premise", "hypothesis"), ("question1", "question2")),
    *(("text1", "text2"), ("text_a", "text_b"), ("query", "document"), ("query", "passage")),
)
_IMAGE_NAMES = (
    *("image", "image_path", "file_name", "filename", "filepath", "file", "path", "img"),
    *("picture", "photo"),
)


def choose_roles(table: Table, given: Mapping[str, str | None]) -> dict[str, str]:
    """Return the column of each role.

    Args:
        given: the columns that were asked for, by role; None where it is left open. Parallel text
            has no label unless one is asked for.

    Raises:
        DataError: no column of texts is given or obvious, or one column has two roles.
    """
    chosen = _with_sides(table, {role: name for role, name in given.items() if name is not None})
    columns = list(table.columns)
    if not chosen and set(_QUESTIONS.values()) <= set(columns):
        answers = next((name for name in ANSWER_NAMES if name in columns), None)
        if answers is not None:
            return {**_QUESTIONS, "label": answers}
    if "label" not in chosen and "target" not in chosen:
        label = table.roles.get("label") or _guess(columns, _LABEL_NAMES)
        chosen |= {"label": label} if label is not None else {}
    if not {"text", "pair", "target"} & chosen.keys():
        chosen |= usual_pair(columns) if "label" in chosen else {}
    if "text" not in chosen:
        taken = chosen.get("target", chosen.get("label"))
        text = table.roles.get("text") or _guess(columns, _TEXT_NAMES) or _only_other(table, taken)
        if text is None:
            raise DataError(_which(table))
        chosen["text"] = text
    if len(set(chosen.values())) < len(chosen):
        raise DataError(f"{table.source}: one column cannot serve twice: {chosen}")
    return {role: chosen[role] for role in _ROLES if role in chosen}


def usual_pair(columns: Sequence[str]) -> dict[str, str]:
    """Return which columns are the two texts of a pair, by their names.

    None where there is a column ``text``, too.
    """
    by_lower_case = {column.lower(): column for column in reversed(columns)}
    if "text" in by_lower_case:
        return {}
    return next(
        (
            {"text": by_lower_case[first], "pair": by_lower_case[second]}
            for first, second in _PAIRS
            if {first, second} <= by_lower_case.keys()
        ),
        {},
    )


def choose_image_roles(table: Table, given: Mapping[str, str | None]) -> dict[str, str]:
    """Return the columns of images and, where there are any, of labels.

    `given` are those that were asked for. Raises `DataError` where no column of images is obvious.
    """
    columns = list(table.columns)
    label = given["label"] or _guess(columns, _LABEL_NAMES)
    image = given["image"] or _guess(columns, _IMAGE_NAMES) or _only_other(table, label)
    if image is None:
        raise DataError(
            f"{table.source}: which column holds the images, or their files? "
            f"Choose image=… among {_listed(columns)}"
        )
    if image == label:
        raise DataError(f"{table.source}: column {image!r} cannot hold both images and labels")
    return {"image": image} if label is None else {"image": image, "label": label}


def find_column(table: Table, role: str, name: str) -> str:
    """Return the column of that name, or of that language; raises `DataError` naming the nearest.

    In a translation memory ``de`` also finds ``DE`` and, if it is the only one, ``de-AT``.
    """
    if name in table.columns:
        return name
    known = list(table.languages or table.columns)
    kind = "language" if table.languages else "column"
    found = matching_languages(name, table.languages)
    if len(found) == 1:
        return found[0]
    if found:
        raise DataError(
            f"{table.source}: {name!r} (the {role}) may be {' or '.join(map(repr, found))}; "
            "name one of them"
        )
    raise DataError(
        f"{table.source}: has no {kind} {name!r} (the {role}); its {kind}s are {_listed(known)}."
        f"{did_you_mean(name, known) or _numbers(table, name)}"
    )


def _numbers(table: Table, name: str) -> str:
    """Say how columns of a file without a header are given, where it may be one."""
    if not table.untyped or name.isdecimal():
        return ""
    return " Where the first line is no header, give numbers from 0 on"


def guesses(table: Table, names: Mapping[str, str], given: Mapping[str, str | None]) -> list[str]:
    """Say which columns were chosen by their names alone."""
    guessed = [
        f"{role}={names[role]!r}"
        for role in ("text", "image", "pair", "label")
        if role in names and not given[role] and role not in table.roles
    ]
    return [f"columns chosen by their names: {', '.join(guessed)}"] if guessed else []


def _with_sides(table: Table, chosen: dict[str, str]) -> dict[str, str]:
    """Add the sides of parallel text that are left open, where the format says what they are."""
    first, second = table.roles.get("text"), table.roles.get("target")
    if first is None or second is None or "label" in chosen:
        return chosen
    if "text" in chosen:
        turned = find_column(table, "text", chosen["text"]) == second
        return {"target": first if turned else second, **chosen}
    if "target" in chosen:
        turned = find_column(table, "target", chosen["target"]) == first
        return {"text": second if turned else first, **chosen}
    return {"text": first, "target": second, **chosen}


def _guess(columns: Sequence[str], usual: Sequence[str]) -> str | None:
    by_lower_case = {column.lower(): column for column in reversed(columns)}
    return next((by_lower_case[name] for name in usual if name in by_lower_case), None)


def _only_other(table: Table, taken: str | None) -> str | None:
    others = [column for column in table.columns if column != taken]
    return others[0] if len(others) == 1 else None


def _which(table: Table) -> str:
    if table.languages:
        return (
            f"{table.source}: which languages? Choose text=… and target=… "
            f"among {_listed(table.languages)}"
        )
    return (
        f"{table.source}: which column holds the texts? "
        f"Choose text=… among {_listed(list(table.columns))}"
    )


def _listed(columns: Sequence[str]) -> str:
    return ", ".join(repr(shorten(column)) for column in columns[:20])
