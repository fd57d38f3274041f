"""`check`: what to know and to mend before training, with row numbers and remedies.

Each kind of finding is one small function in ``check_rows``, ``check_labels``, ``check_tags``,
``check_pairs``, ``check_questions``, ``check_texts`` or ``check_lengths``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from manyheads.data import (
    check_labels,
    check_lengths,
    check_pairs,
    check_questions,
    check_rows,
    check_tags,
    check_texts,
)
from manyheads.data.dataset import Dataset
from manyheads.data.report import Finding, Report, Severity
from manyheads.data.scan import Scan
from manyheads.errors import DataError

if TYPE_CHECKING:
    from manyheads.text.tokenizer import Tokenizer

CHECKS: tuple[Callable[[Scan], Iterable[Finding]], ...] = (
    check_rows.empty_texts,
    check_rows.duplicates,
    check_rows.conflicts,
    check_rows.leakage,
    check_labels.missing_labels,
    check_labels.one_class,
    check_labels.unknown_classes,
    check_labels.untested_classes,
    check_labels.imbalance,
    check_labels.rare_classes,
    check_labels.similar_names,
    check_labels.absent_names,
    check_labels.integer_labels,
    check_labels.numbers_as_classes,
    check_labels.labels_hardly_repeat,
    check_tags.entities_without_beginning,
    check_questions.answers_elsewhere,
    check_questions.long_answers,
    check_questions.scattered_answers,
    check_questions.shared_contexts,
    check_pairs.empty_sides,
    check_pairs.copies,
    check_pairs.lopsided,
    check_texts.scripts,
    check_texts.texts_without_letters,
    check_texts.markup,
    check_texts.lone_surrogates,
    check_texts.replacement_characters,
)


def check(
    dataset: Dataset, *, tokenizer: Tokenizer | None = None, max_tokens: int | None = None
) -> Report:
    """Examine a dataset before training.

    Args:
        tokenizer: counts tokens as well as characters when given.
        max_tokens: tells how much a limit of so many tokens would cut, special tokens included;
            the tokenizer's own limit when None.

    Returns:
        Findings, the gravest first, and a histogram of lengths for each split.

    Raises:
        DataError: ``max_tokens`` without a tokenizer, or below 1.
    """
    if max_tokens is not None and tokenizer is None:
        raise DataError(f"max_tokens={max_tokens} counts tokens; pass a tokenizer too")
    if max_tokens is not None and max_tokens < 1:
        raise DataError(f"max_tokens={max_tokens} keeps nothing of a text; choose at least 1")
    scan = Scan(dataset)
    findings = [finding for examine in CHECKS for finding in examine(scan)]
    histograms = []
    for role in scan.sides_of_text:
        characters = {
            name: check_lengths.character_lengths(split, role)
            for name, split in scan.splits.items()
        }
        histograms += check_lengths.histograms("characters", role, characters)
        if tokenizer is not None:
            tokens = {
                name: check_lengths.token_lengths(split, role, tokenizer)
                for name, split in scan.splits.items()
            }
            histograms += check_lengths.histograms("tokens", role, tokens)
            limit = max_tokens or tokenizer.max_tokens
            if limit and not scan.holds_questions:  # contexts are read in windows
                findings += check_lengths.truncation(scan, role, tokens, limit)
    gravity = list(Severity)
    findings.sort(key=lambda finding: gravity.index(finding.severity))
    return Report(dataset.summary(), tuple(findings), tuple(histograms))
