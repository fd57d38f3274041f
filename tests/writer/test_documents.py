"""Documents: translated by sentences, summarised by parts, nothing lost."""

from __future__ import annotations

from pathlib import Path

import pytest

import manyheads as mh
from manyheads.errors import GenerationError
from manyheads.text import sentences
from manyheads.writer import summarize, translate

from . import models

TEXT = "The cat sat. The dog ate!  \n\nParis is a capital. "
LONG = "The cat sat on the mat, and the dog sat on the log! A hot dog is no dog. " * 12
TASKS = {
    "summarization": {"prefix": "summarize: ", "max_length": 12, "num_beams": 2},
    "translation_en_to_de": {"prefix": "translate English to German: ", "max_length": 9},
}


@pytest.fixture(scope="module")
def t5(tmp_path_factory: pytest.TempPathFactory) -> mh.Generator:
    folder = tmp_path_factory.mktemp("t5")
    settings = {"task_specific_params": TASKS}
    generation = {"max_new_tokens": 8}
    models.publish(folder, "t5", config=settings, generation=generation)
    return mh.Generator(folder, longest=60)


@pytest.fixture(scope="module")
def chatting(tmp_path_factory: pytest.TempPathFactory) -> mh.Generator:
    folder = tmp_path_factory.mktemp("llama")
    return mh.Generator(models.publish(folder, "llama", chat=models.CHAT))


def test_sentence_by_sentence(t5: mh.Generator) -> None:
    pieces = [piece.strip() for piece in sentences(TEXT)]
    alone = t5(pieces)
    assert len(pieces) == 3
    texts = [TEXT, "", pieces[0]]
    found = list(translate(t5, texts))
    assert found[0].text.split() == " ".join(alone).split()
    assert "  \n\n" in found[0].text
    assert [part.text for part in found[0].parts] == alone
    assert (found[1].text, found[1].parts) == ("", ())
    assert found[2].text == alone[0].strip()
    (whole,) = translate(t5, [TEXT], whole=True)
    assert whole.text == t5(TEXT.strip()).strip() or whole.text.strip() == t5(TEXT.strip()).strip()
    assert len(whole.parts) == 1


def test_languages_name_a_task(t5: mh.Generator) -> None:
    wording = mh.Wording(source_language="en", target_language="de")
    (found,) = translate(t5, ["The cat sat."], wording)
    told = t5("The cat sat.", mh.Wording(task="translation_en_to_de"))
    assert found.text == told.strip()
    assert told == t5("translate English to German: The cat sat.")
    assert t5.tasks == tuple(TASKS)


def test_a_model_that_chats_is_asked(chatting: mh.Generator) -> None:
    wording = mh.Wording(target_language="German", max_tokens=8)
    (found,) = translate(chatting, ["The cat."], wording)
    asked = "Translate the following text into German.\n\nThe cat."
    reply = chatting.chat([{"role": "user", "content": asked}], mh.Wording(max_tokens=8))
    assert found.text == reply.strip()
    with pytest.raises(GenerationError, match="must be told the language"):
        translate(chatting, ["The cat."])


def test_a_short_text_has_one_summary(t5: mh.Generator) -> None:
    (found,) = summarize(t5, ["The cat sat on the mat."])
    usual = t5("The cat sat on the mat.", mh.Wording(task="summarization"))
    assert found.text == usual.strip()
    assert len(found.parts) == 1


@pytest.mark.parametrize("name", ["t5", "chatting"])
def test_a_long_text_is_summarised_again_and_again(
    name: str, request: pytest.FixtureRequest
) -> None:
    generator: mh.Generator = request.getfixturevalue(name)
    assert not generator.fits(LONG, mh.Wording(instruction="Summarize:"))
    wording = mh.Wording(max_tokens=10)
    short, long = summarize(generator, ["The cat.", LONG], wording)
    assert len(short.parts) == 1
    assert len(long.parts) > 2
    assert long.text == long.parts[-1].text.strip()
    assert len(long.parts[-1].tokens) <= 10
    assert long.truncated == 0


def test_summaries_do_not_depend_on_company(t5: mh.Generator) -> None:
    texts = ["The cat.", "", LONG, "The dog sat on the log!", LONG[90:]]
    alone = [document for text in texts for document in summarize(t5, [text])]
    for one, other in zip(alone, summarize(t5, texts), strict=True):
        assert (one.text, len(one.parts)) == (other.text, len(other.parts))


def test_one_may_also_read_the_beginning_alone(t5: mh.Generator) -> None:
    (found,) = summarize(t5, [LONG], mh.Wording(truncate=True))
    assert len(found.parts) == 1
    assert found.truncated > 100


def test_summaries_that_grow_end_with_an_error(t5: mh.Generator) -> None:
    wording = mh.Wording(min_tokens=120, max_tokens=120, instruction="")
    with pytest.raises(GenerationError, match=r"line 3: .* not shorter than the text"):
        list(summarize(t5, [LONG], wording, names=["line 3"]))


def test_where_nothing_fits(chatting: mh.Generator) -> None:
    wording = mh.Wording(max_tokens=40, instruction="Summarize " * 40)
    with pytest.raises(GenerationError, match="text 1: no part of it fits"):
        list(summarize(chatting, [LONG], wording))


def test_errors_name_the_text(t5: mh.Generator) -> None:
    with pytest.raises(GenerationError, match="text 2: "):
        translate(t5, ["short", "The cat and the dog " * 40])
    with pytest.raises(GenerationError, match="line 7: "):
        translate(t5, ["The cat and the dog " * 40], names=["line 7"])


def test_folders_without_tasks_are_asked_as_they_are(tmp_path: Path) -> None:
    generator = mh.Generator(models.publish(tmp_path, "bart", generation={"max_new_tokens": 7}))
    (found,) = summarize(generator, ["The cat sat."])
    assert found.text == generator("The cat sat.").strip()
