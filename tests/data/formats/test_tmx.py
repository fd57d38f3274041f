import gzip
import tracemalloc

import pytest

from manyheads.data import read, read_table
from manyheads.data.formats.tmx import matching_languages
from manyheads.errors import DataError

UNIT = '<tu><tuv xml:lang="{}"><seg>{}</seg></tuv><tuv xml:lang="{}"><seg>{}</seg></tuv></tu>\n'


def memory(path, units, header='<header srclang="en"/>', encoding="utf-8"):
    text = f'<?xml version="1.0" encoding="{encoding}"?>\n<!DOCTYPE tmx SYSTEM "tmx14.dtd">\n'
    text += f'<tmx version="1.4">{header}<body>\n{"".join(units)}</body></tmx>\n'
    data = text.encode(encoding)
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


TWO = [
    UNIT.format("de-DE", "Eins &amp; Zwei", "en", "One &amp; two"),
    UNIT.format("de-DE", "Drei", "EN", "Three"),
]


@pytest.mark.parametrize("name", ["a.tmx", "a.TMX.gz"])
def test_units_become_rows_with_the_line_where_they_begin(tmp_path, name):
    path = memory(tmp_path / name, TWO)
    data = read(path, text="en", target="de", valid=0)
    assert data.train.columns == {"text": ["One & two", "Three"], "target": ["Eins & Zwei", "Drei"]}
    assert data.train.describe(1) == f"{path}, line 5"
    assert data.names == {"text": "en", "target": "de"}
    assert "train: TMX, languages de-DE, en" in data.notes


def test_two_languages_need_not_be_named_since_the_header_says_the_source(tmp_path):
    path = memory(tmp_path / "a.tmx", TWO)
    assert read(path, valid=0).names == {"text": "en", "target": "de-DE"}
    assert read(path, text="de", valid=0).names == {"text": "de", "target": "en"}
    open_end = memory(tmp_path / "b.tmx", TWO, header='<header srclang="*all*"/>')
    assert read(open_end, valid=0).names == {"text": "de-DE", "target": "en"}


def test_inline_codes_go_and_highlights_stay(tmp_path):
    segment = (
        'Click <bpt i="1">&lt;b class="<sub>x</sub>"></bpt>here<ept i="1">&lt;/b></ept>, '
        'the <hi type="term">red <ph x="1">{0}</ph>button</hi><it pos="end">]</it>.<ut>x</ut>'
    )
    path = memory(tmp_path / "a.tmx", [UNIT.format("en", f"\n  {segment}\n", "de", "x")])
    assert read_table(path).columns["en"] == ["Click here, the red button."]


def test_notes_and_properties_are_no_text(tmp_path):
    unit = (
        '<tu><note>unsure</note><tuv lang="en"><prop type="p">x</prop><seg>a</seg></tuv>'
        '<tuv lang="de"><note>y</note><seg>b</seg></tuv></tu>'
    )
    assert read_table(memory(tmp_path / "a.tmx", [unit])).columns == {"en": ["a"], "de": ["b"]}


def test_units_without_one_of_the_languages_are_counted(tmp_path):
    units = [
        *TWO,
        UNIT.format("en", "Four", "fr", "Quatre"),
        UNIT.format("de-DE", "Fünf", "de-de", "5"),
    ]
    data = read(memory(tmp_path / "a.tmx", units), text="en", target="de", valid=0)
    assert len(data.train) == 2
    assert "train: 2 units without 'en' or 'de' left out" in data.notes
    assert (
        "train: TMX, languages de-DE, en, fr; 1 further variants of a language in one unit left out"
        in data.notes
    )
    with pytest.raises(DataError, match=r"no unit has 'de' and 'fr'"):
        read(memory(tmp_path / "b.tmx", units), text="de", target="fr")


def test_only_the_wanted_languages_are_held(tmp_path):
    units = [UNIT.format("en", "Four", "fr", "Quatre"), *TWO]
    table = read_table(memory(tmp_path / "a.tmx", units), languages=["fr", "en"])
    assert table.columns == {"en": ["Four", "One & two", "Three"], "fr": ["Quatre", None, None]}
    assert list(table.languages) == ["en", "fr", "de-DE"]


def test_an_empty_segment_is_an_empty_side(tmp_path):
    path = memory(tmp_path / "a.tmx", [*TWO, UNIT.format("en", "Four", "de-DE", " ")])
    with pytest.raises(DataError, match=r"a\.tmx, line 6: nothing in 'de' \(the target\); 1 of 3"):
        read(path, text="en", target="de")
    assert len(read(path, text="en", target="de", valid=0, drop_empty=True).train) == 2


