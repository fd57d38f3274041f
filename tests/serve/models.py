"""Small models to be served."""

from __future__ import annotations

from pathlib import Path

from tests import questions, tiny

import manyheads as mh

LINES = tiny.lines(60).train.columns["text"]
NAMED = [text for text, _ in tiny.named_rows(12, seed=5)]
TEXTS = [*LINES[:6], "今天去图书馆", " ".join(LINES[:30]), "Loud and Clear"]


def embedder(folder: Path) -> Path:
    """A body of random weights, with a prompt that is not pooled."""
    from manyheads.core.vectors import UnitLength, VectorSpec
    from manyheads.hub.sentences import Sentences
    from manyheads.text import Prompts

    sentences = Sentences(
        VectorSpec((mh.Pooling.MEAN,), (UnitLength(),)),
        prompts=Prompts({"query": "the old words: "}, counted=False),
        max_tokens=24,
    )
    return mh.Embedder(tiny.SCRATCH.build(LINES), sentences).save(folder)


def classifier(folder: Path, paired: bool = False) -> Path:
    """A classifier of moods, of single texts or of pairs."""
    columns = tiny.columns(tiny.mood_rows(40))
    if paired:
        columns["pair"] = columns["text"][::-1]
    data = mh.read(columns, pair="pair") if paired else mh.read(columns)
    learner = mh.Learner(tiny.SCRATCH, mh.Classification(), data)
    learner.fit(epochs=1)
    return learner.predictor().save(folder)


def ranker(folder: Path) -> Path:
    """A model of pairs with one number as its answer, as rerankers are published."""
    columns = tiny.columns(tiny.mood_rows(40))
    columns["pair"] = columns["text"][::-1]
    columns["label"] = [float(number % 3) for number in range(40)]
    learner = mh.Learner(tiny.SCRATCH, mh.Regression(), mh.read(columns, pair="pair"))
    learner.fit(epochs=1)
    return learner.predictor().save(folder)


def masks(folder: Path) -> Path:
    """A model that fills in masks."""
    learner = mh.Learner(tiny.SCRATCH, mh.MaskedLanguageModel(), tiny.lines(40))
    learner.fit(epochs=1)
    return learner.predictor().save(folder)


def tagger(folder: Path, names: bool = True) -> Path:
    """A model that finds names, or that says what each word is."""
    data = tiny.names(80) if names else tiny.speech(80)
    learner = mh.Learner(tiny.SCRATCH, mh.Tagging(), data, tiny.TAGGING, quiet=True)
    learner.fit()
    return learner.predictor().save(folder)


def answers(folder: Path) -> Path:
    """A model that answers questions about contexts, or says that there is no answer."""
    data = questions.data(60, 0, refusing=True)
    recipe = questions.RECIPE.with_settings(["epochs=2"])
    learner = mh.Learner(questions.MODEL, mh.Answering(), data, recipe, quiet=True)
    learner.fit()
    return learner.predictor().save(folder)


def of_each_kind(root: Path) -> dict[str, Path]:
    """Models that read, by what they make of it."""
    return {
        "vectors": embedder(root / "vectors"),
        "moods": classifier(root / "moods"),
        "ranks": ranker(root / "ranks"),
    }
