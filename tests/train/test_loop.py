from __future__ import annotations

import copy
from collections.abc import Iterator

import pytest
import torch
from tests import tiny
from torch.optim import SGD

from manyheads.core.spec import Pooling
from manyheads.errors import TrainingError
from manyheads.hub import Pretrained
from manyheads.tasks import Batch, Classification, Example, Reader, TaskModel
from manyheads.text import Cleaning, Head
from manyheads.train.loop import Plan, Step, accumulate_gradient, train
from manyheads.train.optim import build_optimizer
from manyheads.train.precision import MixedPrecision
from manyheads.train.recipe import Recipe
from manyheads.train.schedule import Linear, OneCycle

PLAIN = MixedPrecision(torch.device("cpu"), torch.float32)
TASK = Classification(("bad", "good"), class_weights={"bad": 3.0})


@pytest.fixture(scope="module")
def body() -> Pretrained:
    return tiny.body(tiny.moods())


@pytest.fixture
def model(body: Pretrained) -> TaskModel:
    """Without dropout, so that equal batches give equal gradients."""
    model = TaskModel(copy.deepcopy(body.transformer), TASK.head(body))
    for module in model.modules():
        if hasattr(module, "p"):
            module.p = 0.0
        if hasattr(module, "dropout") and isinstance(module.dropout, float):
            module.dropout = 0.0
    assert model.head.spec.pooling is Pooling.MEAN
    return model


def examples(body: Pretrained, count: int) -> list[Example]:
    texts, labels = zip(*tiny.mood_rows(count), strict=True)
    encoded = Reader(body.tokenizer, Cleaning(), Head(32)).read(texts)
    targets = TASK.targets(labels, str)
    return [Example(row, *both) for row, both in enumerate(zip(encoded, targets, strict=True))]


def batches(body: Pretrained, sizes: list[int]) -> list[Batch]:
    rest = iter(examples(body, sum(sizes)))
    return [TASK.collate([next(rest) for _ in range(size)]) for size in sizes]


def steps(
    model: TaskModel,
    updates: list[list[Batch]],
    optimizer: torch.optim.Optimizer,
    **settings: object,
) -> Iterator[Step]:
    return train(
        model,
        TASK,
        updates,
        optimizer,
        lambda optimizer, step: None,
        precision=PLAIN,
        scaler=PLAIN.scaler(),
        **settings,  # type: ignore[arg-type]
    )


def gradients(model: TaskModel) -> dict[str, torch.Tensor]:
    return {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}


def weights(model: TaskModel) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[n], other[n]) for n in one)


@pytest.mark.parametrize("sizes", [[12], [6, 6], [1, 2, 9], [1] * 12])
def test_accumulating_gives_the_gradient_of_the_large_batch(
    body: Pretrained, model: TaskModel, sizes: list[int]
):
    """Also where the small batches differ in size and in the weights of their classes."""
    model.train()
    expected_loss = accumulate_gradient(model, TASK, batches(body, [12]), PLAIN, PLAIN.scaler())
    expected = gradients(model)
    model.zero_grad()
    loss = accumulate_gradient(model, TASK, batches(body, sizes), PLAIN, PLAIN.scaler())
    assert loss == pytest.approx(expected_loss, rel=1e-6)
    for name, gradient in gradients(model).items():
        torch.testing.assert_close(gradient, expected[name], rtol=1e-4, atol=1e-6, msg=name)


def test_a_step_says_what_happened(body: Pretrained, model: TaskModel):
    group = batches(body, [3, 5])
    optimizer = SGD(model.parameters(), lr=0.25)
    (step,) = steps(model, [group], optimizer, first_step=6)
    assert step.number == 7
    assert step.learning_rate == 0.25
    assert step.examples == 8
    assert step.tokens == sum(batch.layout.tokens for batch in group)
    assert step.gradient_norm > 0 and step.seconds > 0


def test_the_loss_falls(body: Pretrained, model: TaskModel):
    optimizer = build_optimizer(model, Recipe(learning_rate=3e-3))
    happened = list(steps(model, [batches(body, [16])] * 30, optimizer, clip_norm=1.0))
    assert happened[-1].loss < 0.5 * happened[0].loss


def test_the_gradient_is_clipped_and_its_norm_told_as_it_was(body: Pretrained, model: TaskModel):
    before = weights(model)
    optimizer = SGD(model.parameters(), lr=1.0)
    (step,) = steps(model, [batches(body, [8])], optimizer, clip_norm=1e-3)
    assert step.gradient_norm > 1e-2
    moved = torch.sqrt(sum(((weights(model)[n] - before[n]) ** 2).sum() for n in before))
    assert float(moved) == pytest.approx(1e-3, rel=1e-3)


