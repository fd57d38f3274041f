from __future__ import annotations

import math
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests import tiny
from torch.nn.functional import cross_entropy

import manyheads as mh
from manyheads.errors import ConfigError, DataError, RecipeError, TextError
from manyheads.hub import Pretrained, load_model
from manyheads.tasks import Noise, Reading, Stream
from manyheads.text import Cleaning, Head

LINES = tiny.lines(40).train.columns
QUICK = mh.Recipe(batch_size=None, batch_tokens=256, max_tokens=32, learning_rate=5e-3, epochs=2)


def built(task: mh.LanguageModel, tokenizer: Any = None) -> Pretrained:
    blueprint = tiny.DECODER
    if tokenizer is not None:
        blueprint = mh.ScratchDecoder(1, 32, 2, max_tokens=64, tokenizer=tokenizer)
    return blueprint.build_for(task.corpus(LINES))


def stream(task: mh.LanguageModel, model: Pretrained, columns: Any = LINES) -> Stream:
    reader = task.reader(model, Reading(Cleaning(), Head, 32))
    return task.read(reader, columns, str)[0].stream


def test_characters_and_line_ends_all_count():
    task = mh.LanguageModel(separator="\n")
    model = built(task)
    text = "\n".join(LINES["text"])
    found = stream(task, model)
    assert found.tokens == found.characters == found.bytes == len(text)
    assert model.tokenizer.decode(found.ids[1:]) == text
    assert model.tokenizer.decode(found.ids[:1]) == "\n"
    assert found.row_of(0) == 0 and found.row_of(len(LINES["text"][0]) + 1) == 1


def test_words_as_they_are_given_with_one_end_a_line():
    rows = {"text": ["no <unk> was N years old", "mr. <unk> is chairman", ""]}
    task = mh.LanguageModel()
    model = mh.ScratchDecoder(1, 32, 2, tokenizer=mh.Words()).build_for(task.corpus(rows))
    found = stream(task, model, rows)
    words = [*rows["text"][0].split(), "</s>", *rows["text"][1].split(), "</s>", "</s>"]
    assert model.tokenizer.tokens(found.ids[1:]) == words
    assert found.tokens == len(words)
    assert model.tokenizer.unk_id in found.ids
    assert found.characters == sum(len(row) + 1 for row in rows["text"])


def test_text_in_other_scripts_is_counted_in_characters_and_bytes():
    task = mh.LanguageModel(separator="\n")
    found = stream(task, built(task), {"text": ["naïve 好", "x"]})
    assert (found.characters, found.bytes) == (9, 12)


def test_a_row_that_is_no_text_is_refused():
    task = mh.LanguageModel(separator="\n")
    with pytest.raises(TextError, match="text 1 is None"):
        stream(task, built(task), {"text": [None, "x"]})


@given(
    tokens=st.integers(1, 200),
    length=st.integers(1, 40),
    share=st.floats(0, 1),
    shift=st.integers(0, 400),
)
def test_blocks_and_windows_foretell_every_token_once(
    tokens: int, length: int, share: float, shift: int
):
    from array import array

    ids = array("i", range(tokens + 1))
    text = Stream(ids, [0], tokens, tokens)
    shifted = [block.ids(shift)[1:].tolist() for block in text.blocks(length)]
    assert Counter(i for block in shifted for i in block) == Counter(range(1, tokens + 1))
    stride = max(1, round(share * length))
    foretold = []
    for window in text.windows(length, stride):
        assert window.tokens <= length
        assert window.context >= min(length - stride, window.start + window.context)
        foretold += window.ids()[1 + window.context :].tolist()
    assert foretold == list(range(1, tokens + 1))


def test_the_loss_is_that_of_transformers(tmp_path: Path):
    from transformers import GPT2Config, GPT2LMHeadModel

    task = mh.LanguageModel(separator="\n")
    tokenizer = built(task).tokenizer
    config = GPT2Config(
        vocab_size=tokenizer.vocabulary_size,
        n_positions=64,
        n_embd=16,
        n_layer=2,
        n_head=2,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        initializer_range=0.3,
    )
    theirs = GPT2LMHeadModel(config).eval()
    theirs.save_pretrained(tmp_path)
    tokenizer.save(tmp_path)
    ours = load_model(tmp_path)
    blocks = stream(task, ours).blocks(32)
    loss = task.loss(task.model_of(ours).eval(), task.collate(blocks))
    expected = 0.0
    for block in blocks:
        ids = torch.tensor([block.ids().tolist()])
        with torch.no_grad():
            expected += theirs(input_ids=ids, labels=ids).loss.item() * block.tokens
    assert loss.weight == blocks[0].stream.tokens
    assert loss.total.item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("stride", [None, 1, 7, 32])
