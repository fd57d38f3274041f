from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests import tiny

from manyheads.errors import RecipeError
from manyheads.hub import Pretrained
from manyheads.tasks import Classification, Example, Reader, TaskModel
from manyheads.text import Cleaning, Encoded, Head, Piece
from manyheads.train.early_stopping import EarlyStopping
from manyheads.train.epochs import Epochs
from manyheads.train.fitting import Fitting
from manyheads.train.loop import Step
from manyheads.train.progress import Reporter
from manyheads.train.recipe import Recipe
from manyheads.train.schedule import Constant

TASK = Classification(("bad", "good"))
QUICK = Recipe(batch_size=8, learning_rate=2e-3, probe_examples=0)


@pytest.fixture(scope="module")
def body() -> Pretrained:
    return tiny.body(tiny.moods())


def model_of(body: Pretrained) -> TaskModel:
    return TaskModel(copy.deepcopy(body.transformer), TASK.head(body))


def examples(body: Pretrained, count: int = 24) -> list[Example]:
    texts, labels = zip(*tiny.mood_rows(count), strict=True)
    encoded = Reader(body.tokenizer, Cleaning(), Head(32)).read(texts)
    targets = TASK.targets(labels, str)
    return [Example(row, *both) for row, both in enumerate(zip(encoded, targets, strict=True))]


def of_length(tokens: int) -> Example:
    return Example(0, Encoded((Piece([1] * tokens, [0] * tokens, None),), tokens, 0), 0)


def recipe(**changes: object) -> Recipe:
    return Recipe(**{**QUICK.to_json(), **changes})


@dataclass
class Scripted:
    """A validation that answers with prepared scores and remembers the weights it was asked of."""

    model: TaskModel
    accuracies: list[float]
    losses: list[float] | None = None

    def __post_init__(self) -> None:
        self.seen: list[dict[str, torch.Tensor]] = []

    def __call__(self) -> dict[str, float]:
        at = len(self.seen)
        self.seen.append({n: t.clone() for n, t in self.model.state_dict().items()})
        return {"loss": self.losses[at] if self.losses else 1.0, "accuracy": self.accuracies[at]}


class Watching(Reporter):
    """Calls `look` after every update."""

    def __init__(self, look: Callable[[], None]) -> None:
        super().__init__(quiet=True)
        self.look = look

    @contextmanager
    def steps(self, total: int, done: int) -> Iterator[Callable[[Step, float], None]]:
        yield lambda step, left: self.look()


def is_at(model: TaskModel, weights: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(tensor, weights[n]) for n, tensor in model.state_dict().items())


@given(
    lengths=st.lists(st.integers(2, 30), min_size=1, max_size=40),
    epochs=st.floats(0.05, 4),
    batch=st.integers(1, 9),
    group=st.integers(1, 4),
)
def test_epochs_hold_every_example_once_and_a_fraction_is_a_share_of_the_updates(
    lengths: list[int], epochs: float, batch: int, group: int
):
    plan = Epochs(
        [of_length(tokens) for tokens in lengths],
        Recipe(epochs=epochs, batch_size=batch, accumulate=group),
    )
    for epoch in range(math.ceil(epochs)):
        updates = plan.updates(epoch)
        assert all(1 <= len(update) <= group for update in updates)
        seen = [index for update in updates for one in update for index in one]
        assert sorted(seen) == list(range(len(lengths)))
        assert plan.starts[epoch + 1] - plan.starts[epoch] == len(updates)
    last = plan.starts[-1] - plan.starts[-2]
    share = last * (epochs - math.ceil(epochs) + 1)
    assert plan.starts[-2] <= plan.total_steps <= plan.starts[-1]
    assert abs(plan.total_steps - plan.starts[-2] - share) <= 1


def test_every_epoch_has_its_own_order(body: Pretrained):
    plan = Epochs(examples(body), QUICK)
    assert plan.updates(0) != plan.updates(1)
    assert plan.updates(0) == Epochs(examples(body), QUICK).updates(0)
    assert plan.updates(0) != Epochs(examples(body), recipe(seed=1)).updates(0)


@pytest.mark.parametrize(("epochs", "steps"), [(0.01, 1), (0.5, 2), (1, 3), (1.5, 5), (2.34, 8)])
def test_a_fraction_of_an_epoch(body: Pretrained, epochs: float, steps: int):
    history = Fitting(model_of(body), TASK, examples(body), recipe(epochs=epochs)).run()
    assert [step.number for step in history.steps] == list(range(1, steps + 1))


def test_the_rate_has_fallen_to_nearly_nothing_at_the_end_of_the_run(body: Pretrained):
    history = Fitting(model_of(body), TASK, examples(body), recipe(epochs=2.5)).run()
    rates = [step.learning_rate for step in history.steps]
    assert max(rates) <= QUICK.learning_rate
    assert rates[-1] == min(rates[1:]) < 0.25 * max(rates)


def test_the_last_epoch_is_validated_even_when_it_is_a_fraction(body: Pretrained):
    model = model_of(body)
    history = Fitting(
        model, TASK, examples(body), recipe(epochs=1.5), Scripted(model, [0.1, 0.2])
    ).run()
    assert [one.step for one in history.validations] == [3, len(history.steps)]


def test_the_best_weights_stay(body: Pretrained):
    model = model_of(body)
    validate = Scripted(model, [0.5, 0.9, 0.7])
    history = Fitting(model, TASK, examples(body), recipe(epochs=3), validate).run()
    assert history.best("accuracy") == 1
    assert is_at(model, validate.seen[1]) and not is_at(model, validate.seen[2])
    assert not model.training


