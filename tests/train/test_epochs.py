"""Which head learns when: shares by temperature and weight, the same for the same seed."""

from __future__ import annotations

from array import array
from collections import Counter

import pytest

import manyheads as mh
from manyheads.tasks import Example, HeadSample
from manyheads.text import Encoded, Piece
from manyheads.train.epochs import Epochs, MixedEpochs, epochs_of


def samples(**counts: int) -> list[HeadSample]:
    """Samples of one to nine tokens."""
    found = []
    for head, count in counts.items():
        for row in range(count):
            length = 1 + row % 9
            piece = Piece(array("i", [row] * length), array("B", bytes(length)), None)
            found.append(HeadSample(head, row, Example(row, Encoded((piece,), length, 0), 0)))
    return found


def mixed(task: mh.ManyHeads, recipe: mh.Recipe, **counts: int) -> MixedEpochs:
    epochs = epochs_of(task, samples(**counts), recipe)
    assert isinstance(epochs, MixedEpochs)
    return epochs


def task(**settings: object) -> mh.ManyHeads:
    heads = {"large": mh.Classification(), "small": mh.Classification()}
    return mh.ManyHeads(heads, **settings)  # type: ignore[arg-type]


def seen(epochs: MixedEpochs, epoch: int) -> Counter[str]:
    """How many examples of each head an epoch has."""
    numbers = [i for group in epochs.updates(epoch) for batch in group for i in batch]
    return Counter(epochs.examples[i].head for i in numbers)


RECIPE = mh.Recipe(batch_size=4, batch_tokens=None, epochs=3)


def test_in_proportion_every_example_is_seen_once_an_epoch() -> None:
    epochs = mixed(task(), RECIPE, large=80, small=20)
    for epoch in range(3):
        numbers = sorted(i for group in epochs.updates(epoch) for batch in group for i in batch)
        assert numbers == list(range(100))


@pytest.mark.parametrize(
    ("settings", "share"),
    [
        ({"temperature": 2.0}, 2 / 3),  # √80 : √20
        ({"temperature": 1e9}, 1 / 2),
        ({"weights": {"small": 4.0}}, 1 / 2),
        ({"weights": {"small": 4.0}, "temperature": 2.0}, 1 / 3),
    ],
)
def test_shares_follow_temperature_and_weights(settings: dict[str, object], share: float) -> None:
    epochs = mixed(task(**settings), RECIPE, large=80, small=20)
    assert task(**settings).shares({"large": 80, "small": 20})["large"] == pytest.approx(share)
    assert seen(epochs, 0)["large"] / 100 == pytest.approx(share, abs=0.03)


def test_no_batch_mixes_heads_and_all_examples_are_seen_equally_often() -> None:
    recipe = mh.Recipe(batch_size=4, batch_tokens=20, epochs=12)
    epochs = mixed(task(temperature=3.0), recipe, large=80, small=20)
    times: Counter[int] = Counter()
    for epoch in range(12):
        for group in epochs.updates(epoch):
            for batch in group:
                assert len({epochs.examples[i].head for i in batch}) == 1
                times.update(batch)
    for head in ("large", "small"):
        own = [times[i] for i, one in enumerate(epochs.examples) if one.head == head]
        assert max(own) - min(own) <= 1


def test_an_epoch_is_a_function_of_its_number() -> None:
    one = mixed(task(temperature=2.0), RECIPE, large=50, small=7)
    other = mixed(task(temperature=2.0), RECIPE, large=50, small=7)
    late = other.updates(2)
    assert [one.updates(epoch) for epoch in range(3)] == [*map(other.updates, range(2)), late]
    assert one.updates(0) != one.updates(1)
    seeded = mixed(
        task(temperature=2.0), mh.Recipe(**{**RECIPE.to_json(), "seed": 1}), large=50, small=7
    )
    assert seeded.updates(0) != one.updates(0)


def test_every_head_has_a_batch_in_every_epoch_and_updates_have_several() -> None:
    recipe = mh.Recipe(**{**RECIPE.to_json(), "accumulate": 5})
    epochs = mixed(task(), recipe, large=400, small=1)
    assert [seen(epochs, epoch)["small"] for epoch in range(2)] == [1, 1]
    assert [len(group) for group in epochs.updates(0)] == [5] * 20 + [1]


def test_single_tasks_have_plain_epochs() -> None:
    plain = epochs_of(mh.Classification(), samples(large=9), RECIPE)
    assert type(plain) is Epochs
