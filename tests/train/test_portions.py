from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from tests import tiny

import manyheads as mh
from manyheads.errors import TrainingError

RECIPE = mh.Recipe(
    batch_size=16, epochs=1, learning_rate=1e-3, dropout=0.0, probe_examples=0, precision="float32"
)
CPU = RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes.")
CUDA = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
NUMPY = MemoryError("Unable to allocate 9 bytes")


def learner(
    data: mh.Dataset, task: Any, body: Any = tiny.SCRATCH, folder: Path | None = None
) -> mh.Learner:
    return mh.Learner(body, task, data, RECIPE, quiet=True, folder=folder)


def refuse(one: mh.Learner, limit: int, error: Exception, after: bool = False) -> list[int]:
    """Let the body raise `error` over more than so many tokens; return how many it computes.

    With `after`, it raises in the backward pass, when other gradients are there already.
    """
    computed: list[int] = []
    stack = one.model.transformer.encoder or one.model.transformer.decoder

    def check(module: torch.nn.Module, inputs: tuple[Any, ...], output: torch.Tensor) -> None:
        tokens = inputs[1].tokens
        if not torch.is_grad_enabled():
            return
        if tokens <= limit:
            computed.append(tokens)
        elif after:
            output.register_hook(lambda _: raising(error))
        else:
            raise error

    stack.register_forward_hook(check)
    return computed


def raising(error: Exception) -> None:
    raise error


def weights(one: mh.Learner) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in one.model.state_dict().items()}


