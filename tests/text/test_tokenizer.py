import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from manyheads.errors import RecipeError, TextError
from manyheads.text import Cleaning, Head, HeadTail, Tail, Tokenizer, Windows

texts = st.text(
    st.sampled_from("w1 w2 the Hotel Was. wonderful! 酒店很好，干净。 é🎉龘 \n"), max_size=60
)
relaxed = settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@relaxed
@given(text=texts, second=st.none() | texts, room=st.integers(1, 20), stride=st.integers(0, 19))
def test_no_piece_is_too_long_and_the_counts_add_up(
    any_tokenizer: Tokenizer, text: str, second: str | None, room: int, stride: int
) -> None:
    pairs = None if second is None else [second]
    (whole,) = any_tokenizer.encode([text], pairs, offsets=True)
    (empty,) = any_tokenizer.encode([""], None if second is None else [""])
    frame = empty.pieces[0].ids
    limit = len(frame) + room
    assert whole.tokens == len(whole.pieces[0].ids)
    assert whole.dropped == 0
    for policy in (Head(limit), Tail(limit), HeadTail(limit), Windows(limit, stride % room)):
        (cut,) = any_tokenizer.encode([text], pairs, truncation=policy, offsets=True)
        assert cut.tokens == whole.tokens
        for piece in cut.pieces:
            assert len(piece.ids) == len(piece.segments) == len(piece.offsets or ()) <= limit
            assert [i for i in piece.ids if i in frame].count(frame[-1]) >= 1
        if whole.tokens <= limit:
            assert cut == whole
        elif not isinstance(policy, Windows):
            assert len(cut.pieces[0].ids) == limit
            assert cut.dropped == whole.tokens - limit
        elif second is None:
            assert cut.dropped == 0
            assert sum(len(p.ids) - len(frame) for p in cut.pieces) == (
                whole.tokens - len(frame) + (len(cut.pieces) - 1) * policy.stride
            )


@relaxed
@given(text=texts, room=st.integers(1, 10))
def test_each_policy_keeps_its_ends_inside_the_frame(
    minilm: Tokenizer, text: str, room: int
) -> None:
    whole = minilm.encode([text])[0].pieces[0].ids
    first, middle, last = whole[:1], whole[1:-1], whole[-1:]
    kept = min(room, len(middle))

    def ids(policy: Head | Tail | HeadTail) -> list[int]:
        return minilm.encode([text], truncation=policy)[0].pieces[0].ids

    assert ids(Head(room + 2)) == first + middle[:kept] + last
    assert ids(Tail(room + 2)) == first + middle[len(middle) - kept :] + last
    if len(middle) > room:
        head = round(room / 2)
        ends = middle[:head] + middle[len(middle) - (room - head) :]
        assert ids(HeadTail(room + 2)) == first + ends + last


@relaxed
@given(text=texts)
def test_offsets_index_into_the_given_text(any_tokenizer: Tokenizer, text: str) -> None:
    (piece,) = any_tokenizer.encode([text], offsets=True)[0].pieces
    for start, end in piece.offsets or ():
        assert 0 <= start <= end <= len(text)
    assert piece.ids == any_tokenizer.encode([text])[0].pieces[0].ids


def test_offsets_find_words_again_after_a_cut(minilm: Tokenizer) -> None:
    text = "  The café   was CLOSED today"
    (piece,) = minilm.encode([text], truncation=Tail(5), offsets=True)[0].pieces
    assert [text[a:b] for a, b in piece.offsets or ()] == ["", "was", "CLOSED", "today", ""]


