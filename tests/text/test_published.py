"""Numbers and frames of published SentencePiece models against the classes that published them."""

import json
import random
from pathlib import Path
from typing import Any

import pytest
import transformers
from tests import spm

from manyheads.errors import ConfigError
from manyheads.text import Tokenizer

from .conftest import CHINESE, ENGLISH

T = transformers

TEXTS = [
    *ENGLISH[:4],
    *CHINESE[:2],
    "The café was <mask> and small",
    "a</s> b",
    "The 酒店 was 酒 店 日本 X日",
    "",
]
# As the repositories have them: the file, how its pieces were learnt, class, settings.
SINGLE: dict[str, tuple[str, dict[str, Any], type, dict[str, Any]]] = {
    "t5": ("spiece.model", spm.T5, T.T5Tokenizer, {}),
    "mt5": ("spiece.model", spm.T5, T.T5Tokenizer, {"extra_ids": 0}),
    "xlm-r": ("sentencepiece.bpe.model", {}, T.XLMRobertaTokenizer, {}),
    "mbart": ("sentencepiece.bpe.model", {}, T.MBartTokenizer, {}),
    "mbart-german": ("sentencepiece.bpe.model", {}, T.MBartTokenizer, {"src_lang": "de_DE"}),
    "mbart-50": ("sentencepiece.bpe.model", {}, T.MBart50Tokenizer, {"src_lang": "fr_XX"}),
    "pegasus": ("spiece.model", spm.T5, T.PegasusTokenizer, {}),
    "llama": ("tokenizer.model", spm.LLAMA, T.LlamaTokenizer, {"add_bos_token": True}),
    "llama-ended": (
        "tokenizer.model",
        spm.LLAMA,
        T.LlamaTokenizer,
        {"add_bos_token": True, "add_eos_token": True, "legacy": False},
    ),
}


def ids(tokenizer: Tokenizer, texts: list[str]) -> list[list[int]]:
    return [list(encoded.pieces[0].ids) for encoded in tokenizer.encode(texts)]


@pytest.mark.parametrize("name", SINGLE)
def test_numbers_and_frames_are_those_of_the_class(name: str, tmp_path: Path) -> None:
    file, learning, kind, settings = SINGLE[name]
    model = spm.learnt(500 if "model_type" in learning else 150, **learning)
    said = {"tokenizer_class": kind.__name__, **settings}
    folder = spm.write(tmp_path / "published", {file: model}, said)
    theirs, ours = kind.from_pretrained(folder), Tokenizer.from_folder(folder)
    # Their classes replace no characters, or cut off no space, where the model says so.
    texts = [text for text in TEXTS if "，" not in text]
    expected = theirs(texts)["input_ids"]
    assert ids(ours, texts) == expected
    assert [ours.decode(numbers) for numbers in expected] == [
        theirs.decode(numbers, skip_special_tokens=True) for numbers in expected
    ]
    for token in ("<extra_id_0>", "<extra_id_99>", "<mask>", "zh_CN", "</s>", "<pad>"):
        if token in theirs.get_vocab():
            assert ours.id_of(token) == theirs.convert_tokens_to_ids(token)
    ours.save(tmp_path / "saved")
    again = transformers.AutoTokenizer.from_pretrained(tmp_path / "saved")
    assert again(texts)["input_ids"] == expected


def test_nllb_is_numbered_as_its_repository_says(tmp_path: Path) -> None:
    model = spm.learnt(260, model_type="bpe")
    oracle = spm.oracle(model)
    behind = oracle.get_piece_size() + 1
    ours = Tokenizer.from_folder(spm.nllb(tmp_path, model))
    assert [ours.id_of(token) for token in ("<s>", "<pad>", "</s>", "<unk>")] == [0, 1, 2, 3]
    for number, token in enumerate([*spm.NLLB_LANGUAGES, "<mask>"]):
        assert ours.id_of(token) == behind + number
    ((first, *inside, last),) = ids(ours, ["The hotel"])
    assert (first, last) == (ours.id_of("eng_Latn"), 2)
    assert inside == [number + 1 for number in oracle.encode("The hotel")]
    legacy = spm.nllb(tmp_path, model, legacy_behaviour=True, src_lang="fra_Latn")
    expected = [[*inside, 2, ours.id_of("fra_Latn")]]
    assert ids(Tokenizer.from_folder(legacy), ["The hotel"]) == expected


@pytest.mark.parametrize("codes", ["m2m100", "wmt21"])
@pytest.mark.parametrize("settings", [{}, {"model_type": "bpe"}], ids=["unigram", "bpe"])
def test_m2m_is_that_of_its_class(codes: str, settings: dict[str, str], tmp_path: Path) -> None:
    said = {"language_codes": codes, "src_lang": "zh"}
    folder = spm.m2m(tmp_path, spm.learnt(240, **settings), said)
    theirs, ours = T.M2M100Tokenizer.from_pretrained(folder), Tokenizer.from_folder(folder)
    expected = theirs(TEXTS)["input_ids"]
    assert ids(ours, TEXTS) == expected
    assert ours.id_of("__ja__") == theirs.get_lang_id("ja")
    for _, *numbers in expected:
        found = ours.decode(numbers)
        assert found.strip() == theirs.decode(numbers, skip_special_tokens=True)


