import gzip
import subprocess
import sys

import pytest

from manyheads.data import read, read_table
from manyheads.errors import DataError

polib = pytest.importorskip("polib")

CATALOG = r"""# A translator's comment.
msgid ""
msgstr ""
"Content-Type: text/plain; charset=UTF-8\n"
"Language: de\n"
"Plural-Forms: nplurals=2; plural=(n != 1);\n"

msgid "Open \"it\""
msgstr "Öffnen"

#: main.c:7
msgctxt "menu"
msgid "Open"
msgstr ""
"Öff"
"nen\n"

#, fuzzy, c-format
msgid "Save"
msgstr "Laden"

msgid "Quit"
msgstr ""

msgid "%d file"
msgid_plural "%d files"
msgstr[0] "%d Datei"
msgstr[1] "%d Dateien"

#~ msgid "Old"
#~ msgstr "Alt"
"""
PAIRS = [
    ('Open "it"', "Öffnen"),
    ("Open", "Öffnen\n"),
    ("%d file", "%d Datei"),
    ("%d files", "%d Dateien"),
]


def pairs(split):
    return list(zip(split.columns["text"], split.columns["target"], strict=True))


@pytest.mark.parametrize("name", ["de.po", "de.po.gz"])
def test_a_catalog(tmp_path, name):
    path = tmp_path / name
    data = CATALOG.encode()
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    data = read(path, valid=0)
    assert pairs(data.train) == PAIRS
    assert data.names == {"text": "msgid", "target": "msgstr"}
    assert data.train.describe(0) == f"{path}, line 8"
    assert data.notes == (
        "train: gettext catalog; entries left out: 1 fuzzy, 1 obsolete, 1 untranslated",
    )


def test_a_compiled_catalog(tmp_path):
    (tmp_path / "de.po").write_text(CATALOG)
    polib.pofile(str(tmp_path / "de.po")).save_as_mofile(str(tmp_path / "de.mo"))
    data = read(tmp_path / "de.mo", valid=0)
    assert sorted(pairs(data.train)) == sorted(PAIRS)
    assert data.train.describe(0) == f"{tmp_path}/de.mo, row 1"


@pytest.mark.parametrize(
    ("forms", "translations", "found"),
    [
        ("nplurals=1; plural=0;", ["文件"], [("file", "文件"), ("files", "文件")]),
        (
            "nplurals=3; plural=(n%10==1 && n%100!=11 ? 0 : n%10>=2 && n%10<=4 ? 1 : 2);",
            ["файл", "файла", "файлов"],
            [("file", "файл"), ("files", "файла"), ("files", "файлов")],
        ),
        (
            "nplurals=3; plural=(n==0 ? 0 : n==1 ? 1 : 2);",
            ["none", "one", "many"],
            [("files", "none"), ("file", "one"), ("files", "many")],
        ),
        ("nplurals=2; plural=nonsense;", ["a", ""], [("file", "a")]),
    ],
)
def test_plural_forms_follow_the_rule_of_the_language(tmp_path, forms, translations, found):
    lines = [
        'msgid ""',
        f'msgstr "Plural-Forms: {forms}\\n"',
        'msgid "file"',
        'msgid_plural "files"',
    ]
    lines += [f'msgstr[{number}] "{form}"' for number, form in enumerate(translations)]
    (tmp_path / "x.po").write_text("\n".join(lines))
    assert pairs(read(tmp_path / "x.po", valid=0).train) == found


def test_the_encoding_is_the_declared_one_or_the_given_one(tmp_path):
    path = tmp_path / "ru.po"
    text = (
        'msgid ""\nmsgstr "Content-Type: text/plain; charset=KOI8-R\\n"\nmsgid "a"\nmsgstr "да"\n'
    )
    path.write_bytes(text.encode("koi8-r"))
    assert pairs(read(path, valid=0).train) == [("a", "да")]
    path.write_bytes(text.encode("cp1251"))
    assert pairs(read(path, valid=0, encoding="cp1251").train) == [("a", "да")]
    path.write_bytes(text.replace("KOI8-R", "CHARSET").encode())
    assert pairs(read(path, valid=0).train) == [("a", "да")]


def test_separators_inside_of_messages_end_no_line(tmp_path):
    (tmp_path / "x.po").write_text('msgid "a\u2028b"\nmsgstr "c\x0cd"\n')
    assert pairs(read(tmp_path / "x.po", valid=0).train) == [("a\u2028b", "c\x0cd")]


def test_several_catalogs_of_one_language(tmp_path):
    for name in ("app.po", "lib.po"):
        (tmp_path / name).write_text(CATALOG)
    polib.pofile(str(tmp_path / "app.po")).save_as_mofile(str(tmp_path / "app.mo"))
    data = read(tmp_path, valid=0)
    assert len(data.train) == 8  # app.mo would be app.po again
    assert data.train.describe(5) == f"{tmp_path}/lib.po, line 11"
    assert "2 fuzzy" in data.notes[0]
    (tmp_path / "lib.po").write_text(CATALOG.replace("Language: de", "Language: fr"))
    with pytest.raises(DataError, match=r"holds catalogs of several languages \(de, fr\); name"):
        read(tmp_path)


def test_a_pattern_of_catalogs(tmp_path):
    for name in ("one/de.po", "two/de.po", "two/fr.po"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(CATALOG)
    data = read(f"{tmp_path}/**/de.po", valid=0)
    assert data.train.describe(7) == f"{tmp_path}/two/de.po, line 25"
    assert len(data.train) == 8
    for pattern in ("**/it.po", "a**b.po"):
        with pytest.raises(DataError, match="no such file"):
            read_table(f"{tmp_path}/{pattern}")


def test_splits_of_catalogs(tmp_path):
    for name in ("train.po", "test.po"):
        (tmp_path / name).write_text(CATALOG)
    assert [split.name for split in read(tmp_path, valid=0).splits()] == ["train", "test"]


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("x.po", b'msgid "a"\nmsgstr "b" "\n', r"x\.po, line 2: not a gettext catalog \(unescaped"),
        ("x.po", b"text,label\n", r"x\.po, line 1: not a gettext catalog"),
        ("x.po", b'msgid "a"\nmsgstr ""\n', "holds no rows"),
        ("x.po", b" ", "the file is empty"),
        ("x.mo", b"nonsense", r"x\.mo: not a readable \.mo file"),
        ("x.mo", b"\xde\x12\x04\x95\0\0\0\0\xff\0\0\0", r"x\.mo: not a readable \.mo file"),
    ],
)
def test_what_is_no_catalog(tmp_path, name, data, message):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(DataError, match=message):
        read_table(tmp_path / name)


def test_without_polib_the_extra_is_named(tmp_path):
    (tmp_path / "x.po").write_text(CATALOG)
    code = (
        "import sys; sys.modules['polib'] = None\n"
        "import manyheads as mh\n"
        f"try: mh.read({str(tmp_path / 'x.po')!r})\n"
        "except mh.ManyHeadsError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "needs the package 'polib'; install it with `pip install 'manyheads[po]'`" in done.stdout
