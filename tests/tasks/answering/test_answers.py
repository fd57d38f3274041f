"""Answers are scored as the published evaluations of SQuAD 1.1, SQuAD 2.0 and CMRC 2018 do."""

from __future__ import annotations

import collections
import random
import re
import string
from typing import Any

import pytest

from manyheads.errors import DataError
from manyheads.tasks.answering.answers import (
    Answers,
    answer_scores,
    answers_of_rows,
    compared,
    normalised,
)


def squad_normalize(text: str) -> str:
    """`normalize_answer` of both official scripts."""
    text = "".join(one for one in text.lower() if one not in set(string.punctuation))
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", text).split())


def squad_1_f1(prediction: str, truth: str) -> float:
    """`f1_score` of evaluate-v1.1.py."""
    words, wanted = squad_normalize(prediction).split(), squad_normalize(truth).split()
    same = sum((collections.Counter(words) & collections.Counter(wanted)).values())
    if same == 0:
        return 0.0
    precision, recall = same / len(words), same / len(wanted)
    return 2 * precision * recall / (precision + recall)


def squad_2_f1(gold: str, predicted: str) -> float:
    """`compute_f1` of evaluate-v2.0.py."""
    wanted, words = squad_normalize(gold).split(), squad_normalize(predicted).split()
    same = sum((collections.Counter(wanted) & collections.Counter(words)).values())
    if len(wanted) == 0 or len(words) == 0:
        return float(wanted == words)
    return squad_1_f1(predicted, gold) if same else 0.0


def squad_2(gold: tuple[str, ...], predicted: str) -> tuple[float, float]:
    """What `get_raw_scores` of evaluate-v2.0.py says of one question."""
    answers = [one for one in gold if squad_normalize(one)] or [""]
    exact = max(float(squad_normalize(a) == squad_normalize(predicted)) for a in answers)
    return exact, max(squad_2_f1(a, predicted) for a in answers)


WORDS = [
    "The",
    "a",
    "an",
    "Denver",
    "denver,",
    "(Broncos)",
    "24–10",
    "10",
    "«x»",
    "“no”",
    "U.S.",
    "-",
]


def phrases(seed: int, most: int = 5) -> str:
    draw = random.Random(seed)
    return " ".join(draw.choice(WORDS) for _ in range(draw.randint(0, most)))


def test_scores_of_single_answers_are_those_of_squad_2() -> None:
    for seed in range(2000):
        gold = tuple(phrases(seed * 7 + i) for i in range(seed % 4))
        predicted = phrases(seed * 7 + 6)
        assert compared(Answers(gold), predicted) == pytest.approx(squad_2(gold, predicted)), gold


def test_where_there_is_an_answer_they_are_those_of_squad_1_1() -> None:
    for seed in range(2000):
        gold = tuple(f"Denver {phrases(seed * 5 + i)}" for i in range(1 + seed % 3))
        predicted = phrases(seed * 5 + 4)
        exact = max(float(squad_normalize(g) == squad_normalize(predicted)) for g in gold)
        f1 = max(squad_1_f1(predicted, g) for g in gold)
        assert compared(Answers(gold), predicted) == pytest.approx((exact, f1))


@pytest.mark.parametrize(
    ("gold", "found", "exact", "f1"),
    [
        (("Denver Broncos", "The Denver Broncos", "Denver Broncos"), "the denver broncos.", 1, 1),
        (("Santa Clara, California", "Levi's Stadium"), "Levi's Stadium in Santa Clara", 0, 4 / 7),
        (("gold",), "golden", 0, 0),
        (("the the the cat",), "cat", 1, 1),
        (("one one two",), "one two two", 0, 2 / 3),
        ((), "", 1, 1),
        ((), "Denver", 0, 0),
        (("Denver",), "", 0, 0),
        (("a",), "", 1, 1),  # nothing of it is left to compare
        (("the", "dog"), "", 0, 0),
    ],
)
def test_cases_by_hand(gold: tuple[str, ...], found: str, exact: float, f1: float) -> None:
    assert compared(Answers(gold), found) == pytest.approx((exact, f1))
    assert squad_2(gold, found) == pytest.approx((exact, f1))


@pytest.mark.parametrize(
    ("gold", "found", "exact", "f1"),
    [
        ("光荣和ω-force", "光荣和ω-force开发", 0, 2 * 4 / (4 + 6)),
        ("“光荣”，《和》！", "光荣和", 1, 1),
        ("2008年8月", "2008年", 0, 2 * 2 / (4 + 2)),
        ("北京大学", "大学北京", 0, 1),
        ("弗拉基米尔·普京", "弗拉基米尔普京", 1, 1),
        ("กรุงเทพ", "กรุง", 0, 2 * 4 / (7 + 4)),
    ],
)
def test_scripts_without_spaces_are_compared_by_characters(
    gold: str, found: str, exact: float, f1: float
) -> None:
    assert compared(Answers((gold,)), found) == pytest.approx((exact, f1))


