"""A cache and a memory change how fast a decoder goes on, never where to."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from manyheads.core.cache import Cache
from manyheads.core.layout import Layout
from manyheads.core.mask import Causal, Window
from manyheads.core.spec import (
    Alibi,
    EmbedSpec,
    LearnedPositions,
    NormSlots,
    OutputSpec,
    RMSNorm,
    Rotary,
    Spec,
    StackSpec,
)
from manyheads.core.transformer import Transformer
from manyheads.errors import LayoutError

from . import small

NORM = NormSlots(before=RMSNorm())
LONG = 200  # positions: beyond the first capacity of a cache


def decoder(reads: bool = False, **stack: object) -> Transformer:
    """Two blocks, one of them local; with `reads` they read an encoder's output."""
    blocks = tuple(
        small.block(reach, NORM, rotary=None if stack else Rotary())
        for reach in (Causal(), Window(3, 0))
    )
    embed = EmbedSpec(small.VOCABULARY, small.WIDTH)
    if not reads:
        return small.make(
            Spec(
                small.WIDTH,
                LONG,
                embed,
                decoder=StackSpec(blocks, RMSNorm(), **stack),
                output=OutputSpec(),
            )
        )
    crossing = tuple(
        replace(b, cross=small.post_norm().encoder.blocks[0].attention) for b in blocks
    )
    return small.make(
        Spec(
            small.WIDTH,
            LONG,
            embed,
            encoder=small.post_norm().encoder,
            decoder=StackSpec(crossing, RMSNorm()),
            target=embed,
            output=OutputSpec(),
        )
    )


def fresh(model: Transformer) -> Cache:
    return Cache(len(model.spec.decoder.blocks))


def alone(model: Transformer, ids: list[int]) -> torch.Tensor:
    return model.decode(torch.tensor(ids), Layout([len(ids)]))


def step(model: Transformer, cache: Cache, texts: list[list[int]]) -> list[torch.Tensor]:
    """Go on with some tokens of each sequence; return their vectors."""
    layout = cache.next([len(ids) for ids in texts])
    hidden = model.decode(torch.tensor([i for ids in texts for i in ids]), layout, cache=cache)
    return list(hidden.split(layout.lengths))


def draw(*lengths: int) -> list[list[int]]:
    return [torch.randint(0, small.VOCABULARY, (length,)).tolist() for length in lengths]


