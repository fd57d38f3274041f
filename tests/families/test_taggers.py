"""Every published head for single words computes what its original computes, and goes back."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
import transformers

import manyheads as mh
from manyheads.tasks import StretchBatch

from .harness import CASES, Case, open_tagger, original, publish

TAGGERS = {name: case for name, case in CASES.items() if case.tagger is not None}
every_tagger = pytest.mark.parametrize("case", TAGGERS.values(), ids=TAGGERS)
LENGTHS = (3, 1, 30, 90)  # words; the longest beyond windows and blocks


def texts(case: Case) -> list[str]:
    longest = case.settings["max_position_embeddings"] - 4
    draw = torch.Generator().manual_seed(1)
    return [
        " ".join(f"w{n}" for n in torch.randint(5, 60, (min(count, longest),), generator=draw))
        for count in LENGTHS
    ]


def assert_same_logits(folder: Path, theirs: transformers.PreTrainedModel, case: Case) -> None:
    """Each token of these texts is a word."""
    tagger = open_tagger(folder)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    rows = texts(case)
    words = [[(at.start(), at.end()) for at in re.finditer(r"\S+", row)] for row in rows]
    stretches = tagger.reader.read(rows, words)
    assert len(stretches) == len(rows)
    with torch.no_grad():
        logits = tagger.model(StretchBatch.of(stretches)).split([len(one) for one in words])
        for row, found in zip(rows, logits, strict=True):
            if hasattr(theirs, "bert") and hasattr(theirs.base_model, "set_attention_type"):
                theirs.base_model.set_attention_type(theirs.config.attention_type)
            expected = theirs(**tokenizer(row, return_tensors="pt")).logits[0, 1:-1]
            torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


@every_tagger
def test_logits_are_equal_and_a_published_head_goes_both_ways(case: Case, tmp_path: Path) -> None:
    assert case.tagger is not None
    theirs = original(case.tagger, case.configure())
    folder = publish(theirs, tmp_path / "theirs")
    assert_same_logits(folder, theirs, case)
    saved = mh.load(folder).save(tmp_path / "ours")
    again, report = transformers.AutoModelForTokenClassification.from_pretrained(
        saved, output_loading_info=True
    )
    assert type(again) is case.tagger and not any(report.values()), report
    again.set_attn_implementation("eager")
    assert_same_logits(saved, again.eval(), case)


def test_two_labels_without_names_are_numbered(tmp_path: Path) -> None:
    case = CASES["bert"]
    config = case.config(**case.settings, num_labels=2)
    tagger = mh.load(publish(original(transformers.BertForTokenClassification, config), tmp_path))
    assert tagger.labels == ("LABEL_0", "LABEL_1")
    assert not tagger.task.finds_entities
