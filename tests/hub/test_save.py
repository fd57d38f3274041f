"""Writing model folders."""

from __future__ import annotations

import json
from pathlib import Path

import torch
import transformers
from safetensors import safe_open

from manyheads.core.head import SequenceHead
from manyheads.hub import load_model, locate, save_model, save_with_sequence_head

from . import folder as small


def test_saving_in_place_keeps_the_model(tmp_path: Path) -> None:
    """The tensors may lie in the very file that is written."""
    model = load_model(small.write(tmp_path))
    before = {name: tensor.clone() for name, tensor in model.transformer.state_dict().items()}
    save_model(tmp_path, model)
    again = load_model(tmp_path)
    for name, tensor in before.items():
        assert torch.equal(model.transformer.state_dict()[name], tensor), name
        assert torch.equal(again.transformer.state_dict()[name], tensor), name


def test_what_is_written_is_a_complete_folder(tmp_path: Path) -> None:
    save_model(tmp_path / "new" / "deep", load_model(small.write(tmp_path / "old")))
    written = {path.name for path in (tmp_path / "new" / "deep").iterdir()}
    assert written >= {"config.json", "model.safetensors", "tokenizer.json"}
    assert not any(name.endswith((".bin", ".pkl", ".pt")) for name in written)


def test_who_may_read_the_model_may_read_its_weights(tmp_path: Path) -> None:
    model = load_model(small.write(tmp_path / "theirs"))
    save_model(tmp_path / "ours", model)
    modes = {path.stat().st_mode & 0o777 for path in (tmp_path / "ours").iterdir()}
    assert len(modes) == 1


def test_keys_of_the_owner_stay_and_the_spec_has_the_last_word(tmp_path: Path) -> None:
    model = load_model(small.write(tmp_path / "old"))
    model.config["hidden_size"] = 999
    model.config["torch_dtype"] = "float16"
    save_model(tmp_path / "new", model)
    config = json.loads((tmp_path / "new" / "config.json").read_text(encoding="utf-8"))
    assert config["custom_key_of_the_owner"] == "stays"
    assert config["hidden_size"] == 8
    assert config["dtype"] == "float32"
    assert "torch_dtype" not in config
    assert config["architectures"] == ["BertModel"]


def test_a_body_is_written_without_and_a_classifier_with_prefix(tmp_path: Path) -> None:
    model = load_model(small.write(tmp_path / "old"))
    save_model(tmp_path / "body", model)
    head = SequenceHead(model.family.sequence_head.to_spec(model.config), outputs=4)
    save_with_sequence_head(tmp_path / "classifier", model, head.state_dict(), {})

    def names(folder: str) -> set[str]:
        with safe_open(tmp_path / folder / "model.safetensors", "pt") as file:
            assert file.metadata() == {"format": "pt"}
            return set(file.keys())

    assert names("body") == set(small.tensors())
    assert names("classifier") == set(small.tensors("bert.")) | {
        "classifier.weight",
        "classifier.bias",
    }


def test_a_new_classifier_head_opens_in_the_original(tmp_path: Path) -> None:
    model = load_model(small.write(tmp_path / "old"))
    head = SequenceHead(model.family.sequence_head.to_spec(model.config), outputs=4)
    labels = dict(enumerate("abcd"))
    settings = {"id2label": labels, "label2id": {name: i for i, name in labels.items()}}
    save_with_sequence_head(tmp_path / "new", model, head.state_dict(), settings)
    theirs, report = transformers.AutoModelForSequenceClassification.from_pretrained(
        tmp_path / "new", output_loading_info=True
    )
    assert not any(report.values()), report
    assert theirs.config.num_labels == 4
    assert theirs.config.id2label == labels
    assert torch.equal(theirs.classifier.weight, head.out.weight)
    assert torch.equal(theirs.bert.pooler.dense.weight, head.dense.weight)


def test_a_language_model_whose_weights_are_tied_in_a_pickle(tmp_path: Path) -> None:
    """Old files hold the tied output projection twice, as one memory."""
    weights = small.tensors(prefix="bert.")
    weights["cls.predictions.decoder.weight"] = weights["bert.embeddings.word_embeddings.weight"]
    small.write_config(tmp_path / "old", architectures=["BertForMaskedLM"])
    torch.save(weights, tmp_path / "old" / "pytorch_model.bin")
    save_model(tmp_path / "new", load_model(tmp_path / "old"))
    again = load_model(tmp_path / "new")
    assert torch.equal(
        again.head_weights["cls.predictions.decoder.weight"],
        weights["cls.predictions.decoder.weight"],
    )


def test_minilm_is_written_as_it_was(minilm: str, tmp_path: Path) -> None:
    save_model(tmp_path, load_model(minilm))
    theirs = transformers.AutoModel.from_pretrained(locate(minilm)).state_dict()
    again, report = transformers.AutoModel.from_pretrained(tmp_path, output_loading_info=True)
    assert not any(report.values()), report
    assert all(torch.equal(again.state_dict()[name], theirs[name]) for name in theirs)
    text = "Worked within a day, no side effects: naïve 好 test"
    tokenizers = [transformers.AutoTokenizer.from_pretrained(p) for p in (locate(minilm), tmp_path)]
    assert tokenizers[0](text)["input_ids"] == tokenizers[1](text)["input_ids"]
