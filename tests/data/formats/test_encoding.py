import codecs

import pytest

from manyheads.data.formats.encoding import decode
from manyheads.errors import DataError

CHINESE = "文本,标签\n这个酒店的服务很好，我们都很满意。,好\n房间太小，不会再来了。,差\n"
KOREAN = "이 호텔은 정말 좋았습니다. 다음에도 다시 방문하고 싶습니다. 직원들이 친절했어요.\n" * 5


@pytest.mark.parametrize(
    ("encoding", "mark"),
    [
        ("utf-8", codecs.BOM_UTF8),
        ("utf-16-le", codecs.BOM_UTF16_LE),
        ("utf-16-be", codecs.BOM_UTF16_BE),
        ("utf-32-le", codecs.BOM_UTF32_LE),
    ],
)
def test_a_byte_order_mark_decides_and_is_removed(encoding, mark):
    decoded = decode(mark + CHINESE.encode(encoding), "x.csv")
    assert (decoded.text, decoded.encoding, decoded.assumed) == (CHINESE, encoding, False)


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf16_without_a_mark(encoding):
    text = "text,label\nall good,yes\n"
    assert decode(text.encode(encoding), "x.csv").text == text


def test_utf8_is_certain_and_gb18030_is_assumed():
    assert decode(CHINESE.encode(), "x.csv").describe() == "UTF-8"
    decoded = decode(CHINESE.encode("gb18030"), "x.csv")
    assert decoded.text == CHINESE
    assert decoded.describe() == "GB18030 (assumed: it is not UTF-8)"


@pytest.mark.parametrize(
    "text",
    [
        "Un élève très naïf a mangé à l'hôtel.",
        "Größe über alles",
        "It’s “quoted” – fine",
        "café\ncréée\nélan vital, déjà vu, señor, façade\n",
    ],
)
def test_western_text_is_not_taken_for_chinese(text):
    decoded = decode(text.encode("cp1252"), "x.csv")
    assert (decoded.text, decoded.encoding, decoded.assumed) == (text, "cp1252", True)


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Отель был очень хороший, персонал вежливый, завтрак вкусный.\n" * 3, "cp1251"),
        ("このホテルはとても良かったです。また泊まりたいと思います。\n" * 5, "shift_jis"),
        (KOREAN, "euc_kr"),
    ],
)
def test_other_encodings_are_refused_and_read_when_named(text, encoding):
    data = text.encode(encoding)
    with pytest.raises(DataError, match=r"x\.csv, line 1: byte 0x.. is not utf-8; save the file"):
        decode(data, "x.csv")
    assert decode(data, "x.csv", encoding).text == text


def test_a_damaged_utf8_file_names_the_line():
    lines = ["größer, schöner, überall"] * 9
    data = "\n".join(lines).encode() + b"\nkaputt: \xe9\n"
    with pytest.raises(DataError, match=r"x\.csv, line 10: byte 0xE9 is not utf-8; the rest"):
        decode(data, "x.csv")


def test_the_given_encoding_must_exist_and_fit():
    with pytest.raises(DataError, match=r"unknown encoding 'utf-88'.*Did you mean 'utf-8'\?"):
        decode(b"abc", "x.csv", "utf-88")
    with pytest.raises(DataError, match=r"x\.csv, line 2: byte 0xFF is not utf-8; choose another"):
        decode(b"abc\n\xff", "x.csv", "UTF8")


def test_a_binary_file_is_no_text():
    with pytest.raises(DataError, match=r"x\.csv, line 2: holds NUL characters"):
        decode(b"abc\n\0\0\0", "x.csv")
