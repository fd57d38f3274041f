from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch
from tests import tiny

import manyheads as mh
from manyheads.errors import ConfigError, DataError, RecipeError
from manyheads.generate import Settings
from manyheads.hub import Pretrained, load_model
from manyheads.tasks import Noise, PairReader, Reading
from manyheads.text import Cleaning, Head

TASK = mh.Translation(label_smoothing=0.0)
ROWS = tiny.digit_rows(12)
COLUMNS = {"text": [text for text, _ in ROWS], "target": [target for _, target in ROWS]}
QUICK = mh.Recipe(batch_size=8, learning_rate=3e-3, epochs=2)


@pytest.fixture(scope="module")
def scratch() -> Pretrained:
    return tiny.SEQ2SEQ.build_for(COLUMNS)


def read(pretrained: Pretrained, columns: Any = COLUMNS, **limits: int) -> tuple[PairReader, Any]:
    reader = TASK.reader(pretrained, Reading(Cleaning(), Head, **limits))
    return reader, TASK.read(reader, columns, str)


def their_model(name: str, vocabulary: int) -> Any:
    """A tiny encoder-decoder of random weights, without dropout."""
    import transformers

    sizes = {"d_model": 16, "vocab_size": vocabulary}
    match name:
        case "t5" | "t5 v1.1":
            gated = {"feed_forward_proj": "gated-gelu", "tie_word_embeddings": False}
            config = transformers.T5Config(
                **sizes,
                **(gated if name == "t5 v1.1" else {}),
                d_kv=8,
                d_ff=24,
                num_layers=2,
                num_heads=2,
                dropout_rate=0.0,
                pad_token_id=0,
                eos_token_id=2,
                decoder_start_token_id=0,
            )
            return transformers.T5ForConditionalGeneration(config).eval()
        case "bart":
            kind, ids = transformers.BartConfig, {"bos_token_id": 1, "decoder_start_token_id": 2}
            model = transformers.BartForConditionalGeneration
        case _:
            kind, ids = transformers.MarianConfig, {"decoder_start_token_id": 0}
            model = transformers.MarianMTModel
    config = kind(
        **sizes,
        **ids,
        encoder_layers=2,
        decoder_layers=2,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=24,
        decoder_ffn_dim=24,
        max_position_embeddings=64,
        dropout=0.0,
        pad_token_id=0,
        eos_token_id=2,
        init_std=0.3,
    )
    return model(config).eval()


@pytest.mark.parametrize("name", ["bart", "marian", "t5", "t5 v1.1"])
def test_the_loss_is_that_of_transformers(name: str, scratch: Pretrained, tmp_path: Path):
    theirs = their_model(name, scratch.tokenizer.vocabulary_size)
    theirs.save_pretrained(tmp_path)
    scratch.tokenizer.save(tmp_path)
    ours = load_model(tmp_path)
    _, pairs = read(ours)
    model = TASK.model_of(ours).eval()
    loss = TASK.loss(model, TASK.collate(pairs))
    expected, tokens = 0.0, 0
    for pair in pairs:  # one at a time: no padding on their side either
        labels = torch.tensor([list(pair.written)])
        with torch.no_grad():
            one = theirs(input_ids=torch.tensor([list(pair.read)]), labels=labels).loss
        expected += float(one) * labels.numel()
        tokens += labels.numel()
    assert loss.weight == tokens
    assert loss.total.item() == pytest.approx(expected, rel=1e-5)


def test_smoothing_is_torchs(scratch: Pretrained):
    _, pairs = read(scratch)
    batch = TASK.collate(pairs)
    model = TASK.model_of(scratch).eval()
    logits = model.transformer.logits(TASK._hidden(model, batch))
    expected = torch.nn.functional.cross_entropy(logits, batch.targets, label_smoothing=0.1)
    torch.testing.assert_close(mh.Translation().loss(model, batch).mean, expected)


def test_a_batch_gives_the_decoder_what_stands_one_place_before(scratch: Pretrained):
    reader, pairs = read(scratch)
    batch = TASK.collate(pairs)
    assert batch.tokens == sum(pair.tokens for pair in pairs)
    for pair, inputs, targets in zip(
        pairs,
        batch.inputs.split(batch.layout.lengths),
        batch.targets.split(batch.layout.lengths),
        strict=True,
    ):
        assert inputs.tolist() == [reader.bounds.start, *targets.tolist()[:-1]]
        assert targets.tolist() == list(pair.written)
        assert targets[-1] == reader.bounds.end


