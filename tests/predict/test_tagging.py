"""Entities stand where they are said to stand, in the text as it was given."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tests import tiny
from tests.serve import models

import manyheads as mh
from manyheads.errors import CheckpointError, TextError
from manyheads.predict import Tagger

TEXTS = [text for text, _ in tiny.named_rows(20, seed=9)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return models.tagger(tmp_path_factory.mktemp("tagger") / "names")


@pytest.fixture(scope="module")
def tagger(folder: Path) -> Tagger:
    opened = mh.load(folder)
    assert isinstance(opened, Tagger)
    return opened


def found(tagger: Tagger, text: str) -> list[tuple[int, int, str]]:
    return [(one.start, one.end, one.label) for one in tagger(text).entities]


def test_what_was_learnt_is_found(tagger: Tagger) -> None:
    rows = tiny.named_rows(20, seed=9)
    right = sum(found(tagger, text) == spans for text, spans in rows)
    assert right >= 18
    one = tagger(rows[0][0]).entities[0]
    assert one.text == rows[0][0][one.start : one.end] and 0.3 < one.probability <= 1
    assert str(one) == f"{one.label} {one.text!r}"


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Anna met Béla in Bonn.", ["Anna", "Béla", "Bonn"]),
        ("Anna met Be\u0301la in Bonn.", ["Anna", "Be\u0301la", "Bonn"]),
        ("\ufeffAn\u200bna met Béla in Bonn.\r\n", ["An\u200bna", "Béla", "Bonn"]),
        ("  Anna   met Béla in \t Bonn. ", ["Anna", "Béla", "Bonn"]),
    ],
)
def test_places_are_those_of_the_untouched_text(
    text: str, names: list[str], tagger: Tagger
) -> None:
    tagged = tagger(text)
    assert [one.text for one in tagged.entities] == names
    assert all(text[one.start : one.end] == one.text for one in tagged.entities)
    assert tagged.text == text


def test_words_may_be_given(tagger: Tagger) -> None:
    words = ["Anna", "met", "Béla", "in", "Bonn", "."]
    (tagged,) = tagger([words])
    assert tagged.text == "Anna met Béla in Bonn ."
    assert len(tagged.tags) == len(words)
    assert [one.text for one in tagged.entities] == ["Anna", "Béla", "Bonn"]
    (chinese,) = tagger([["今天", "在", "北京"]])
    assert chinese.text == "今天在北京" and len(chinese.tags) == 3


def test_chinese_is_read_character_by_character(tagger: Tagger) -> None:
    tagged = tagger("今天在北京。")
    assert [tagged.text[start:end] for start, end in tagged.words] == list("今天在北京。")
    assert len(tagged.tags) == len(tagged.probabilities) == 6


def test_company_and_order_change_nothing(tagger: Tagger) -> None:
    together = tagger(TEXTS * 5)
    for text, one in zip(TEXTS, together, strict=False):
        alone = tagger(text)
        assert alone.tags == one.tags
        assert alone.probabilities == pytest.approx(one.probabilities, abs=1e-5)
    assert tagger([]) == []


def test_a_long_text_is_read_in_windows_and_a_short_one_as_before(tagger: Tagger) -> None:
    narrow = Tagger.of(tagger.task, tagger.model, tagger.reader, tagger.pretrained)
    reader = replace(tagger.reader.reader, truncation=mh.Windows(24, 12))
    narrow.reader = replace(tagger.reader, reader=reader)
    assert narrow("Anna met Bonn.").tags == tagger("Anna met Bonn.").tags
    long = " ".join(TEXTS)
    (answer,) = narrow.answers([long])
    assert answer.truncated == 0
    assert len(answer.prediction.tags) == len(answer.prediction.words)
    spans, at = [], 0
    for text, named in tiny.named_rows(20, seed=9):
        spans += [(start + at, end + at, kind) for start, end, kind in named]
        at += len(text) + 1
    said = {(one.start, one.end, one.label) for one in answer.prediction.entities}
    assert len(said & set(spans)) > 0.8 * len(spans)


def test_saved_and_opened_again_it_says_the_same(tagger: Tagger, tmp_path: Path) -> None:
    again = mh.load(tagger.save(tmp_path / "again"))
    assert again.task == tagger.task
    for one, other in zip(again(TEXTS), tagger(TEXTS), strict=True):
        assert one.tags == other.tags and one.entities == other.entities


def test_transformers_opens_the_folder_with_equal_logits(folder: Path, tagger: Tagger) -> None:
    from transformers import AutoModelForTokenClassification, AutoTokenizer

    theirs = AutoModelForTokenClassification.from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert theirs.config.id2label == dict(enumerate(tagger.labels))
    for text in TEXTS[:5]:
        encoded = tokenizer(text, return_tensors="pt", return_offsets_mapping=True)
        offsets = encoded.pop("offset_mapping")[0].tolist()
        with torch.no_grad():
            shares = theirs(**encoded).logits[0].softmax(-1).numpy()
        words = tagger(text).words
        # Tokens of bytes count the space before a word to it.
        firsts = [
            next(at for at, (one, end) in enumerate(offsets) if one <= start < end)
            for start, _ in words
        ]
        ours = np.exp(tagger.check_vectors([text]))
        np.testing.assert_allclose(ours, shares[firsts], atol=1e-5)


def test_a_published_model_whose_entities_begin_with_i(folder: Path, tmp_path: Path) -> None:
    """As those that learnt the tags of CoNLL-2003 as they were published, IOB1."""
    published = Path(shutil.copytree(folder, tmp_path / "published"))
    (published / "manyheads.json").unlink()
    config = json.loads((published / "config.json").read_text())
    turned = {"B": "I", "I": "B", "O": "O"}
    names = {n: turned[tag[0]] + tag[1:] for n, tag in config["id2label"].items()}
    config["id2label"], config["label2id"] = names, {tag: int(n) for n, tag in names.items()}
    (published / "config.json").write_text(json.dumps(config))
    opened = mh.load(published)
    assert not opened.task.strict
    tagged = opened("Anna met Dora in Bonn.")
    assert [one.text for one in tagged.entities] == ["Anna", "Dora", "Bonn"]
    assert {one[:2] for one in tagged.tags} == {"I-", "O"}
    assert mh.load(opened.save(tmp_path / "own"))("Anna met Dora in Bonn.").tags == tagged.tags


def test_what_is_no_text_is_refused(tagger: Tagger) -> None:
    with pytest.raises(TextError, match="text 2 is 3, which is no text and no list of words"):
        tagger(["a", 3])  # type: ignore[list-item]
    with pytest.raises(TextError, match="text 1 is"):
        tagger([["a", 3]])  # type: ignore[list-item]


def test_a_head_that_is_not_whole_is_refused(folder: Path, tmp_path: Path) -> None:
    damaged = Path(shutil.copytree(folder, tmp_path / "damaged"))
    tensors = load_file(damaged / "model.safetensors")
    del tensors["classifier.bias"]
    save_file(tensors, damaged / "model.safetensors", {"format": "pt"})
    with pytest.raises(CheckpointError, match=r"out\.bias"):
        mh.load(damaged)