def test_encodings_that_the_file_declares(tmp_path):
    for encoding in ("utf-16", "iso-8859-1"):
        path = memory(
            tmp_path / "a.tmx", [UNIT.format("en", "five", "de", "fünf")], encoding=encoding
        )
        assert read_table(path).columns["de"] == ["fünf"]


@pytest.mark.parametrize(
    ("code", "languages", "found"),
    [
        ("EN", ["en", "en-US"], ["en"]),
        ("en_us", ["en-GB", "en-US"], ["en-US"]),
        ("de", ["de-DE", "en"], ["de-DE"]),
        ("de-DE", ["de", "en"], ["de"]),
        ("en", ["en-GB", "en-US"], ["en-GB", "en-US"]),
        ("zh-CN", ["zh-TW"], []),
        ("e", ["en"], []),
    ],
)
def test_languages_match_by_their_codes(code, languages, found):
    assert matching_languages(code, languages) == found


@pytest.mark.parametrize(
    ("roles", "message"),
    [
        (
            {"text": "en", "target": "deu"},
            r"has no language 'deu' \(the target\); its languages are 'de-AT', 'de-DE', 'en'",
        ),
        ({"text": "en", "target": "de-D"}, "Did you mean 'de-DE'"),
        (
            {"text": "en", "target": "de"},
            r"'de' \(the target\) may be 'de-AT' or 'de-DE'; name one",
        ),
        ({}, r"which languages\? Choose text=… and target=… among 'de-AT', 'de-DE', 'en'"),
    ],
)
def test_languages_that_are_not_there(tmp_path, roles, message):
    units = [
        UNIT.format("de-AT", "Jänner", "de-DE", "Januar"),
        UNIT.format("en", "a", "de-DE", "b"),
    ]
    with pytest.raises(DataError, match=message):
        read(memory(tmp_path / "a.tmx", units), **roles)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<tmx>\n<body>\n<tu></body></tmx>", r"a\.tmx, line 3: .* XML \(mismatched tag\)"),
        ("<html><body/></html>", "is XML of the kind <html>, not a <tmx> memory"),
        ("<tmx><body></body></tmx>", "holds no translation units"),
        ("<tmx><body>\n<tu><tuv><seg>a</seg></tuv></tu></body></tmx>", "line 2: a <tuv> without"),
        (
            '<!DOCTYPE tmx SYSTEM "x">\n<tmx><tu><tuv lang="en"><seg>&nbsp;</seg></tuv></tu></tmx>',
            "line 2: the entity &nbsp; is not defined",
        ),
        ("one\ttwo\n", r"line 1: not well-formed XML"),
        ("", "not well-formed XML"),
    ],
)
def test_what_is_no_memory(tmp_path, text, message):
    path = tmp_path / "a.tmx"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        read_table(path)


def test_entities_that_multiply_are_refused(tmp_path):
    entities = "".join(f'<!ENTITY x{i + 1} "{f"&x{i};" * 20}">' for i in range(7))
    path = tmp_path / "a.tmx"
    path.write_text(
        f'<!DOCTYPE tmx [<!ENTITY x0 "aaaaaaaaaaaaaaaaaaaa">{entities}]>'
        '<tmx><tu><tuv lang="en"><seg>&x7;</seg></tuv></tu></tmx>'
    )
    with pytest.raises(DataError, match="not well-formed XML"):
        read_table(path)


@pytest.mark.parametrize("encoding", ["utf-88", "gb18030"])
def test_an_encoding_that_expat_does_not_know(tmp_path, encoding):
    path = memory(tmp_path / "a.tmx", TWO)
    with pytest.raises(DataError, match=r"a\.tmx: cannot be decoded \(.*\); save it as UTF-8"):
        read_table(path, encoding=encoding)


def test_a_damaged_gzip_memory_and_a_missing_one(tmp_path):
    path = memory(tmp_path / "a.tmx.gz", TWO)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match=r"a\.tmx\.gz: damaged gzip file"):
        read_table(path)
    with pytest.raises(
        DataError, match=r"b\.tmx\.gz: no such file or folder. Did you mean 'a\.tmx\.gz'"
    ):
        read_table(tmp_path / "b.tmx.gz")


def test_markup_is_never_held(tmp_path):
    note = f"<note>{'x' * 2000}</note>"
    units = [UNIT.format("en", i, "de", i).replace("<tu>", f"<tu>{note}") for i in range(3000)]
    path = memory(tmp_path / "a.tmx", units)
    read_table(path)
    tracemalloc.start()
    read_table(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert path.stat().st_size > 6_000_000
    assert peak < path.stat().st_size / 2
