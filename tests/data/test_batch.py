import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyheads.data.batch import even_batches, shuffled_batches, token_budget_batches
from manyheads.errors import RecipeError

lengths = st.lists(st.integers(0, 50), max_size=200)
limit = st.integers(1, 120)
limits = st.one_of(
    st.tuples(limit, st.none()), st.tuples(st.none(), limit), st.tuples(limit, limit)
)


def assert_valid(batches, lengths, max_tokens, max_sequences):
    assert sorted(i for batch in batches for i in batch) == list(range(len(lengths)))
    for batch in batches:
        assert batch
        assert max_sequences is None or len(batch) <= max_sequences
        tokens = sum(lengths[i] for i in batch)
        assert max_tokens is None or tokens <= max_tokens or len(batch) == 1


@given(lengths, limit, st.none() | limit)
def test_budget_batches_hold_every_index_once_within_the_limits(lengths, max_tokens, sequences):
    batches = token_budget_batches(lengths, max_tokens=max_tokens, max_sequences=sequences)
    assert_valid(batches, lengths, max_tokens, sequences)
    order = [lengths[i] for batch in batches for i in batch]
    assert order == sorted(lengths, reverse=True)


@given(lengths, limits, st.integers(0, 3), st.integers(0, 3))
def test_shuffled_batches_hold_every_index_once_within_the_limits(lengths, limits, seed, epoch):
    max_tokens, max_sequences = limits

    def draw():
        return shuffled_batches(
            lengths, max_tokens=max_tokens, max_sequences=max_sequences, seed=seed, epoch=epoch
        )

    batches = draw()
    assert_valid(batches, lengths, max_tokens, max_sequences)
    assert draw() == batches


def test_each_epoch_and_seed_has_its_own_order():
    def draw(seed, epoch):
        return shuffled_batches(range(100), max_sequences=4, seed=seed, epoch=epoch)

    assert len({str(draw(*numbers)) for numbers in [(0, 0), (0, 1), (1, 0), (1, 1)]}) == 4


def test_only_one_batch_is_not_full():
    batches = shuffled_batches([3] * 1_003, max_sequences=8, seed=0, epoch=0)
    assert sorted(len(batch) for batch in batches) == [3] + [8] * 125


def test_similar_lengths_come_together():
    lengths = [(i * 37) % 500 for i in range(5_000)]
    batches = shuffled_batches(lengths, max_sequences=10, seed=0, epoch=0)
    spreads = [max(lengths[i] for i in b) - min(lengths[i] for i in b) for b in batches]
    assert sum(spreads) / len(spreads) < 20  # a tenth of 500 lengths over 50 batches, and a margin


def test_the_order_is_not_that_of_the_lengths():
    batches = shuffled_batches(range(1_000), max_sequences=10, seed=0, epoch=0)
    firsts = [batch[0] for batch in batches]
    assert firsts != sorted(firsts)
    assert firsts != sorted(firsts, reverse=True)


def test_limits_out_of_range():
    with pytest.raises(RecipeError, match="max_tokens=0 leaves no room"):
        token_budget_batches([1], max_tokens=0)
    with pytest.raises(RecipeError, match="max_sequences=-1 leaves no room"):
        shuffled_batches([1], max_sequences=-1, seed=0, epoch=0)
    with pytest.raises(RecipeError, match="a batch needs a limit"):
        shuffled_batches([1], seed=0, epoch=0)


@given(lengths=st.lists(st.integers(1, 60), max_size=60), count=st.integers(1, 9))
def test_even_batches_hold_every_index_once_and_are_even(lengths, count):
    batches = even_batches(lengths, count)
    assert sorted(i for batch in batches for i in batch) == list(range(len(lengths)))
    assert len(batches) == min(count, len(lengths))
    tokens = [sum(lengths[i] for i in batch) for batch in batches]
    # What was added last to the fullest batch went where there was least.
    assert not tokens or max(tokens) - min(tokens) <= max(lengths)
