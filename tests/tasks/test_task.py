from __future__ import annotations

import pytest
import torch
from tests import tiny

import manyheads as mh
from manyheads.errors import TextError
from manyheads.hub import Pretrained
from manyheads.tasks import (
    Classification,
    Example,
    MultiLabel,
    Reader,
    Regression,
    TaskModel,
    Tunable,
)
from manyheads.text import Cleaning, Head, Windows

TEXTS = ["short", "a text of a few words", "it was lovely and great and superb " * 6, "x"]


@pytest.fixture(scope="module")
def body() -> Pretrained:
    return tiny.body(tiny.moods())


def examples(
    body: Pretrained, texts: list[str], truncation: Head | Windows, pairs: list[str] | None = None
) -> list[Example]:
    encoded = Reader(body.tokenizer, Cleaning(), truncation).read(texts, pairs)
    return [Example(row, one, row % 2) for row, one in enumerate(encoded)]


def model_of(body: Pretrained, task: Classification) -> TaskModel:
    return TaskModel(body.transformer, task.head(body)).eval()


TASK = Classification(("a", "b"))


def test_a_batch_lays_pieces_end_to_end(body: Pretrained):
    batch = TASK.collate(examples(body, TEXTS, Windows(20, stride=5)))
    pieces = [e.encoded.pieces for e in examples(body, TEXTS, Windows(20, stride=5))]
    assert batch.ids.tolist() == [i for many in pieces for piece in many for i in piece.ids]
    assert batch.layout.lengths == tuple(len(piece.ids) for many in pieces for piece in many)
    assert batch.owners.tolist() == [n for n, many in enumerate(pieces) for _ in many]
    assert batch.rows == (0, 1, 2, 3)
    assert batch.targets is not None and batch.targets.tolist() == [0, 1, 0, 1]
    assert len(batch) == 4 < len(batch.layout)


def test_the_output_of_a_text_is_the_mean_over_its_windows(body: Pretrained):
    model = model_of(body, TASK)
    read = examples(body, TEXTS, Windows(20, stride=5))
    with torch.no_grad():
        together = model(TASK.collate(read))
        for row, example in enumerate(read):
            alone = []
            for piece in example.encoded.pieces:
                one = Example(0, type(example.encoded)((piece,), len(piece.ids), 0), 0)
                alone.append(model(TASK.collate([one])))
            assert len(alone) == len(example.encoded.pieces)
            torch.testing.assert_close(
                together[row], torch.cat(alone).mean(0), rtol=1e-5, atol=1e-5
            )
    assert len(read[2].encoded.pieces) > 3


def test_the_features_of_a_text_are_what_the_last_layer_reads(body: Pretrained):
    model = model_of(body, TASK)
    batch = TASK.collate(examples(body, TEXTS, Windows(20, stride=5)))
    with torch.no_grad():
        torch.testing.assert_close(model.head.out(model.features(batch)), model(batch))


def test_windows_make_the_tokens_of_an_example(body: Pretrained):
    (one,) = examples(body, [TEXTS[2]], Windows(20, stride=5))
    assert one.tokens == sum(len(piece.ids) for piece in one.encoded.pieces) > one.encoded.tokens


def test_the_order_of_a_batch_does_not_change_the_outputs(body: Pretrained):
    model = model_of(body, TASK)
    read = examples(body, TEXTS, Windows(20, stride=5))
    with torch.no_grad():
        forward = model(TASK.collate(read))
        backward = model(TASK.collate(read[::-1]))
    torch.testing.assert_close(forward, backward.flip(0), rtol=1e-5, atol=1e-5)


def test_pairs_stand_in_one_piece_with_a_separator_between(body: Pretrained):
    (one,) = examples(body, ["good"], Head(30), ["bad"])
    piece = one.encoded.pieces[0]
    tokens = body.tokenizer.tokens(piece.ids)
    assert tokens[0] == "[CLS]" and tokens.count("[SEP]") == 2 and tokens[-1] == "[SEP]"
    second = tokens.index("[SEP]") + 1
    assert list(piece.segments) == [0] * second + [1] * (len(tokens) - second)


def test_a_reader_cleans_before_it_tokenizes(body: Pretrained):
    plain = Reader(body.tokenizer, Cleaning(html=True), Head(30)).read(["a &amp;amp; <b>b</b>"])
    assert plain == Reader(body.tokenizer, Cleaning(), Head(30)).read(["a & b"])


def test_a_reader_counts_what_it_cuts(body: Pretrained):
    (one,) = examples(body, ["x " * 40], Head(10))
    assert len(one.encoded.pieces[0].ids) == 10
    assert one.encoded.dropped == one.encoded.tokens - 10 > 0
    (whole,) = examples(body, ["x " * 40], Windows(10, stride=2))
    assert whole.encoded.dropped == 0


def test_a_lone_surrogate_is_named_unless_it_is_cleaned(body: Pretrained):
    with pytest.raises(TextError, match="text 2 holds a lone surrogate"):
        examples(body, ["a", "b \ud800"], Head(10))
    Reader(body.tokenizer, Cleaning(surrogates=True), Head(10)).read(["b \ud800"])


def test_a_batch_without_targets(body: Pretrained):
    encoded = Reader(body.tokenizer, Cleaning(), Head(10)).read(["a"])
    assert TASK.collate([Example(0, encoded[0])]).targets is None


def test_the_loss_of_a_batch_is_a_weighted_mean(body: Pretrained):
    task = Classification(("a", "b"), class_weights={"a": 3.0})
    model = model_of(body, task)
    batch = task.collate(examples(body, TEXTS, Head(20)))
    loss = task.loss(model, batch)
    losses, _ = TASK.losses(model(batch), batch.targets)  # type: ignore[arg-type]
    assert loss.weight == 8.0
    torch.testing.assert_close(loss.total, (losses * torch.tensor([3.0, 1, 3, 1])).sum())
    torch.testing.assert_close(loss.mean, loss.total / 8)


@pytest.mark.parametrize(
    ("task", "outputs"),
    [(Classification(tuple("abc")), 3), (MultiLabel(tuple("ab")), 2), (Regression(), 1)],
)
def test_a_head_has_an_output_for_each_label(
    body: Pretrained, task: Classification | MultiLabel | Regression, outputs: int
):
    head = task.head(body, seed=3)
    assert head.out.weight.shape == (outputs, tiny.SCRATCH.width)
    assert torch.equal(head.out.weight, task.head(body, seed=3).out.weight)
    assert not torch.equal(head.out.weight, task.head(body, seed=4).out.weight)


def test_only_tasks_that_decide_by_a_rule_are_tuned() -> None:
    tasks = (mh.Answering(), mh.Classification(), mh.ImageClassification(), mh.MultiLabel())
    assert all(isinstance(task, Tunable) and task.rule == "" for task in tasks)
    others = (mh.Regression(), mh.LanguageModel(), mh.Translation())
    assert not any(isinstance(task, Tunable) for task in others)
