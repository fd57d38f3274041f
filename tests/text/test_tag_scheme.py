from __future__ import annotations

import random

import pytest

from manyheads.text.tag_scheme import (
    chunks_of,
    iob2,
    is_entity_tag,
    mark_entities,
    tags_of_types,
)

SPANS = [(0, 1, "PER"), (1, 4, "PER"), (5, 7, "ORG"), (7, 8, "LOC")]
SCHEMES = {
    "iob1": "I-PER B-PER I-PER I-PER O I-ORG I-ORG I-LOC",
    "iob2": "B-PER B-PER I-PER I-PER O B-ORG I-ORG B-LOC",
    "bilou": "U-PER B-PER I-PER L-PER O B-ORG L-ORG U-LOC",
    "bioes": "S-PER B-PER I-PER E-PER O B-ORG E-ORG S-LOC",
    "bmes": "S-PER B-PER M-PER E-PER O B-ORG E-ORG S-LOC",
    "bmewo": "W-PER B-PER M-PER E-PER O B-ORG E-ORG W-LOC",
}


@pytest.mark.parametrize("tags", SCHEMES.values(), ids=SCHEMES)
def test_every_scheme_means_the_same_spans(tags: str) -> None:
    assert chunks_of(tags.split()) == SPANS
    assert iob2(SPANS, 8) == SCHEMES["iob2"].split()


def test_what_goes_on_without_a_beginning_begins() -> None:
    assert chunks_of(["O", "I-A", "I-B", "I-B", "O", "E-A"]) == [
        (1, 2, "A"),
        (2, 4, "B"),
        (5, 6, "A"),
    ]
    assert chunks_of(["B-A", "I-B"]) == [(0, 1, "A"), (1, 2, "B")]
    assert chunks_of([]) == []


@pytest.mark.parametrize("letters", ["BI", "I", "BIES", "BE"])
def test_spans_are_those_of_seqeval(letters: str) -> None:
    get_entities = pytest.importorskip("seqeval.metrics.sequence_labeling").get_entities
    draw = random.Random(1)
    tags = ["O", *(f"{letter}-{kind}" for letter in letters for kind in "XY")]
    for _ in range(300):
        row = [draw.choice(tags) for _ in range(draw.randint(1, 9))]
        expected = [(start, end + 1, kind) for kind, start, end in get_entities(row)]
        assert chunks_of(row) == expected, row


def test_spans_come_back_from_their_tags() -> None:
    draw = random.Random(2)
    for _ in range(200):
        edges = sorted(draw.sample(range(12), 6))
        spans = [(a, b, draw.choice("XY")) for a, b in zip(edges[::2], edges[1::2], strict=True)]
        assert chunks_of(iob2(spans, 12)) == spans


def test_which_tags_mark_entities() -> None:
    assert all(map(is_entity_tag, ["O", "B-PER", "I-a b", "W-X"]))
    assert not any(map(is_entity_tag, ["", "B-", "B", "X-PER", "NN", "o"]))
    assert mark_entities(["O", "I-PER"]) and not mark_entities(["O", "NN", "B"])
    assert tags_of_types(["b", "a", "b"]) == ("O", "B-a", "I-a", "B-b", "I-b")