def assert_close(one: mh.Learner, other: mh.Learner) -> None:
    torch.testing.assert_close(weights(one), weights(other), rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize("error", [CPU, CUDA, NUMPY], ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("after", [False, True], ids=["forward", "backward"])
def test_where_memory_runs_out_the_update_stays_the_same(
    error: Exception, after: bool, capfd: pytest.CaptureFixture[str]
):
    data = tiny.moods(32)
    whole, halved = (learner(data, mh.Classification(class_weights={"bad": 3.0})) for _ in range(2))
    halved.reporter.quiet = False
    computed = refuse(halved, 120, error, after)
    whole.fit()
    halved.fit()
    assert_close(whole, halved)
    assert [step.examples for step in halved.history.steps] == [16, 16]
    assert [s.tokens for s in halved.history.steps] == [s.tokens for s in whole.history.steps]
    assert max(computed) <= 120 and len(computed) >= 4
    said = [line for line in capfd.readouterr().err.splitlines() if "memory ran out" in line]
    assert 1 <= len(said) <= 2
    assert "updates stay the same" in said[0]


def test_the_smaller_size_stays_for_the_rest_of_the_run():
    one = learner(tiny.moods(96), mh.Classification())
    refused: list[int] = []

    def check(module: torch.nn.Module, inputs: tuple[Any, ...]) -> None:
        if module.training and inputs[1].tokens > 120:
            refused.append(inputs[1].tokens)
            raise CPU

    one.model.transformer.encoder.register_forward_pre_hook(check)
    one.fit()
    assert len(one.history.steps) == 6
    assert len(refused) <= 3  # not once in every step


@pytest.mark.parametrize("kind", ["language model", "translation", "tagging"])
def test_losses_by_tokens_stay_those_of_the_whole_batch(kind: str):
    data, task, body = {
        "language model": (
            mh.read({"text": [text for text, _ in tiny.mood_rows(80)]}, valid=0),
            mh.LanguageModel(),
            tiny.DECODER,
        ),
        "translation": (
            mh.read(
                dict(zip(("text", "target"), zip(*tiny.digit_rows(32), strict=True), strict=True)),
                target="target",
                valid=0,
            ),
            mh.Translation(search=None),
            tiny.SEQ2SEQ,
        ),
        "tagging": (tiny.names(32), mh.Tagging(), tiny.SCRATCH),
    }[kind]
    whole, halved = (learner(data, task, body) for _ in range(2))
    refuse(halved, 150, CPU)
    whole.fit()
    halved.fit()
    assert_close(whole, halved)


def test_the_negatives_of_a_batch_stay_all_others():
    rows = tiny.mood_rows(32, seed=3)
    data = mh.read(
        {"text": [text for text, _ in rows], "pair": [f"{n} {t}" for n, (t, _) in enumerate(rows)]},
        pair="pair",
        valid=0,
    )
    whole, halved = (learner(data, mh.Embedding()) for _ in range(2))
    computed = refuse(halved, 200, CPU)
    whole.fit()
    halved.fit()
    assert_close(whole, halved)
    assert computed and max(computed) <= 200
    assert [step.loss for step in halved.history.steps] == pytest.approx(
        [step.loss for step in whole.history.steps], rel=1e-5
    )


def test_a_single_text_that_does_not_fit_is_named_with_what_helps():
    one = learner(tiny.table([("hm", "bad"), ("a table " * 30, "good")] * 8), mh.Classification())
    before = weights(one)
    refuse(one, 20, CPU)
    with pytest.raises(
        TrainingError, match=r"single sequence of 6\d tokens .*row .*recompute"
    ) as it:
        one.fit()
    assert "max_tokens" in str(it.value) and "adapt=low_rank" in str(it.value)
    assert all(torch.equal(tensor, before[name]) for name, tensor in weights(one).items())


def test_other_errors_are_raised_as_they_are():
    one = learner(tiny.moods(16), mh.Classification())
    refuse(one, 1, RuntimeError("something else"))
    with pytest.raises(RuntimeError, match="something else"):
        one.fit()


def test_a_resumed_run_goes_on_with_the_size_that_was_found(tmp_path: Path):
    recipe = RECIPE.with_settings(["checkpoint_every=1", "epochs=3"])
    data = tiny.moods(32)
    one = mh.Learner(tiny.SCRATCH, mh.Classification(), data, recipe, quiet=True, folder=tmp_path)
    refuse(one, 120, CPU)
    one.fit()
    again = mh.Learner(tiny.SCRATCH, mh.Classification(), data, recipe, quiet=True, folder=tmp_path)
    (
        tmp_path / "checkpoints" / sorted(p.name for p in (tmp_path / "checkpoints").iterdir())[-1]
    ).unlink()
    sizes: list[int] = []
    again.model.transformer.encoder.register_forward_pre_hook(
        lambda module, inputs: sizes.append(inputs[1].tokens)
    )
    again.fit(resume=True)
    assert max(sizes) <= 120


_LIMITED = """
import json, resource, sys
from pathlib import Path
import torch
import manyheads as mh
from tests import tiny

limited = sys.argv[1] == "limited"
texts, labels = zip(*tiny.mood_rows(64))
data = mh.read({"text": [text * 8 for text in texts], "label": labels}, valid=0)
tokenizer = mh.BytePair(vocabulary=300)
body = mh.Scratch(layers=2, width=256, heads=4, max_tokens=256, tokenizer=tokenizer)
recipe = mh.Recipe(batch_size=64, batch_tokens=None, epochs=2, learning_rate=1e-3, dropout=0.0,
                   probe_examples=0, precision="float32", max_tokens=256)
learner = mh.Learner(body, mh.Classification(), data, recipe)
mh.Learner(body, mh.Classification(), data, recipe.with_settings(["batch_size=2", "epochs=0.1"]),
           quiet=True).fit()  # whatever is loaded on first use
if limited:
    status = Path("/proc/self/status").read_text().split()
    size = int(status[status.index("VmSize:") + 1]) * 1024
    resource.setrlimit(resource.RLIMIT_AS, (size + 250 * 2**20, resource.RLIM_INFINITY))
learner.fit()
sums = [float(p.double().square().sum()) for p in learner.model.parameters()]
print(json.dumps({"losses": [step.loss for step in learner.history.steps], "sums": sums}))
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads /proc")
def test_a_process_that_is_given_too_little_memory_learns_the_same():
    done = {}
    for kind in ("free", "limited"):
        done[kind] = subprocess.run(
            [sys.executable, "-c", _LIMITED, kind],
            env=tiny.ENVIRONMENT | {"PYTHONPATH": f"{tiny.ENVIRONMENT['PYTHONPATH']}:{Path.cwd()}"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done[kind].returncode == 0, done[kind].stderr
    assert "memory ran out" in done["limited"].stderr
    assert "memory ran out" not in done["free"].stderr
    free, limited = (json.loads(done[kind].stdout) for kind in ("free", "limited"))
    assert limited["losses"] == pytest.approx(free["losses"], rel=1e-4)
    assert limited["sums"] == pytest.approx(free["sums"], rel=1e-3, abs=1e-5)
