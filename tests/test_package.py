"""The package as a whole: its names, its import time, and the program that its README shows."""

from __future__ import annotations

import ast
import importlib
import statistics
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from tests import tiny

import manyheads as mh
from manyheads.errors import ManyHeadsError

# The promise is 0.1 s on a machine that does nothing else.
IMPORT_SECONDS = 0.1
BUSY_MACHINE = 4


def run(code: str, *, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run a program in a new process."""
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        env=tiny.ENVIRONMENT,
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.mark.parametrize("name", mh.__all__)
def test_every_public_name_is_there_and_documented(name: str):
    value = getattr(mh, name)
    assert name in dir(mh)
    if not isinstance(value, str):
        assert value.__doc__ and not value.__doc__.startswith(f"{name}("), name


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="'Learnr'"):
        mh.Learnr  # noqa: B018


def test_lazy_names_are_those_that_type_checkers_see():
    tree = ast.parse(Path(mh.__file__).read_text(encoding="utf-8"))
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    seen = {
        alias.asname or alias.name: node.module
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert set(seen) - {"__version__"} == set(mh.__all__) - {"__version__"}
    for name, module in seen.items():
        assert getattr(mh, name) is getattr(importlib.import_module(str(module)), name)


def test_importing_takes_no_time():
    """The median of five processes."""
    code = "import time; t = time.perf_counter(); import manyheads; print(time.perf_counter() - t)"
    seconds = [float(run(code).stdout) for _ in range(5)]
    assert statistics.median(seconds) < BUSY_MACHINE * IMPORT_SECONDS, seconds


def test_asking_for_an_error_class_does_not_import_torch():
    done = run("import sys, manyheads; manyheads.ManyHeadsError; print('torch' in sys.modules)")
    assert done.stdout.split() == ["False"]


def test_every_error_is_one_kind_of_value_error():
    import manyheads.errors as errors

    kinds = [
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and kind.__module__ == errors.__name__
    ]
    assert len(kinds) > 8
    assert all(issubclass(kind, ManyHeadsError) for kind in kinds)
    assert issubclass(ManyHeadsError, ValueError)


def test_the_program_of_the_readme(tmp_path: Path):
    """From a table to a predictor in one process, and its use in another."""
    tiny.write_csv(tmp_path / "reviews.csv", tiny.mood_rows(60), header=("review", "rating"))
    learning = """
        import manyheads as mh
        data = mh.read("reviews.csv", text="review", label="rating")
        model = mh.Scratch(layers=1, width=32, heads=2, tokenizer=mh.BytePair(vocabulary=300))
        learner = mh.Learner(model, mh.Classification(), data, mh.Recipe(learning_rate=3e-3))
        learner.fit(epochs=12)
        print(learner.evaluate())
        learner.predictor().save("reviews-model")
    """
    learnt = run(learning, cwd=tmp_path)
    assert learnt.returncode == 0, learnt.stderr
    assert "valid: 6 rows of reviews.csv" in learnt.stdout
    assert "bag of words" in learnt.stdout
    assert "epoch  12   validation" in learnt.stderr

    used = run(
        """
        import manyheads as mh
        predictor = mh.load("reviews-model")
        print(predictor("such a lovely great superb happy place"))
        print(*predictor(["awful and poor", "happy and great"]))
        """,
        cwd=tmp_path,
    )
    assert used.returncode == 0, used.stderr
    assert used.stdout.split() == ["good", "bad", "good"]
    assert used.stderr == ""


def test_predicting_imports_nothing_that_only_training_needs(tmp_path: Path):
    """It is what keeps the time from the start of a process to its first prediction short."""
    learner = mh.Learner(
        tiny.SCRATCH, mh.Classification(), tiny.moods(12), mh.Recipe(epochs=0.5), quiet=True
    )
    learner.fit()
    folder = learner.predictor().save(tmp_path / "model")
    done = run(
        f"""
        import sys
        import manyheads as mh
        mh.load({str(folder)!r})("a text")
        slow = ("sklearn", "matplotlib", "pyarrow", "pandas", "transformers", "manyheads.train",
                "torch._dynamo")
        print([name for name in slow if name in sys.modules])
        """
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"
