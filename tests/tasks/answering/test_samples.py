"""Questions and contexts become windows whose tokens know where in the context they stand."""

from __future__ import annotations

import itertools
import random
from typing import Any

import pytest
import torch
from tests import tiny

import manyheads as mh
from manyheads.tasks.answering.answers import Answers
from manyheads.tasks.answering.samples import ContextWindows, QuestionReader, Window, WindowBatch
from manyheads.tasks.reader import Reader
from manyheads.text import Cleaning, Windows

LINES = tiny.lines(60).train.columns["text"]
CHINESE = ["我们今天去北京大学参观图书馆", "今天的天气很好", "他在图书馆看书"]
ALGORITHMS = {"wordpiece": mh.WordPiece(300), "byte-pair": mh.BytePair(320)}


@pytest.fixture(scope="module", params=ALGORITHMS)
def tokenizer(request: pytest.FixtureRequest) -> mh.Tokenizer:
    return mh.learn_tokenizer([*LINES, *CHINESE * 3], ALGORITHMS[request.param])


@pytest.fixture(scope="module")
def minilm_tokenizer(minilm: str) -> mh.Tokenizer:
    from manyheads.hub import locate

    return mh.Tokenizer.from_folder(locate(minilm))


def reader(
    tokenizer: mh.Tokenizer, most: int = 64, stride: int = 8, cleaning: Cleaning | None = None
) -> QuestionReader:
    return QuestionReader(Reader(tokenizer, cleaning or Cleaning(), Windows(most, stride)))


def answer(context: str, text: str) -> Answers:
    assert text in context
    return Answers((text,), (context.index(text),))


def shown(context: str, window: Window) -> str | None:
    """The part of the context that the target of a window covers."""
    first, last = window.target
    return context[window.starts[first - 1] : window.ends[last - 1]] if first else None


@pytest.mark.parametrize(
    ("context", "text"),
    [
        ("The food was great and lovely", "great"),
        ("The food was great and lovely", "The food"),
        ("The food was great and lovely", "lovely"),
        ("The food was great and lovely", "The food was great and lovely"),
        ("我们今天去北京大学参观图书馆。", "北京大学"),
        ("我们今天去北京大学参观图书馆。", "我们"),
        ("他看《龘靐齉》书", "龘靐齉"),  # characters that no vocabulary has, several bytes each
        ("他看龘书", "龘"),
        ("a 😀 and a 🙃.", "🙃"),
        ("tab\tand\nline\r\nends", "line"),
    ],
)
def test_the_target_covers_the_answer_exactly(
    tokenizer: mh.Tokenizer, context: str, text: str
) -> None:
    (window,) = reader(tokenizer, 128).read(["what was it"], [context], [answer(context, text)])
    first, last = window.target
    assert 1 <= first <= last <= len(window.starts)
    assert shown(context, window) == text


def test_all_bytes_of_a_character_belong_to_the_answer() -> None:
    tokenizer = mh.learn_tokenizer(LINES, mh.BytePair(300))
    context = "x 龘 y"
    (window,) = reader(tokenizer).read(["q"], [context], [answer(context, "龘")])
    first, last = window.target
    assert last - first == 2  # three bytes
    assert [window.starts[place - 1] for place in range(first, last + 1)] == [2, 2, 2]


def test_an_answer_that_begins_within_a_word_gets_the_whole_word(
    minilm_tokenizer: mh.Tokenizer,
) -> None:
    context = "In the 1990s, seventy-five people lived there."
    (window,) = reader(minilm_tokenizer).read(["when"], [context], [answer(context, "990")])
    assert shown(context, window) == "1990s"
    (window,) = reader(minilm_tokenizer).read(["when"], [context], [answer(context, "five")])
    assert shown(context, window) == "five"


def test_white_space_around_an_answer_is_no_part_of_it(tokenizer: mh.Tokenizer) -> None:
    context = "  great food "
    for text in ("  great ", " food "):
        (window,) = reader(tokenizer).read(["q"], [context], [answer(context, text)])
        assert shown(context, window) == text.strip()