def test_normalised() -> None:
    assert normalised("  The U.S.  Navy’s — “an” answer\n") == "us navy’s — “ ” answer"
    assert normalised("“中国”——大") == "中国大"


def test_scores_are_means_over_questions() -> None:
    expected = [Answers(("red",)), Answers(("light green", "green")), Answers(), Answers()]
    scores = answer_scores(expected, ["red", "dark green", "", "blue"])
    assert scores.questions == 4
    assert scores.exact_match == pytest.approx(2 / 4)
    assert scores.f1 == pytest.approx((1 + 2 / 3 + 1 + 0) / 4)
    assert scores.answerable_f1 == pytest.approx((1 + 2 / 3) / 2)
    assert scores.unanswerable_accuracy == pytest.approx(0.5)
    assert scores.f1_interval.low <= scores.f1 <= scores.f1_interval.high
    assert scores.numbers().keys() == {
        *("exact_match", "f1", "answerable_f1", "unanswerable_accuracy")
    }


def test_without_unanswerable_questions_there_is_one_f1() -> None:
    numbers = answer_scores([Answers(("red",))], ["red"]).numbers()
    assert numbers == {"exact_match": 1.0, "f1": 1.0}
    none = answer_scores([Answers()], [""])
    assert none.answerable_f1 is None and none.unanswerable_accuracy == 1.0


def test_no_questions_are_refused() -> None:
    with pytest.raises(DataError, match="no questions"):
        answer_scores([], [])


CONTEXT = "a red ball, a red hat and 红色的球"


def place(row: int) -> str:
    return f"qa.csv, line {row + 2}"


@pytest.mark.parametrize(
    ("label", "texts", "starts"),
    [
        ("red", ["red"], [2]),
        (["red", "hat"], ["red", "hat"], [2, 18]),
        ({"text": ["red", "a red"], "answer_start": [14, 12]}, ["red", "a red"], [14, 12]),
        ({"text": ("red",), "answer_start": (14,)}, ["red"], [14]),
        ({"text": ["hat"]}, ["hat"], [18]),
        ({"text": "hat", "answer_start": 18}, ["hat"], [18]),
        ({"text": "hat"}, ["hat"], [18]),
        ([{"text": "red", "answer_start": 14}, {"text": "红色"}], ["red", "红色"], [14, 26]),
        # where it is said to be it is not: the nearest one is meant
        ({"text": ["red"], "answer_start": [13]}, ["red"], [14]),
        ({"text": ["red"], "answer_start": [5]}, ["red"], [2]),
        ({"text": ["red"], "answer_start": [900]}, ["red"], [14]),
        ({"text": ["red"], "answer_start": [-1]}, ["red"], [2]),
        (Answers(("hat",), (-1,)), ["hat"], [18]),
        *((nothing, [], []) for nothing in (None, "", " ", [], {"text": [], "answer_start": []})),
        *((nothing, [], []) for nothing in (float("nan"), [""], {"text": [""]}, Answers())),
    ],
)
def test_every_form_of_label(label: Any, texts: list[str], starts: list[int]) -> None:
    (found,) = answers_of_rows([CONTEXT], [label], place)
    assert found == Answers(tuple(texts), tuple(starts))


@pytest.mark.parametrize(
    "label",
    [
        *(7, 0.5, {"answer": "red"}, [3], {"text": [3]}, {"text": None, "answer_start": 2}),
        {"text": ["red", "hat"], "answer_start": [2]},
        {"text": ["red"], "answer_start": [2, 18]},
        {"text": ["red"], "answer_start": ["2"]},
    ],
)
def test_labels_that_are_no_answers_name_their_row(label: Any) -> None:
    with pytest.raises(DataError, match=r"^qa.csv, line 3: .* are no answers; write a text"):
        answers_of_rows([CONTEXT] * 2, ["red", label], place)


def test_answers_that_are_not_in_their_context_are_counted_in_one_line() -> None:
    labels = ["red", "blue", {"text": ["red", "green"]}, "Red", ["ball"], "grey", None]
    with pytest.raises(DataError) as caught:
        answers_of_rows([CONTEXT] * len(labels), labels, place)
    assert str(caught.value) == (
        "4 of 7 rows have an answer that is not in their context (qa.csv, line 3: 'blue'; "
        "qa.csv, line 4: 'green'; qa.csv, line 5: 'Red' and 1 more); "
        "correct them or take them out"
    )


def test_answers_read_well() -> None:
    assert str(Answers(("red", "red", "a hat"), (0, 0, 5))) == "red | a hat"
    assert str(Answers()) == "(no answer)"
