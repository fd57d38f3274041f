from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests import tiny

import manyheads as mh
from manyheads.errors import CheckpointError, ConfigError, RecipeError
from manyheads.hub import Pretrained, load_model
from manyheads.predict import predictor_of
from manyheads.tasks import MaskedBatch, Noise, PassageReader, Reading
from manyheads.text import Cleaning, Head, Windows

LINES = tiny.lines(60).train.columns
QUICK = mh.Recipe(batch_size=16, learning_rate=3e-3, epochs=2, max_tokens=32)
TASK = mh.MaskedLanguageModel()


@pytest.fixture(scope="module")
def scratch() -> Pretrained:
    return TASK.prepared(tiny.SCRATCH.build(LINES["text"]))


def read(
    pretrained: Pretrained, task: mh.MaskedLanguageModel = TASK, columns: Any = LINES
) -> tuple[PassageReader, Any]:
    reader = task.reader(pretrained, Reading(Cleaning(), Head, 32))
    return reader, task.read(reader, columns, str)


def shown(batch: MaskedBatch) -> list[list[int]]:
    return [one.tolist() for one in batch.ids.split(batch.layout.lengths)]


def test_a_share_of_each_text_is_hidden_and_its_targets_are_what_stood_there(scratch: Pretrained):
    _, passages = read(scratch)
    batch = TASK.collate(passages)
    original = torch.cat([torch.tensor(p.piece.ids.tolist()) for p in passages])
    assert torch.equal(batch.targets, original[batch.places])
    untouched = torch.ones(batch.tokens, dtype=torch.bool)
    untouched[batch.places] = False
    assert torch.equal(batch.ids[untouched], original[untouched])
    special = torch.tensor(sorted(scratch.tokenizer.special_ids))
    assert not torch.isin(batch.targets, special).any()
    hidden = Counter(batch.layout.owners[batch.places].tolist())
    for number, passage in enumerate(passages):
        assert hidden[number] == max(1, round(0.15 * (passage.tokens - 2)))


def test_of_the_hidden_80_percent_show_the_mask_and_10_another_token(scratch: Pretrained):
    reader, passages = read(scratch)
    kinds: Counter[str] = Counter()
    for seed in range(60):
        torch.manual_seed(seed)
        batch = TASK.draw(passages, reader, Noise())
        for now, before in zip(
            batch.ids[batch.places].tolist(), batch.targets.tolist(), strict=True
        ):
            mask = now == scratch.tokenizer.mask_id
            kinds["mask" if mask else "same" if now == before else "other"] += 1
    total = kinds.total()
    assert kinds["mask"] / total == pytest.approx(0.8, abs=0.02)
    assert kinds["other"] / total == pytest.approx(0.1, abs=0.02)
    assert kinds["same"] / total == pytest.approx(0.1, abs=0.02)


def test_training_hides_others_each_time_and_judging_the_same(scratch: Pretrained):
    reader, passages = read(scratch)
    assert shown(TASK.collate(passages)) == shown(TASK.collate(passages))
    assert shown(TASK.collate(passages))[3] == shown(TASK.collate(passages[3:4]))[0]

    def drawn(seed: int) -> list[list[int]]:
        torch.manual_seed(seed)
        return shown(TASK.draw(passages, reader, Noise()))

    assert drawn(1) == drawn(1) != drawn(2)


def test_pieces_of_a_word_are_hidden_together(minilm: str):
    body = load_model(minilm)
    columns = {
        "text": ["unbelievably antidisestablishmentarian hippopotamuses photosynthesize"] * 8
    }
    task = mh.MaskedLanguageModel(share=0.4, unit=mh.Unit.WORDS)
    prepared = task.prepared(body)
    _, passages = read(prepared, task, columns)
    batch = task.collate(passages)
    tokens = body.tokenizer.tokens(passages[0].piece.ids)
    assert sum(token.startswith("##") for token in tokens) > 6
    for number, start in enumerate(batch.layout.starts):
        places = {p - start for p in batch.places.tolist() if batch.layout.owners[p] == number}
        assert places
        for at, (_, token) in enumerate(pairwise(tokens), start=1):
            if token.startswith("##"):
                assert (at in places) == (at - 1 in places)


def test_chinese_words_are_hidden_together(scratch: Pretrained):
    pytest.importorskip("jieba")
    text = "我们今天去北京大学参观图书馆"
    tokenizer = mh.WordPiece(vocabulary=120)
    body = mh.Scratch(layers=1, width=32, heads=2, tokenizer=tokenizer).build([text] * 3)
    task = mh.MaskedLanguageModel(share=0.3, unit=mh.Unit.CHINESE_WORDS)
    prepared = task.prepared(body)
    _, passages = read(prepared, task, {"text": [text] * 20})
    assert list(passages[0].units[1:-1]) == [0, 0, 1, 1, 2, 3, 3, 3, 3, 4, 4, 5, 5, 5]
    batch = task.collate(passages)
    for number, start in enumerate(batch.layout.starts):
        places = [p - start for p in batch.places.tolist() if batch.layout.owners[p] == number]
        units = {passages[0].units[place] for place in places}
        assert len(places) == sum(passages[0].units.count(unit) for unit in units)


