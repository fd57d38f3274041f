from __future__ import annotations

import pytest

from manyheads.tasks.writing.baseline import copy_source, lead_sentence


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("It works. Nobody knows why.", "It works."),
        ("Does it?! Yes.", "Does it?!"),
        ('He said "no." Then he left.', 'He said "no."'),
        ("Dr. Smith paid 3.50 to J. R. Miller in the U.S. Senate. Then he left.", None),
        (
            "The U.S. Senate, e.g. Mr. Smith, met. It was late.",
            "The U.S. Senate, e.g. Mr. Smith, met.",
        ),
        ("Wait… what? No.", "Wait… what?"),
        ("A title\nThe text. More.", "A title"),
        ("  no end at all  ", "no end at all"),
        ("我喜欢猫。你呢？", "我喜欢猫。"),
        ("他说：“好。”然后走了。", "他说：“好。”"),
        ("", ""),
        ("One.", "One."),
    ],
)
def test_the_first_sentence(source, sentence):
    expected = source.partition(" Then")[0] if sentence is None else sentence
    assert lead_sentence(source) == expected


def test_a_copy_is_the_source():
    assert copy_source(" as it is ") == " as it is "
