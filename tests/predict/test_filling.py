"""Masks are filled in with the probabilities that transformers computes."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tests import tiny

import manyheads as mh
from manyheads.errors import CheckpointError, ConfigError, GenerationError, TextError
from manyheads.hub import locate
from manyheads.predict import Filled, MaskFiller, settings_of
from manyheads.predict.blanks import Blank, TextWithBlanks

CHINESE = ["我们今天去北京大学参观图书馆", "今天的天气很好", "他在图书馆看书"]
CORPUS = [*tiny.lines(60).train.columns["text"], *CHINESE * 3]
SIZES = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "max_position_embeddings": 48,
}


def published(folder: Path, name: str, algorithm: Any) -> Path:
    """A masked language model of random weights, as `transformers` writes it."""
    import transformers

    tokenizer = mh.learn_tokenizer(CORPUS, algorithm)
    # As some are published: the table has more rows than there are tokens.
    sizes = SIZES | {"vocab_size": tokenizer.vocabulary_size + 7}
    if name == "DistilBert":
        sizes = {"dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 24} | {
            "vocab_size": sizes["vocab_size"],
            "max_position_embeddings": 48,
        }
    special = {"pad_token_id": tokenizer.pad_id, "sep_token_id": tokenizer.sep_id}
    special |= {"cls_token_id": tokenizer.cls_id}
    special |= {"bos_token_id": tokenizer.cls_id, "eos_token_id": tokenizer.sep_id}
    config = getattr(transformers, f"{name}Config")(**sizes, **special)
    torch.manual_seed(0)
    model = getattr(transformers, f"{name}ForMaskedLM")(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0, 0.3)
    model.save_pretrained(folder)
    tokenizer.save(folder)
    return folder


@pytest.fixture(scope="session")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return published(tmp_path_factory.mktemp("bert"), "Bert", mh.WordPiece(vocabulary=200))


@pytest.fixture(scope="session")
def filler(bert: Path) -> MaskFiller:
    opened = mh.load(bert)
    assert isinstance(opened, MaskFiller)
    return opened


def theirs(folder: Path, text: str, top: int) -> list[tuple[list[int], list[float]]]:
    """What transformers finds for each mask of a text."""
    from transformers import AutoModelForMaskedLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForMaskedLM.from_pretrained(folder).eval()
    inputs = tokenizer(text, return_tensors="pt")
    with torch.no_grad():
        shares = model(**inputs).logits[0].softmax(-1)
    masked = shares[inputs["input_ids"][0] == tokenizer.mask_token_id]
    best = masked[:, : len(tokenizer)].topk(top)
    return list(zip(best.indices.tolist(), best.values.tolist(), strict=True))


TEXTS = [
    "the food was [MASK] and great",
    "[MASK]",
    "we had [MASK] [MASK], and it was (so-so)[MASK]",
    "我们今天去[MASK]京大学参观[MASK]书馆",
]


def assert_equal(folder: Path, found: list[Filled], top: int) -> None:
    for text, one in zip(TEXTS, found, strict=True):
        expected = theirs(folder, text, top)
        assert len(one.candidates) == text.count("[MASK]") == len(expected)
        for some, (ids, shares) in zip(one.candidates, expected, strict=True):
            assert [candidate.id for candidate in some] == ids
            assert [candidate.probability for candidate in some] == pytest.approx(shares, rel=1e-4)


@pytest.mark.parametrize("name", ["Bert", "Roberta", "DistilBert", "Electra", "ModernBert"])
@pytest.mark.parametrize("algorithm", [mh.WordPiece(200), mh.BytePair(320)], ids=["wp", "bpe"])
def test_probabilities_are_those_of_transformers(name: str, algorithm: Any, tmp_path: Path):
    folder = published(tmp_path / "published", name, algorithm)
    filler = mh.load(folder)
    assert_equal(folder, filler(TEXTS, top=4), 4)
    saved = filler.save(tmp_path / "saved")
    assert (saved / "manyheads.json").is_file()
    assert mh.load(saved)(TEXTS, top=3) == filler(TEXTS, top=3)
    assert_equal(saved, mh.load(saved)(TEXTS, top=3), 3)


def test_company_and_order_change_nothing(filler: MaskFiller):
    texts = [f"{'the food was ' * (n % 5)}[MASK] {'and great ' * (n % 3)}" for n in range(200)]
    together = filler(texts, top=2)
    alone = [filler(text, top=2) for text in texts[:6]]
    for one, other in zip(together[:6], alone, strict=True):
        assert one.text == other.text
        for some, others in zip(one.candidates, other.candidates, strict=True):
            assert [c.id for c in some] == [c.id for c in others]
            assert [c.probability for c in some] == pytest.approx(
                [c.probability for c in others], rel=1e-4
            )
    assert filler([]) == []


def test_a_text_is_filled_with_the_best_tokens(filler: MaskFiller):
    one = filler("我们今天去[MASK]京大学", top=3)
    best = one.candidates[0][0]
    assert len(one.candidates[0]) == 3
    word = best.token.removeprefix("##")
    assert one.text == f"我们今天去{word}京大学"
    assert one.truncated == 0


def filled(tokenizer: mh.Tokenizer, text: str, *tokens: str) -> str:
    """A text with such tokens in the places of its masks."""
    (piece,) = tokenizer.encode([text], offsets=True)[0].pieces
    places = [place for place, number in enumerate(piece.ids) if number == tokenizer.mask_id]
    blanks = [Blank.at(text, piece, place) for place in places]
    ids = [tokenizer.id_of(token) for token in tokens]
    assert None not in ids and tokenizer.mask_id is not None
    return TextWithBlanks(text, tokenizer.mask_id, blanks).filled(ids, tokenizer)  # type: ignore[arg-type]


def test_pieces_of_words_join_the_word_before_them(minilm: str):
    tokenizer = mh.Tokenizer.from_folder(locate(minilm))
    assert filled(tokenizer, "It is [MASK] of  France.", "paris") == "It is paris of  France."
    assert filled(tokenizer, "We play [MASK]\n now", "##ing") == "We playing\n now"
    assert filled(tokenizer, "We [MASK] [MASK]!", "play", "##ing") == "We playing!"
    assert filled(tokenizer, "([MASK])", "paris") == "(paris)"
    assert filled(tokenizer, "[MASK] is", "##s") == "s is"
    assert filled(tokenizer, "去[MASK]京", "北") == "去北京"


def test_tokens_that_begin_with_a_space_are_written_as_the_text_has_it():
    tokenizer = mh.learn_tokenizer(CORPUS, mh.BytePair(320))
    assert filled(tokenizer, "we had [MASK] food", "Ġthe") == "we had the food"
    assert filled(tokenizer, "we had[MASK] food", "Ġthe") == "we had the food"
    assert filled(tokenizer, "we had [MASK] food", "s") == "we hads food"
    assert filled(tokenizer, "[MASK] food", "Ġthe") == "the food"
    assert filled(tokenizer, "we\n[MASK] food", "s") == "we\ns food"
    unigram = mh.learn_tokenizer(CORPUS, mh.Unigram(vocabulary=120))
    assert filled(unigram, "we had [MASK] food", "▁the") == "we had the food"


def test_a_learnt_mask_stands_for_a_word_and_its_space():
    tokenizer = mh.learn_tokenizer(CORPUS, mh.BytePair(320))
    whole, hidden = tokenizer.encode(["we had the food", "we had [MASK] food"])
    (place,) = [n for n, one in enumerate(hidden.pieces[0].ids) if one == tokenizer.mask_id]
    expected = list(whole.pieces[0].ids)
    expected[place] = tokenizer.mask_id
    assert list(hidden.pieces[0].ids) == expected


def test_a_cut_text_is_counted_and_a_cut_mask_refused(filler: MaskFiller):
    one = filler("the [MASK] " + "food " * 100)
    assert one.truncated == 102 - (48 - 2)
    assert one.text.startswith("the ") and one.text.endswith("food ")
    with pytest.raises(TextError, match=r"text 2 has 104 tokens, and 1 of its 2 masks .* 48 that"):
        filler(["[MASK]", "[MASK] " + "food " * 100 + "[MASK]"])


def test_windows_see_every_mask(bert: Path, tmp_path: Path):
    filler = mh.load(bert)
    text = "the [MASK] was " + "food and " * 40 + "[MASK] great"
    reader = filler.reader.reader
    windows = replace(reader, truncation=mh.Windows(24, stride=8))
    filler.reader = replace(filler.reader, reader=windows)
    one = filler(text, top=2)
    assert one.truncated == 0
    assert len(one.candidates) == 2
    again = mh.load(filler.save(tmp_path / "saved"))
    assert again(text, top=2) == one


def test_a_mask_is_no_tag(bert: Path, tmp_path: Path):
    folder = shutil.copytree(bert, tmp_path / "bert")
    for path in folder.glob("*token*.json"):
        text = path.read_text(encoding="utf-8").replace("[MASK]", "<mask>")
        path.write_text(text, encoding="utf-8")
    filler = mh.load(folder)
    reader = replace(filler.reader.reader, cleaning=mh.Cleaning(html=True))
    filler.reader = replace(filler.reader, reader=reader)
    one = filler("the <b>food</b> is<br><mask>&amp;")
    assert one.text.startswith("the food is") and one.text.endswith("&")
    assert len(one.candidates) == 1


def test_what_cannot_be_filled_is_refused(filler: MaskFiller):
    with pytest.raises(TextError, match=r"text 2 has no mask: 'the food'; write \[MASK\]"):
        filler(["a [MASK]", "the food"])
    with pytest.raises(TextError, match=r"text 1 is 3, which is not a string"):
        filler([3])  # type: ignore[list-item]
    for top in (0, 10_000):
        with pytest.raises(GenerationError, match=rf"top={top} .* choose 1 to"):
            filler("[MASK]", top=top)


def test_an_output_that_was_not_published_is_not_made_up(bert: Path, tmp_path: Path):
    from transformers import AutoModel

    folder = shutil.copytree(bert, tmp_path / "body")
    AutoModel.from_pretrained(bert).save_pretrained(folder)
    with pytest.raises(ConfigError, match=r"without a task .* output for masked tokens"):
        mh.load(folder)
    for damaged in (shutil.copytree(bert, tmp_path / "bert"), mh.load(bert).save(tmp_path / "own")):
        tensors = load_file(damaged / "model.safetensors")
        kept = {name: one for name, one in tensors.items() if "transform.dense" not in name}
        save_file(kept, damaged / "model.safetensors", {"format": "pt"})
        with pytest.raises(CheckpointError, match=r"lacks 2 of \d+ weights: output\.dense"):
            mh.load(damaged)


def test_what_is_left_of_an_output_in_a_body_is_no_output(tmp_path: Path):
    """ModernBERT's classifier shares two modules with its output for masked tokens."""
    folder = published(tmp_path / "modernbert", "ModernBert", mh.WordPiece(200))
    config = json.loads((folder / "config.json").read_text())
    config["architectures"] = ["ModernBertModel"]
    (folder / "config.json").write_text(json.dumps(config))
    assert isinstance(mh.load(folder), MaskFiller)
    tensors = load_file(folder / "model.safetensors")
    kept = {name: one for name, one in tensors.items() if not name.startswith("decoder")}
    assert any(name.startswith("head.") for name in kept)
    save_file(kept, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(ConfigError, match="without a task"):
        mh.load(folder)


def test_a_pretraining_model_of_another_name_fills_masks_too(bert: Path, tmp_path: Path):
    """The weights say what a model can, as BERT itself was published for pretraining."""
    from transformers import BertConfig, BertForPreTraining

    folder = shutil.copytree(bert, tmp_path / "bert")
    BertForPreTraining(BertConfig.from_pretrained(bert)).save_pretrained(folder)
    assert_equal(folder, mh.load(folder)(TEXTS, top=1), 1)
    pretrained = mh.load_model(folder)
    settings = settings_of(folder, pretrained)
    assert settings is not None and settings.task == mh.MaskedLanguageModel()


def test_what_was_learnt_is_filled_in():
    data = tiny.lines(60)
    learner = mh.Learner(
        tiny.SCRATCH,
        mh.MaskedLanguageModel(),
        data,
        mh.Recipe(batch_size=16, learning_rate=3e-3, epochs=1, max_tokens=32),
        quiet=True,
    )
    learner.fit()
    one = learner.predictor()("the food was [MASK] and great")
    assert one.text.startswith("the food") and len(one.candidates[0]) == 5
