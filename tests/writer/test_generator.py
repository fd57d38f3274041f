"""From text to text: equal to `transformers` from the same folder, streamed, chatted, scored."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
import transformers

import manyheads as mh
from manyheads.errors import GenerationError, TextError
from manyheads.generate import Finish
from manyheads.hub import load_model, save_model

from . import models

TEXTS = ["The capital of France is", "a", "The cat sat on the mat, and the dog", "你好。再见"]
WORDING = mh.Wording(max_tokens=12)
SEARCHES = {
    "greedy": {},
    "beams": {"num_beams": 3, "length_penalty": 0.6, "early_stopping": True},
    "rules": {
        "no_repeat_ngram_size": 2,
        "repetition_penalty": 1.3,
        "min_new_tokens": 4,
        "bad_words_ids": [[20], [30, 31]],
    },
}


@pytest.mark.parametrize("search", SEARCHES)
@pytest.mark.parametrize("kind", models.KINDS)
def test_a_folder_says_how_to_write(kind: str, search: str, tmp_path: Path) -> None:
    settings = {**SEARCHES[search], "max_new_tokens": 12}
    folder = models.publish(tmp_path, kind, generation=settings)
    generator = mh.Generator(folder)
    expected = [one for (one,) in models.theirs(folder, TEXTS)]
    assert generator(TEXTS) == expected
    assert generator(TEXTS[0]) == expected[0]
    again = tmp_path / "again"
    save_model(again, load_model(folder))
    assert mh.Generator(again)(TEXTS) == expected


@pytest.mark.parametrize("kind", models.KINDS)
def test_wording_has_the_last_word(kind: str, tmp_path: Path) -> None:
    folder = models.publish(tmp_path, kind, generation={"num_beams": 2, "min_new_tokens": 9})
    wording = mh.Wording(mh.Beam(4, 0.5), n_best=3, max_tokens=7, min_tokens=2, no_repeat_ngram=3)
    found = mh.Generator(folder).outputs(TEXTS, wording)
    expected = models.theirs(
        folder,
        TEXTS,
        num_beams=4,
        length_penalty=0.5,
        num_return_sequences=3,
        max_new_tokens=7,
        min_new_tokens=2,
        no_repeat_ngram_size=3,
    )
    assert [[one.text for one in outputs] for outputs in found] == expected
    assert all(one.score <= outputs[0].score for outputs in found for one in outputs)


@pytest.fixture(scope="module", params=models.KINDS)
def generator(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp(request.param)
    return mh.Generator(models.publish(folder, request.param, chat=models.CHAT))


@pytest.mark.parametrize("strategy", [mh.Greedy(), mh.Beam(3), mh.Sample(top_k=20)])
def test_a_stream_is_the_output_in_pieces(generator: mh.Generator, strategy: object) -> None:
    for text in TEXTS:
        wording = mh.Wording(strategy, max_tokens=12, seed=3, stop=("e",))
        stream, pieces = generator.stream(text, wording), []
        while True:
            try:
                pieces.append(next(stream))
            except StopIteration as end:
                whole = end.value
                break
        assert all(pieces)
        assert "".join(pieces) == whole.text == generator(text, wording)
        assert "e" not in whole.text
        assert generator.outputs([text], wording) == [[whole]]


def test_outputs_come_in_turn_and_do_not_depend_on_company(generator: mh.Generator) -> None:
    alone = [generator.outputs([text], WORDING)[0] for text in TEXTS]
    small = mh.Generator(generator.model, max_rows=2, batch_tokens=8)
    for one in (generator, small):
        turns = one.in_turn(TEXTS, WORDING)
        assert next(turns)[0].text == alone[0][0].text
        assert [outputs[0].text for outputs in turns] == [found[0].text for found in alone[1:]]


def test_an_error_comes_in_its_turn_behind_what_was_written(tmp_path: Path) -> None:
    """The model knows no numbers from its seventh position on."""
    generator = mh.Generator(models.publish(tmp_path, "gpt2"))
    texts, wording = ["a", "a a a a a a a a", "a"], mh.Wording(max_tokens=2)
    expected = generator("a", wording)
    positions = dict(generator.model.transformer.named_parameters())["embed.positions.weight"]
    with torch.no_grad():
        positions[6:] = math.nan
    outputs = generator.in_turn(texts, wording)
    assert next(outputs)[0].text == expected
    with pytest.raises(GenerationError, match=r"text 2, token 1: the logits are not numbers"):
        next(outputs)
    with pytest.raises(GenerationError, match="the text, token 1"):
        list(generator.stream(texts[1], wording))


def test_what_is_written(generator: mh.Generator) -> None:
    (written,) = generator.outputs(["The cat"], mh.Wording(max_tokens=5, min_tokens=5))[0]
    assert written.finish is Finish.LENGTH
    assert len(written.tokens) == len(written.log_probs) == 5
    assert math.isclose(written.score, sum(written.log_probs) / 5, rel_tol=1e-5)
    assert written.truncated == 0


@pytest.mark.parametrize("kind", models.DECODERS)
def test_a_dialogue_is_the_text_of_its_template(kind: str, tmp_path: Path) -> None:
    folder = models.publish(tmp_path, kind, chat=models.CHAT)
    generator = mh.Generator(folder)
    messages = [{"role": "user", "content": "the cat"}]
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    ids = tokenizer.apply_chat_template(messages, add_generation_prompt=True)["input_ids"]
    model = transformers.AutoModelForCausalLM.from_pretrained(folder).eval()
    output = model.generate(torch.tensor([ids]), max_new_tokens=12)[0, len(ids) :]
    expected = tokenizer.decode(output, skip_special_tokens=True)
    assert generator.chat(messages, WORDING) == expected
    assert "".join(generator.stream_chat(messages, WORDING)) == expected
    assert generator("the cat", mh.Wording(instruction="", max_tokens=12)) == expected
    asked = generator("the cat", mh.Wording(instruction="Repeat:", max_tokens=12))
    assert asked == generator.chat([{"role": "user", "content": "Repeat:\n\nthe cat"}], WORDING)


def test_who_cannot_chat_says_so(tmp_path: Path) -> None:
    silent = mh.Generator(models.publish(tmp_path / "silent", "gpt2"))
    reading = mh.Generator(models.publish(tmp_path / "reading", "bart", chat=models.CHAT))
    for one in (silent, reading):
        assert not one.chats
        with pytest.raises(GenerationError, match="no chat template"):
            one.chat([{"role": "user", "content": "hello"}])
    with pytest.raises(TextError, match="refuses"):
        mh.Generator(models.publish(tmp_path / "chatting", "gpt2", chat=models.CHAT)).chat([{}])


@pytest.mark.parametrize("kind", models.KINDS)
def test_scores_are_those_of_the_original(kind: str, tmp_path: Path) -> None:
    folder = models.publish(tmp_path, kind)
    generator = mh.Generator(folder)
    outputs = [" Paris.", " b c", " sat on the log!"]
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    reads = generator.reads
    auto = transformers.AutoModelForSeq2SeqLM if reads else transformers.AutoModelForCausalLM
    model = auto.from_pretrained(folder).eval()
    for text, output, scored in zip(
        TEXTS, outputs, generator.score(TEXTS[:3], outputs), strict=False
    ):
        if reads:
            labels = tokenizer(output, return_tensors="pt")["input_ids"]
            with torch.no_grad():
                found = model(tokenizer(text, return_tensors="pt")["input_ids"], labels=labels)
            expected = -found.loss * labels.shape[1]
        else:
            whole = tokenizer(text + output, return_tensors="pt")["input_ids"]
            first = len(tokenizer(text)["input_ids"])
            with torch.no_grad():
                log_probs = model(whole).logits.log_softmax(-1)[0, first - 1 : -1]
            expected = log_probs.gather(1, whole[0, first:, None]).sum()
        torch.testing.assert_close(scored.log_prob, float(expected), atol=1e-3, rtol=1e-4)
        mean = scored.log_prob / len(scored.tokens)
        assert math.isclose(scored.perplexity, math.exp(-mean), rel_tol=1e-6)


def test_texts_are_scored_by_themselves(tmp_path: Path) -> None:
    framed = mh.Generator(models.publish(tmp_path / "framed", "llama"))
    bare = mh.Generator(models.publish(tmp_path / "bare", "gpt2"))
    for one, skipped in ((framed, 0), (bare, 1)):
        (tokens,) = one.model.tokenizer.encode(["The cat"], frame=False)
        scored, empty = one.score(["The cat", ""])
        assert len(scored.tokens) == tokens.tokens - skipped
        assert scored.log_prob < 0
        assert (empty.tokens, empty.log_prob) == ((), 0.0)
        assert math.isnan(empty.perplexity)
    with pytest.raises(GenerationError, match="97 tokens exceed the 96"):
        bare.score(["a" * 98])


def test_what_an_output_reads(tmp_path: Path) -> None:
    generator = mh.Generator(models.publish(tmp_path / "bart", "bart"))
    found = generator.align("The cat", "the dog")
    assert found.source[0] == "<s>"
    assert found.output[-1] == "</s>"
    assert found.weights_TS.shape == (len(found.output), len(found.source))
    torch.testing.assert_close(found.weights_TS.sum(1), torch.ones(len(found.output)))
    decoder = mh.Generator(models.publish(tmp_path / "gpt2", "gpt2"))
    with pytest.raises(GenerationError, match="without an encoder"):
        decoder.align("a", "b")


def test_what_cannot_write_says_so(minilm: str) -> None:
    with pytest.raises(GenerationError, match="no decoder"):
        mh.Generator(minilm)


@pytest.mark.parametrize("kind", models.KINDS)
def test_texts_that_are_too_long(kind: str, tmp_path: Path) -> None:
    generator = mh.Generator(models.publish(tmp_path, kind), longest=20)
    long = "The cat sat on the mat, and the dog sat on the log! " * 4
    with pytest.raises(GenerationError, match=r"text 2: \d+ tokens exceed the 20"):
        generator(["short", long])
    assert not generator.fits(long)
    assert generator.fits("short")
    (written,) = generator.outputs([long], mh.Wording(max_tokens=4, truncate=True))[0]
    (whole,) = generator.model.tokenizer.encode([long])
    assert written.truncated == whole.tokens - 20
    with pytest.raises(GenerationError, match="longest=0 is outside 1 to"):
        mh.Generator(generator.model, longest=0)


@pytest.mark.parametrize("kind", models.DECODERS)
def test_an_output_needs_room_behind_its_prompt(kind: str, tmp_path: Path) -> None:
    generator = mh.Generator(models.publish(tmp_path, kind))
    prompt = "a b c d e f g h i j k l m n o p q r s t u v w x y z"
    (encoded,) = generator.model.tokenizer.encode([prompt])
    room = 97 - encoded.tokens
    (written,) = generator.outputs([prompt], mh.Wording(min_tokens=room))[0]
    assert len(written.tokens) == room
    with pytest.raises(GenerationError, match=f"at most {room}"):
        generator(prompt, mh.Wording(max_tokens=room + 1))
    much = mh.Wording(max_tokens=room + 1, min_tokens=room + 1, truncate=True)
    assert not generator.fits(prompt, much)
    (written,) = generator.outputs([prompt], much)[0]
    assert (len(written.tokens), written.truncated) == (room + 1, 1)
    with pytest.raises(GenerationError, match=r"at most 9[56]"):
        generator(prompt, mh.Wording(max_tokens=97, truncate=True))


def test_an_empty_prompt(tmp_path: Path) -> None:
    begun = mh.Generator(models.publish(tmp_path, "gpt2"))
    assert begun("", WORDING) == begun("<s>", WORDING)
    begun.model.tokenizer.bos_id = None
    with pytest.raises(GenerationError, match="is empty"):
        begun("", WORDING)