def test_frames_of_pairs_survive_the_cut(
    minilm: Tokenizer, roberta_folder: Path, framed_at_the_end_folder: Path
) -> None:
    first, second = "w1 w2 w3 w4 w5 w6", "w7 w8"

    def pair(tokenizer: Tokenizer) -> tuple[list[str], list[int]]:
        frame = tokenizer.encode([""], [""])[0].tokens
        truncation = Head(frame + 2)
        (piece,) = tokenizer.encode([first], [second], truncation=truncation)[0].pieces
        return tokenizer.tokens(piece.ids), list(piece.segments)

    assert pair(minilm) == (["[CLS]", "w", "[SEP]", "w", "[SEP]"], [0, 0, 0, 1, 1])
    tokens, segments = pair(Tokenizer.from_folder(roberta_folder))
    assert tokens == ["<s>", "w", "</s>", "</s>", "w", "</s>"]
    assert segments == [0] * 6
    tokens, segments = pair(Tokenizer.from_folder(framed_at_the_end_folder))
    assert tokens == ["w7", "<sep>", "w1", "<sep>", "<cls>"]
    assert segments == [1, 1, 0, 0, 2]


def test_windows_over_a_pair_repeat_the_question(minilm: Tokenizer) -> None:
    context = " ".join(["one", "two", "three", "four", "five", "six", "seven"] * 3)
    (encoded,) = minilm.encode(["who ?"], [context], truncation=Windows(11, 2))
    assert encoded.dropped == 0
    assert len(encoded.pieces) > 3
    for piece in encoded.pieces:
        assert minilm.tokens(piece.ids)[:4] == ["[CLS]", "who", "?", "[SEP]"]


def test_ids_roles_and_limits(minilm: Tokenizer, roberta_folder: Path) -> None:
    assert minilm.vocabulary_size == 30522
    assert minilm.max_tokens == 512
    assert (minilm.pad_id, minilm.unk_id, minilm.cls_id) == (0, 100, 101)
    assert (minilm.sep_id, minilm.mask_id, minilm.bos_id, minilm.eos_id) == (102, 103, None, None)
    assert minilm.special_ids == {0, 100, 101, 102, 103}
    assert minilm.id_of("hotel") == 3309
    assert minilm.id_of("no such token") is None
    roberta = Tokenizer.from_folder(roberta_folder)
    assert (roberta.cls_id, roberta.bos_id) == (0, 0)
    assert (roberta.pad_id, roberta.sep_id, roberta.unk_id, roberta.mask_id) == (1, 2, 3, 4)


def test_decoding(minilm: Tokenizer) -> None:
    (encoded,) = minilm.encode(["Wonderful hotels!"])
    ids = encoded.pieces[0].ids
    assert minilm.decode(ids) == "wonderful hotels!"
    assert minilm.decode(ids, skip_special=False) == "[CLS] wonderful hotels! [SEP]"
    assert minilm.tokens(ids) == ["[CLS]", "wonderful", "hotels", "!", "[SEP]"]
    for unknown in (30522, -1):
        with pytest.raises(TextError, match=f"token id {unknown} is not in"):
            minilm.tokens([101, unknown])


def test_special_tokens_in_a_text_are_read_as_such_and_count_as_text(minilm: Tokenizer) -> None:
    (encoded,) = minilm.encode(["a [SEP] b"], truncation=Head(4))
    assert minilm.tokens(encoded.pieces[0].ids) == ["[CLS]", "a", "[SEP]", "[SEP]"]
    assert (encoded.tokens, encoded.dropped) == (5, 1)


def test_empty_and_unknown_texts(any_tokenizer: Tokenizer) -> None:
    assert any_tokenizer.encode([]) == []
    for text in ("", " ", "\x00", "🎉𠀀\u0378"):
        (encoded,) = any_tokenizer.encode([text], truncation=Head(64))
        assert len(encoded.pieces) == 1
        assert encoded.dropped == 0
    frame = any_tokenizer.encode([""])[0].pieces[0].ids
    assert set(frame) <= any_tokenizer.special_ids