@pytest.mark.parametrize(
    "model", [decoder(), decoder(position_bias=Alibi())], ids=["rotary", "alibi"]
)
@given(
    lengths=st.lists(st.integers(2, 9), min_size=1, max_size=4),
    cuts=st.lists(st.integers(1, 3), min_size=12, max_size=12),
)
@torch.no_grad()
def test_steps_of_any_size_equal_the_whole(
    model: Transformer, lengths: list[int], cuts: list[int]
) -> None:
    texts = draw(*lengths)
    cache, done, found = fresh(model), [0] * len(texts), [[] for _ in texts]
    rows = list(range(len(texts)))
    for turn in range(12):
        stay = [i for i, row in enumerate(rows) if done[row] < lengths[row]]
        if not stay:
            break
        if turn:
            cache.select(stay)
        rows = [rows[i] for i in stay]
        sizes = [min(cuts[(turn + row) % 12], lengths[row] - done[row]) for row in rows]
        parts = [texts[r][done[r] : done[r] + n] for r, n in zip(rows, sizes, strict=True)]
        for row, n, vectors in zip(rows, sizes, step(model, cache, parts), strict=True):
            found[row].append(vectors)
            done[row] += n
    for ids, parts in zip(texts, found, strict=True):
        if parts:
            whole = alone(model, ids)[: sum(map(len, parts))]
            torch.testing.assert_close(torch.cat(parts), whole, atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_capacity_grows_with_long_sequences() -> None:
    model = decoder()
    (ids,) = draw(150)
    cache = fresh(model)
    parts = [step(model, cache, [ids[at : at + 1]])[0] for at in range(len(ids))]
    torch.testing.assert_close(torch.cat(parts), alone(model, ids), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("rows", [[0, 1, 2], [2, 1, 0], [1, 1, 1, 0], [2], [0, 0, 2], []])
@torch.no_grad()
def test_selected_sequences_go_on_as_the_ones_they_come_from(rows: list[int]) -> None:
    model, texts = decoder(), draw(3, 7, 5)
    cache = fresh(model)
    step(model, cache, texts)
    cache.select(rows)
    assert len(cache) == len(rows)
    if rows:
        found = step(model, cache, [[4]] * len(rows))
        for row, vectors in zip(rows, found, strict=True):
            expected = alone(model, [*texts[row], 4])[-1:]
            torch.testing.assert_close(vectors, expected, atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_new_sequences_join_those_in_progress() -> None:
    model = decoder()
    (first,), late = draw(70), draw(2, 5)
    cache, other = fresh(model), fresh(model)
    step(model, cache, [first])
    step(model, other, late)
    cache.join(other)
    found = step(model, cache, [[3], [3], [3]])
    for ids, vectors in zip([first, *late], found, strict=True):
        expected = alone(model, [*ids, 3])[-1:]
        torch.testing.assert_close(vectors, expected, atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_joining_an_empty_cache_is_beginning() -> None:
    model, texts = decoder(), draw(2, 4)
    cache, other = fresh(model), fresh(model)
    step(model, other, texts)
    cache.join(other)
    found = step(model, cache, [[1], [2]])
    torch.testing.assert_close(found[1], alone(model, [*texts[1], 2])[-1:], atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_what_is_cut_is_forgotten() -> None:
    model, texts = decoder(), draw(6, 6)
    cache = fresh(model)
    step(model, cache, texts)
    cache.cut([2, 5])
    found = step(model, cache, [[7], [7, 8]])
    for ids, kept, new, vectors in zip(texts, (2, 5), ([7], [7, 8]), found, strict=True):
        expected = alone(model, [*ids[:kept], *new])[kept:]
        torch.testing.assert_close(vectors, expected, atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_positions_end_where_the_model_ends() -> None:
    embed = EmbedSpec(small.VOCABULARY, small.WIDTH, LearnedPositions(4))
    block = small.block(Causal(), NORM)
    model = small.make(Spec(small.WIDTH, 4, embed, decoder=StackSpec((block,))))
    cache = fresh(model)
    step(model, cache, draw(4))
    with pytest.raises(LayoutError, match="5 tokens exceeds the 4 positions"):
        step(model, cache, [[1]])


@torch.no_grad()
def test_memories_are_selected_and_joined() -> None:
    model = decoder(reads=True)
    sources = draw(3, 6, 2)

    def memory_of(texts: list[list[int]]):
        layout = Layout([len(ids) for ids in texts])
        ids_T = torch.tensor([i for ids in texts for i in ids])
        return model.remember(model.encode(ids_T, layout), layout, lasts=True)

    def read(memory) -> torch.Tensor:
        ids_T = torch.arange(1, 1 + len(memory))
        return model.decode(ids_T, Layout([1] * len(memory)), memory)

    expected = read(memory_of([sources[2], sources[0], sources[1]]))
    memory = memory_of(sources[1:])
    memory.select([1])
    memory.join(memory_of(sources[:2]))
    torch.testing.assert_close(read(memory), expected, atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_sources_that_leave_are_not_read() -> None:
    model = decoder(reads=True)
    layout = Layout([3, 6, 2, 4])
    ids_T = torch.randint(0, small.VOCABULARY, (15,))
    hidden_TD = model.encode(ids_T, layout)
    memory = model.remember(hidden_TD, layout, lasts=True)
    whole = model.decode(torch.tensor([1, 2, 3, 4]), Layout([1] * 4), memory)
    memory.select([0, 3, 2])  # the last one in the place of the second
    found = model.decode(torch.tensor([1, 4, 3]), Layout([1] * 3), memory)
    torch.testing.assert_close(found, whole[[0, 3, 2]], atol=1e-5, rtol=1e-5)


def test_gradients_reach_the_encoder_through_the_memory() -> None:
    model = decoder(reads=True)
    layout = Layout([3, 5])
    ids_T = torch.randint(0, small.VOCABULARY, (8,))
    memory = model.remember(model.encode(ids_T, layout), layout)
    model.logits(model.decode(ids_T, layout, memory)).square().sum().backward()
    without = [name for name, p in model.named_parameters() if p.grad is None]
    assert without == []
