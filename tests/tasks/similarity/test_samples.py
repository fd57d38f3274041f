from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from tests import tiny

from manyheads.core.vectors import VectorHead
from manyheads.errors import RecipeError
from manyheads.hub import Pretrained
from manyheads.hub.sentences import Sentences
from manyheads.tasks import Reader, Related, RelatedBatch, RelatedReader, VectorModel
from manyheads.tasks.similarity.samples import numbered
from manyheads.text import Cleaning, Head, Prompts, Tail

TEXTS = [text for text, _ in tiny.mood_rows(24)]
COLUMNS = {"text": TEXTS[:8], "pair": TEXTS[8:16], "negative": TEXTS[16:]}


@pytest.fixture(scope="module")
def body() -> Pretrained:
    return tiny.SCRATCH.build(TEXTS)


def reader(body: Pretrained, prompts: Prompts | None = None) -> RelatedReader:
    prompts = prompts or Prompts()
    return RelatedReader(
        Reader(body.require_tokenizer(), Cleaning(), Head(32)),
        replace(Sentences(), prompts=prompts),
        query=prompts.named(prompts.query),
        document=prompts.named(prompts.document),
    )


def model(body: Pretrained) -> VectorModel:
    return VectorModel(body.transformer, VectorHead(Sentences().spec, 32)).eval()


def vectors(model: VectorModel, samples: list[Related], chunk_tokens: int | None) -> torch.Tensor:
    batch = RelatedBatch.of(samples, chunk_tokens)
    with torch.inference_mode():
        return batch.in_order([model(part) for part in batch.parts])


def test_vectors_come_in_the_order_of_sides_and_rows(body: Pretrained) -> None:
    samples = reader(body).read(COLUMNS, None)
    together = vectors(model(body), samples, None)
    assert together.shape == (3, 8, 32)
    for row, sample in enumerate(samples):
        alone = vectors(model(body), [sample], None)
        torch.testing.assert_close(together[:, row : row + 1], alone, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("most", [1, 20, 60, 10_000])
def test_parts_hold_at_most_so_many_tokens(body: Pretrained, most: int) -> None:
    samples = reader(body).read(COLUMNS, None)
    batch = RelatedBatch.of(samples, most)
    assert batch.tokens == sum(sample.tokens for sample in samples)
    assert all(part.layout.tokens <= most or len(part.layout) == 1 for part in batch.parts)
    assert (len(batch.parts) == 1) == (most == 10_000)
    lengths = [length for part in batch.parts for length in part.layout.lengths]
    assert lengths == sorted(lengths)
    expected = vectors(model(body), samples, None)
    torch.testing.assert_close(vectors(model(body), samples, most), expected, rtol=1e-4, atol=1e-5)


def test_prompts_stand_before_their_sides_and_may_not_count(body: Pretrained) -> None:
    texts = {"query": "we had the food: ", "passage": "it was: "}
    for counted in (True, False):
        samples = reader(body, Prompts(texts, counted=counted)).read(COLUMNS, None)
        first, second, third = samples[0].texts
        frame = body.require_tokenizer().encode([f"it was: {COLUMNS['negative'][0]}"])
        assert third.pieces[0].ids == frame[0].pieces[0].ids
        assert first.tokens > second.tokens or first.tokens > third.tokens
        query, document, negative = samples[0].uncounted
        assert document == negative
        assert (query == document == 0) if counted else (query > document > 0)
        assert len(RelatedBatch.of(samples, None).parts) == (1 if counted else 2)
    everything = vectors(model(body), samples, None)
    assert everything.shape == (3, 8, 32)
    in_chunks = vectors(model(body), samples, 50)
    torch.testing.assert_close(everything, in_chunks, rtol=1e-4, atol=1e-5)


def test_equal_texts_have_equal_numbers() -> None:
    sides = [["One  text", "two"], ["TWO ", "three"]]
    assert numbered(sides) == [[0, 1], [1, 2]]


def test_a_digest_is_of_all_that_is_learnt(body: Pretrained) -> None:
    plain, scored = (reader(body).read(COLUMNS, scores) for scores in (None, [1.0] * 8))
    changed = reader(body).read(COLUMNS | {"negative": TEXTS[:8]}, None)
    digests = {one[0].digest(0) for one in (plain, scored, changed)}
    assert len(digests) == 3
    assert plain[0].digest(0) != plain[0].digest(1)


def test_tokens_are_left_out_of_every_part(body: Pretrained) -> None:
    (part,) = RelatedBatch.of(reader(body).read(COLUMNS, None), None).parts
    fewer = part.without_some(0.5)
    assert len(fewer.ids) == fewer.layout.tokens < 0.75 * part.layout.tokens
    assert torch.equal(fewer.places, part.places)
    firsts = [one.ids[one.layout.offsets[:-1]] for one in (part, fewer)]
    assert torch.equal(*firsts)


def test_texts_are_cut_at_their_ends(body: Pretrained) -> None:
    with pytest.raises(RecipeError, match="not by Tail; choose truncation=head"):
        RelatedReader(Reader(body.require_tokenizer(), Cleaning(), Tail(32)), Sentences())
