"""Every family computes what its original computes, and saves what its original opens."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
import torch
import transformers
from torch import Tensor

from manyheads.hub import load_model, save_model, save_with_sequence_head

from .harness import (
    CASES,
    WAYS,
    Case,
    Classifier,
    force,
    open_folder,
    original,
    publish,
    published_name,
)

every_family = pytest.mark.parametrize("case", CASES.values(), ids=CASES)
every_way = pytest.mark.parametrize("way", WAYS)


def assert_equal_tensors(found: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    assert sorted(found) == sorted(expected)
    for name, tensor in expected.items():
        assert torch.equal(found[name], tensor), name


@every_way
@every_family
def test_outputs_and_logits_are_equal(case: Case, way: str, tmp_path: Path) -> None:
    theirs = original(case.classifier, case.configure())
    ours = open_folder(publish(theirs, tmp_path))
    force(ours, WAYS[way])
    batch = case.draw(theirs.config)
    with torch.no_grad():
        hidden_TD = batch.encode(ours.transformer)
        logits = ours(batch)
        expected = batch.hidden_of(theirs)
        expected_logits = batch.logits_of(theirs)
    torch.testing.assert_close(hidden_TD, expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(logits, expected_logits, atol=1e-5, rtol=1e-5)
    assert not ours.unused


@every_family
def test_one_text_alone_equals_the_original_without_padding(case: Case, tmp_path: Path) -> None:
    theirs = original(case.classifier, case.configure())
    ours = open_folder(publish(theirs, tmp_path))
    for length in case.lengths:
        batch = case.draw(theirs.config, (length,))
        with torch.no_grad():
            logits = ours(batch)
            expected = batch.logits_of(theirs)
        torch.testing.assert_close(logits, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    "case",
    [case for name, case in CASES.items() if not name.startswith(("modernbert", "longformer"))],
    ids=lambda case: case.family.name,
)
@pytest.mark.parametrize("way", ["by_runs", "padded"])
def test_in_double_precision_only_rounding_is_left(case: Case, way: str, tmp_path: Path) -> None:
    """Not those that compute rotary positions or a softmax in single precision."""
    theirs = original(case.classifier, case.configure()).double()
    theirs.set_attn_implementation("sdpa")
    ours = open_folder(publish(theirs, tmp_path), dtype=torch.float64)
    force(ours, WAYS[way])
    batch = case.draw(theirs.config)
    with torch.no_grad():
        logits = ours(batch)
        torch.testing.assert_close(logits, batch.logits_of(theirs), atol=1e-12, rtol=1e-12)


@every_way
@every_family
def test_gradients_of_every_parameter_are_equal_in_training(
    case: Case, way: str, tmp_path: Path
) -> None:
    theirs = original(case.classifier, case.configure(dropout=0.0)).train()
    ours = open_folder(publish(theirs, tmp_path)).train()
    force(ours, WAYS[way])
    batch = case.draw(theirs.config)
    hidden_TD = batch.encode(ours.transformer)
    upstream_TD, upstream_BC = torch.randn_like(hidden_TD), torch.randn(len(batch.layout), 3)
    logits = ours(batch)
    ((hidden_TD * upstream_TD).mean() + (logits * upstream_BC).mean()).backward()
    expected = batch.hidden_of(theirs)
    expected_logits = batch.logits_of(theirs)
    ((expected * upstream_TD).mean() + (expected_logits * upstream_BC).mean()).backward()

    gradients = ours.published(lambda parameter: parameter.grad)
    originals = {published_name(name): one for name, one in theirs.named_parameters()}
    unread = case.family.sequence_head.unread
    originals = {name: one for name, one in originals.items() if not name.startswith(unread)}
    assert sorted(gradients) == sorted(originals)
    for name, parameter in originals.items():
        torch.testing.assert_close(
            gradients[name], parameter.grad, atol=1e-5, rtol=1e-4, msg=lambda m, n=name: f"{n}: {m}"
        )


@pytest.mark.parametrize("way", ["by_runs", "padded"])
@every_family
def test_dropout_has_the_statistics_of_the_original(case: Case, way: str, tmp_path: Path) -> None:
    """Mean and variance of every output over thousands of draws, one copy of a text each."""
    copies, length = 3000, 6
    theirs = original(case.classifier, case.configure(dropout=0.2)).train()
    ours = open_folder(publish(theirs, tmp_path)).train()
    force(ours, WAYS[way])
    # One longer text at the end, so that the padded way has something to pad.
    one = case.draw(theirs.config, (length,))
    other = case.draw(theirs.config, (length + 1,))
    batch = one.copies(copies, other)
    with torch.no_grad():
        hidden_TD = batch.encode(ours.transformer)
        found = hidden_TD[: -other.layout.tokens].unflatten(0, (copies, -1))
        found_logits = ours(batch)[:copies]
        expected = batch.hidden_of(theirs).unflatten(0, (copies, -1))
        expected_logits = batch.logits_of(theirs)
    assert found.std(dim=0).min() > 0
    for one_side, other_side in ((found, expected), (found_logits, expected_logits)):
        error = ((one_side.var(dim=0) + other_side.var(dim=0)) / copies).sqrt()
        difference = (one_side.mean(dim=0) - other_side.mean(dim=0)).abs()
        assert (difference / error).max() < 5.5
        ratio = (one_side.var(dim=0) / other_side.var(dim=0)).log()
        assert ratio.abs().max() < 0.4
        assert ratio.mean().abs() < 0.08


@every_family
def test_a_published_body_is_opened_saved_and_opened_by_the_original(
    case: Case, tmp_path: Path
) -> None:
    """Whatever came with it (BERT's pooler) goes back untouched."""
    theirs = original(case.base, case.configure())
    opened = load_model(publish(theirs, tmp_path / "theirs"))
    save_model(tmp_path / "ours", opened)
    again, report = case.base.from_pretrained(tmp_path / "ours", output_loading_info=True)
    assert not any(report.values()), report
    assert_equal_tensors(again.state_dict(), theirs.state_dict())
    batch = case.draw(theirs.config)
    with torch.no_grad():
        hidden_TD = batch.encode(opened.transformer)
        expected = batch.hidden_of(theirs)
    torch.testing.assert_close(hidden_TD, expected, atol=1e-5, rtol=1e-5)


@every_family
def test_a_published_classifier_goes_both_ways(case: Case, tmp_path: Path) -> None:
    theirs = original(case.classifier, case.configure(dropout=0.1))
    opened = load_model(publish(theirs, tmp_path / "theirs"))
    ours = Classifier(opened)
    names = {0: "bad", 1: "so so", 2: "好"}
    settings = {"id2label": names, "label2id": {name: i for i, name in names.items()}}
    save_with_sequence_head(tmp_path / "ours", opened, ours.head.state_dict(), settings)
    again, report = case.auto.from_pretrained(tmp_path / "ours", output_loading_info=True)
    assert type(again) is case.classifier
    assert not any(report.values()), report
    assert again.config.id2label == names
    assert_equal_tensors(again.state_dict(), theirs.state_dict())
    again.set_attn_implementation("eager")
    batch = case.draw(theirs.config)
    with torch.no_grad():
        # Not to the last bit: products may depend on where in memory their matrices lie.
        close = partial(torch.testing.assert_close, atol=1e-5, rtol=0)
        close(batch.logits_of(again), batch.logits_of(theirs))
        close(open_folder(tmp_path / "ours")(batch), ours(batch))


@every_family
def test_a_published_language_model_keeps_its_head(case: Case, tmp_path: Path) -> None:
    theirs = original(case.masked, case.configure())
    save_model(tmp_path / "ours", load_model(publish(theirs, tmp_path / "theirs")))
    again, report = case.masked.from_pretrained(tmp_path / "ours", output_loading_info=True)
    assert not any(report.values()), report
    assert_equal_tensors(again.state_dict(), theirs.state_dict())


@every_family
def test_the_configuration_keeps_what_is_not_ours(case: Case, tmp_path: Path) -> None:
    theirs = original(case.classifier, case.configure(dropout=0.1))
    opened = load_model(publish(theirs, tmp_path / "theirs"))
    save_model(tmp_path / "ours", opened)
    before, again = (
        transformers.AutoConfig.from_pretrained(tmp_path / name).to_dict() | {"_name_or_path": ""}
        for name in ("theirs", "ours")
    )
    added = set(again) - set(before)
    assert {key: again[key] for key in before} == before
    assert added <= {"global_attn_every_n_layers", "global_rope_theta", "local_rope_theta"}


@every_family
def test_opening_leaves_every_parameter_trainable(case: Case, tmp_path: Path) -> None:
    opened = load_model(publish(original(case.base, case.configure()), tmp_path))
    assert not opened.transformer.training
    assert all(parameter.requires_grad for parameter in opened.transformer.parameters())
    assert {parameter.device.type for parameter in opened.transformer.parameters()} == {"cpu"}


@every_family
def test_half_precision_stays_close_and_is_written_as_such(case: Case, tmp_path: Path) -> None:
    theirs = original(case.base, case.configure())
    opened = load_model(publish(theirs, tmp_path / "theirs"), dtype=torch.bfloat16)
    batch = case.draw(theirs.config)
    with torch.no_grad():
        hidden_TD = batch.encode(opened.transformer)
        expected = batch.hidden_of(theirs)
    assert hidden_TD.dtype == torch.bfloat16
    closeness = torch.nn.functional.cosine_similarity(hidden_TD.float(), expected, dim=-1)
    assert closeness.min() > 0.99
    save_model(tmp_path / "ours", opened)
    again = case.base.from_pretrained(tmp_path / "ours")
    assert again.dtype == torch.bfloat16
