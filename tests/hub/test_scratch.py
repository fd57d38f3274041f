from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from tests import tiny

import manyheads as mh
from manyheads.errors import ConfigError
from manyheads.hub import load_model, save_model

TEXTS = [text for text, _ in tiny.mood_rows(60)]


def sized(**sizes: Any) -> mh.Scratch:
    return mh.Scratch(
        **{"layers": 1, "width": 32, "heads": 2, "tokenizer": mh.BytePair(300), **sizes}
    )


def test_the_model_has_the_sizes_that_were_asked_for():
    model = sized(layers=3, width=48, heads=3, feedforward=40, max_tokens=20).build(TEXTS)
    spec = model.transformer.spec
    assert (len(spec.encoder.blocks), spec.width, spec.max_tokens) == (3, 48, 20)
    assert spec.encoder.blocks[0].attention.heads == 3
    assert model.tokenizer.max_tokens == 20
    assert spec.embed.vocabulary == model.tokenizer.vocabulary_size <= 300
    assert not model.transformer.training


def test_the_seed_decides_the_weights_and_the_corpus_the_tokenizer():
    one, same, other = sized().build(TEXTS), sized().build(TEXTS), sized().build(TEXTS, seed=1)
    weights = one.transformer.state_dict()
    assert all(torch.equal(t, weights[n]) for n, t in same.transformer.state_dict().items())
    assert not torch.equal(
        other.transformer.embed.tokens.weight, one.transformer.embed.tokens.weight
    )
    assert one.tokenizer.encode(TEXTS[:5]) == same.tokenizer.encode(TEXTS[:5])


@pytest.mark.parametrize("algorithm", [mh.BytePair(300), mh.WordPiece(200), mh.Unigram(120)])
def test_transformers_opens_what_was_built(tmp_path: Path, algorithm: Any):
    from transformers import AutoModel, AutoTokenizer

    model = sized(tokenizer=algorithm).build(TEXTS)
    save_model(tmp_path, model)
    theirs = AutoModel.from_pretrained(tmp_path).eval()
    read = AutoTokenizer.from_pretrained(tmp_path)
    inputs = read(TEXTS[3], return_tensors="pt")
    ours = list(model.tokenizer.encode([TEXTS[3]])[0].pieces[0].ids)
    assert inputs["input_ids"][0].tolist() == ours
    again = load_model(tmp_path)
    from manyheads.core.layout import Layout

    with torch.no_grad():
        expected = theirs(**inputs).last_hidden_state[0]
        hidden = again.transformer(torch.tensor(ours), Layout([len(ours)]))
    torch.testing.assert_close(hidden, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("sizes", "words"),
    [
        ({"layers": 0}, "layers=0"),
        ({"width": 0}, "width=0"),
        ({"heads": -1}, "heads=-1"),
        ({"max_tokens": 0}, "max_tokens=0"),
        ({"feedforward": -3}, "feedforward=-3"),
        ({"dropout": 1.5}, "dropout=1.5"),
        ({"dropout": -0.1}, "dropout=-0.1"),
        ({"width": 30, "heads": 4}, "width=30 is not a multiple of 2 · heads=8"),
    ],
)
def test_sizes_that_fit_nothing_are_refused(sizes: dict[str, Any], words: str):
    with pytest.raises(ConfigError, match=words):
        sized(**sizes).build(TEXTS)


def test_chinese_needs_no_spaces():
    texts = ["这家餐厅的菜很好吃", "服务态度很差", "环境不错，下次还来"] * 10
    model = sized(tokenizer=mh.BytePair(400)).build(texts)
    (one,) = model.tokenizer.encode(["这家餐厅的服务态度很好"])
    assert model.tokenizer.unk_id not in one.pieces[0].ids
    assert model.tokenizer.decode(one.pieces[0].ids).strip() == "这家餐厅的服务态度很好"


def test_ctranslate2_opens_an_encoder_decoder_of_one_vocabulary(tmp_path: Path):
    ctranslate2 = pytest.importorskip("ctranslate2", reason="CTranslate2 is not installed")
    blueprint = mh.ScratchSeq2Seq(
        layers=2, width=32, heads=2, max_tokens=40, tokenizer=mh.BytePair(300, lowercase=False)
    )
    model = blueprint.build(TEXTS, TEXTS)
    with torch.no_grad():  # drawn as they are, all its outputs are one token
        for parameter in model.transformer.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    save_model(tmp_path / "saved", model)
    converter = ctranslate2.converters.TransformersConverter(str(tmp_path / "saved"))
    converter.convert(str(tmp_path / "converted"))
    theirs = ctranslate2.Translator(str(tmp_path / "converted"), compute_type="float32")
    generator = mh.Generator(model)
    for text in TEXTS[:4]:
        (written,) = generator.outputs([text], mh.Wording(max_tokens=12, strategy=mh.Greedy()))[0]
        words = model.tokenizer.tokens(model.tokenizer.encode([text])[0].pieces[0].ids)
        (found,) = theirs.translate_batch([words], beam_size=1, max_decoding_length=12)
        (end,) = model.tokenizer.tokens([model.tokenizer.eos_id])
        assert [token for token in written.tokens if token != end] == found.hypotheses[0]


@pytest.mark.parametrize("target_tokenizer", [None, mh.BytePair(280, lowercase=False)])
def test_transformers_misses_nothing_of_an_encoder_decoder(tmp_path: Path, target_tokenizer: Any):
    from transformers import AutoModelForSeq2SeqLM

    blueprint = mh.ScratchSeq2Seq(
        layers=1,
        width=32,
        heads=2,
        max_tokens=40,
        tokenizer=mh.BytePair(300, lowercase=False),
        target_tokenizer=target_tokenizer,
    )
    save_model(tmp_path, blueprint.build(TEXTS, TEXTS))
    _, found = AutoModelForSeq2SeqLM.from_pretrained(tmp_path, output_loading_info=True)
    assert not any(found.values()), found