@pytest.mark.parametrize(
    ("context", "text", "found"),
    [
        ("a cafe\u0301 in Paris", "cafe\u0301", "cafe\u0301"),  # é as letter and mark
        ("a cafe\u0301 in Paris", "Paris", "Paris"),
        ("one\r\ntwo\x07three", "three", "three"),
        ("so\u00adft hy\u200bphen here", "here", "here"),
        ("soft\u200b word", "soft", "soft"),  # what is invisible is no part of the answer
        ("soft word\u200b", "word\u200b", "word"),
        ("\u200bsoft word", "\u200bsoft", "soft"),
        ("가나 다", "가나", "가나"),  # Jamo that are put together
    ],
)
def test_cleaning_that_moves_characters_leaves_places_in_the_original(
    minilm_tokenizer: mh.Tokenizer, context: str, text: str, found: str
) -> None:
    (window,) = reader(minilm_tokenizer).read(["q"], [context], [answer(context, text)])
    assert shown(context, window) == found


def test_places_are_those_of_the_tokens_in_the_untouched_context(tokenizer: mh.Tokenizer) -> None:
    context = "The food \u200b was e\u0301 great\r\nand 今天 lovely  "
    (window,) = reader(tokenizer).read(["q"], [context])
    spans = list(zip(window.starts, window.ends, strict=True))
    assert spans == sorted(spans)
    for start, end in spans:
        assert 0 <= start <= end <= len(context)
        assert context[start:end].isspace() or context[start:end].lstrip() == context[start:end]
    covered = {at for start, end in spans for at in range(start, end)}
    left_out = {context[at] for at in range(len(context)) if at not in covered}
    assert left_out <= set(" \r\n\u200b")


def test_a_long_context_is_read_in_windows_behind_the_same_question(
    tokenizer: mh.Tokenizer,
) -> None:
    context = " ".join(LINES[:20])
    windows = reader(tokenizer, 48, 8).read(["what was the food"], [context])
    assert len(windows) > 3
    asked = windows[0].piece.ids[: windows[0].first]
    assert asked[0] == tokenizer.cls_id
    for window in windows:
        assert window.tokens <= 48
        assert window.piece.ids[: window.first] == asked
        assert len(window.piece.ids) == window.first + len(window.starts) + 1
    for before, behind in itertools.pairwise(windows):
        assert list(before.starts[-8:]) == list(behind.starts[:8])
    assert [len(window.texts) for window in windows] == [1] + [0] * (len(windows) - 1)
    assert windows[0].texts[0].dropped == 0
    assert windows[-1].ends[-1] == len(context)


def test_targets_are_in_the_windows_that_hold_the_whole_answer_and_in_no_other(
    tokenizer: mh.Tokenizer,
) -> None:
    draw = random.Random(0)
    words = " ".join(LINES[:20]).split()
    # No word twice, so that the answer is in one place.
    context = " ".join(f"{word}{number}" for number, word in enumerate(words[:90]))
    parts = context.split()
    read = reader(tokenizer, 48, 12)
    kinds = set()
    for _ in range(25):
        at = draw.randrange(len(parts) - 3)
        text = " ".join(parts[at : at + 1 + draw.randrange(3)])
        begin = context.index(text)
        windows = read.read(["what"], [context], [Answers((text,), (begin,))])
        for window in windows:
            whole = window.starts[0] <= begin and begin + len(text) <= window.ends[-1]
            assert shown(context, window) == (text if whole else None)
            kinds.add(whole)
        assert any(window.target != (0, 0) for window in windows)
    assert kinds == {True, False}


def test_the_first_answer_is_learnt_and_none_is_none(tokenizer: mh.Tokenizer) -> None:
    context = "great food was great"
    answers = [Answers(("food", "great"), (6, 15)), Answers(("great",), (15,)), Answers()]
    windows = reader(tokenizer).read(["q"] * 3, [context] * 3, answers)
    assert [shown(context, one) for one in windows] == ["food", "great", None]
    assert windows[1].starts[windows[1].target[0] - 1] == 15
    assert [one.row for one in windows] == [0, 1, 2]


