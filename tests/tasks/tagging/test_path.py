from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch

from manyheads.tasks import Stretch
from manyheads.tasks.tagging.path import best_path, forbidden, log_probs_of_words

TAGS = ("O", "B-X", "I-X", "B-Y", "I-Y")


def test_what_may_not_follow_what() -> None:
    barred = {
        (before, tag)
        for before, row in zip(("", *TAGS), forbidden(TAGS), strict=True)
        for tag, no in zip(TAGS, row, strict=True)
        if no
    }
    assert barred == {
        *(("", one) for one in ("I-X", "I-Y")),
        *(("O", one) for one in ("I-X", "I-Y")),
        *(("B-X", "I-Y"), ("I-X", "I-Y"), ("B-Y", "I-X"), ("I-Y", "I-X")),
    }


@pytest.mark.parametrize("words", [1, 2, 3, 5])
def test_the_path_is_the_best_of_all_that_are_allowed(words: int) -> None:
    draw, barred = np.random.default_rng(words), forbidden(TAGS)
    for _ in range(30):
        scores_WC = np.log(draw.dirichlet(np.ones(5), words)).astype(np.float32)

        def total(path: tuple[int, ...], scores_WC: np.ndarray = scores_WC) -> float:
            befores = (0, *(tag + 1 for tag in path[:-1]))
            if any(barred[one] for one in zip(befores, path, strict=True)):
                return -np.inf
            return float(sum(row[tag] for row, tag in zip(scores_WC, path, strict=True)))

        expected = max(product(range(5), repeat=words), key=total)
        assert tuple(best_path(scores_WC, barred)) == expected
    assert best_path(np.zeros((0, 5), np.float32), barred) == []


def stretch(row: int, words: list[int]) -> Stretch:
    from array import array

    from manyheads.text import Piece

    places = array("i", range(len(words)))
    piece = Piece(array("i", places), array("B", bytes(len(words))), None)
    return Stretch(row, piece, places, array("i", words), array("i", []), ())


def test_what_tokens_say_of_a_word_is_averaged_and_silence_is_anything() -> None:
    first = torch.tensor([[0.9, 0.1], [0.2, 0.8], [0.5, 0.5]]).log()
    second = torch.tensor([[0.25, 0.75]]).log()
    rows = log_probs_of_words([first, second], [stretch(1, [0, 0, 2]), stretch(0, [0])], [1, 3], 2)
    assert np.exp(rows[0]) == pytest.approx(np.array([[0.25, 0.75]]))
    mean = np.sqrt([0.9 * 0.2, 0.1 * 0.8])
    assert np.exp(rows[1]) == pytest.approx(np.array([mean / mean.sum(), [0.5, 0.5], [0.5, 0.5]]))