def test_company_and_order_change_nothing(scratch: Pretrained):
    reader, pairs = read(scratch)
    model = TASK.model_of(scratch).eval()
    together = TASK.loss(model, TASK.draw(pairs, reader, Noise()))
    alone = [TASK.loss(model, TASK.collate([pair])).total.item() for pair in pairs]
    assert together.total.item() == pytest.approx(sum(alone), rel=1e-5)


def test_what_is_too_long_is_cut_and_counted_and_a_cut_target_has_no_end(scratch: Pretrained):
    reader, pairs = read(scratch, max_tokens=5, max_target_tokens=6)
    _, whole = read(scratch)
    assert any(pair.texts[0].dropped for pair in pairs)
    for pair, full in zip(pairs, whole, strict=True):
        assert len(pair.read) <= 5 and len(pair.written) <= 6
        cut = len(full.written) > 6
        assert (pair.texts[1].dropped > 0) == cut
        assert (pair.written[-1] == reader.bounds.end) == (not cut)
        assert list(pair.written)[:5] == list(full.written)[:5]


def test_limits_beyond_the_model_are_refused(scratch: Pretrained):
    with pytest.raises(RecipeError, match="max_target_tokens=65 exceeds the 64 tokens"):
        read(scratch, max_target_tokens=65)


def test_subword_dropout_reads_the_same_text_in_other_pieces(scratch: Pretrained):
    reader, pairs = read(scratch)

    def drawn(seed: int) -> list[list[int]]:
        torch.manual_seed(seed)
        batch = TASK.draw(pairs, reader, Noise(subwords=0.5))
        return [one.tolist() for one in batch.targets.split(batch.layout.lengths)]

    assert drawn(1) == drawn(1) != drawn(2)
    texts = sorted(scratch.tokenizer.decode(ids) for ids in drawn(1))
    assert texts == sorted(COLUMNS["target"])
    assert sum(map(len, drawn(1))) > sum(len(pair.written) for pair in pairs)
    assert all(ids[-1] == reader.bounds.end for ids in drawn(1))


def test_a_side_of_characters_stays_as_it_is():
    blueprint = replace(tiny.SEQ2SEQ, tokenizer=mh.Characters(), target_tokenizer=mh.BytePair(300))
    reader, pairs = read(blueprint.build_for(COLUMNS))
    random = Random(0)
    drawn = [reader.redrawn(pair, 0.5, random) for pair in pairs]
    assert [pair.read for pair in drawn] == [pair.read for pair in pairs]
    assert [pair.written for pair in drawn] != [pair.written for pair in pairs]


def test_subword_dropout_of_whole_words_is_refused():
    reader, pairs = read(replace(tiny.SEQ2SEQ, tokenizer=mh.Words()).build_for(COLUMNS))
    with pytest.raises(RecipeError, match="set subword_dropout=0"):
        reader.redrawn(pairs[0], 0.5, Random(0))


@pytest.mark.parametrize("target", ["", "  ", None, 3])
def test_a_row_without_a_text_to_write_is_named(target: Any):
    with pytest.raises(DataError, match="row 1 has no text to write"):
        TASK.check({"text": ["a", "b"], "target": ["a", target]}, "row {}".format)


def test_data_without_targets_are_refused():
    with pytest.raises(DataError, match="no target column"):
        mh.Learner(tiny.SEQ2SEQ, TASK, tiny.moods(8), QUICK, quiet=True)


def test_an_encoder_alone_is_refused():
    with pytest.raises(ConfigError, match="does not turn texts into texts"):
        mh.Learner(tiny.SCRATCH, TASK, tiny.translations(8), QUICK, quiet=True)


@pytest.fixture(scope="module")
def trained() -> mh.Learner:
    data = tiny.translations(240, valid=20)
    recipe = mh.Recipe(batch_size=8, learning_rate=5e-3, epochs=12, schedule="inverse_square_root")
    learner = mh.Learner(
        tiny.SEQ2SEQ, mh.Translation(label_smoothing=0.05), data, recipe, quiet=True
    )
    learner.fit()
    return learner


def test_training_learns_to_translate(trained: mh.Learner):
    perplexities = trained.history.values("perplexity")
    assert perplexities[-1] < 0.2 * perplexities[0]
    evaluation = trained.evaluate()
    assert evaluation.scores.value("token_accuracy") > 0.75
    assert evaluation.scores.value("bleu") > evaluation.baseline.value("bleu") + 20  # type: ignore[union-attr]
    assert "perplexity" in str(evaluation) and "tok:13a" in str(evaluation)
    assert trained.history.values("bleu")[-1] > trained.history.values("bleu")[0]
    hardest = trained.top_losses(3)
    assert (
        hardest[0].loss >= hardest[1].loss
        and hardest[0].label in trained.data.valid.columns["target"]
    )  # type: ignore[union-attr]


