"""Checks of questions about contexts: answers that are not there, contexts in several splits."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import combinations

from manyheads.data.checks.report import Finding, Severity
from manyheads.data.checks.scan import Scan, count_of
from manyheads.data.questions import answer_texts
from manyheads.data.split import text_key

_LONGEST = 30  # words: each is a token at least, and an answer has at most 30 unless it is told


def answers_elsewhere(scan: Scan) -> Iterator[Finding]:
    """Answers that do not stand in their context, letter for letter."""
    found = {
        name: [
            position
            for position, (context, label) in enumerate(scan.answers(name))
            if any(text not in context for text in answer_texts(label))
        ]
        for name in scan.splits
    }
    if total := sum(map(len, found.values())):
        message = f"{count_of(total, 'row')} with an answer that is not in the context"
        remedy = "correct them or take them out; an answer is a part of its context, as it is there"
        yield scan.finding("answer_elsewhere", Severity.ERROR, message, remedy, found)


def long_answers(scan: Scan) -> Iterator[Finding]:
    """Rows all of whose answers are longer than those that are usually looked for."""
    from manyheads.text.scripts import UNSPACED

    words = re.compile(f"[{UNSPACED}]|[^\\s{UNSPACED}]+")
    found = {}
    for name in scan.splits:
        lengths = [
            [len(words.findall(text)) for text in answer_texts(label)]
            for _, label in scan.answers(name)
        ]
        found[name] = [row for row, some in enumerate(lengths) if some and min(some) > _LONGEST]
    if total := sum(map(len, found.values())):
        message = f"{count_of(total, 'row')} with answers of more than {_LONGEST} words"
        remedy = f"shorten them, or choose Answering(longest=…), which is {_LONGEST} tokens"
        yield scan.finding("long_answer", Severity.WARNING, message, remedy, found)


def scattered_answers(scan: Scan) -> Iterator[Finding]:
    """Questions in several rows of a split that do not have the same answers."""
    found = {}
    for name, by_key in scan.positions.items() if scan.holds_questions else ():
        labels = [frozenset(answer_texts(label)) for _, label in scan.answers(name)]
        found[name] = sorted(
            row
            for rows in by_key.values()
            if len({labels[row] for row in rows}) > 1
            for row in rows
        )
    if total := sum(map(len, found.values())):
        message = f"{count_of(total, 'row')} whose question has other answers in another row"
        remedy = "put all right answers to a question into one row: scores allow any of them"
        yield scan.finding("scattered_answers", Severity.WARNING, message, remedy, found)


def shared_contexts(scan: Scan) -> Iterator[Finding]:
    """Contexts of one split that are also in another, though with other questions."""
    keys = {name: [text_key(context) for context, _ in scan.answers(name)] for name in scan.splits}
    for earlier, later in combinations(keys, 2):
        shared = {key for key in set(keys[earlier]) & set(keys[later]) if key}
        if not shared:
            continue
        found = {
            name: [position for position, key in enumerate(keys[name]) if key in shared]
            for name in (later, earlier)
        }
        message = (
            f"{count_of(len(shared), 'context')} of {later} also in {earlier}, "
            f"with {count_of(len(found[later]), 'question')} of {later}"
        )
        remedy = "keep all questions about a context in one split, as valid=0.1 and test=0.1 do"
        yield scan.finding("shared_context", Severity.WARNING, message, remedy, found)
