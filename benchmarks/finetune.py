"""One epoch of fine-tuning all-MiniLM-L6-v2 on CPU, beside `transformers.Trainer`.

    python benchmarks/finetune.py classify      what a review is about
    python benchmarks/finetune.py tag           which words are doses and times
    python benchmarks/finetune.py answer        where a dose or a time is named

At most 256 tokens, 16 texts a batch, AdamW with clipping, the model's own dropout, a linear
schedule; the opponent pads each batch to its longest text. All engines train in float32; where the
processor multiplies bfloat16, each once more in that, which is what ours chooses by itself there.
Before epochs are timed, all train for some and are scored on held-out rows, so that speed is
compared at equal quality.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from encode import MODEL, in_package
from fine_tuning import TAGS, Columns, asked, judged, tagged
from harness import Engine, Work, compare, precisions, print_ratios, threads

import manyheads as mh
from manyheads.tasks import Task

BATCH = 16
MAX_TOKENS = 256
BUILD = Path(__file__).parent.parent / "build" / "benchmarks"
TARGET = 1.8  # times as fast as the opponent

Items = list[dict[str, Any]]


@dataclass(frozen=True)
class Job:
    """What is to be learnt: the rows, our task, and what `transformers` needs to do the same."""

    rows: Callable[[], tuple[Columns, Columns]]
    names: dict[str, str]  # the columns, as `mh.read` calls them
    task: Task[Any]
    score: str  # of our evaluation, and what `judge` computes
    labels: Callable[[Columns], list[str]]  # what the opponent's head distinguishes
    auto_model: str
    collator: str
    items: Callable[[Any, Columns, list[str]], Items]
    judge: Callable[[Any, Items], float]
    epochs: int
    rate: float

    def engines(self) -> dict[str, Engine]:
        """Return the engines, ours first."""
        return {
            f"{name} {precision}": partial(engine, self, precision)
            for precision in precisions()
            for name, engine in (("manyheads", manyheads), ("Trainer", trainer))
        }


def manyheads(job: Job, precision: str) -> Work:
    torch.set_num_threads(threads())
    recipe = mh.Recipe(
        learning_rate=job.rate,
        batch_size=BATCH,
        batch_tokens=None,
        max_tokens=MAX_TOKENS,
        precision=precision,
    )
    train, test = job.rows()
    data = mh.read({"train": train, "test": test}, valid=0, **job.names)
    learner = mh.Learner(f"package:{MODEL}/model", job.task, data, recipe, quiet=True)
    learner.fit(epochs=job.epochs)
    score = learner.evaluate(baseline=False).scores.value(job.score)

    def epoch() -> np.ndarray:
        learner.fit(epochs=1)
        return np.array([score])

    return epoch


def trainer(job: Job, precision: str) -> Work:
    import transformers

    torch.set_num_threads(threads())
    folder = in_package(MODEL, "model")
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    train, test = job.rows()
    labels = job.labels(train)
    model = getattr(transformers, job.auto_model).from_pretrained(folder, num_labels=len(labels))
    items = job.items(tokenizer, train, labels)
    collator = getattr(transformers, job.collator)(tokenizer)

    def fit(epochs: int) -> None:
        arguments = transformers.TrainingArguments(
            output_dir=str(BUILD / "trainer"),
            num_train_epochs=epochs,
            per_device_train_batch_size=BATCH,
            learning_rate=job.rate,
            weight_decay=0.01,
            bf16=precision == "bfloat16",
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            logging_strategy="no",
            use_cpu=True,
        )
        transformers.Trainer(model, arguments, data_collator=collator, train_dataset=items).train()

    fit(job.epochs)
    score = job.judge(model.eval(), job.items(tokenizer, test, labels))

    def epoch() -> np.ndarray:
        fit(1)
        return np.array([score])

    return epoch


def conditions(train: Columns) -> list[str]:
    return sorted(set(train["label"]))


def judged_items(tokenizer: Any, columns: Columns, labels: list[str]) -> Items:
    encoded = tokenizer(columns["text"], truncation=True, max_length=MAX_TOKENS)["input_ids"]
    return [
        {"input_ids": ids, "attention_mask": [1] * len(ids), "labels": labels.index(label)}
        for ids, label in zip(encoded, columns["label"], strict=True)
    ]


def tagged_items(tokenizer: Any, columns: Columns, labels: list[str]) -> Items:
    """Return the rows with a label at the first token of each word."""
    items: Items = []
    for words, tags in zip(columns["text"], columns["label"], strict=True):
        encoded = tokenizer(words, is_split_into_words=True, truncation=True, max_length=MAX_TOKENS)
        of_tokens, before = [], None
        for word in encoded.word_ids():
            begins = word is not None and word != before
            of_tokens.append(labels.index(tags[word]) if begins else -100)
            before = word
        items.append({**encoded, "labels": of_tokens})
    return items


def asked_items(tokenizer: Any, columns: Columns, labels: list[str]) -> Items:
    """Return the questions with the first and last token of their answer."""
    items: Items = []
    for question, context, answers in zip(*columns.values(), strict=True):
        encoded = tokenizer(question, context, truncation="only_second", max_length=MAX_TOKENS)
        start = answers["answer_start"][0]
        end = start + len(answers["text"][0])
        first, last = (encoded.char_to_token(place, sequence_index=1) for place in (start, end - 1))
        items.append({**encoded, "start_positions": first or 0, "end_positions": last or 0})
    return items


def accuracy(model: Any, items: Items) -> float:
    return float(np.mean([_logits(model, one).argmax() == one["labels"] for one in items]))


def entity_f1(model: Any, items: Items) -> float:
    from seqeval.metrics import f1_score

    truth, predicted = [], []
    for one in items:
        best = _logits(model, one)[0].argmax(-1).tolist()
        known = [place for place, tag in enumerate(one["labels"]) if tag >= 0]
        truth.append([TAGS[one["labels"][place]] for place in known])
        predicted.append([TAGS[best[place]] for place in known])
    return float(f1_score(truth, predicted))


def exact_match(model: Any, items: Items) -> float:
    """Return the share of the answers whose first and last token are found."""
    right = 0
    for one in items:
        with torch.inference_mode():
            found = model(**_inputs(one))
        start, end = int(found.start_logits.argmax()), int(found.end_logits.argmax())
        right += (start, end) == (one["start_positions"], one["end_positions"])
    return right / len(items)


def _logits(model: Any, item: dict[str, Any]) -> torch.Tensor:
    with torch.inference_mode():
        logits: torch.Tensor = model(**_inputs(item)).logits
    return logits


def _inputs(item: dict[str, Any]) -> dict[str, torch.Tensor]:
    names = ("input_ids", "attention_mask", "token_type_ids")
    return {name: torch.tensor([item[name]]) for name in names if name in item}


ANSWER = {"text": "question", "pair": "context", "label": "answers"}
WORDS = {"text": "text", "label": "label"}
JOBS = {
    "classify": Job(
        judged,
        WORDS,
        mh.Classification(),
        "accuracy",
        conditions,
        "AutoModelForSequenceClassification",
        "DataCollatorWithPadding",
        judged_items,
        accuracy,
        epochs=4,
        rate=5e-5,
    ),
    "tag": Job(
        tagged,
        WORDS,
        mh.Tagging(),
        "f1",
        lambda train: list(TAGS),
        "AutoModelForTokenClassification",
        "DataCollatorForTokenClassification",
        tagged_items,
        entity_f1,
        epochs=3,
        rate=3e-4,
    ),
    "answer": Job(
        asked,
        ANSWER,
        mh.Answering(),
        "exact_match",
        lambda train: ["start", "end"],
        "AutoModelForQuestionAnswering",
        "DataCollatorWithPadding",
        asked_items,
        exact_match,
        epochs=4,
        rate=3e-4,
    ),
}


def main() -> None:
    """Compare the engines at the job that the first argument names."""
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    if name not in JOBS:
        sys.exit(f"{name!r} is no job; name one of {', '.join(JOBS)}")
    job = JOBS[name]
    contestants = compare(job.engines(), name)
    for one in contestants:
        print(f"{one.name:24}{job.score} of held-out rows {one.result[0]:.4f}")
    print_ratios(contestants, TARGET)


if __name__ == "__main__":
    main()
