"""Checks of the labels: missing, unknown, unbalanced, or not what they seem."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from manyheads.data.checks.report import Finding, Severity
from manyheads.data.checks.scan import Scan, count_of
from manyheads.data.dataset import are_numbers, is_missing, label_items, shorten

_FEW_ROWS = 10
_FEW_NUMBERS = 20
_UNBALANCED = 10
_LONGEST_CLASS = 40  # characters
_SHOWN_CLASSES = 8
_ABSENT_NAMES = frozenset({"na", "n/a", "nan", "null", "none", "<na>", "#n/a"})


def missing_labels(scan: Scan) -> Iterator[Finding]:
    """Rows without a label; a question may have no answer."""
    if scan.holds_questions:
        return
    found = {
        name: [position for position, label in enumerate(scan.labels(name)) if is_missing(label)]
        for name in scan.splits
    }
    if total := sum(map(len, found.values())):
        message = f"{count_of(total, 'row')} without a label"
        remedy = "label these rows or take them out"
        yield scan.finding("missing_label", Severity.ERROR, message, remedy, found)


def one_class(scan: Scan) -> Iterator[Finding]:
    """A split in which every row has the same class; all texts may have names of one type."""
    if scan.is_tagged:
        return
    for name, classes in scan.classes.items():
        whole = [label for label, rows in classes.items() if len(rows) == len(scan.splits[name])]
        if len(classes) == 1 and whole:
            severity = Severity.ERROR if name == "train" else Severity.WARNING
            message = f"every row of {name} has the label {_quoted(whole[0])}"
            remedy = "add rows of other classes, or choose the right label column"
            yield scan.finding("one_class", severity, message, remedy)


def unknown_classes(scan: Scan) -> Iterator[Finding]:
    """Classes of valid or test that train lacks: they can never be predicted."""
    for name, classes in scan.classes.items():
        known = scan.classes["train"]
        unknown = {label: rows for label, rows in classes.items() if label not in known}
        if unknown:
            message = f"{name} has classes that train lacks: {_list(unknown)}"
            remedy = f"add such rows to train, or take them out of {name}"
            rows = sorted({row for found in unknown.values() for row in found})
            yield scan.finding("unknown_class", Severity.ERROR, message, remedy, {name: rows})


def untested_classes(scan: Scan) -> Iterator[Finding]:
    """Classes of train that valid or test lack: nothing will be known about them."""
    for name, classes in scan.classes.items():
        untested = [label for label in scan.classes["train"] if label not in classes]
        if untested:
            message = f"{name} has no row of {_list(untested)}"
            remedy = f"a score on {name} says nothing about them; add rows if they matter"
            yield scan.finding("untested_class", Severity.NOTE, message, remedy)


def imbalance(scan: Scan) -> Iterator[Finding]:
    """A class that is many times as frequent as another, as among tagged words some always are."""
    classes = scan.classes.get("train", {})
    if len(classes) < 2 or scan.is_tagged:
        return
    largest = max(classes, key=lambda label: len(classes[label]))
    smallest = min(classes, key=lambda label: len(classes[label]))
    most, least = len(classes[largest]), len(classes[smallest])
    share = most / len(scan.splits["train"])
    if most >= _UNBALANCED * least:
        message = (
            f"{_quoted(largest)} has {count_of(most, 'row')} ({share:.1%} of train) "
            f"and {_quoted(smallest)} only {least:,}"
        )
        remedy = "use class weights, and judge by macro F1 rather than by accuracy"
        yield scan.finding("imbalance", Severity.WARNING, message, remedy)


def rare_classes(scan: Scan) -> Iterator[Finding]:
    """Classes with too few rows to learn from."""
    classes = scan.classes.get("train", {})
    rare = {label: rows for label, rows in classes.items() if len(rows) < _FEW_ROWS}
    if rare:
        message = (
            f"{count_of(len(rare), 'class', 'classes')} with fewer than {_FEW_ROWS} rows "
            f"in train: {_list(rare)}"
        )
        remedy = "collect more rows of them, or merge them into other classes"
        rows = sorted({row for found in rare.values() for row in found})
        yield scan.finding("rare_class", Severity.WARNING, message, remedy, {"train": rows})


def similar_names(scan: Scan) -> Iterator[Finding]:
    """Classes whose names differ only in case, white space or type, such as 1 and "1"."""
    spellings: dict[str, set[Any]] = defaultdict(set)
    for classes in scan.classes.values():
        for label in classes:
            spellings[" ".join(str(label).casefold().split())].add(label)
    for labels in spellings.values():
        if len(labels) > 1:
            found = {
                name: sorted(row for label in labels for row in classes.get(label, []))
                for name, classes in scan.classes.items()
            }
            message = f"{_list(sorted(labels, key=repr))} are different classes"
            remedy = "write the class in one way"
            yield scan.finding("similar_names", Severity.WARNING, message, remedy, found)


def absent_names(scan: Scan) -> Iterator[Finding]:
    """Classes called "NA", "null" and the like: perhaps labels that were lost."""
    for label in scan.classes.get("train", {}):
        if str(label).strip().casefold() in _ABSENT_NAMES:
            found = {name: classes.get(label, []) for name, classes in scan.classes.items()}
            message = f"{_quoted(label)} is taken for the name of a class"
            remedy = "if it means that the label is missing, label these rows or take them out"
            yield scan.finding("absent_name", Severity.WARNING, message, remedy, found)


def integer_labels(scan: Scan) -> Iterator[Finding]:
    """Integers with gaps, such as 0 and 4: fine, since classes are matched by name."""
    classes = scan.classes.get("train", {})
    if not classes or not all(type(label) is int for label in classes):
        return
    values = sorted(classes)
    if values != list(range(len(values))):
        message = f"the labels are the integers {_list(values)}; each is kept as a class's name"
        yield scan.finding("integer_labels", Severity.NOTE, message)


def numbers_as_classes(scan: Scan) -> Iterator[Finding]:
    """Floats of few whole values: classes that took the type of numbers?"""
    labels = [label for label in scan.labels("train") if not is_missing(label)]
    values = sorted(set(labels)) if are_numbers(labels) else []
    if 0 < len(values) <= _FEW_NUMBERS and all(float(value).is_integer() for value in values):
        message = f"the labels are floats of {len(values)} whole values: {_list(values)}"
        remedy = "for classes, write them as integers or strings; numbers are for regression"
        yield scan.finding("numbers_as_classes", Severity.WARNING, message, remedy)


def labels_hardly_repeat(scan: Scan) -> Iterator[Finding]:
    """Labels that are nearly all different: not classes, or not the right column."""
    labels = scan.labels("train")
    if labels and not (scan.classes or scan.holds_questions or are_numbers(labels)):
        distinct = len(set(map(str, label_items(labels))))
        message = f"train has {distinct:,} different labels in {len(labels):,} rows"
        remedy = "to learn classes, choose another label column"
        yield scan.finding("hardly_repeat", Severity.NOTE, message, remedy)


def _quoted(label: Any) -> str:
    """Return a label as it is, with its white space: that is what some differ by."""
    if not isinstance(label, str):
        return str(label)
    return repr(label if len(label) <= _LONGEST_CLASS else shorten(label, _LONGEST_CLASS))


def _list(labels: Any) -> str:
    names = [_quoted(label) for label in labels]
    rest = len(names) - _SHOWN_CLASSES
    return ", ".join(names[:_SHOWN_CLASSES]) + (f" and {rest:,} more" if rest > 0 else "")
