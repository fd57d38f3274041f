"""One epoch of fine-tuning all-MiniLM-L6-v2 on drug reviews, in float32 on CPU.

232 training reviews, at most 256 tokens, 16 texts a batch, AdamW with clipping, the model's own
dropout, a linear schedule from 5e-5. The opponent is `transformers.Trainer` with dynamic padding.
Both first train for four epochs and predict the test reviews, so that speed is compared at equal
quality; then epochs are timed.
"""

from __future__ import annotations

import csv
import importlib.util
import sys
from pathlib import Path

import numpy as np
from encode import MODEL, in_package
from harness import Work, compare, threads

EPOCHS = 4
BATCH = 16
MAX_TOKENS = 256
RATE = 5e-5
DATA = Path(__file__).parent.parent / "build" / "benchmarks" / "reviews"


def write_reviews() -> None:
    """Write the demo's train.csv and test.csv."""
    script = Path(__file__).parent.parent / "demo" / "prepare.py"
    spec = importlib.util.spec_from_file_location("prepare", script)
    assert spec is not None and spec.loader is not None
    prepare = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(prepare)
    prepare.main(DATA)


def reviews(split: str) -> tuple[list[str], list[str]]:
    """Return the texts and labels of a split."""
    with (DATA / f"{split}.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return [row["review"] for row in rows], [row["condition"] for row in rows]


def manyheads() -> Work:
    import torch

    import manyheads as mh

    torch.set_num_threads(threads())
    recipe = mh.Recipe(
        learning_rate=RATE, batch_size=BATCH, batch_tokens=None, max_tokens=MAX_TOKENS
    )
    data = mh.read(DATA, text="review", label="condition", valid=0)
    model = f"package:{MODEL}/model"
    learner = mh.Learner(model, mh.Classification(), data, recipe, quiet=True)
    learner.fit(epochs=EPOCHS)
    predictions = [str(one) for one in learner.predictor()(reviews("test")[0])]

    def epoch() -> np.ndarray:
        learner.fit(epochs=1)
        return np.array(predictions)

    return epoch


def trainer() -> Work:
    import torch
    from transformers import (
        AutoModelForSequenceClassification,
        AutoTokenizer,
        DataCollatorWithPadding,
        Trainer,
        TrainingArguments,
    )

    torch.set_num_threads(threads())
    folder = in_package(MODEL, "model")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    names = sorted(set(reviews("train")[1]))
    model = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=len(names))

    def items(split: str) -> list[dict]:
        texts, labels = reviews(split)
        encoded = tokenizer(texts, truncation=True, max_length=MAX_TOKENS)["input_ids"]
        return [
            {"input_ids": ids, "attention_mask": [1] * len(ids), "labels": names.index(label)}
            for ids, label in zip(encoded, labels, strict=True)
        ]

    train, test = items("train"), items("test")

    def make(epochs: int) -> Trainer:
        arguments = TrainingArguments(
            output_dir=str(DATA.parent / "trainer"),
            num_train_epochs=epochs,
            per_device_train_batch_size=BATCH,
            per_device_eval_batch_size=BATCH,
            learning_rate=RATE,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            logging_strategy="no",
            use_cpu=True,
        )
        collator = DataCollatorWithPadding(tokenizer)
        return Trainer(model, arguments, data_collator=collator, train_dataset=train)

    whole = make(EPOCHS)
    whole.train()
    predictions = [names[best] for best in whole.predict(test).predictions.argmax(-1)]

    def epoch() -> np.ndarray:
        make(1).train()
        return np.array(predictions)

    return epoch


def main() -> None:
    if "--engine" not in sys.argv:
        write_reviews()
    contestants = compare({"manyheads": manyheads, "transformers.Trainer": trainer})
    truth = np.array(reviews("test")[1])
    for one in contestants:
        print(f"{one.name:24}test accuracy {(one.result == truth).mean():.4f}")


if __name__ == "__main__":
    main()