def test_a_split_is_judged_with_context_before_every_token(stride: int | None):
    task = mh.LanguageModel(separator="\n", stride=stride)
    data = tiny.lines(20, valid=3)
    learner = mh.Learner(tiny.DECODER, task, data, QUICK, quiet=True)
    evaluation = learner.evaluate()
    whole = learner.examples["valid"][0].stream
    losses, length, step = [], 32, stride or 16
    for place in range(whole.tokens):
        # The window that foretells this place, and what it has read before.
        late = max(0, place - length) // step if place >= length else -1
        end = min(whole.tokens, length + (late + 1) * step) if late >= 0 else length
        start = max(0, end - length) if late >= 0 else 0
        with torch.no_grad():
            ids = torch.tensor(whole.ids[start : place + 1].tolist())
            model = learner.model.eval().transformer
            logits = model.logits(model.decode(ids, mh_layout(len(ids))))
        losses.append(cross_entropy(logits[-1:], torch.tensor([whole.ids[place + 1]])).item())
    assert evaluation.loss == pytest.approx(sum(losses) / len(losses), rel=1e-4)
    scores = evaluation.scores
    assert scores.value("perplexity") == pytest.approx(math.exp(evaluation.loss))
    assert scores.value("bits_per_byte") == pytest.approx(evaluation.loss / math.log(2))


def mh_layout(tokens: int) -> Any:
    from manyheads.core.layout import Layout

    return Layout([tokens])


def test_every_epoch_begins_its_blocks_elsewhere():
    task = mh.LanguageModel(separator="\n")
    model = built(task)
    reader = task.reader(model, Reading(Cleaning(), Head, 32))
    blocks = task.read(reader, LINES, str)[:2]

    def first(epoch: int, seed: int = 0) -> list[int]:
        return task.draw(blocks, reader, Noise(epoch=epoch, seed=seed)).ids.tolist()

    assert first(0) == first(0) != first(1) != first(1, seed=5)


def test_training_learns_and_what_is_saved_opens_in_transformers(tmp_path: Path):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    task = mh.LanguageModel(separator="\n")
    data = tiny.lines(120, valid=10)
    learner = mh.Learner(tiny.DECODER, task, data, QUICK, quiet=True)
    learner.fit(epochs=6)
    perplexities = learner.history.values("perplexity")
    assert perplexities[-1] < 0.7 * perplexities[0]
    assert "bits per character" in str(learner.evaluate())
    assert learner.top_losses(2)[0].loss > 0
    folder = learner.predictor().save(tmp_path / "model")
    again = mh.load(folder)
    assert again.task == task and again.reader.length == 32
    ids = AutoTokenizer.from_pretrained(folder)("the food\nwas")["input_ids"]
    with torch.no_grad():
        theirs = AutoModelForCausalLM.from_pretrained(folder).eval()(torch.tensor([ids])).logits[0]
        model = again.model.transformer
        ours = model.logits(model.decode(torch.tensor(ids), mh_layout(len(ids))))
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)
    further = mh.Learner(folder, task, data, QUICK, quiet=True)
    assert further.evaluate().loss == pytest.approx(learner.evaluate().loss, rel=1e-5)


def test_what_cannot_be_is_refused():
    with pytest.raises(RecipeError, match="separates nothing"):
        mh.LanguageModel(separator="")
    with pytest.raises(RecipeError, match="stride=33 exceeds the 32 tokens"):
        mh.Learner(tiny.DECODER, mh.LanguageModel(stride=33), tiny.lines(8), QUICK, quiet=True)
    with pytest.raises(ConfigError, match="does not foretell what comes next"):
        mh.Learner(tiny.SCRATCH, mh.LanguageModel(), tiny.lines(8), QUICK, quiet=True)
    with pytest.raises(DataError, match="no text to learn from"):
        mh.LanguageModel().check({"text": ["", " "]}, "row {}".format)
