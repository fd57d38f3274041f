"""Heads for answers: the logits and gradients of each family's …ForQuestionAnswering."""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
import transformers
from torch import Tensor, nn

from manyheads.core.head import SequenceHead
from manyheads.hub import load_model, save_with_span_head
from manyheads.hub.load import fill
from manyheads.tasks import AnswerModel, Window, WindowBatch
from manyheads.text import Piece

from .batches import FIRST_WORD, VOCABULARY
from .harness import CASES, Case, original, publish, published_name

ORIGINALS = {
    "bert": transformers.BertForQuestionAnswering,
    "roberta": transformers.RobertaForQuestionAnswering,
    "xlm-roberta": transformers.XLMRobertaForQuestionAnswering,
    "distilbert": transformers.DistilBertForQuestionAnswering,
    "electra": transformers.ElectraForQuestionAnswering,
    "modernbert": transformers.ModernBertForQuestionAnswering,
    "longformer": transformers.LongformerForQuestionAnswering,
}
SEPARATOR = 3  # of the tokenizer that the harness publishes
every_family = pytest.mark.parametrize("name", ORIGINALS)


def theirs_of(name: str) -> nn.Module:
    case = CASES[name]
    rates = dict.fromkeys(case.dropouts, 0.0)
    if name == "distilbert":
        rates["qa_dropout"] = 0.0
    settings = case.settings | {"sep_token_id": SEPARATOR}
    return original(ORIGINALS[name], case.config(**settings, **rates, num_labels=2))


def open_answerer(folder: Path) -> AnswerModel:
    pretrained = load_model(folder)
    assert pretrained.is_answerer
    format_ = pretrained.family.require_span_head()
    weights, rest = format_.rules.to_ours(pretrained.head_weights)
    assert not rest
    head = SequenceHead(format_.to_spec(pretrained.config), 2)
    fill(head, weights, "cpu", torch.float32, source="the head")
    return AnswerModel(pretrained.transformer, head).eval()


@dataclass(frozen=True)
class Asked:
    """Questions with windows of contexts, for us and for the original."""

    windows: list[Window]
    segmented: bool

    @classmethod
    def random(cls, case: Case) -> Asked:
        segmented = case.settings.get("type_vocab_size", 2) > 1 and case.family.name == "bert"
        windows = [_window(row, length, segmented) for row, length in enumerate(case.lengths)]
        return cls(windows, segmented)

    def ours(self, model: AnswerModel) -> list[Tensor]:
        batch = WindowBatch.of(self.windows)
        return list(model(batch).split(batch.counts))

    def theirs(self, model: nn.Module) -> list[Tensor]:
        """Text by text: all have three separators then, as Longformer wants them."""
        found = []
        for one in self.windows:
            ids = torch.tensor([one.piece.ids.tolist()])
            inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
            if self.segmented:
                inputs["token_type_ids"] = torch.tensor([one.piece.segments.tolist()])
            said = model(**inputs)
            logits = torch.stack((said.start_logits[0], said.end_logits[0]), dim=1)
            places = [0, *range(one.first, one.first + len(one.starts))]
            found.append(logits[places])
        return found


def _window(row: int, length: int, segmented: bool) -> Window:
    """A frame of four special tokens, a question and a context; both may be empty."""
    words = max(0, length - 4)
    asked = words // 3
    draws = torch.randint(FIRST_WORD, VOCABULARY, (words,)).tolist()
    ids = [2, *draws[:asked], SEPARATOR, SEPARATOR, *draws[asked:], SEPARATOR]
    first = asked + 3
    segments = [int(segmented and place >= first) for place in range(len(ids))]
    places = array("i", range(words - asked))
    piece = Piece(array("i", ids), array("B", segments), None)
    return Window(row, piece, first, places, places, (0, 0), ())


@every_family
def test_logits_are_equal(name: str, tmp_path: Path) -> None:
    theirs = theirs_of(name)
    ours = open_answerer(publish(theirs, tmp_path))
    asked = Asked.random(CASES[name])
    with torch.no_grad():
        for found, expected in zip(asked.ours(ours), asked.theirs(theirs), strict=True):
            torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


@every_family
def test_gradients_are_equal_in_training(name: str, tmp_path: Path) -> None:
    case, theirs = CASES[name], theirs_of(name).train()
    ours = open_answerer(publish(theirs, tmp_path)).train()
    asked = Asked.random(case)
    found, expected = torch.cat(asked.ours(ours)), torch.cat(asked.theirs(theirs))
    upstream = torch.randn_like(found)
    (found * upstream).mean().backward()
    (expected * upstream).mean().backward()
    body = {key: p.grad for key, p in ours.transformer.named_parameters()}
    head = {key: p.grad for key, p in ours.head.named_parameters()}
    family = case.family
    gradients = family.rules.to_theirs(body) | family.require_span_head().rules.to_theirs(head)
    originals = {published_name(key): p for key, p in theirs.named_parameters()}
    assert sorted(gradients) == sorted(originals)
    for key, parameter in originals.items():
        torch.testing.assert_close(
            gradients[key], parameter.grad, atol=1e-5, rtol=1e-4, msg=lambda m, k=key: f"{k}: {m}"
        )


@every_family
def test_what_is_saved_opens_there_with_equal_weights(name: str, tmp_path: Path) -> None:
    theirs = theirs_of(name)
    pretrained = load_model(publish(theirs, tmp_path / "published"))
    ours = open_answerer(tmp_path / "published")
    save_with_span_head(tmp_path / "saved", pretrained, ours.head.state_dict(), {})
    again, said = transformers.AutoModelForQuestionAnswering.from_pretrained(
        tmp_path / "saved", output_loading_info=True
    )
    assert type(again) is ORIGINALS[name]
    assert not said["missing_keys"] and not said["unexpected_keys"]
    expected = theirs.state_dict()
    for key, tensor in again.state_dict().items():
        assert torch.equal(tensor, expected[key]), key


def test_the_questions_of_longformer_are_global(tmp_path: Path) -> None:
    """Without that, its answers are others: this is what the parity above rests on."""
    theirs = theirs_of("longformer")
    ours = open_answerer(publish(theirs, tmp_path))
    batch = WindowBatch.of(Asked.random(CASES["longformer"]).windows)
    assert max(batch.questions) > 20
    with torch.no_grad():
        found = ours(batch)
        hidden = ours.transformer.encode(batch.ids, batch.layout, batch.segments, rows=batch.places)
    assert (found - ours.head(hidden)).abs().max() > 1e-2
