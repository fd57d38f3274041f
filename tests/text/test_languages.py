"""Languages by their codes: in front of a source, around it, and at an output's beginning."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.writer import models

import manyheads as mh
from manyheads.errors import GenerationError
from manyheads.text.languages import Languages


@pytest.fixture
def many(tmp_path: Path) -> mh.Generator:
    """mBART's way: texts are framed by their language, outputs begin with theirs."""
    core = models.byte_tokenizer("en_XX $A </s>", models.LANGUAGES)
    first = {"forced_bos_token_id": core.token_to_id("en_XX")}
    return mh.Generator(models.publish(tmp_path, "bart", core=core, generation=first))


def test_codes(many: mh.Generator) -> None:
    assert many.languages.codes == sorted(models.LANGUAGES)
    assert many.languages.leading == {}


def test_outputs_begin_with_their_language(many: mh.Generator) -> None:
    for target, first in ((None, "en_XX"), ("fr_XX", "fr_XX")):
        wording = mh.Wording(target_language=target, max_tokens=6)
        (written,) = many.outputs(["The cat"], wording)[0]
        assert written.tokens[0] == first
        assert "XX" not in written.text


def test_sources_are_framed_by_their_language(many: mh.Generator) -> None:
    wording = mh.Wording(source_language="zh_CN", target_language="fr_XX")
    found = many.align("你好", "hello", wording)
    assert (found.source[0], found.source[-1]) == ("zh_CN", "</s>")
    assert (found.output[0], found.output[-1]) == ("fr_XX", "</s>")


def test_a_language_that_is_not_there_is_refused_with_the_nearest(many: mh.Generator) -> None:
    for name in ("source_language", "target_language"):
        with pytest.raises(GenerationError, match=r"'fr'.* There are: fr_XX, en_XX, zh_CN"):
            many("hello", mh.Wording(**{name: "fr"}))


def test_a_frame_without_language_has_none_to_change(tmp_path: Path) -> None:
    core = models.byte_tokenizer("<s> $A </s>", models.LANGUAGES)
    generator = mh.Generator(models.publish(tmp_path, "bart", core=core))
    with pytest.raises(GenerationError, match="frames no text by its language"):
        generator("hello", mh.Wording(source_language="fr_XX"))


def test_marian_is_told_in_front_of_the_source(tmp_path: Path) -> None:
    core = models.piece_tokenizer("$A </s>", models.LEADING)
    generator = mh.Generator(models.publish(tmp_path, "bart", core=core), longest=6)
    assert generator.languages.codes == ["deu", "fra"]
    found = generator.align("The cat", "hello", mh.Wording(target_language="fra"))
    assert found.source[0] == ">>fra<<"
    assert found.output[0] != ">>fra<<"
    wording = mh.Wording(target_language="fra", truncate=True, max_tokens=3)
    (written,) = generator.outputs(["The cat sat on the mat, and the dog"], wording)[0]
    assert written.truncated > 0
    with pytest.raises(GenerationError, match="'eng' is not known"):
        generator("hello", mh.Wording(target_language="eng"))


def test_only_special_tokens_frame(many: mh.Generator) -> None:
    tokenizer = many.model.tokenizer
    assert Languages(tokenizer).framing.keys() == set(models.LANGUAGES)
    core = models.byte_tokenizer("$A")
    core.add_tokens(["ab_CD"])
    assert Languages(mh.Tokenizer(core, special={})).framing == {}
