"""Back-translation: texts in the target language alone become training pairs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from manyheads.data import Dataset
from manyheads.errors import DataError

Translate = Callable[[Sequence[str]], Sequence[str]]


def back_translated(
    data: Dataset, reverse: Translate, texts: Sequence[str], mark: str = ""
) -> Dataset:
    """Return the data with one more training pair for each text in the target language.

    `reverse` translates back: a predictor or `Generator` that was trained the other way round, such
    as ``lambda texts: generator(texts, Wording(Sample()))``: sources that are drawn teach more than
    the most probable ones (Sennrich et al. 2016; Edunov et al. 2018). A `mark` in front of them
    tells the model which sources were written so (Caswell et al. 2019). Texts whose translation is
    empty are left out, and counted in the notes.

    Raises `DataError` for data without targets, an empty text, or no text.
    """
    train = data.train
    if "target" not in train.columns:
        raise DataError(f"{train.source} has no targets; read it with target='…'")
    if not texts:
        raise DataError("there are no texts to translate back; give some")
    empty = next((number for number, text in enumerate(texts) if not text.strip()), None)
    if empty is not None:
        raise DataError(f"text {empty} to translate back is empty; leave it out")
    written = list(zip(reverse(texts), texts, strict=True))
    pairs = [(f"{mark}{source}", text) for source, text in written if source.strip()]
    columns = {
        role: [*values, *([None] * len(pairs))]
        for role, values in train.columns.items()
        if role not in ("text", "target")
    }
    columns["text"] = [*train.columns["text"], *(source for source, _ in pairs)]
    columns["target"] = [*train.columns["target"], *(text for _, text in pairs)]
    last = max(train.rows, default=0)
    more = replace(
        train,
        source=f"{train.source} and what was translated back",
        rows=[*train.rows, *range(last + 1, last + 1 + len(pairs))],
        columns=columns,
        files=None,
    )
    note = f"{len(pairs):,} texts were translated back"
    if len(pairs) < len(texts):
        note += f", {len(texts) - len(pairs):,} left out because nothing was written for them"
    return replace(data, train=more, notes=(*data.notes, note))