def test_without_clipping_the_whole_gradient_counts(body: Pretrained, model: TaskModel):
    before = weights(model)
    (step,) = steps(model, [batches(body, [8])], SGD(model.parameters(), lr=1.0))
    moved = torch.sqrt(sum(((weights(model)[n] - before[n]) ** 2).sum() for n in before))
    assert float(moved) == pytest.approx(step.gradient_norm, rel=1e-3)


def test_whoever_iterates_may_break_off(body: Pretrained, model: TaskModel):
    drawn = []

    def endless() -> Iterator[list[Batch]]:
        while True:
            drawn.append(1)
            yield batches(body, [4])

    run = steps(model, endless(), SGD(model.parameters(), lr=0.1))  # type: ignore[arg-type]
    first, second = next(run), next(run)
    after_two = weights(model)
    run.close()
    assert (first.number, second.number, len(drawn)) == (1, 2, 2)
    assert same(weights(model), after_two)
    assert not gradients(model)


def test_a_loss_that_is_no_number_stops_the_run_before_it_touches_the_weights(
    body: Pretrained, model: TaskModel
):
    good, bad = batches(body, [4]), batches(body, [12])
    optimizer = build_optimizer(model, Recipe(learning_rate=1e-3))
    poisoned = good[0].ids[1].item()
    seen: list[Step] = []
    kept: dict[str, torch.Tensor] = {}
    with pytest.raises(TrainingError) as caught:
        for step in steps(model, [good, bad], optimizer, describe="reviews.csv, line {}".format):
            seen.append(step)
            with torch.no_grad():
                model.transformer.embed.tokens.weight[poisoned] = torch.nan
            kept = weights(model)
    assert len(seen) == 1
    message = str(caught.value)
    assert "step 2" in message and "nan" in message and "\n" not in message
    assert "reviews.csv, line 0; reviews.csv, line 1" in message and "and 4 more" in message
    assert "learning_rate" in message and "clip_norm" in message
    after = weights(model)
    assert all(torch.equal(after[n].nan_to_num(7), kept[n].nan_to_num(7)) for n in kept)


def test_what_a_failed_run_left_behind_does_not_poison_the_next(body: Pretrained, model: TaskModel):
    start = weights(model)
    with torch.no_grad():
        model.head.out.weight[0, 0] = torch.nan
    with pytest.raises(TrainingError):
        list(steps(model, [batches(body, [4])], SGD(model.parameters(), lr=0.1)))
    model.load_state_dict(start)
    (step,) = steps(model, [batches(body, [4])], SGD(model.parameters(), lr=0.1))
    fresh = gradients(model)
    assert step.loss == step.loss and not fresh
    assert all(tensor.isfinite().all() for tensor in weights(model).values())


def test_the_plan_sets_every_groups_rate(model: TaskModel):
    optimizer = build_optimizer(model, Recipe(learning_rate=0.1, layer_decay=0.5))
    plan = Plan(Linear(), total_steps=10, warmup_steps=0)
    plan.set(optimizer, 5)
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx(
        [group["base_lr"] * Linear().factor(5, 10, 0) for group in optimizer.param_groups]
    )
    assert len({group["lr"] for group in optimizer.param_groups}) > 1


def test_one_cycle_moves_the_momentum_against_the_rate(model: TaskModel):
    optimizer = build_optimizer(model, Recipe())
    plan = Plan(OneCycle(), total_steps=20, warmup_steps=6)
    rates, momenta = [], []
    for step in range(20):
        plan.set(optimizer, step)
        rates.append(optimizer.param_groups[0]["lr"])
        momenta.append(optimizer.param_groups[0]["betas"][0])
        assert optimizer.param_groups[0]["betas"][1] == 0.999
    peak = rates.index(max(rates))
    assert 0 < peak < 19
    assert momenta[peak] == min(momenta) < momenta[0]
    assert momenta[-1] > momenta[peak]


def test_other_schedules_leave_the_momentum_alone(model: TaskModel):
    optimizer = build_optimizer(model, Recipe(betas=(0.8, 0.99)))
    Plan(Linear(), 10, 2).set(optimizer, 5)
    assert optimizer.param_groups[0]["betas"] == (0.8, 0.99)
