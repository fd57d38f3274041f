"""Questions to a library: all paragraphs of SQuAD's development split, searched and read.

    python recipes/open_squad.py DATA MODEL         (DATA holds squad/; squad.py saved MODEL)

Nobody says which paragraph has the answer. The first questions teach the library how often answers
are right by their probability; the others are asked. Beside the answers stands how often their
paragraph was found, by words, by meaning and by both.
"""

from __future__ import annotations

import random
import sys
import tempfile
from pathlib import Path

import numpy as np
from judged import MINILM

import manyheads as mh
from manyheads.data import Split
from manyheads.tasks.answers import Answers, answer_scores, compared

TAUGHT, ASKED = 300, 600  # questions
WAYS = {"words": mh.ByWords(), "meaning": mh.ByMeaning(), "both": mh.ByBoth()}


def main(data: Path, model: Path) -> None:
    """Fill a library, calibrate it, and ask it."""
    valid = mh.read(data / "squad").valid
    assert valid is not None
    asked = valid.take(random.Random(0).sample(range(len(valid)), TAUGHT + ASKED))
    contexts = list(dict.fromkeys(valid.columns["pair"]))
    answerer = mh.load(model)
    with tempfile.TemporaryDirectory() as folder:
        library = mh.Library.create(Path(folder) / "library", embedder=MINILM)
        library.update({"text": contexts}, name="squad")
        print(f"{len(library):,} paragraphs, {library.passages:,} passages", flush=True)
        _report_search(library, asked, contexts)
        taught, others = asked.take(range(TAUGHT)), asked.take(range(TAUGHT, len(asked)))
        known = [list(one.texts) for one in taught.columns["label"]]
        library.calibrate(taught.columns["text"], known, answerer)
        _report_answers(library, others, answerer)


def _report_search(library: mh.Library, asked: Split, contexts: list[str]) -> None:
    """Print how often the paragraph of a question is among the first passages."""
    number = {context: str(row) for row, context in enumerate(contexts, 1)}
    for name, mode in WAYS.items():
        hits = []
        for question, context in zip(asked.columns["text"], asked.columns["pair"], strict=True):
            found = [one.document for one in library.search(question, n=10, mode=mode)]
            hits.append([number[context] in found[:depth] for depth in (1, 10)])
        first, ten = np.mean(hits, axis=0)
        print(f"by {name:8} in front {first:.4f}   among ten {ten:.4f}", flush=True)


def _report_answers(library: mh.Library, asked: Split, answerer: mh.Answerer) -> None:
    """Print the scores of answers, and how far confidences are from frequencies."""
    expected: list[Answers] = asked.columns["label"]
    answers = [library.ask(question, answerer)[0] for question in asked.columns["text"]]
    print(answer_scores(expected, [one.text for one in answers]))
    right = [compared(*one)[0] for one in zip(expected, map(str, answers), strict=True)]
    for name in ("probability", "confidence"):
        sure = np.array([getattr(one, name) for one in answers])
        print(f"calibration error of the {name}: {_calibration_error(sure, np.array(right)):.4f}")


def _calibration_error(sure: np.ndarray, right: np.ndarray, bins: int = 10) -> float:
    """Return the mean distance of confidence and frequency over bins (Naeini et al. 2015)."""
    bin_of = np.minimum((sure * bins).astype(int), bins - 1)
    chosen = [bin_of == number for number in range(bins)]
    return float(sum(abs(sure[one].sum() - right[one].sum()) for one in chosen) / len(sure))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
