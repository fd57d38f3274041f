"""Texts of files that the tests write."""

from __future__ import annotations

from pathlib import Path

import pytest

from manyheads.errors import DataError
from manyheads.library.files import read_file


def pdf(path: Path, lines: list[str], title: str = "") -> Path:
    """Write a PDF with one page for each line."""
    pypdf = pytest.importorskip("pypdf")
    generic = pypdf.generic
    writer = pypdf.PdfWriter()
    font = generic.DictionaryObject(
        {
            generic.NameObject("/Type"): generic.NameObject("/Font"),
            generic.NameObject("/Subtype"): generic.NameObject("/Type1"),
            generic.NameObject("/BaseFont"): generic.NameObject("/Helvetica"),
        }
    )
    for line in lines:
        page = writer.add_blank_page(width=300, height=300)
        fonts = generic.DictionaryObject({generic.NameObject("/F1"): writer._add_object(font)})
        page[generic.NameObject("/Resources")] = generic.DictionaryObject(
            {generic.NameObject("/Font"): fonts}
        )
        content = generic.DecodedStreamObject()
        content.set_data(f"BT /F1 12 Tf 20 200 Td ({line}) Tj ET".encode())
        page[generic.NameObject("/Contents")] = writer._add_object(content)
    if title:
        writer.add_metadata({"/Title": title})
    writer.write(path)
    return path


def test_pages_of_a_pdf(tmp_path: Path) -> None:
    path = pdf(tmp_path / "tiny.pdf", ["Otters swim well.", "They sleep afloat."], "On otters")
    read = read_file(path)
    assert read.title == "On otters"
    assert read.text == "Otters swim well.\n\nThey sleep afloat."
    with pytest.raises(DataError, match=r"blank.pdf: holds no text"):
        read_file(pdf(tmp_path / "blank.pdf", [""]))
    cut = tmp_path / "cut.pdf"
    cut.write_bytes(path.read_bytes()[:200])
    with pytest.raises(DataError, match=r"cut.pdf: not a readable PDF \("):
        read_file(cut)


def test_what_a_page_shows(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text(
        "<html><head><title>Tea &amp; more</title><style>p {}</style></head><body>"
        "<h1>Tea</h1><script>if (a < b) {}</script><p>Green <b>tea</b>\n is   old.<br/>Very"
        "<ul><li>one<li>two</ul><svg><title>no</title></svg>",
        encoding="utf-8",
    )
    read = read_file(page)
    assert read.title == "Tea & more"
    shown = ["Tea", "Green tea is old.", "Very", "one", "two"]
    assert [line for line in read.text.split("\n") if line] == shown


def test_encodings(tmp_path: Path) -> None:
    text = "他每天早上喝绿茶，下午去图书馆看书。"
    (tmp_path / "tea.txt").write_bytes(text.encode("gb18030"))
    assert read_file(tmp_path / "tea.txt").text == text
    page = f'<meta charset="big5"><p>{"圖書館"}</p>'
    (tmp_path / "page.htm").write_bytes(page.encode("big5"))
    assert read_file(tmp_path / "page.htm").text == "圖書館"
    (tmp_path / "windows.md").write_bytes(b"## Head ##\r\nBody.\r\n")
    read = read_file(tmp_path / "windows.md")
    assert (read.title, read.text) == ("Head", "## Head ##\nBody.\n")


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b'<meta charset="iso-8859-1"><p>Don\x92t', "Don’t"),
        (b'\xef\xbb\xbf<meta charset="iso-8859-1">Caf\xc3\xa9', "Café"),
        (b'<meta charset="utf-16"><p>plain', "plain"),
        ('<meta charset="gb2312"><p>朱镕基'.encode("gb18030"), "朱镕基"),
        (b'<meta charset="utf8mb4"><p>Caf\xc3\xa9', "Café"),
        (b'<meta charset="nonsense"><p>Caf\xc3\xa9', "Café"),
        ('<meta charset="utf-8"><p>他们说北京的冬天很冷'.encode("gb18030"), "他们说北京的冬天很冷"),
    ],
)
def test_pages_are_decoded_as_browsers_do(data: bytes, text: str, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_bytes(data)
    assert read_file(page).text == text


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("<html><head><title>T</title>\n<p>Foxes are red.", "Foxes are red."),
        ("<head><script>x = 1</script><style>p {}</style><meta a=b>Foxes", "Foxes"),
        ("Before<noscript>hidden</noscript> and after", "Before and after"),
        ("<p>Middle<noscript><p>Lost <b>pelican</body>", "Middle\nLost pelican"),
        ("<p>Code<script>var lost = 'text'", "Code"),
        ("<pre>def f():\n  return 1</pre>\nnot\ncode", "def f():\nreturn 1\nnot code"),
    ],
)
def test_what_nobody_closed(page: str, text: str, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text(page, encoding="utf-8")
    assert read_file(path).text == text