def test_what_is_saved_opens_here_and_in_transformers(trained: mh.Learner, tmp_path: Path):
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

    folder = trained.predictor().save(tmp_path / "model")
    again = mh.load(folder)
    assert isinstance(again.task, mh.Translation)
    assert again.task == trained.task
    assert again.reader.source.truncation == trained.reader.source.truncation
    source, target = ROWS[0]
    (pair,) = again.reader.read([source], [target])
    theirs = AutoModelForSeq2SeqLM.from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert tokenizer(source)["input_ids"] == list(pair.read)
    assert tokenizer(target)["input_ids"] == list(pair.written)
    with torch.no_grad():
        logits = theirs(
            input_ids=torch.tensor([list(pair.read)]), labels=torch.tensor([list(pair.written)])
        ).logits[0]
        batch = TASK.collate([pair])
        ours = again.model.transformer.logits(TASK._hidden(again.model, batch))
    torch.testing.assert_close(ours, logits, rtol=1e-4, atol=1e-4)


def test_what_is_saved_writes(trained: mh.Learner, tmp_path: Path):
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

    predictor = trained.predictor()
    folder = predictor.save(tmp_path / "model")
    sources = [source for source, _ in ROWS[:4]]
    written = predictor(sources)
    assert written == mh.load(folder)(sources) == mh.Generator(folder)(sources)
    assert predictor(sources[0]) == written[0]
    theirs = AutoModelForSeq2SeqLM.from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    ids = tokenizer(sources[0], return_tensors="pt")["input_ids"]
    out = theirs.generate(input_ids=ids)[0]
    assert tokenizer.decode(out, skip_special_tokens=True) == written[0]
    predictor.save(tmp_path / "again")  # packed by now
    assert mh.load(tmp_path / "again")(sources) == written


def test_a_predictor_writes_as_it_was_judged(tmp_path: Path):
    """Saved or not, with all that its search keeps to: an untrained model repeats itself."""
    search = Settings(max_tokens=9, min_tokens=6, repetition_penalty=1.5, no_repeat_ngram=2)
    task, data = mh.Translation(search=search), tiny.translations(24, valid=8)
    learner = mh.Learner(tiny.SEQ2SEQ, task, data, QUICK, quiet=True)
    judged = {hard.text: hard.prediction for hard in learner.top_losses(8, "valid")}
    predictor = learner.predictor()
    assert predictor(list(judged)) == list(judged.values())
    assert mh.load(predictor.save(tmp_path / "model"))(list(judged)) == list(judged.values())


def test_a_saved_model_is_trained_further(trained: mh.Learner, tmp_path: Path):
    folder = trained.predictor().save(tmp_path / "model")
    further = mh.Learner(folder, mh.Translation(), trained.data, QUICK, quiet=True)
    assert further.evaluate().loss == pytest.approx(trained.evaluate().loss, rel=1e-5)
    assert further.fit(epochs=0.2).steps[0].loss < trained.history.steps[0].loss / 2


def test_two_vocabularies_have_two_tables(tmp_path: Path):
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

    blueprint = replace(tiny.SEQ2SEQ, target_tokenizer=mh.BytePair(280))
    learner = mh.Learner(blueprint, TASK, tiny.translations(40), QUICK, quiet=True)
    learner.fit(epochs=0.5)
    folder = learner.predictor().save(tmp_path / "model")
    again = mh.load(folder)
    (pair,) = again.reader.read(["1 2 3"], ["one two three"])
    target = AutoTokenizer.from_pretrained(folder / "target_tokenizer")
    assert target("one two three")["input_ids"] == list(pair.written)
    assert list(pair.written) != AutoTokenizer.from_pretrained(folder)("one two three")["input_ids"]
    with torch.no_grad():
        theirs = AutoModelForSeq2SeqLM.from_pretrained(folder).eval()(
            input_ids=torch.tensor([list(pair.read)]), labels=torch.tensor([list(pair.written)])
        )
        ours = TASK.loss(again.model, TASK.collate([pair])).mean
    assert ours.item() == pytest.approx(theirs.loss.item(), rel=1e-5)
