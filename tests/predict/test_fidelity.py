"""A model that no longer answers as it did is not served."""

from __future__ import annotations

from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file
from tests.serve import models

from manyheads.errors import CheckpointError
from manyheads.predict.fidelity import CHECK
from manyheads.serve.desks import open_desk

MAKERS = {"embedder": models.embedder, "classifier": models.classifier, "ranker": models.ranker}


@pytest.mark.parametrize("kind", MAKERS)
def test_what_was_saved_answers_as_it_did(kind: str, tmp_path: Path) -> None:
    folder = MAKERS[kind](tmp_path / "saved")
    assert (folder / CHECK).is_file()
    open_desk(str(folder))


@pytest.mark.parametrize("kind", ["embedder", "classifier"])
def test_exchanged_weights_are_refused(kind: str, tmp_path: Path) -> None:
    folder = MAKERS[kind](tmp_path / "saved")
    path = folder / "model.safetensors"
    tensors = load_file(path)
    name = next(name for name in tensors if "attn" in name and tensors[name].ndim == 2)
    save_file({**tensors, name: tensors[name].flip(0) * 9}, path, {"format": "pt"})
    with pytest.raises(CheckpointError, match="answers otherwise than when it was saved"):
        open_desk(str(folder))
    (folder / CHECK).unlink()
    open_desk(str(folder))


def test_an_exchanged_pooling_is_refused(tmp_path: Path) -> None:
    folder = models.embedder(tmp_path / "saved")
    config = folder / "1_Pooling" / "config.json"
    text = config.read_text()
    changed = text.replace('"pooling_mode_mean_tokens": true', '"pooling_mode_mean_tokens": false')
    changed = changed.replace('"pooling_mode_max_tokens": false', '"pooling_mode_max_tokens": true')
    assert changed != text
    config.write_text(changed)
    with pytest.raises(CheckpointError, match="answers otherwise"):
        open_desk(str(folder))


def test_a_check_that_cannot_be_read_is_no_check(tmp_path: Path) -> None:
    folder = models.embedder(tmp_path / "saved")
    (folder / CHECK).write_bytes(b"nothing")
    with pytest.raises(CheckpointError, match="cannot be read"):
        open_desk(str(folder))
