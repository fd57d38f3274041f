"""Models for several languages learn one direction: both sides are framed as the original does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import transformers
from tests.writer import translators

import manyheads as mh
from manyheads.errors import ConfigError, GenerationError
from manyheads.hub import load_model
from manyheads.tasks import Reading
from manyheads.text import Cleaning, Head

T = transformers
SOURCES = ["The hotel was wonderful.", "a clean room", "we had it"]
TARGETS = ["a room", "The 酒店", "wonderful hotel"]
COLUMNS = {"text": SOURCES, "target": TARGETS}


def m2m_tokenizer(folder: Path) -> Any:
    return T.M2M100Tokenizer.from_pretrained(folder, src_lang="ja", tgt_lang="zh")


def mbart_tokenizer(folder: Path) -> Any:
    return T.MBartTokenizer.from_pretrained(folder, src_lang="fr_XX", tgt_lang="de_DE")


PUBLISHED: dict[str, tuple[Callable[[Path], Path], Callable[[Path], Any], str, str]] = {
    "m2m": (translators.m2m, m2m_tokenizer, "ja", "zh"),
    "mbart": (translators.mbart, mbart_tokenizer, "fr_XX", "de_DE"),
}


@pytest.mark.filterwarnings("ignore:Recommended")
@pytest.mark.parametrize("name", PUBLISHED)
def test_both_sides_are_read_as_the_original_reads_them(name: str, tmp_path: Path):
    publish, tokenizer_of, source, target = PUBLISHED[name]
    folder = publish(tmp_path)
    task = mh.Translation(source_language=source, target_language=target)
    prepared = task.prepared(load_model(folder))
    reader = task.reader(prepared, Reading(Cleaning(), Head))
    pairs = task.read(reader, COLUMNS, str)
    batch = task.collate(pairs)
    theirs = tokenizer_of(folder)(SOURCES, text_target=TARGETS)
    assert [list(pair.read) for pair in pairs] == theirs["input_ids"]
    labels, inputs = theirs["labels"], batch.inputs.split(batch.layout.lengths)
    if name == "mbart":  # the language goes round to the front
        code = prepared.tokenizer.id_of(target)
        assert [ids[-1] for ids in labels] == [code] * 3
        assert [list(pair.written) for pair in pairs] == [ids[:-1] for ids in labels]
        assert [one.tolist() for one in inputs] == [[code, *ids[:-2]] for ids in labels]
    else:
        start = load_model(folder).config["decoder_start_token_id"]
        assert [list(pair.written) for pair in pairs] == labels
        assert [one.tolist() for one in inputs] == [[start, *ids[:-1]] for ids in labels]


@pytest.mark.parametrize("name", [*PUBLISHED, "nllb"])
def test_a_direction_is_learnt_judged_and_saved(name: str, tmp_path: Path):
    if name == "nllb":
        folder, codes = translators.nllb(tmp_path / "published"), ("eng_Latn", "zho_Hans")
    else:
        publish, _, *codes = PUBLISHED[name]
        folder = publish(tmp_path / "published")
    rows = {"text": SOURCES * 4, "target": TARGETS * 4}
    data = mh.read(rows, target="target", valid=0.25, test=0)
    task = mh.Translation(
        source_language=codes[0], target_language=codes[1], write_in_training=False
    )
    recipe = mh.Recipe(
        epochs=40, learning_rate=1e-2, batch_size=6, max_tokens=32, dropout=0.0, metric="loss"
    )
    learner = mh.Learner(folder, task, data, recipe, quiet=True)
    learner.fit()
    predictor = learner.predictor()
    assert predictor(SOURCES) == TARGETS
    predictor.save(tmp_path / "saved")
    assert mh.load(tmp_path / "saved")(SOURCES) == TARGETS
    generator = mh.Generator(tmp_path / "saved")
    assert generator(SOURCES) == TARGETS
    (written,) = generator.outputs(SOURCES[:1])[0]
    names = {token for token in written.tokens if codes[1] in token}
    assert len(names) == (name != "mbart")


def test_a_direction_must_be_chosen(tmp_path: Path):
    model = load_model(translators.m2m(tmp_path))
    with pytest.raises(ConfigError, match="say source_language and target_language"):
        mh.Translation().prepared(model)
    with pytest.raises(GenerationError, match="'xx' is not known"):
        mh.Translation(source_language="en", target_language="xx").prepared(model)


def test_marian_names_what_to_write_in_front_of_sources(tmp_path: Path):
    model = load_model(translators.marian(tmp_path, joint=True))
    task = mh.Translation(target_language="deu")
    prepared = task.prepared(model)
    (pair,) = task.read(
        task.reader(prepared, Reading(Cleaning(), Head)),
        {"text": SOURCES[:1], "target": TARGETS[:1]},
        str,
    )
    (plain,) = model.require_tokenizer().encode(SOURCES[:1])
    assert list(pair.read) == [model.require_tokenizer().id_of(">>deu<<"), *plain.pieces[0].ids]
    assert prepared.target_tokenizer is model.target_tokenizer
    with pytest.raises(GenerationError, match="'fra' is not known"):
        mh.Translation(target_language="fra").prepared(model)
