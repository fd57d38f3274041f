"""What each row was said to be by the model that has not learnt from it, a record for each row."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from manyheads.data import Split
from manyheads.hub.atomic import write_atomically
from manyheads.predict import Answerer, ImagePredictor, Predictor, Tagger
from manyheads.predict.spelled import answer_to_json
from manyheads.text.tagged import Tagged

RECORDS = "out-of-fold.jsonl"

Record = dict[str, Any]


def answered(predictor: Any, split: Split, fold: str) -> list[Record]:
    """Return where each row of a fold stands, its label, and what the predictor says of it.

    Nothing where predictors say no labels, numbers, tags or answers.
    """
    columns = split.columns
    match predictor:
        case Predictor() | Answerer():
            answers = predictor.answers(columns["text"], columns.get("pair"))
        case ImagePredictor():
            answers = predictor.answers(columns["image"])
        case Tagger():
            answers = predictor.answers(columns["label"])
        case _:
            return []
    return [
        {
            "row": split.rows[row],
            "where": split.describe(row),
            "fold": fold,
            "text": split.shown(row),
            "label": list(label.tags) if isinstance(label, Tagged) else label,
            **answer_to_json(answer),
        }
        for row, (label, answer) in enumerate(zip(columns["label"], answers, strict=True))
    ]


def write_records(folder: Path, records: Sequence[Record]) -> None:
    """Write records as JSON Lines, where there are any."""
    if records:
        write_atomically(folder / RECORDS, b"".join(map(json_bytes, records)))


def gather(folders: Sequence[Path], into: Path) -> list[Record]:
    """Return the records of all folds as their rows stand in the table, and write them together."""
    paths = [folder / RECORDS for folder in folders if (folder / RECORDS).is_file()]
    lines = [line for path in paths for line in path.read_bytes().splitlines()]
    records: list[Record] = sorted(map(json.loads, lines), key=lambda record: int(record["row"]))
    write_records(into, records)
    return records


def json_bytes(value: Any) -> bytes:
    """Return a value as a line of JSON."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return f"{text}\n".encode("utf-8", errors="backslashreplace")
