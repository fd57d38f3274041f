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
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from paragraphs import library_of, report, spelled

import manyheads as mh
from manyheads.tasks.answering.answers import Answers, answer_scores, answers_of_rows, compared
from manyheads.tasks.decision import calibration_error

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
        library = library_of(contexts, Path(folder) / "library")
        for name, mode in WAYS.items():
            report(f"by {name}:", library, asked, contexts, mode)
        questions = asked.columns["text"]
        known = answers_of_rows(asked.columns["pair"], asked.columns["label"], asked.describe)
        taught = [one.texts for one in known[:TAUGHT]]
        library.calibrate(questions[:TAUGHT], taught, answerer)
        _report_answers(library, questions[TAUGHT:], known[TAUGHT:], answerer)


def _report_answers(
    library: mh.Library, questions: Sequence[str], known: Sequence[Answers], answerer: mh.Answerer
) -> None:
    """Print the scores of answers, and how far confidences are from frequencies."""
    answers = [library.ask(question, answerer)[0] for question in questions]
    texts = [one.text for one in answers]
    print(spelled(answer_scores(known, texts)))
    right = np.array([compared(*one)[0] == 1 for one in zip(known, texts, strict=True)])
    for name in ("probability", "confidence"):
        sure = np.array([getattr(one, name) for one in answers])
        print(f"calibration error of the {name}: {calibration_error(sure, right):.4f}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