def test_windows_are_passages_of_their_own(scratch: Pretrained):
    reader = TASK.reader(scratch, Reading(Cleaning(), Windows, 12))
    columns = {"text": ["the food was lovely and great " * 6, "", "a table"]}
    passages = TASK.read(reader, columns, str)
    assert [p.row for p in passages].count(0) > 2
    assert {p.row for p in passages} == {0, 2}
    assert [len(p.texts) for p in passages if p.row == 0][:2] == [1, 0]


def their_model(name: str, vocabulary: int) -> Any:
    import transformers

    sizes = {
        "hidden_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 24,
        "vocab_size": vocabulary,
    }
    distil = {"dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 24, "vocab_size": vocabulary}
    ids = dict.fromkeys(("bos_token_id", "cls_token_id"), 2)
    ids |= dict.fromkeys(("eos_token_id", "sep_token_id"), 3)
    model = {
        "bert": lambda: transformers.BertForMaskedLM(transformers.BertConfig(**sizes)),
        "roberta": lambda: transformers.RobertaForMaskedLM(transformers.RobertaConfig(**sizes)),
        "xlm-roberta": lambda: transformers.XLMRobertaForMaskedLM(
            transformers.XLMRobertaConfig(**sizes)
        ),
        "distilbert": lambda: transformers.DistilBertForMaskedLM(
            transformers.DistilBertConfig(**distil)
        ),
        "electra": lambda: transformers.ElectraForMaskedLM(
            transformers.ElectraConfig(**sizes, embedding_size=12)
        ),
        "modernbert": lambda: transformers.ModernBertForMaskedLM(
            transformers.ModernBertConfig(**sizes, **ids, pad_token_id=0)
        ),
    }[name]().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0, 0.3)
    return model


@pytest.mark.parametrize(
    "name", ["bert", "roberta", "xlm-roberta", "distilbert", "electra", "modernbert"]
)
def test_the_loss_is_that_of_transformers(name: str, scratch: Pretrained, tmp_path: Path):
    from transformers import AutoModelForMaskedLM

    theirs = their_model(name, scratch.tokenizer.vocabulary_size)
    theirs.save_pretrained(tmp_path / "theirs")
    scratch.tokenizer.save(tmp_path / "theirs")
    ours = TASK.prepared(load_model(tmp_path / "theirs"))
    reader, passages = read(ours)
    model = TASK.model_of(ours).eval()
    loss = TASK.loss(model, TASK.collate(passages))
    folder = predictor_of(TASK, model, reader, ours).save(tmp_path / "ours")
    again, found = AutoModelForMaskedLM.from_pretrained(folder, output_loading_info=True)
    assert not found["missing_keys"] and not found["mismatched_keys"]
    expected = {"theirs": 0.0, "again": 0.0}
    for passage in passages:
        batch = TASK.collate([passage])
        labels = torch.full((batch.tokens,), -100)
        labels[batch.places] = batch.targets
        for who, one in (("theirs", theirs), ("again", again.eval())):
            with torch.no_grad():
                mean = one(input_ids=batch.ids[None], labels=labels[None]).loss.item()
            expected[who] += mean * len(batch.targets)
    assert loss.total.item() == pytest.approx(expected["theirs"], rel=1e-5)
    assert loss.total.item() == pytest.approx(expected["again"], rel=1e-5)


def test_what_was_learnt_from_raw_text_is_where_a_classifier_begins(tmp_path: Path):
    data = tiny.lines(80, valid=20)
    learner = mh.Learner(tiny.SCRATCH, TASK, data, QUICK, quiet=True)
    learner.fit(epochs=6)
    perplexities = learner.history.values("perplexity")
    assert perplexities[-1] < 0.8 * perplexities[0]
    folder = learner.predictor().save(tmp_path / "model")
    again = mh.load(folder)
    assert again.task == TASK
    further = mh.Learner(folder, TASK, data, QUICK, quiet=True)
    assert further.evaluate().loss == pytest.approx(learner.evaluate().loss, rel=1e-5)
    classifier = mh.Learner(folder, mh.Classification(), tiny.moods(16), QUICK, quiet=True)
    ours = classifier.model.transformer.encoder.state_dict()
    theirs = learner.model.transformer.encoder.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    classifier.fit(epochs=0.5)


def test_an_output_that_was_not_published_starts_from_the_table(minilm: str):
    body = load_model(minilm)
    prepared = TASK.prepared(body)
    assert prepared.transformer.output is not None and prepared.transformer.output.project is None
    assert torch.equal(prepared.transformer.table.weight, body.transformer.table.weight)
    assert prepared.head_weights.keys() == body.head_weights.keys()
    assert prepared.transformer.output.dense.weight.std().item() == pytest.approx(0.02, rel=0.1)


def test_a_published_output_that_does_not_fit_is_refused(minilm: str):
    body = load_model(minilm)
    weights = {"cls.predictions.transform.dense.weight": torch.zeros(8, 8)}
    wrong = replace(body, head_weights=body.head_weights | weights)
    with pytest.raises(CheckpointError, match=r"output\.dense\.weight has the shape \(8, 8\)"):
        TASK.prepared(wrong)


def test_what_cannot_be_is_refused(scratch: Pretrained):
    with pytest.raises(RecipeError, match=r"share=0\.0"):
        mh.MaskedLanguageModel(share=0.0)
    with pytest.raises(ConfigError, match="no mask token"):
        mh.Learner(tiny.DECODER, TASK, tiny.lines(8), QUICK, quiet=True)
    assert np.isin(read(scratch)[0].masking.others, list(scratch.tokenizer.special_ids)).sum() == 0
