"""Translation models as they are published, with SentencePiece files: equal to `transformers`."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from tests import spm

import manyheads as mh
from manyheads.errors import GenerationError
from manyheads.hub import load_model, save_model
from manyheads.writer import translate

from .translators import m2m, marian, mbart, nllb

T = transformers
TEXTS = ["The hotel was wonderful.", "a clean room", "The 酒店 was 日本!"]
BEAMS = {
    "num_beams": 3,
    "length_penalty": 0.8,
    "max_new_tokens": 9,
    "no_repeat_ngram_size": 2,  # random models repeat themselves
}
WORDING = mh.Wording(mh.Beam(3, 0.8), max_tokens=9, no_repeat_ngram=2)


@torch.no_grad()
def theirs(folder: Path, tokenizer: Any, texts: list[str], **settings: Any) -> list[str]:
    """What the original writes for each text alone."""
    model = T.AutoModelForSeq2SeqLM.from_pretrained(folder).eval()
    written = []
    for text in texts:
        inputs = tokenizer(text, return_tensors="pt", return_token_type_ids=False)
        (output,) = model.generate(**inputs, **settings)
        # Languages are special here, and in the folders of M2M-100 as they are published.
        languages = getattr(tokenizer, "lang_token_to_id", {}).values()
        output = [token for token in output.tolist() if token not in languages]
        written.append(tokenizer.decode(output, skip_special_tokens=True).strip())
    return written


def ours(folder: Path, wording: mh.Wording = WORDING) -> list[str]:
    return [text.strip() for text in mh.Generator(folder)(TEXTS, wording)]


@pytest.mark.filterwarnings("ignore:Recommended")
@pytest.mark.parametrize("joint", [True, False], ids=["one table", "two tables"])
def test_marian_opens_writes_and_is_saved(joint: bool, tmp_path: Path) -> None:
    folder = marian(tmp_path / "published", joint)
    tokenizer = T.MarianTokenizer.from_pretrained(folder)
    expected = theirs(folder, tokenizer, TEXTS, **BEAMS)
    assert len(set(expected)) == len(TEXTS)
    model = load_model(folder)
    assert model.target_tokenizer is not None
    assert model.transformer.spec.two_tables != joint
    assert ours(folder) == expected
    save_model(tmp_path / "saved", model)
    assert ours(tmp_path / "saved") == expected
    if joint:  # the tokenizer of what is read spells what is written, too
        saved = T.AutoTokenizer.from_pretrained(tmp_path / "saved")
        assert theirs(tmp_path / "saved", saved, TEXTS, **BEAMS) == expected


@pytest.mark.filterwarnings("ignore:Recommended")
def test_a_folder_that_is_written_again_keeps_no_tokenizer_of_another(tmp_path: Path) -> None:
    folder, saved = marian(tmp_path / "published", joint=True), tmp_path / "saved"
    model = load_model(folder)
    save_model(saved, model)
    assert load_model(saved).target_tokenizer is not None
    model.target_tokenizer = None
    save_model(saved, model)
    assert load_model(saved).target_tokenizer is None


@pytest.mark.filterwarnings("ignore:Recommended")
def test_outputs_are_scored_as_they_are_written(tmp_path: Path) -> None:
    generator = mh.Generator(marian(tmp_path, joint=True))
    text, output = "The hotel was wonderful.", "酒店的服务不错"
    (scored,) = generator.score([text], [output])
    target = T.MarianTokenizer.from_pretrained(tmp_path)
    labels = target(text_target=output, return_tensors="pt")["input_ids"]
    with torch.no_grad():
        loss = T.MarianMTModel.from_pretrained(tmp_path)(
            **target(text, return_tensors="pt"), labels=labels
        ).loss
    assert -sum(scored.log_probs) == pytest.approx(loss.item() * labels.shape[1], rel=1e-5)


def test_m2m_writes_from_and_to_the_languages_of_each_call(tmp_path: Path) -> None:
    folder = m2m(tmp_path)
    generator = mh.Generator(folder)
    assert len(generator.languages.codes) == 100
    outputs = set()
    for source, target in (("en", "zh"), ("zh", "en"), (None, "fr")):
        tokenizer = T.M2M100Tokenizer.from_pretrained(folder, src_lang=source or "en")
        first = {"forced_bos_token_id": tokenizer.get_lang_id(target)}
        wording = replace(WORDING, source_language=source, target_language=target)
        expected = theirs(folder, tokenizer, TEXTS, **BEAMS, **first)
        assert [text.strip() for text in generator(TEXTS, wording)] == expected
        outputs.add(tuple(expected))
    assert len(outputs) == 3


def test_mbart_begins_with_the_language_that_it_writes(tmp_path: Path) -> None:
    generator = mh.Generator(mbart(tmp_path))
    for source, target in ((None, None), ("de_DE", "fr_XX"), ("de_DE", "ro_RO")):
        tokenizer = T.MBartTokenizer.from_pretrained(tmp_path, src_lang=source or "en_XX")
        start = tokenizer.convert_tokens_to_ids(target or "ro_RO")
        wording = replace(WORDING, source_language=source, target_language=target)
        expected = theirs(tmp_path, tokenizer, TEXTS, **BEAMS, decoder_start_token_id=start)
        assert [text.strip() for text in generator(TEXTS, wording)] == expected
        (scored,) = generator.score(["酒店"], ["hotel was"], wording)
        assert (scored.tokens[0], scored.tokens[-1]) == ("▁", "</s>")


def test_outputs_of_m2m_are_scored_behind_their_language(tmp_path: Path) -> None:
    generator = mh.Generator(m2m(tmp_path))
    wording = mh.Wording(source_language="zh", target_language="ja")
    tokenizer = T.M2M100Tokenizer.from_pretrained(tmp_path, src_lang="zh", tgt_lang="ja")
    inputs = tokenizer("酒店", text_target="hotel was", return_tensors="pt")
    with torch.no_grad():
        loss = T.M2M100ForConditionalGeneration.from_pretrained(tmp_path)(**inputs).loss
    (scored,) = generator.score(["酒店"], ["hotel was"], wording)
    assert (scored.tokens[0], scored.tokens[-1]) == ("__ja__", "</s>")
    assert -scored.log_prob == pytest.approx(loss.item() * len(scored.tokens), rel=1e-5)


def test_nllb_reads_and_writes_behind_its_codes(tmp_path: Path) -> None:
    generator = mh.Generator(nllb(tmp_path))
    assert generator.languages.codes == sorted(spm.NLLB_LANGUAGES)
    wording = mh.Wording(source_language="zho_Hans", target_language="fra_Latn", max_tokens=9)
    found = generator.align("酒店", "hotel", wording)
    assert (found.source[0], found.source[-1]) == ("zho_Hans", "</s>")
    assert (found.output[0], found.output[-1]) == ("fra_Latn", "</s>")
    (written,) = generator.outputs(["酒店"], wording)[0]
    assert written.tokens[0] == "fra_Latn"
    assert "fra" not in written.text


def test_a_language_that_is_not_known_is_refused_with_those_near_it(tmp_path: Path) -> None:
    generator = mh.Generator(nllb(tmp_path))
    for code, message in (
        ("zh", r"'zh' is not known. There are: zho_Hans, ace_Arab, eng_Latn, fra_Latn$"),
        ("fra_latn", "'fra_latn' is not known. Did you mean 'fra_Latn'"),
    ):
        for name in ("source_language", "target_language"):
            with pytest.raises(GenerationError, match=message):
                generator("hotel", mh.Wording(**{name: code}))


def test_a_translation_is_told_its_language_where_nothing_else_says_it(tmp_path: Path) -> None:
    folder = nllb(tmp_path)
    with pytest.raises(GenerationError, match=r"writes in 4 languages .* choose one of ace_Arab"):
        list(translate(mh.Generator(folder), TEXTS))
    path = folder / "generation_config.json"
    first = mh.Tokenizer.from_folder(folder).id_of("fra_Latn")
    path.write_text(json.dumps(json.loads(path.read_text()) | {"forced_bos_token_id": first}))
    (document, *_) = translate(mh.Generator(folder), TEXTS, mh.Wording(max_tokens=5))
    assert document.parts[0].tokens[0] == "fra_Latn"


def test_the_round_trip_keeps_languages(tmp_path: Path) -> None:
    folder = m2m(tmp_path / "published")
    save_model(tmp_path / "saved", load_model(folder))
    wording = replace(WORDING, source_language="zh", target_language="ja")
    assert ours(tmp_path / "saved", wording) == ours(folder, wording)


@pytest.mark.parametrize("name", ["marian", "m2m"])
def test_weights_of_older_releases_hold_more_and_open_alike(name: str, tmp_path: Path) -> None:
    """They have every name of a tied table, and sinusoids, which follow from the configuration."""
    folder = marian(tmp_path, joint=True) if name == "marian" else m2m(tmp_path)
    wording = replace(WORDING, target_language="zh" if name == "m2m" else None)
    expected = ours(folder, wording)
    model = T.AutoModelForSeq2SeqLM.from_pretrained(folder)
    weights = dict(model.state_dict()) | {"lm_head.weight": model.model.shared.weight}
    for side, half in (("encoder", model.model.encoder), ("decoder", model.model.decoder)):
        kind = "weight" if name == "marian" else "weights"
        weights[f"model.{side}.embed_tokens.weight"] = model.model.shared.weight
        weights[f"model.{side}.embed_positions.{kind}"] = getattr(half.embed_positions, kind)
    (folder / "model.safetensors").unlink()
    torch.save(weights, folder / "pytorch_model.bin")
    assert ours(folder, wording) == expected
    save_model(tmp_path / "saved", load_model(folder))
    _, found = type(model).from_pretrained(tmp_path / "saved", output_loading_info=True)
    assert not any(found.values()), found