@pytest.mark.parametrize("asked", [40, 400])
def test_a_question_longer_than_half_leaves_the_context_its_windows(
    tokenizer: mh.Tokenizer, asked: int
) -> None:
    question = " ".join(["food"] * asked)
    context = " ".join(f"great{number}" for number in range(30))
    windows = reader(tokenizer, 48, 8).read([question], [context], [answer(context, "great29")])
    covered = {at for window in windows for at in window.starts}
    whole = {
        at for window in reader(tokenizer, 1000).read(["q"], [context]) for at in window.starts
    }
    assert covered == whole
    assert all(window.tokens <= 48 for window in windows)
    assert shown(context, windows[-1]) == "great29"
    (encoded,) = windows[0].texts
    assert encoded.dropped > 0
    assert encoded.tokens - encoded.dropped < encoded.tokens


def test_a_long_question_keeps_what_a_short_context_leaves() -> None:
    policy = ContextWindows(48, 8)
    assert policy.cuts((60, 5), 45) == [(((0, 40),), ((0, 5),))]
    assert policy.cuts((10, 60), 45) == [
        (((0, 10),), ((0, 35),)),
        (((0, 10),), ((27, 60),)),
    ]
    assert policy.cuts((60, 60), 45)[0] == (((0, 22),), ((0, 23),))
    assert policy.cuts((0, 0), 1) == [(((0, 0),), ((0, 0),))]


@pytest.mark.parametrize("context", ["", "   ", "\u200b"])
def test_an_empty_context_is_a_window_without_tokens(tokenizer: mh.Tokenizer, context: str) -> None:
    (window,) = reader(tokenizer).read(["what"], [context], [Answers()])
    assert window.target == (0, 0)
    spans = zip(window.starts, window.ends, strict=True)
    assert not "".join(context[start:end] for start, end in spans).strip()
    batch = WindowBatch.of([window])
    assert batch.counts == (1 + len(window.starts),)


def test_a_batch_lays_windows_end_to_end(tokenizer: mh.Tokenizer) -> None:
    contexts = ["great food", "", " ".join(LINES[:4])]
    answers = [answer("great food", "food"), Answers(), Answers()]
    windows = reader(tokenizer, 32, 4).read(["was it", "what", "why"], contexts, answers)
    batch = WindowBatch.of(windows)
    assert len(batch) == len(windows) == batch.targets.shape[0]
    assert batch.tokens == sum(one.tokens for one in windows) == len(batch.ids)
    assert batch.rows == tuple(one.row for one in windows)
    parts = batch.places.split(batch.counts)
    for window, start, places in zip(windows, batch.layout.starts, parts, strict=False):
        expected = [0, *range(window.first, window.first + len(window.starts))]
        assert (places - start).tolist() == expected
        ids = batch.ids[start : start + window.tokens].tolist()
        assert ids == window.piece.ids.tolist()
        assert batch.segments[start : start + window.tokens].tolist() == list(window.piece.segments)
    first_separators = [one.piece.ids.tolist().index(tokenizer.sep_id) for one in windows]
    assert list(batch.questions) == first_separators
    assert batch.to(torch.device("cpu")) is batch


def test_a_digest_tells_of_tokens_and_targets(tokenizer: mh.Tokenizer) -> None:
    def digest(question: str, context: str, text: str) -> int:
        (one,) = reader(tokenizer).read([question], [context], [answer(context, text)])
        return one.digest(5)

    first = digest("was it", "great food", "food")
    assert first == digest("was it", "great food", "food")
    others: list[tuple[Any, ...]] = [
        ("was it", "great food", "great"),
        ("is it", "great food", "food"),
    ]
    assert all(digest(*other) != first for other in others)