def test_lone_surrogates_name_the_text_and_the_remedy(minilm: Tokenizer) -> None:
    with pytest.raises(TextError, match=r"^text 2 holds .* at character 2.*surrogates=True"):
        minilm.encode(["fine", "ab\ud800"])
    with pytest.raises(TextError, match=r"^second text 1 holds"):
        minilm.encode(["fine"], ["\udc00"], offsets=True)
    with pytest.raises(TextError, match=r"^text 1002 holds"):
        minilm.encode(["fine", "ab\ud800"], first=1001)
    assert minilm.encode([Cleaning(surrogates=True)("ab\ud800")])


def test_what_is_not_a_list_of_strings_is_refused(minilm: Tokenizer) -> None:
    with pytest.raises(TextError, match="texts are one text"):
        minilm.encode("a single text")
    for wrong in (None, float("nan"), ("a", "pair"), b"bytes"):
        with pytest.raises(TextError, match=r"^text 2 is .* not a string"):
            minilm.encode(["fine", wrong])  # type: ignore[list-item]
    with pytest.raises(TextError, match="2 texts stand beside 1 second"):
        minilm.encode(["a", "b"], ["c"])


def test_truncation_without_room_is_refused_before_any_text_needs_it(minilm: Tokenizer) -> None:
    with pytest.raises(RecipeError, match=r"max_tokens=2 .* choose at least 3"):
        minilm.encode(["short"], truncation=Head(2))
    with pytest.raises(RecipeError, match="choose at least 4"):
        minilm.encode([""], [""], truncation=Tail(3))
    with pytest.raises(RecipeError, match="choose a smaller stride"):
        minilm.encode(["short"], truncation=Windows(10, 8))


def test_a_text_of_a_megabyte_is_fast(minilm: Tokenizer) -> None:
    text = "word naïve " * 95_000
    begin = time.perf_counter()
    (encoded,) = minilm.encode([text], truncation=Windows(512, 128), offsets=True)
    assert time.perf_counter() - begin < 20  # about a second on a quiet machine
    assert encoded.dropped == 0
    assert len(encoded.pieces) == 498


def test_threads_share_one_tokenizer_with_different_truncations(minilm: Tokenizer) -> None:
    batch = ["one two three four five six seven eight nine ten"] * 8

    def lengths(limit: int) -> set[int]:
        encoded = minilm.encode(batch, truncation=Head(limit))
        return {len(e.pieces[0].ids) for e in encoded}

    limits = [3, 5, 7, 12] * 50
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lengths, limits)) == [{limit} for limit in limits]


def test_importing_text_does_not_import_torch() -> None:
    code = "import sys, manyheads.text; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_text_without_its_frame(minilm: Tokenizer) -> None:
    (framed,) = minilm.encode(["the hotel was"])
    (bare,) = minilm.encode(["the hotel was"], frame=False)
    assert list(bare.pieces[0].ids) == list(framed.pieces[0].ids)[1:-1]
    (cut,) = minilm.encode(["the hotel was"], frame=False, truncation=Tail(1))
    assert (list(cut.pieces[0].ids), cut.dropped) == (list(bare.pieces[0].ids)[-1:], 2)


def test_tokens_say_which_text_of_a_pair_they_are_of(any_tokenizer: Tokenizer) -> None:
    first, second = "the Hotel", "Was wonderful! 酒店很好"
    (whole,) = any_tokenizer.encode([first], [second], offsets=True)
    (windows,) = any_tokenizer.encode(
        [first], [second], offsets=True, truncation=Windows(whole.tokens - 1, 1)
    )
    assert len(windows.pieces) > 1
    for piece in (*whole.pieces, *windows.pieces):
        assert piece.sources is not None and piece.offsets is not None
        assert set(piece.sources) == {-1, 0, 1}
        for source, (start, end) in zip(piece.sources, piece.offsets, strict=True):
            assert end <= len((first, second)[source]) if source >= 0 else start == end == 0
    (plain,) = any_tokenizer.encode([first], [second])
    assert plain.pieces[0].sources is None
