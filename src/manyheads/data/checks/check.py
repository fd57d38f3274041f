"""`check`: what to know and to mend before training, with row numbers and remedies.

Each kind of finding is one small function in ``rows``, ``labels``, ``tags``, ``pairs``,
``questions``, ``texts`` or ``lengths``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from manyheads.data.checks import labels, lengths, pairs, questions, rows, tags, texts
from manyheads.data.checks.report import Finding, Report, Severity
from manyheads.data.checks.scan import Scan
from manyheads.data.dataset import Dataset
from manyheads.errors import DataError

if TYPE_CHECKING:
    from manyheads.text.tokenizer import Tokenizer

CHECKS: tuple[Callable[[Scan], Iterable[Finding]], ...] = (
    rows.empty_texts,
    rows.duplicates,
    rows.conflicts,
    rows.leakage,
    labels.missing_labels,
    labels.one_class,
    labels.unknown_classes,
    labels.untested_classes,
    labels.imbalance,
    labels.rare_classes,
    labels.similar_names,
    labels.absent_names,
    labels.integer_labels,
    labels.numbers_as_classes,
    labels.labels_hardly_repeat,
    tags.entities_without_beginning,
    questions.answers_elsewhere,
    questions.long_answers,
    questions.scattered_answers,
    questions.shared_contexts,
    pairs.empty_sides,
    pairs.copies,
    pairs.lopsided,
    texts.scripts,
    texts.texts_without_letters,
    texts.markup,
    texts.lone_surrogates,
    texts.replacement_characters,
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
            name: lengths.character_lengths(split, role) for name, split in scan.splits.items()
        }
        histograms += lengths.histograms("characters", role, characters)
        if tokenizer is not None:
            tokens = {
                name: lengths.token_lengths(split, role, tokenizer)
                for name, split in scan.splits.items()
            }
            histograms += lengths.histograms("tokens", role, tokens)
            limit = max_tokens or tokenizer.max_tokens
            if limit and not scan.holds_questions:  # contexts are read in windows
                findings += lengths.truncation(scan, role, tokens, limit)
    gravity = list(Severity)
    findings.sort(key=lambda finding: gravity.index(finding.severity))
    return Report(dataset.summary(), tuple(findings), tuple(histograms))