def test_the_average_is_validated_and_kept_while_training_goes_on_beside_it(body: Pretrained):
    plain, averaged = model_of(body), copy.deepcopy(model_of(body))
    averaged.load_state_dict(plain.state_dict())
    plainly = Scripted(plain, [0.5, 0.6, 0.7])
    validate = Scripted(averaged, [0.5, 0.9, 0.7])
    Fitting(plain, TASK, examples(body), recipe(epochs=3), plainly).run()
    Fitting(averaged, TASK, examples(body), recipe(epochs=3, average=0.5), validate).run()
    assert is_at(averaged, validate.seen[1])
    assert not is_at(averaged, plainly.seen[1])


def test_without_validation_the_average_is_what_remains(body: Pretrained):
    model = model_of(body)
    fitting = Fitting(model, TASK, examples(body), recipe(epochs=1, average=0.999))
    name = "out.weight"
    seen = [model.head.state_dict()[name].clone()]
    updates = fitting.epochs.total_steps
    fitting.reporter = Watching(lambda: seen.append(model.head.state_dict()[name].clone()))
    fitting.run()
    expected = seen[0]
    for step, weight in enumerate(seen[1 : updates + 1], start=1):
        decay = (1 + step) / (10 + step)
        expected = decay * expected + (1 - decay) * weight
    torch.testing.assert_close(model.head.state_dict()[name], expected)


def test_of_equal_scores_the_lower_loss_is_the_better(body: Pretrained):
    model = model_of(body)
    validate = Scripted(model, [0.9, 0.9, 0.9], losses=[0.5, 0.3, 0.4])
    Fitting(model, TASK, examples(body), recipe(epochs=3), validate).run()
    assert is_at(model, validate.seen[1])


def test_another_metric_chooses_other_weights(body: Pretrained):
    model = model_of(body)
    validate = Scripted(model, [0.5, 0.9, 0.7], losses=[0.1, 0.3, 0.4])
    Fitting(model, TASK, examples(body), recipe(epochs=3, metric="loss"), validate).run()
    assert is_at(model, validate.seen[0])


def test_without_validation_the_last_weights_stay(body: Pretrained):
    model = model_of(body)
    before = copy.deepcopy(model.state_dict())
    history = Fitting(model, TASK, examples(body), recipe(epochs=1)).run()
    assert not history.validations and not is_at(model, before)


def test_training_stops_when_the_score_no_longer_rises(body: Pretrained):
    model = model_of(body)
    validate = Scripted(model, [0.5, 0.6, 0.6, 0.55, 0.9, 0.9])
    plan = recipe(epochs=6, early_stopping=EarlyStopping(patience=2))
    history = Fitting(model, TASK, examples(body), plan, validate).run()
    assert len(history.validations) == 4
    assert is_at(model, validate.seen[1])


def test_an_unknown_metric_lists_the_known_ones(body: Pretrained):
    model = model_of(body)
    fitting = Fitting(
        model, TASK, examples(body), recipe(epochs=1, metric="f1"), Scripted(model, [0.5])
    )
    with pytest.raises(RecipeError, match=r"'f1'.*loss, accuracy"):
        fitting.run()


def test_frozen_parameters_keep_their_bits_and_the_others_move(body: Pretrained):
    model = model_of(body)
    before = copy.deepcopy(model.state_dict())
    Fitting(model, TASK, examples(body), recipe(epochs=1, freeze=["transformer.embed"])).run()
    embed = [name for name in before if name.startswith("transformer.embed.")]
    assert embed
    assert all(torch.equal(model.state_dict()[name], before[name]) for name in embed)
    assert not torch.equal(model.head.out.weight, before["head.out.weight"])
    assert any(
        not torch.equal(tensor, before[name])
        for name, tensor in model.state_dict().items()
        if name.startswith("transformer.encoder")
    )


def test_lower_layers_learn_more_slowly(body: Pretrained):
    fitting = Fitting(model_of(body), TASK, examples(body), recipe(layer_decay=0.1))
    rates = {
        id(parameter): group["base_lr"]
        for group in fitting.optimizer.param_groups
        for parameter in group["params"]
    }
    of = {name: rates[id(p)] for name, p in fitting.model.named_parameters()}
    assert of["head.out.weight"] == pytest.approx(2e-3)
    assert of["transformer.encoder.blocks.0.attention.qkv.weight"] == pytest.approx(2e-4)
    assert of["transformer.embed.tokens.weight"] == pytest.approx(2e-5)


def test_a_run_is_a_function_of_its_seed(body: Pretrained):
    def final(seed: int) -> torch.Tensor:
        model = model_of(body)
        torch.rand(seed + 5)  # whatever was drawn before does not matter
        plan = recipe(epochs=1, seed=seed, dropout=0.1, token_dropout=0.1)
        Fitting(model, TASK, examples(body), plan).run()
        return model.head.out.weight.detach().clone()

    assert torch.equal(final(0), final(0))
    assert not torch.equal(final(0), final(1))


def test_a_warm_up_longer_than_the_run_is_refused(body: Pretrained):
    with pytest.raises(RecipeError, match="warmup=50"):
        Fitting(model_of(body), TASK, examples(body), recipe(epochs=1, warmup=50))


def test_fitting_twice_goes_on_from_the_weights(body: Pretrained):
    model = model_of(body)
    plan = recipe(epochs=4, schedule=Constant())
    first = Fitting(model, TASK, examples(body), plan).run()
    second = Fitting(model, TASK, examples(body), plan).run()
    assert second.steps[-1].loss < first.steps[0].loss
    assert [step.number for step in second.steps] == [step.number for step in first.steps]
