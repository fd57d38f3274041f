"""What a worker opens: an ensemble answers at one desk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from tests import tiny

import manyheads as mh
from manyheads.serve.desks import open_desk
from manyheads.serve.items import Operation, Question
from manyheads.text.truncate import Head

TEXTS = ["lovely food", "the table was awful and poor", "我们很高兴"]
QUICK = mh.Recipe(batch_size=8, learning_rate=3e-3, epochs=1, max_tokens=24)


def test_an_ensemble_answers_as_one_model(tmp_path: Path):
    mh.repeat_seeds(
        *(tiny.SCRATCH, mh.Classification(), tiny.moods(16, valid=0.25), QUICK),
        seeds=2,
        folder=tmp_path,
        quiet=True,
    )
    desk = open_desk(str(tmp_path))
    assert desk.card["kind"] == "labelling" and desk.card["labels"] == ["bad", "good"]
    together = mh.load(tmp_path)
    encoded = together.reader.read(TEXTS)
    assert together.reader.truncation == Head(24)
    answers = desk.answer([Question(Operation("predict"), one) for one in encoded], threads=1)
    found = [[one.said["probabilities"][name] for name in together.labels] for one in answers]
    parts = [mh.load(tmp_path / name).probabilities(TEXTS) for name in ("seed-0", "seed-1")]
    assert np.allclose(found, np.mean(parts, axis=0), atol=1e-6)