@pytest.mark.filterwarnings("ignore:Recommended")
@pytest.mark.parametrize("joint", [True, False], ids=["one list", "two lists"])
def test_marian_reads_and_writes_with_two_models(joint: bool, tmp_path: Path) -> None:
    folder = spm.marian(tmp_path / "published", joint)
    theirs = T.MarianTokenizer.from_pretrained(folder)
    source, target = Tokenizer.from_folder(folder), Tokenizer.target_from_folder(folder)
    assert target is not None
    assert (source.vocabulary_size == target.vocabulary_size) == joint
    letters, draw = sorted(set("".join([*TEXTS, "日本语éß"]))), random.Random(1)
    texts = TEXTS + ["".join(draw.choices(letters, k=draw.randint(1, 15))) for _ in range(200)]
    for ours, expected in (
        (source, theirs(texts)["input_ids"]),
        (target, theirs(text_target=texts)["input_ids"]),
    ):
        assert ids(ours, texts) == expected
        ours.save(tmp_path / "saved")
        again = Tokenizer.from_folder(tmp_path / "saved")
        assert ids(again, texts) == expected
        assert ids(Tokenizer.from_folder(tmp_path / "saved"), texts) == expected
    for numbers in theirs(text_target=texts)["input_ids"]:
        read = theirs.decode(numbers, skip_special_tokens=True)
        assert target.decode(numbers).strip() == read
        if joint:  # what reads spells what is written, too
            assert source.decode(numbers).strip() == read


@pytest.mark.filterwarnings("ignore:Recommended")
def test_marian_is_told_the_language_in_front_of_a_text(tmp_path: Path) -> None:
    folder = spm.marian(tmp_path)
    theirs, ours = T.MarianTokenizer.from_pretrained(folder), Tokenizer.from_folder(folder)
    texts = [">>deu<< The hotel", ">>deu<<The hotel"]
    assert ids(ours, texts) == theirs(texts)["input_ids"]
    assert ours.id_of(">>deu<<") in ours.special_ids


def test_a_piece_that_the_list_lacks_is_cut_into_others(tmp_path: Path) -> None:
    folder = spm.marian(tmp_path)
    before = Tokenizer.from_folder(folder)
    ((_, piece, _),) = [before.tokens(ids(before, ["The friendly"])[0])[-3:]]
    numbers = json.loads((folder / "vocab.json").read_text())
    rest = [token for token in numbers if token != piece]
    (folder / "vocab.json").write_text(json.dumps({token: i for i, token in enumerate(rest)}))
    after = Tokenizer.from_folder(folder)
    found = ids(after, ["The friendly"])
    assert piece not in after.vocabulary
    assert after.decode(found[0]) == "The friendly"


def test_one_tokenizer_is_enough_where_it_is_written_whole(tmp_path: Path) -> None:
    folder = spm.marian(tmp_path)
    Tokenizer.from_folder(folder).save(folder)
    assert Tokenizer.target_from_folder(folder) is None


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        ({"target.spm": b"x"}, r"target\.spm and vocab\.json in .* cannot be read: target\.spm is"),
        ({"source.spm": b""}, r"source\.spm and vocab\.json in .* cannot be read: source\.spm is"),
        ({"vocab.json": b'{"<unk>": 0, "a": 2}'}, "does not number its tokens from 0 on"),
        ({"vocab.json": b'{"a": 0, "</s>": 1}'}, "the vocabulary has no <unk>"),
        ({"vocab.json": b'{"a": 0, "<unk>": 1}'}, "the vocabulary has no </s>"),
        ({"vocab.json": b'{"a": "x", "<unk>": 1}'}, r"vocab\.json .* cannot be read"),
        ({"config.json": b"{}"}, r"none is no known one; set tokenizer_class .*MarianTokenizer"),
    ],
)
def test_damage_is_said_in_one_line(broken: dict[str, bytes], message: str, tmp_path: Path) -> None:
    folder = spm.marian(tmp_path)
    for name, content in broken.items():
        (folder / name).write_bytes(content)
    with pytest.raises(ConfigError, match=message) as refused:
        Tokenizer.from_folder(folder)
        Tokenizer.target_from_folder(folder)
    assert "\n" not in str(refused.value)


def test_languages_that_nothing_lists_are_asked_for(tmp_path: Path) -> None:
    files = {"sentencepiece.bpe.model": spm.learnt(150)}
    for said, message in (
        ({"tokenizer_class": "NllbTokenizer"}, "languages of the model are not listed"),
        ({"tokenizer_class": "MBartTokenizer", "src_lang": "xx"}, "src_lang='xx' is no language"),
    ):
        with pytest.raises(ConfigError, match=message):
            Tokenizer.from_folder(spm.write(tmp_path, files, said))
